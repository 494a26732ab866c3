//! Packages that together have every field.

use serde_json::{Value, json};

use crate::support::{
    metronome::{EUR, OTHER_PRODUCT, PRODUCT, RATE_CARD, RATE_CARD_ALIAS, START, published},
    terms::with,
};

/// Every package.
pub(super) fn all() -> [Value; 4] {
    [
        package("sold", &sold()),
        package("recurring", &recurring()),
        package("watched", &watched()),
        package("narrow", &narrow()),
    ]
}

/// Custom fields that the packages set: entities and keys.
pub(super) const CUSTOM_FIELDS: [(&str, &str); 4] = [
    ("package_commit", "team"),
    ("package_credit", "team"),
    ("package_scheduled_charge", "team"),
    ("package_subscription", "team"),
];

fn package(name: &str, terms: &Value) -> Value {
    let aliases = json!([{"name": name, "startingAt": START, "endingBefore": "2027-01-01T00:00:00Z"}]);
    with(published(name, terms), "/spec/aliases", aliases)
}

fn time(unit: &str, value: i32) -> Value {
    json!({"unit": unit, "value": value})
}

fn segments(amount: &str) -> Value {
    json!([
        {"amount": amount, "startingAtOffset": time("DAYS", 0), "duration": time("MONTHS", 6)},
        {"amount": "25", "startingAtOffset": time("MONTHS", 6), "duration": time("WEEKS", 26)},
    ])
}

fn invoices() -> Value {
    json!([
        {"dateOffset": time("DAYS", 0), "quantity": "2", "unitPrice": "500.25"},
        {"dateOffset": time("MONTHS", 6), "quantity": "1", "unitPrice": "25"},
    ])
}

fn specifiers() -> Value {
    json!([
        {"productId": PRODUCT, "productTags": ["api", "gpu"], "presentationGroupValues": {"region": "eu"},
         "pricingGroupValues": {"tier": "a"}},
        {"productTags": ["beta"]},
    ])
}

/// Balances, charges, and what a package says as a whole.
fn sold() -> Value {
    let mut terms = json!({
        "name": "Pro 2026", "contractName": "Pro", "duration": time("YEARS", 1), "rateCardId": RATE_CARD,
        "uniquenessKey": "pro-2026", "billingProvider": "stripe", "deliveryMethod": "direct_to_billing_provider",
        "netPaymentTermsDays": "30", "multiplierOverridePrioritization": "EXPLICIT", "scheduledChargesOnUsageInvoices": "ALL",
        "usageStatementSchedule": {"frequency": "QUARTERLY", "day": "CONTRACT_START",
                                   "invoiceGenerationStartingAtOffset": time("MONTHS", 1)},
        "scheduledCharges": [{"productId": PRODUCT, "name": "Set-up", "customFields": {"team": "sales"},
                              "schedule": {"creditTypeId": EUR, "scheduleItems": invoices()}}],
        "overrides": [
            {"startingAtOffset": time("DAYS", 3), "duration": time("MONTHS", 2), "type": "MULTIPLIER", "multiplier": "0.8",
             "priority": "1", "isCommitSpecific": true, "target": "COMMIT_RATE",
             "overrideSpecifiers": [
                 {"productId": PRODUCT, "productTags": ["api"], "billingFrequency": "MONTHLY", "commitIds": ["tmp-launch"],
                  "pricingGroupValues": {"tier": "a"}, "presentationGroupValues": {"region": "eu"}},
                 {"productTags": ["gpu"]}]},
            {"startingAtOffset": time("DAYS", 0), "type": "OVERWRITE", "overrideSpecifiers": [{"productId": PRODUCT}],
             "overwriteRate": {"rateType": "SUBSCRIPTION", "creditTypeId": EUR, "price": "12.50", "quantity": "2", "isProrated": true}},
            {"startingAtOffset": time("DAYS", 0), "entitled": false, "overrideSpecifiers": [{"productTags": ["beta"]}]},
        ],
    });
    terms["commits"] = json!([
        {"productId": PRODUCT, "type": "POSTPAID", "name": "Launch", "description": "paid at the end", "priority": "10",
         "rateType": "COMMIT_RATE", "rolloverFraction": "0.25", "temporaryId": "tmp-launch", "customFields": {"team": "sales"},
         "applicableProductIds": [PRODUCT, OTHER_PRODUCT], "applicableProductTags": ["api", "gpu"],
         "accessSchedule": {"accessType": "SPEND", "creditTypeId": EUR, "scheduleItems": [segments("1000.50")[0]]},
         "invoiceSchedule": {"creditTypeId": EUR, "doNotInvoice": false, "scheduleItems": [invoices()[0]]}},
        {"productId": OTHER_PRODUCT, "type": "PREPAID", "accessSchedule": {"scheduleItems": segments("7")}},
        {"productId": OTHER_PRODUCT, "type": "PREPAID", "accessSchedule": {"scheduleItems": segments("7")},
         "specifiers": specifiers(), "invoiceSchedule": {"scheduleItems": invoices()}},
    ]);
    terms["credits"] = json!([
        {"productId": PRODUCT, "accessSchedule": {"scheduleItems": segments("500.50")}},
        {"productId": PRODUCT, "accessSchedule": {"scheduleItems": segments("500.50")}, "specifiers": specifiers()},
        {"productId": PRODUCT, "name": "Welcome", "description": "a gift", "priority": "5", "rateType": "LIST_RATE",
         "accessSchedule": {"accessType": "QUANTITY", "creditTypeId": EUR, "scheduleItems": segments("9")},
         "applicableProductIds": [PRODUCT], "applicableProductTags": ["api"], "customFields": {"team": "sales"}},
    ]);
    terms
}

