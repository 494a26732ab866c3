//! Rules of commits, credits, templates and subscriptions.

use serde_json::json;

use super::{PRODUCT, of_contract, refused, refused_in_package, set, sound_contract};

#[test]
fn a_postpaid_commit_is_one_amount_invoiced_once() {
    let commit = "commits[true-up]";
    refused(&[("/commits/1/invoiceSchedule", json!(null))], &format!("{commit}.invoiceSchedule"), "required");
    let items = "/commits/1/invoiceSchedule/scheduleItems";
    let half = json!({"timestamp": "2027-01-01T00:00:00Z", "amount": "250"});
    let path = format!("{commit}.invoiceSchedule.scheduleItems");
    refused(&[(items, json!([half, half]))], &path, "exactly one item");
    refused(
        &[(items, json!([half]))],
        &path,
        "sum up to the amount of the `accessSchedule` (500.00), not 250",
    );
    refused(&[("/commits/0/accessSchedule", json!(null))], "commits[prepaid].accessSchedule", "required");
    let price = "/commits/0/invoiceSchedule/scheduleItems/0/unitPrice";
    refused_in_package(&[(price, json!("1"))], "commits[0].invoiceSchedule.scheduleItems", "sum up");
}

#[test]
fn usage_is_named_by_products_and_tags_or_by_specifiers() {
    refused(
        &[("/commits/0/specifiers", json!([{"productId": PRODUCT}]))],
        "commits[prepaid].specifiers",
        "one or the other",
    );
    let balance = json!({"productId": PRODUCT, "applicableProductIds": [PRODUCT], "specifiers": [{}]});
    let path = "prepaidBalanceThresholdConfiguration.commit.specifiers";
    refused(&[("/prepaidBalanceThresholdConfiguration/commit", balance)], path, "one or the other");
}

#[test]
fn contract_ids_are_listed_where_only_they_have_access() {
    let pointer = "/commits/0/hierarchyConfiguration/childAccess";
    let path = "commits[prepaid].hierarchyConfiguration.childAccess.contractIds";
    refused(&[(&format!("{pointer}/type"), json!("ALL"))], path, "left out when `type` is `ALL`");
    refused(
        &[(&format!("{pointer}/contractIds"), json!(null))],
        path,
        "required when `type` is `CONTRACT_IDS`",
    );
}

#[test]
fn a_recurring_balance_gets_its_quantity_from_somewhere() {
    let quantity = "/recurringCommits/0/accessAmount/quantity";
    refused(
        &[(quantity, json!(null))],
        "recurringCommits[monthly].accessAmount.quantity",
        "subscriptionConfig",
    );
}

#[test]
fn one_template_may_be_daily_and_none_with_seats() {
    let pointer = "/recurringCredits/0/recurrenceFrequency";
    refused(&[(pointer, json!("DAILY"))], "recurringCredits[seat-credit].recurrenceFrequency", "seats");
    let mut daily = sound_contract()["recurringCommits"][0].clone();
    daily["recurrenceFrequency"] = json!("DAILY");
    let mut other = daily.clone();
    other["key"] = json!("other");
    other.as_object_mut().unwrap().remove("temporaryId");
    refused(&[("/recurringCommits", json!([daily, other]))], "recurringCommits", "DAILY");
}

#[test]
fn references_lead_to_an_item_of_the_right_kind() {
    let pointer = "/recurringCredits/0/subscriptionConfig/subscriptionId";
    let path = "recurringCredits[seat-credit].subscriptionConfig.subscriptionId";
    refused(&[(pointer, json!("tmp-nothing"))], path, "`temporaryId` of a subscription");
    refused(&[(pointer, json!("tmp-monthly"))], path, "of a subscription");
    let pointer = "/overrides/0/overrideSpecifiers/0/commitIds/0";
    let path = "overrides[0].overrideSpecifiers[0].commitIds[0]";
    refused(&[(pointer, json!("tmp-monthly"))], path, "of a commit");
    let mut by_id = sound_contract();
    set(&mut by_id, pointer, json!(PRODUCT));
    assert_eq!(of_contract(by_id), []);
    let pointer = "/overrides/0/overrideSpecifiers/0/anyCommitOrCreditIds/0";
    let path = "overrides[0].overrideSpecifiers[0].anyCommitOrCreditIds[0]";
    refused_in_package(&[(pointer, json!("tmp-platform"))], path, "of a commit or credit");
}

#[test]
fn a_temporary_id_names_one_item() {
    refused(
        &[("/recurringCommits/0/temporaryId", json!("tmp-prepaid"))],
        "recurringCommits[monthly].temporaryId",
        "also that of `commits[prepaid]`",
    );
    refused_in_package(
        &[("/subscriptions/0/temporaryId", json!("tmp-true-up"))],
        "subscriptions[0].temporaryId",
        "`commits[0]`",
    );
}

#[test]
fn a_balance_for_each_seat_needs_seats() {
    refused(
        &[("/recurringCredits/0/subscriptionConfig/subscriptionId", json!("tmp-platform"))],
        "recurringCredits[seat-credit].subscriptionConfig.allocation",
        "POOLED",
    );
}

#[test]
fn a_subscription_counts_seats_or_has_a_quantity() {
    refused(&[("/subscriptions/0/seatConfig", json!(null))], "subscriptions[seats].seatConfig", "required");
    refused(
        &[("/subscriptions/0/initialQuantity", json!("1"))],
        "subscriptions[seats].initialQuantity",
        "left out",
    );
    refused(
        &[("/subscriptions/1/initialQuantity", json!(null))],
        "subscriptions[platform].initialQuantity",
        "required",
    );
    refused_in_package(
        &[("/subscriptions/0/initialQuantity", json!(null))],
        "subscriptions[0].initialQuantity",
        "required",
    );
}

#[test]
fn only_what_is_paid_in_advance_is_billed_immediately() {
    refused(
        &[("/subscriptions/0/collectionSchedule", json!("ARREARS"))],
        "subscriptions[seats].proration.invoiceBehavior",
        "ADVANCE",
    );
}
