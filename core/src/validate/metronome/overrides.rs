//! Rules of overrides.

use super::{
    references::{Kind, References},
    schedules::{check_duration, check_span},
};
use crate::{
    terms::{
        Decimal,
        metronome::{
            Id, MultiplierPrioritization,
            overrides::{Override, OverrideTerms, OverrideType, OverwriteRate, OverwriteRateType},
            package::PackageOverride,
            selectors::OverrideSpecifier,
        },
    },
    validate::Violations,
};

/// `prioritization` is how multipliers are ordered, nothing when a package decides.
pub(super) fn check_override(
    item: &Override,
    prioritization: Option<MultiplierPrioritization>,
    references: &References<'_>,
    found: &mut Violations,
) {
    check_span(Some(item.starting_at), item.ending_before, found);
    let selected = item.product_id.is_some() || !item.applicable_product_tags.is_empty();
    found.check(!selected || item.override_specifiers.is_empty(), "overrideSpecifiers", || {
        "must be left out where `productId` or `applicableProductTags` is given: write one or the other"
            .to_owned()
    });
    check_terms(&item.terms, prioritization, found);
    check_specifiers(&item.override_specifiers, &item.terms, references, found);
}

pub(super) fn check_package_override(
    item: &PackageOverride,
    prioritization: Option<MultiplierPrioritization>,
    references: &References<'_>,
    found: &mut Violations,
) {
    check_duration(item.duration.as_ref(), found);
    check_terms(&item.terms, prioritization, found);
    check_specifiers(&item.override_specifiers, &item.terms, references, found);
}

fn check_terms(
    terms: &OverrideTerms,
    prioritization: Option<MultiplierPrioritization>,
    found: &mut Violations,
) {
    let fields = [
        ("overwriteRate", terms.overwrite_rate.is_some(), OverrideType::Overwrite),
        ("multiplier", terms.multiplier.is_some(), OverrideType::Multiplier),
        ("tiers", !terms.tiers.is_empty(), OverrideType::Tiered),
    ];
    for (field, is_given, of_type) in fields {
        match terms.r#type {
            Some(kind) if kind == of_type => {
                found.check(is_given, field, || format!("is required when `type` is `{kind}`"));
            }
            Some(kind) => found.check(!is_given, field, || {
                format!("must be left out when `type` is `{kind}`; only `{of_type}` takes it")
            }),
            None => {
                found.check(!is_given, "type", || format!("is required with `{field}`: write `{of_type}`"));
            }
        }
    }
    found.check(terms.r#type.is_some() || terms.entitled.is_some(), "type", || {
        "is required, unless the override only says whether the customer is `entitled`".to_owned()
    });
    let explicit = prioritization == Some(MultiplierPrioritization::Explicit);
    let needs_priority = match terms.r#type {
        Some(OverrideType::Tiered) => true,
        Some(OverrideType::Multiplier) => explicit,
        _ => false,
    };
    found.check(!needs_priority || terms.priority.is_some(), "priority", || {
        "is required for `TIERED`, and for `MULTIPLIER` with `multiplierOverridePrioritization: EXPLICIT`"
            .to_owned()
    });
    if let Some(priority) = terms.priority {
        found.check(priority > Decimal::ZERO, "priority", || format!("must be more than 0, not {priority}"));
    }
    let tiered = terms.r#type == Some(OverrideType::Tiered);
    let lowest = prioritization == Some(MultiplierPrioritization::LowestMultiplier);
    found.check(!tiered || !lowest, "type", || {
        "may be `TIERED` only with `multiplierOverridePrioritization: EXPLICIT` in the same terms".to_owned()
    });
    found.check(terms.target.is_none() || terms.is_commit_specific == Some(true), "target", || {
        "may be given only with `isCommitSpecific: true`".to_owned()
    });
    if let Some(rate) = &terms.overwrite_rate {
        found.within("overwriteRate", |found| check_rate(rate, found));
    }
    check_tiers(terms.tiers.iter().map(|tier| tier.size), found);
}