/// Everything that recurs.
fn recurring() -> Value {
    let grant = |name: &str| {
        json!({
            "productId": PRODUCT, "priority": "50", "startingAtOffset": time("DAYS", 1), "duration": time("MONTHS", 9),
            "name": name, "description": "every month", "temporaryId": format!("tmp-{name}"),
            "accessAmount": {"unitPrice": "100.50", "quantity": "10", "accessType": "SPEND", "creditTypeId": EUR},
            "commitDuration": {"value": "1", "unit": "PERIODS"}, "applicableProductIds": [PRODUCT],
            "applicableProductTags": ["api"], "proration": "FIRST", "rateType": "LIST_RATE", "recurrenceFrequency": "MONTHLY",
            "prorationRounding": {"access": {"decimalPlaces": "0", "roundingMethod": "HALF_UP"}}, "rolloverFraction": "0.1",
            "subscriptionConfig": {"subscriptionId": "tmp-seats", "allocation": "POOLED",
                                   "applySeatIncreaseConfig": {"isProrated": true}},
        })
    };
    let mut commit = grant("commit");
    commit["invoiceAmount"] = json!({"creditTypeId": EUR, "unitPrice": "90", "quantity": "10"});
    commit["prorationRounding"]["invoice"] = json!({"decimalPlaces": "-2", "roundingMethod": "FLOOR"});
    let narrow = json!({
        "productId": OTHER_PRODUCT, "priority": "50", "startingAtOffset": time("DAYS", 0), "specifiers": specifiers(),
        "accessAmount": {"unitPrice": "1", "quantity": "1"}, "commitDuration": {"value": "1"},
    });
    json!({
        "name": "Seats 2026", "rateCardAlias": RATE_CARD_ALIAS, "multiplierOverridePrioritization": "EXPLICIT",
        "recurringCommits": [commit, narrow],
        "recurringCredits": [grant("credit"), narrow],
        "subscriptions": [
            {"collectionSchedule": "ADVANCE", "initialQuantity": "10", "name": "Platform", "description": "the platform",
             "quantityManagementMode": "QUANTITY_ONLY", "customFields": {"team": "sales"}, "temporaryId": "tmp-platform",
             "startingAtOffset": time("DAYS", 2), "duration": time("MONTHS", 8),
             "proration": {"invoiceBehavior": "BILL_ON_NEXT_COLLECTION_DATE", "isProrated": true,
                           "rounding": {"decimalPlaces": "0", "roundingMethod": "HALF_UP"}},
             "subscriptionRate": {"billingFrequency": "MONTHLY", "productId": PRODUCT},
             "billingCycleConfig": {"invoicePlacement": "ON_SCHEDULED_INVOICE"}},
            {"collectionSchedule": "ARREARS", "quantityManagementMode": "SEAT_BASED", "proration": {}, "temporaryId": "tmp-seats",
             "subscriptionRate": {"billingFrequency": "ANNUAL", "productId": PRODUCT},
             "seatConfig": {"seatGroupKey": "seat", "initialUnassignedSeats": "3"}},
        ],
        "overrides": [
            {"startingAtOffset": time("DAYS", 0), "type": "MULTIPLIER", "multiplier": "0.7", "priority": "4",
             "isCommitSpecific": true,
             "overrideSpecifiers": [{"productId": PRODUCT, "anyCommitOrCreditIds": ["tmp-commit", "tmp-credit"]}]},
            {"startingAtOffset": time("DAYS", 0), "type": "MULTIPLIER", "multiplier": "0.6", "priority": "5",
             "isCommitSpecific": true, "overrideSpecifiers": [{"productId": PRODUCT, "recurringCommitIds": ["tmp-commit"]}]},
        ],
    })
}

