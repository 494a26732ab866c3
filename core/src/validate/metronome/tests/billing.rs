//! Rules of thresholds, billing and royalties.

use serde_json::json;

use super::{PRODUCT, of_contract, refused, refused_in_package, set, sound_contract};

#[test]
fn a_recharge_goes_above_its_threshold() {
    let pointer = "/prepaidBalanceThresholdConfiguration/rechargeToAmount";
    refused(
        &[(pointer, json!("1000"))],
        "prepaidBalanceThresholdConfiguration.rechargeToAmount",
        "more than",
    );
}

#[test]
fn a_cap_is_measured_by_a_tracker_of_the_contract() {
    refused(
        &[("/spendTrackers/0/alias", json!("other"))],
        "prepaidBalanceThresholdConfiguration.discountConfiguration.cap.spendTrackerAlias",
        "spendTrackers",
    );
}

#[test]
fn a_payment_gate_is_configured_for_who_collects() {
    let gate = "/prepaidBalanceThresholdConfiguration/paymentGateConfig";
    let path = "prepaidBalanceThresholdConfiguration.paymentGateConfig";
    refused(
        &[(&format!("{gate}/paymentGateType"), json!("EXTERNAL"))],
        &format!("{path}.stripeConfig"),
        "only `STRIPE`",
    );
    let pointer = format!("{gate}/stripeConfig/paymentType");
    refused(
        &[(&pointer, json!("PAYMENT_INTENT"))],
        &format!("{path}.stripeConfig.invoiceMetadata"),
        "only `INVOICE`",
    );
    refused(
        &[(&format!("{gate}/taxType"), json!("ANROK"))],
        &format!("{path}.precalculatedTaxConfig"),
        "left out",
    );
    refused(
        &[(&format!("{gate}/precalculatedTaxConfig"), json!(null))],
        &format!("{path}.precalculatedTaxConfig"),
        "required",
    );
    let by_us = json!({"paymentGateType": "EXTERNAL", "taxType": "STRIPE"});
    refused(&[(gate, by_us)], &format!("{path}.taxType"), "only when `paymentGateType` is `STRIPE`");
}

#[test]
fn a_configuration_is_named_by_its_id_or_by_its_parts() {
    let path = "billingProviderConfiguration";
    let id = format!("/{path}/billingProviderConfigurationId");
    let found = {
        let mut terms = sound_contract();
        set(&mut terms, &id, json!(PRODUCT));
        of_contract(terms)
    };
    assert_eq!(found.len(), 2, "provider and delivery method: {found:?}");
    refused(
        &[(&format!("/{path}/deliveryMethod"), json!(null))],
        &format!("{path}.deliveryMethod"),
        "required",
    );
    let revenue = json!({"provider": "netsuite"});
    refused(
        &[("/revenueSystemConfiguration", revenue)],
        "revenueSystemConfiguration.deliveryMethod",
        "required",
    );
    refused_in_package(&[("/deliveryMethod", json!(null))], "deliveryMethod", "go together");
}

#[test]
fn a_custom_date_is_given_where_it_counts() {
    let date = "usageStatementSchedule.billingAnchorDate";
    refused(&[("/usageStatementSchedule/billingAnchorDate", json!(null))], date, "required");
    refused(&[("/usageStatementSchedule/day", json!("FIRST_OF_MONTH"))], date, "left out");
}

#[test]
fn a_royalty_says_what_it_is_for() {
    refused(
        &[("/resellerRoyalties/0/applicableProductTags", json!(null))],
        "resellerRoyalties[0].applicableProductIds",
        "required",
    );
    refused(&[("/resellerRoyalties/0/gcpOptions", json!({}))], "resellerRoyalties[0].gcpOptions", "`AWS`");
}

#[test]
fn an_extra_field_has_no_place_of_its_own() {
    refused_in_package(
        &[("/extraFields/contract_name", json!("x"))],
        "extraFields.contract_name",
        "`contractName`",
    );
}

#[test]
fn a_contract_is_a_parent_or_a_child() {
    let both = json!({"parent": {"contractId": "c", "customerId": "d"}, "parentBehavior": {"invoiceConsolidationType": "NONE"}});
    refused(
        &[("/hierarchyConfiguration", both)],
        "hierarchyConfiguration.parentBehavior",
        "a parent or a child",
    );
}
