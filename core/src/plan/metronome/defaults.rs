//! What members of terms mean when they are left out, so that a reply which leaves them out says the same as a spec.
//!
//! Knows nothing of where terms come from.

use serde_json::{Map, Value, json};

use crate::plan::USD_CENTS;

/// What a reply means when it leaves a member out, by the place in the terms; `*` is every item of a list.
pub(super) const DEFAULTS: &[(&str, &str)] = &[
    ("/commits/*/accessSchedule/accessType", "SPEND"),
    ("/commits/*/accessSchedule/creditTypeId", USD_CENTS),
    ("/commits/*/invoiceSchedule/creditTypeId", USD_CENTS),
    ("/commits/*/invoiceSchedule/doNotInvoice", "false"),
    ("/commits/*/priority", "100"),
    ("/credits/*/accessSchedule/accessType", "SPEND"),
    ("/credits/*/accessSchedule/creditTypeId", USD_CENTS),
    ("/credits/*/priority", "100"),
    ("/customerCommits/*/accessSchedule/accessType", "SPEND"),
    ("/customerCommits/*/accessSchedule/creditTypeId", USD_CENTS),
    ("/customerCommits/*/invoiceSchedule/creditTypeId", USD_CENTS),
    ("/customerCommits/*/invoiceSchedule/doNotInvoice", "false"),
    ("/customerCredits/*/accessSchedule/accessType", "SPEND"),
    ("/customerCredits/*/accessSchedule/creditTypeId", USD_CENTS),
    ("/discounts/*/schedule/creditTypeId", USD_CENTS),
    ("/discounts/*/schedule/doNotInvoice", "false"),
    ("/multiplierOverridePrioritization", "LOWEST_MULTIPLIER"),
    ("/overrides/*/isCommitSpecific", "false"),
    ("/overrides/*/overwriteRate/creditTypeId", USD_CENTS),
    ("/overrides/*/target", "LIST_RATE"),
    ("/prepaidBalanceThresholdConfiguration/commit/priority", "100"),
    ("/prepaidBalanceThresholdConfiguration/paymentGateConfig/taxType", "NONE"),
    ("/recurringCommits/*/accessAmount/accessType", "SPEND"),
    ("/recurringCommits/*/accessAmount/creditTypeId", USD_CENTS),
    ("/recurringCommits/*/commitDuration/unit", "PERIODS"),
    ("/recurringCommits/*/proration", "FIRST_AND_LAST"),
    ("/recurringCredits/*/accessAmount/accessType", "SPEND"),
    ("/recurringCredits/*/accessAmount/creditTypeId", USD_CENTS),
    ("/recurringCredits/*/commitDuration/unit", "PERIODS"),
    ("/recurringCredits/*/proration", "FIRST_AND_LAST"),
    ("/scheduledCharges/*/schedule/creditTypeId", USD_CENTS),
    ("/scheduledCharges/*/schedule/doNotInvoice", "false"),
    ("/spendThresholdConfiguration/commit/priority", "100"),
    ("/spendThresholdConfiguration/paymentGateConfig/taxType", "NONE"),
    ("/spendTrackers/*/applicableSpendSpecifiers/*/discounted", "ANY"),
    ("/subscriptions/*/billingCycleConfig/invoicePlacement", "ON_USAGE_INVOICE"),
    ("/subscriptions/*/quantityManagementMode", "QUANTITY_ONLY"),
];

/// Takes out lists and objects that are empty, which say the same as none.
pub(super) fn prune(value: &mut Value) {
    let empty = |value: &Value| {
        value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
    };
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(prune);
            members.retain(|_, value| !empty(value));
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        _ => {}
    }
}

/// Fills in what members mean that are left out.
pub(super) fn fill_defaults(terms: &mut Value) {
    for (place, default) in DEFAULTS {
        let path: Vec<_> = place.split('/').skip(1).collect();
        let default = default.parse::<bool>().map_or_else(|_| json!(default), Value::Bool);
        fill(terms, &path, &default);
    }
}

/// Leaves out what means the same when it is left out.
pub fn leave_out_defaults(terms: &mut Value) {
    for (place, default) in DEFAULTS {
        let path: Vec<_> = place.split('/').skip(1).collect();
        let default = default.parse::<bool>().map_or_else(|_| json!(default), Value::Bool);
        leave_out(terms, &path, &default);
    }
}

/// Takes a value out of a place where it is the default; `*` is every item of a list.
fn leave_out(value: &mut Value, path: &[&str], default: &Value) {
    match (path, value) {
        ([name], Value::Object(members)) if members.get(*name) == Some(default) => {
            members.remove(*name);
        }
        (["*", rest @ ..], Value::Array(items)) => {
            for item in items {
                leave_out(item, rest, default);
            }
        }
        ([name, rest @ ..], Value::Object(members)) if !rest.is_empty() => {
            if let Some(value) = members.get_mut(*name) {
                leave_out(value, rest, default);
            }
        }
        _ => {}
    }
}

/// Puts a value at a place where there is none; `*` is every item of a list.
pub(super) fn fill(value: &mut Value, path: &[&str], default: &Value) {
    match (path, value) {
        ([name], Value::Object(members)) => {
            members.entry((*name).to_owned()).or_insert_with(|| default.clone());
        }
        (["*", rest @ ..], Value::Array(items)) => {
            for item in items {
                fill(item, rest, default);
            }
        }
        ([name, rest @ ..], Value::Object(members)) => {
            if let Some(value) = members.get_mut(*name) {
                fill(value, rest, default);
            }
        }
        _ => {}
    }
}