/// What is watched, and prices in tiers.
fn watched() -> Value {
    let gate = json!({"paymentGateType": "STRIPE", "taxType": "PRECALCULATED",
        "stripeConfig": {"paymentType": "INVOICE", "invoiceMetadata": {"po": "1"}},
        "precalculatedTaxConfig": {"taxAmount": "10", "taxName": "VAT"}});
    let discount =
        json!({"paymentFraction": "0.85", "cap": {"amount": "100000", "spendTrackerAlias": "purchases"}});
    json!({
        "name": "Watched 2026", "multiplierOverridePrioritization": "EXPLICIT",
        "spendTrackers": [
            {"alias": "purchases", "creditTypeId": EUR, "resetFrequency": "BILLING_PERIOD",
             "applicableSpendSpecifiers": [{"sources": ["MANUAL"], "spendType": "COMMIT_PURCHASE", "discounted": "DISCOUNTED_ONLY"}]},
            {"alias": "recharges", "creditTypeId": EUR, "resetFrequency": "BILLING_PERIOD",
             "applicableSpendSpecifiers": [{"sources": ["THRESHOLD_RECHARGE"], "spendType": "COMMIT_PURCHASE"}]},
        ],
        "overrides": [
            {"startingAtOffset": time("DAYS", 0), "type": "TIERED", "priority": "2", "overrideSpecifiers": [{"productId": PRODUCT}],
             "tiers": [{"multiplier": "0.9", "size": "10"}, {"multiplier": "0.8"}]},
            {"startingAtOffset": time("DAYS", 0), "type": "OVERWRITE", "overrideSpecifiers": [{"productId": OTHER_PRODUCT}],
             "overwriteRate": {"rateType": "TIERED", "tiers": [{"price": "3", "size": "100"}, {"price": "2"}]}},
            {"startingAtOffset": time("DAYS", 0), "type": "OVERWRITE", "overrideSpecifiers": [{"productTags": ["gpu"]}],
             "overwriteRate": {"rateType": "CUSTOM", "customRate": {"curve": [1, 0.5], "unit": "token"}}},
        ],
        "spendThresholdConfiguration": {
            "isEnabled": true, "thresholdAmount": "100000", "paymentGateConfig": gate, "discountConfiguration": discount,
            "commit": {"productId": OTHER_PRODUCT, "name": "Top-up", "description": "by itself", "priority": "3"}},
        "prepaidBalanceThresholdConfiguration": {
            "isEnabled": true, "thresholdAmount": "100000", "rechargeToAmount": "500000", "customCreditTypeId": EUR,
            "paymentGateConfig": gate, "discountConfiguration": discount,
            "commit": {"productId": OTHER_PRODUCT, "name": "Recharge", "description": "by itself", "priority": "3",
                       "applicableProductIds": [PRODUCT], "applicableProductTags": ["api"], "rateType": "LIST_RATE",
                       "rolloverFraction": "0.5", "duration": time("MONTHS", 6)},
            "thresholdBalanceSpecifiers": [{"exclude": [{"customFieldFilters": [
                {"entity": "Commit", "key": "team", "value": "sales"}]}]}]},
    })
}

/// A threshold whose balance is for some usage only.
fn narrow() -> Value {
    json!({
        "name": "Narrow 2026",
        "prepaidBalanceThresholdConfiguration": {
            "isEnabled": false, "thresholdAmount": "1", "rechargeToAmount": "2",
            "paymentGateConfig": {"paymentGateType": "EXTERNAL"},
            "commit": {"productId": OTHER_PRODUCT, "specifiers": specifiers()}},
    })
}
