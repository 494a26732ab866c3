//! Rules of overrides.

use serde_json::{Value, json};

use super::{PRODUCT, refused};

#[test]
fn each_type_of_override_has_its_own_fields() {
    refused(
        &[("/overrides/0/multiplier", json!(null))],
        "overrides[0].multiplier",
        "required when `type` is `MULTIPLIER`",
    );
    refused(&[("/overrides/1/overwriteRate", json!(null))], "overrides[1].overwriteRate", "required");
    refused(&[("/overrides/3/tiers", json!(null))], "overrides[3].tiers", "required");
    refused(&[("/overrides/1/multiplier", json!("0.5"))], "overrides[1].multiplier", "only `MULTIPLIER`");
    refused(&[("/overrides/2/multiplier", json!("0.5"))], "overrides[2].type", "write `MULTIPLIER`");
    refused(&[("/overrides/2/entitled", json!(null))], "overrides[2].type", "entitled");
}

#[test]
fn priorities_are_there_where_they_decide() {
    refused(&[("/overrides/0/priority", json!(null))], "overrides[0].priority", "EXPLICIT");
    refused(&[("/overrides/3/priority", json!(null))], "overrides[3].priority", "TIERED");
    refused(&[("/overrides/0/priority", json!("0"))], "overrides[0].priority", "more than 0");
    refused(&[("/multiplierOverridePrioritization", json!(null))], "overrides[3].type", "EXPLICIT");
}

#[test]
fn what_is_for_commits_stands_in_an_override_for_commits() {
    let changes = [("/overrides/0/target", json!(null)), ("/overrides/0/isCommitSpecific", json!(false))];
    refused(&changes, "overrides[0].overrideSpecifiers[0].commitIds", "isCommitSpecific");
    refused(&[("/overrides/1/target", json!("LIST_RATE"))], "overrides[1].target", "isCommitSpecific");
    let specifier = "/overrides/0/overrideSpecifiers/0";
    let path = "overrides[0].overrideSpecifiers[0]";
    refused(&[(&format!("{specifier}/productId"), json!(null))], &format!("{path}.commitIds"), "productId");
    let any = (format!("{specifier}/anyCommitOrCreditIds"), json!(["tmp-prepaid"]));
    refused(&[(&any.0, any.1)], &format!("{path}.anyCommitOrCreditIds"), "stands for both");
}

#[test]
fn an_override_names_its_products_in_one_way() {
    refused(
        &[("/overrides/0/productId", json!(PRODUCT))],
        "overrides[0].overrideSpecifiers",
        "one or the other",
    );
    let specifiers = json!([{"billingFrequency": "MONTHLY"}]);
    let changes = [("/overrides/1/productId", json!(null)), ("/overrides/1/overrideSpecifiers", specifiers)];
    refused(&changes, "overrides[1].overrideSpecifiers[0].billingFrequency", "productId");
}

#[test]
fn each_kind_of_rate_has_its_own_price() {
    let rate = |rate: Value| [("/overrides/1/overwriteRate", rate)];
    let path = "overrides[1].overwriteRate";
    refused(&rate(json!({"rateType": "FLAT"})), &format!("{path}.price"), "required");
    refused(&rate(json!({"rateType": "TIERED"})), &format!("{path}.tiers"), "required");
    refused(&rate(json!({"rateType": "CUSTOM"})), &format!("{path}.customRate"), "required");
    refused(
        &rate(json!({"rateType": "FLAT", "price": "1", "tiers": [{"price": "1"}]})),
        &format!("{path}.tiers"),
        "takes `price`",
    );
    refused(
        &rate(json!({"rateType": "PERCENTAGE", "price": "20"})),
        &format!("{path}.price"),
        "share from 0 to 1",
    );
    refused(
        &rate(json!({"rateType": "FLAT", "price": "1", "isProrated": true})),
        &format!("{path}.isProrated"),
        "SUBSCRIPTION",
    );
    refused(
        &rate(json!({"rateType": "SUBSCRIPTION", "price": "1", "isProrated": false})),
        &format!("{path}.isProrated"),
        "true",
    );
}

#[test]
fn only_the_last_tier_is_open_ended() {
    refused(&[("/overrides/3/tiers/0/size", json!(null))], "overrides[3].tiers[0].size", "last tier");
    let size = "/overrides/1/overwriteRate/tiers/0/size";
    refused(&[(size, json!("0"))], "overrides[1].overwriteRate.tiers[0].size", "more than 0");
}
