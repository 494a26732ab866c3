//! Rules of a package as a whole.

use std::sync::LazyLock;

use serde_json::Value;

use super::{
    ROOT,
    balances::{
        check_daily, check_package_commit, check_package_credit, check_package_recurring_commit,
        check_package_recurring_credit,
    },
    check_rate_card, indexed,
    overrides::check_package_override,
    references::{Kind, References},
    schedules::{check_duration, check_span},
    subscriptions::{check_package_subscription, mode},
    thresholds::check_thresholds,
    values::check_values,
};
use crate::{
    terms::{
        metronome::{MultiplierPrioritization, PACKAGE, Package},
        shape::{Place, schema_of},
    },
    validate::{Validated, Violation, Violations},
};

static SCHEMA: LazyLock<Value> = LazyLock::new(schema_of::<Package>);

/// Checks a package.
///
/// # Errors
/// Every violation.
pub fn package(package: &Package) -> Result<Validated<&Package>, Vec<Violation>> {
    let mut violations = Violations::below(ROOT);
    let found = &mut violations;
    check_values(&SCHEMA, package, found);
    check_rate_card(package.rate_card_id.is_some(), package.rate_card_alias.is_some(), found);
    check_duration(package.duration.as_ref(), found);
    check_billing(package, found);
    check_extra_fields(package, found);
    for alias in &package.aliases {
        found.within(&format!("aliases[{}]", alias.name), |found| {
            check_span(alias.starting_at, alias.ending_before, found);
        });
    }

    let references = references(package);
    references.check_unique(found);
    indexed("commits", &package.commits, check_package_commit, found);
    indexed("credits", &package.credits, check_package_credit, found);
    let check = |item: &_, found: &mut _| check_package_recurring_commit(item, &references, found);
    indexed("recurringCommits", &package.recurring_commits, check, found);
    check_daily("recurringCommits", package.recurring_commits.iter().map(|item| &item.grant), found);
    let check = |item: &_, found: &mut _| check_package_recurring_credit(item, &references, found);
    indexed("recurringCredits", &package.recurring_credits, check, found);
    check_daily("recurringCredits", package.recurring_credits.iter().map(|item| &item.grant), found);
    indexed("subscriptions", &package.subscriptions, check_package_subscription, found);
    let prioritization = package.multiplier_override_prioritization;
    let prioritization = prioritization.or(Some(MultiplierPrioritization::LowestMultiplier));
    let check = |item: &_, found: &mut _| check_package_override(item, prioritization, &references, found);
    indexed("overrides", &package.overrides, check, found);
    check_thresholds(
        package.spend_threshold_configuration.as_ref(),
        package.prepaid_balance_threshold_configuration.as_ref(),
        Some(&package.spend_trackers),
        found,
    );
    violations.or(package)
}

fn check_billing(package: &Package, found: &mut Violations) {
    let has_provider = package.billing_provider.is_some();
    found.check(has_provider == package.delivery_method.is_some(), "deliveryMethod", || {
        let verb = if has_provider { "is required" } else { "must be left out" };
        format!("{verb}: `billingProvider` and `deliveryMethod` go together")
    });
}

/// What has a place of its own is written there, where it is checked.
fn check_extra_fields(package: &Package, found: &mut Violations) {
    for name in package.extra_fields.keys() {
        let mut body = PACKAGE.members().filter(|(_, member)| member.place == Place::Body);
        if let Some((place, _)) = body.find(|(_, member)| member.wire == *name) {
            found.check(false, &format!("extraFields.{name}"), || {
                format!("must be written as `{place}`, which is checked")
            });
        }
    }
}

fn references(package: &Package) -> References<'_> {
    let mut references = References::default();
    for (index, item) in package.commits.iter().enumerate() {
        references.name("commits", &index, item.temporary_id.as_ref(), Kind::Commit);
    }
    for (index, item) in package.recurring_commits.iter().enumerate() {
        let id = item.grant.temporary_id.as_ref();
        references.name("recurringCommits", &index, id, Kind::RecurringCommit);
    }
    for (index, item) in package.recurring_credits.iter().enumerate() {
        let id = item.grant.temporary_id.as_ref();
        references.name("recurringCredits", &index, id, Kind::RecurringCredit);
    }
    for (index, item) in package.subscriptions.iter().enumerate() {
        let id = item.terms.temporary_id.as_ref();
        references.name("subscriptions", &index, id, Kind::Subscription(mode(&item.terms)));
    }
    references
}
