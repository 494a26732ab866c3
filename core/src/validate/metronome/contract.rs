//! Rules of a contract as a whole.

use std::sync::LazyLock;

use serde_json::Value;

use super::{
    ROOT,
    balances::{
        check_commit, check_credit, check_customer_commit, check_customer_credit, check_daily,
        check_recurring_commit, check_recurring_credit,
    },
    billing::check_billing,
    check_rate_card, indexed, keyed,
    overrides::check_override,
    references::{Kind, References},
    schedules::{check_charge_schedule, check_span},
    subscriptions::{check_subscription, mode},
    thresholds::check_thresholds,
    values::check_values,
};
use crate::{
    terms::{
        metronome::{Contract, MultiplierPrioritization, schedules::ScheduledCharge},
        shape::schema_of,
    },
    validate::{Validated, Violation, Violations},
};

static SCHEMA: LazyLock<Value> = LazyLock::new(schema_of::<Contract>);

/// Checks a contract.
///
/// # Errors
/// Every violation.
pub fn contract(contract: &Contract) -> Result<Validated<&Contract>, Vec<Violation>> {
    check(contract, false)
}

/// Checks a contract that is made from the ContractPackage in `packageRef`.
///
/// # Errors
/// Every violation.
pub fn contract_from_package(contract: &Contract) -> Result<Validated<&Contract>, Vec<Violation>> {
    check(contract, true)
}

fn check(contract: &Contract, has_reference: bool) -> Result<Validated<&Contract>, Vec<Violation>> {
    let mut violations = Violations::below(ROOT);
    let found = &mut violations;
    check_values(&SCHEMA, contract, found);
    check_identity(contract, found);
    check_span(Some(contract.starting_at), contract.ending_before, found);
    check_billing(contract, found);
    let names_package =
        [("packageId", contract.package_id.is_some()), ("packageAlias", contract.package_alias.is_some())];
    for (field, is_given) in names_package {
        found.check(!(has_reference && is_given), field, || {
            "must be left out where `spec.packageRef` is given: write one or the other".to_owned()
        });
    }
    let child = contract.hierarchy_configuration.as_ref().filter(|hierarchy| hierarchy.parent.is_some());
    found.check(
        child.is_none_or(|child| child.parent_behavior.is_none()),
        "hierarchyConfiguration.parentBehavior",
        || "must be left out where `parent` is given: a contract is a parent or a child".to_owned(),
    );
    let from_package = has_reference || names_package.iter().any(|(_, is_given)| *is_given);
    if from_package {
        check_settled_by_package(contract, found);
    }

    let references = references(contract);
    references.check_unique(found);
    keyed("commits", &contract.commits, |item| &item.key, check_commit, found);
    keyed("credits", &contract.credits, |item| &item.key, check_credit, found);
    keyed(
        "customerCommits",
        &contract.customer_commits,
        |item| &item.terms.key,
        check_customer_commit,
        found,
    );
    keyed(
        "customerCredits",
        &contract.customer_credits,
        |item| &item.terms.key,
        check_customer_credit,
        found,
    );
    let check = |item: &_, found: &mut _| check_recurring_commit(item, &references, found);
    keyed("recurringCommits", &contract.recurring_commits, |item| &item.key, check, found);
    check_daily("recurringCommits", contract.recurring_commits.iter().map(|item| &item.grant), found);
    let check = |item: &_, found: &mut _| check_recurring_credit(item, &references, found);
    keyed("recurringCredits", &contract.recurring_credits, |item| &item.key, check, found);
    check_daily("recurringCredits", contract.recurring_credits.iter().map(|item| &item.grant), found);
    keyed("subscriptions", &contract.subscriptions, |item| &item.key, check_subscription, found);
    let charge = |item: &ScheduledCharge, found: &mut _| check_charge_schedule(&item.charge.schedule, found);
    keyed("scheduledCharges", &contract.scheduled_charges, |item| &item.key, charge, found);
    indexed(
        "discounts",
        &contract.discounts,
        |item, found| check_charge_schedule(&item.schedule, found),
        found,
    );
    let given = contract.multiplier_override_prioritization;
    let prioritization = given.or((!from_package).then_some(MultiplierPrioritization::LowestMultiplier));
    let check = |item: &_, found: &mut _| check_override(item, prioritization, &references, found);
    indexed("overrides", &contract.overrides, check, found);
    check_thresholds(
        contract.spend_threshold_configuration.as_ref(),
        contract.prepaid_balance_threshold_configuration.as_ref(),
        (!from_package).then_some(&contract.spend_trackers),
        found,
    );
    violations.or(contract)
}

/// Whose contract it is, and what it is made from, is said in one way each.
fn check_identity(contract: &Contract, found: &mut Violations) {
    let exactly_one = |one: (&str, bool), other: (&str, bool), found: &mut Violations| {
        found.check(one.1 != other.1, one.0, || {
            if one.1 {
                format!("must be left out where `{}` is given: write one or the other", other.0)
            } else {
                format!("is required, unless `{}` is given", other.0)
            }
        });
    };
    let by_id = ("customerId", contract.customer_id.is_some());
    exactly_one(by_id, ("customerAlias", contract.customer_alias.is_some()), found);
    if let Some(transition) = &contract.transition {
        found.within("transition", |found| {
            let by_id = ("fromContractId", transition.from_contract_id.is_some());
            exactly_one(by_id, ("fromContractRef", transition.from_contract_ref.is_some()), found);
        });
    }
    check_rate_card(contract.rate_card_id.is_some(), contract.rate_card_alias.is_some(), found);
    found.check(contract.package_id.is_none() || contract.package_alias.is_none(), "packageAlias", || {
        "must be left out where `packageId` is given: write one or the other".to_owned()
    });
}

/// What a contract from a package says beyond it is added by an edit, so it cannot say what no edit can change.
fn check_settled_by_package(contract: &Contract, found: &mut Violations) {
    let settled = [
        ("rateCardId", contract.rate_card_id.is_some()),
        ("rateCardAlias", contract.rate_card_alias.is_some()),
        ("usageStatementSchedule", contract.usage_statement_schedule.is_some()),
        ("multiplierOverridePrioritization", contract.multiplier_override_prioritization.is_some()),
        ("scheduledChargesOnUsageInvoices", contract.scheduled_charges_on_usage_invoices.is_some()),
        ("hierarchyConfiguration", contract.hierarchy_configuration.is_some()),
        ("netsuiteSalesOrderId", contract.netsuite_sales_order_id.is_some()),
        ("salesforceOpportunityId", contract.salesforce_opportunity_id.is_some()),
        ("totalContractValue", contract.total_contract_value.is_some()),
    ];
    for (field, is_given) in settled {
        found.check(!is_given, field, || {
            "must be left out in a contract from a package: the API neither takes it then nor changes it later"
                .to_owned()
        });
    }
}

fn references(contract: &Contract) -> References<'_> {
    let mut references = References::default();
    for item in &contract.commits {
        references.name("commits", &item.key, item.temporary_id.as_ref(), Kind::Commit);
    }
    for item in &contract.recurring_commits {
        let id = item.grant.temporary_id.as_ref();
        references.name("recurringCommits", &item.key, id, Kind::RecurringCommit);
    }
    for item in &contract.recurring_credits {
        let id = item.grant.temporary_id.as_ref();
        references.name("recurringCredits", &item.key, id, Kind::RecurringCredit);
    }
    for item in &contract.subscriptions {
        let id = item.terms.temporary_id.as_ref();
        references.name("subscriptions", &item.key, id, Kind::Subscription(mode(&item.terms)));
    }
    references
}