/// Each kind of rate has its own price.
fn check_rate(rate: &OverwriteRate, found: &mut Violations) {
    use OverwriteRateType::{Custom, Flat, Percentage, Subscription, Tiered, TieredPercentage};
    let kind = rate.rate_type;
    let field_of_kind = match kind {
        Flat | Percentage | Subscription => "price",
        Tiered | TieredPercentage => "tiers",
        Custom => "customRate",
    };
    let fields = [
        ("price", rate.price.is_some()),
        ("tiers", !rate.tiers.is_empty()),
        ("customRate", !rate.custom_rate.is_empty()),
    ];
    for (field, is_given) in fields {
        if field == field_of_kind {
            found.check(is_given, field, || format!("is required when `rateType` is `{kind}`"));
        } else {
            found.check(!is_given, field, || {
                format!("must be left out when `rateType` is `{kind}`, which takes `{field_of_kind}`")
            });
        }
    }
    if let (Percentage, Some(price)) = (kind, rate.price) {
        found.check(price <= Decimal::from(1), "price", || {
            format!("must be a share from 0 to 1 when `rateType` is `PERCENTAGE` (0.1 is 10 %), not {price}")
        });
    }
    if let Some(is_prorated) = rate.is_prorated {
        found.check(kind == Subscription && is_prorated, "isProrated", || {
            "must be left out, or be true when `rateType` is `SUBSCRIPTION`".to_owned()
        });
    }
    check_tiers(rate.tiers.iter().map(|tier| tier.size), found);
}

/// Every tier but the last has a size.
fn check_tiers(sizes: impl ExactSizeIterator<Item = Option<Decimal>>, found: &mut Violations) {
    let last = sizes.len().saturating_sub(1);
    for (index, size) in sizes.enumerate() {
        let field = format!("tiers[{index}].size");
        found.check(size.is_some() || index == last, &field, || {
            "is required: only the last tier may be open-ended".to_owned()
        });
        found.check(size.is_none_or(|size| size > Decimal::ZERO), &field, || {
            "must be more than 0; leave it out in the last tier to make that open-ended".to_owned()
        });
    }
}

fn check_specifiers(
    specifiers: &[OverrideSpecifier],
    terms: &OverrideTerms,
    references: &References<'_>,
    found: &mut Violations,
) {
    for (index, specifier) in specifiers.iter().enumerate() {
        found.within(&format!("overrideSpecifiers[{index}]"), |found| {
            check_specifier(specifier, terms.is_commit_specific == Some(true), references, found);
        });
    }
}

fn check_specifier(
    specifier: &OverrideSpecifier,
    is_commit_specific: bool,
    references: &References<'_>,
    found: &mut Violations,
) {
    let usage = &specifier.specifier;
    let names_products = usage.product_id.is_some()
        || !usage.product_tags.is_empty()
        || !usage.pricing_group_values.is_empty()
        || !usage.presentation_group_values.is_empty();
    let of_kind = |kind| move |found| found == kind;
    let mut check = |field: &str, ids: &[Id], what: &str, may_name: &dyn Fn(Kind) -> bool| {
        let is_used = !ids.is_empty();
        found.check(!is_used || is_commit_specific, field, || {
            "may be given only in an override with `isCommitSpecific: true`".to_owned()
        });
        found.check(!is_used || names_products, field, || {
            "needs a `productId`, `productTags`, `pricingGroupValues` or `presentationGroupValues` beside it"
                .to_owned()
        });
        for (index, id) in ids.iter().enumerate() {
            references.check(id, may_name, what, &format!("{field}[{index}]"), found);
        }
    };
    check("commitIds", &specifier.commit_ids, "a commit", &of_kind(Kind::Commit));
    let templates = &specifier.recurring_commit_ids;
    check("recurringCommitIds", templates, "a recurring commit", &of_kind(Kind::RecurringCommit));
    let any = &specifier.any_commit_or_credit_ids;
    check("anyCommitOrCreditIds", any, "a commit or credit", &|kind| !matches!(kind, Kind::Subscription(_)));
    let by_kind = !specifier.commit_ids.is_empty() || !specifier.recurring_commit_ids.is_empty();
    found.check(!by_kind || specifier.any_commit_or_credit_ids.is_empty(), "anyCommitOrCreditIds", || {
        "must be left out where `commitIds` or `recurringCommitIds` are given: it stands for both".to_owned()
    });
    let names_rate = usage.product_id.is_some() || !usage.product_tags.is_empty();
    found.check(specifier.billing_frequency.is_none() || names_rate, "billingFrequency", || {
        "needs a `productId` or `productTags` beside it: together they name a rate".to_owned()
    });
}
