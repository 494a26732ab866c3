//! Contracts that together have every field.

use serde_json::{Value, json};

pub(super) const PRODUCT: &str = "0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6a101";
pub(super) const OTHER: &str = "0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6a102";
const EUR: &str = "0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6a1e0";
const START: &str = "2026-01-01T00:00:00Z";
const END: &str = "2027-01-01T00:00:00Z";

/// Every contract.
pub(super) fn all() -> [Value; 11] {
    [
        plain(),
        dated(),
        sold(),
        recurring(),
        watched(),
        narrow(),
        gated(),
        from_package(),
        by_alias(),
        beside(),
        paid_first(),
    ]
}

/// What lies beside the contract.
pub(super) fn beside() -> Value {
    let schedule = |distribution: &str, frequency: &str, amount: Value| {
        let mut recurring = json!({"amountDistribution": distribution, "frequency": frequency, "startingAt": START,
            "endingBefore": END});
        recurring.as_object_mut().unwrap().extend(amount.as_object().unwrap().clone());
        json!({"recurringSchedule": recurring})
    };
    together([
        small(),
        json!({
            "customerCommits": [
                {"key": "pool", "productId": PRODUCT, "type": "PREPAID", "name": "Pool", "description": "for all",
                 "priority": "10", "applicableContractIds": ["contract-8", "contract-9"],
                 "applicableProductIds": [PRODUCT], "applicableProductTags": ["api"], "rateType": "COMMIT_RATE",
                 "customFields": {"team": "sales"}, "netsuiteSalesOrderId": "SO-9", "salesforceOpportunityId": "SF-9",
                 "accessSchedule": {"accessType": "QUANTITY", "creditTypeId": EUR, "scheduleItems": segments("120000")},
                 "invoiceContractId": "contract-1",
                 "invoiceSchedule": {"creditTypeId": EUR, "doNotInvoice": false, "scheduleItems": [
                     {"timestamp": START, "amount": "120000"},
                     {"timestamp": "2026-07-01T00:00:00Z", "unitPrice": "500.25", "quantity": "2"}]}},
                {"key": "yearly", "productId": OTHER, "type": "PREPAID", "priority": "1", "specifiers": specifiers(),
                 "accessSchedule": {"scheduleItems": segments("1001")},
                 "invoiceSchedule": schedule("DIVIDED", "QUARTERLY", json!({"amount": "1001"}))},
                {"key": "priced", "productId": "0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6a103", "type": "PREPAID", "priority": "1",
                 "accessSchedule": {"scheduleItems": segments("7")},
                 "invoiceSchedule": schedule("EACH", "MONTHLY", json!({"unitPrice": "25", "quantity": "4"}))}],
            "customerCredits": [
                {"key": "gift", "productId": PRODUCT, "name": "Welcome", "description": "a gift", "priority": "5",
                 "applicableContractIds": ["contract-8"], "applicableProductIds": [PRODUCT],
                 "applicableProductTags": ["api"], "rateType": "LIST_RATE", "customFields": {"team": "sales"},
                 "netsuiteSalesOrderId": "SO-10", "salesforceOpportunityId": "SF-10",
                 "accessSchedule": {"accessType": "QUANTITY", "creditTypeId": EUR, "scheduleItems": segments("500.50")}},
                {"key": "narrow", "productId": OTHER, "priority": "5", "specifiers": specifiers(),
                 "accessSchedule": {"scheduleItems": segments("9")}}],
        }),
    ])
}

/// A commit whose balance waits for its payment, and a price that belongs to it.
pub(super) fn paid_first() -> Value {
    let mut gate = full_gate();
    gate["stripeConfig"]["onSessionPayment"] = json!(true);
    together([
        small(),
        json!({
            "commits": [
                {"key": "open", "productId": OTHER, "type": "PREPAID", "accessSchedule": {"scheduleItems": segments("5")}},
                {"key": "gated", "productId": PRODUCT, "type": "PREPAID", "temporaryId": "tmp-gated",
                 "accessSchedule": {"scheduleItems": segments("120000")},
                 "invoiceSchedule": {"scheduleItems": [{"timestamp": START, "amount": "120000"}]},
                 "paymentGateConfig": gate}],
            "overrides": [
                {"startingAt": START, "type": "MULTIPLIER", "multiplier": "0.8", "isCommitSpecific": true,
                 "overrideSpecifiers": [{"productId": PRODUCT, "commitIds": ["tmp-gated"]}]}],
        }),
    ])
}

fn segments(amount: &str) -> Value {
    json!([{"amount": amount, "startingAt": START, "endingBefore": END}])
}

fn specifiers() -> Value {
    json!([{"productId": PRODUCT, "productTags": ["api", "gpu"], "presentationGroupValues": {"region": "eu"},
            "pricingGroupValues": {"tier": "a"}}, {"productTags": ["beta"]}])
}

fn only_one_contract() -> Value {
    json!({"childAccess": {"type": "CONTRACT_IDS", "contractIds": ["child-1"]}})
}

/// One contract of several parts.
fn together<const N: usize>(parts: [Value; N]) -> Value {
    parts.into_iter().flat_map(|part| part.as_object().cloned().unwrap()).collect()
}

/// What every contract has.
fn small() -> Value {
    json!({"customerId": "customer-1", "startingAt": START, "endingBefore": END, "rateCardId": "card-1"})
}

/// A commit, a credit and a charge: the least that has something of everything.
pub(super) fn plain() -> Value {
    json!({
        "customerId": "customer-1", "startingAt": START, "endingBefore": END, "name": "Acme 2026",
        "rateCardId": "card-1", "netPaymentTermsDays": "30",
        "commits": [{"key": "launch", "productId": PRODUCT, "type": "PREPAID", "name": "Launch",
                     "accessSchedule": {"scheduleItems": segments("120000")},
                     "invoiceSchedule": {"scheduleItems": [{"timestamp": START, "amount": "120000"}]}}],
        "credits": [{"key": "welcome", "productId": PRODUCT, "accessSchedule": {"scheduleItems": segments("500.50")}}],
        "scheduledCharges": [{"key": "setup", "productId": PRODUCT, "name": "Set-up",
                              "schedule": {"scheduleItems": [{"timestamp": START, "amount": "99900"}]}}],
        "overrides": [{"startingAt": START, "type": "MULTIPLIER", "multiplier": "0.8", "productId": PRODUCT}],
    })
}

/// Everything that is listed and dated.
pub(super) fn dated() -> Value {
    let items = json!([{"timestamp": START, "amount": "120000"}, {"timestamp": "2026-07-01T00:00:00Z", "unitPrice": "500.25", "quantity": "2"}]);
    together([
        json!({
            "customerId": "customer-1", "startingAt": START, "endingBefore": END, "name": "Acme 2026",
            "rateCardId": "card-1", "netPaymentTermsDays": "30", "uniquenessKey": "acme-2026",
            "netsuiteSalesOrderId": "SO-1", "salesforceOpportunityId": "OPP-1", "totalContractValue": "500000",
            "scheduledChargesOnUsageInvoices": "ALL", "multiplierOverridePrioritization": "EXPLICIT",
            "customFields": {"team": "sales"},
            "billingProviderConfiguration": {"billingProvider": "stripe", "deliveryMethod": "direct_to_billing_provider"},
            "revenueSystemConfiguration": {"provider": "netsuite", "deliveryMethod": "direct_to_billing_provider"},
            "hierarchyConfiguration": {"parent": {"contractId": "parent-1", "customerId": "customer-0"},
                "payer": "PARENT", "usageStatementBehavior": "SEPARATE"},
            "transition": {"type": "RENEWAL", "fromContractId": "contract-0", "futureInvoiceBehavior": {"trueup": "REMOVE"}},
            "usageFilter": {"groupKey": "project", "groupValues": ["a", "b"], "startingAt": START},
            "usageStatementSchedule": {"frequency": "MONTHLY", "day": "CUSTOM_DATE", "billingAnchorDate": "2025-12-10T00:00:00Z",
                "invoiceGenerationStartingAt": START},
        }),
        json!({
            "commits": [
                {"key": "launch", "productId": PRODUCT, "type": "PREPAID", "name": "Launch", "description": "paid up front",
                 "accessSchedule": {"accessType": "SPEND", "creditTypeId": EUR, "scheduleItems": segments("120000")},
                 "invoiceSchedule": {"creditTypeId": EUR, "doNotInvoice": false, "scheduleItems": items},
                 "amount": "120000", "applicableProductIds": [PRODUCT], "applicableProductTags": ["api"],
                 "customFields": {"team": "sales"}, "hierarchyConfiguration": only_one_contract(),
                 "netsuiteSalesOrderId": "SO-2", "priority": "10", "rateType": "COMMIT_RATE", "rolloverFraction": "0.25",
                 "spendTrackerAttributes": {"countsAsDiscounted": true}, "temporaryId": "tmp-launch"},
                {"key": "second", "productId": OTHER, "type": "PREPAID", "temporaryId": "tmp-second", "accessSchedule": {"scheduleItems": segments("5")}},
            ],
            "credits": [
                {"key": "welcome", "productId": PRODUCT, "name": "Welcome", "description": "a gift",
                 "accessSchedule": {"accessType": "QUANTITY", "creditTypeId": EUR, "scheduleItems": segments("500.50")},
                 "applicableProductIds": [PRODUCT], "applicableProductTags": ["api"], "customFields": {"team": "sales"},
                 "hierarchyConfiguration": only_one_contract(), "netsuiteSalesOrderId": "SO-3", "priority": "5",
                 "rateType": "LIST_RATE", "rolloverFraction": "0.5"}],
        }),
        json!({
            "overrides": [
                {"startingAt": START, "endingBefore": END, "type": "MULTIPLIER", "multiplier": "0.8", "priority": "1",
                 "isCommitSpecific": true, "target": "COMMIT_RATE",
                 "overrideSpecifiers": [
                     {"productId": PRODUCT, "productTags": ["api"], "billingFrequency": "MONTHLY", "commitIds": ["tmp-launch"],
                      "pricingGroupValues": {"tier": "a"}, "presentationGroupValues": {"region": "eu"}},
                     {"productTags": ["gpu"]}]},
                {"startingAt": START, "type": "OVERWRITE", "productId": PRODUCT,
                 "overwriteRate": {"rateType": "SUBSCRIPTION", "creditTypeId": EUR, "price": "12.50", "quantity": "2", "isProrated": true}},
                {"startingAt": START, "entitled": false, "applicableProductTags": ["beta"]},
            ],
        }),
    ])
}

/// What a contract has beside balances and prices.
pub(super) fn sold() -> Value {
    let items = json!([{"timestamp": START, "amount": "120000"}, {"timestamp": "2026-07-01T00:00:00Z", "unitPrice": "500.25", "quantity": "2"}]);
    together([
        small(),
        json!({
            "scheduledCharges": [
                {"key": "setup", "productId": PRODUCT, "name": "Set-up", "customFields": {"team": "sales"},
                 "netsuiteSalesOrderId": "SO-4", "schedule": {"creditTypeId": EUR, "scheduleItems": items}}],
            "discounts": [
                {"productId": PRODUCT, "name": "Partner", "customFields": {"team": "sales"}, "netsuiteSalesOrderId": "SO-5",
                 "schedule": {"creditTypeId": EUR, "scheduleItems": items}}],
            "professionalServices": [
                {"productId": PRODUCT, "maxAmount": "1000000", "quantity": "10", "unitPrice": "20000.50",
                 "customFields": {"team": "sales"}, "description": "on-boarding", "netsuiteSalesOrderId": "SO-6"}],
            "resellerRoyalties": [
                {"fraction": "0.03", "netsuiteResellerId": "7", "resellerType": "AWS", "startingAt": START, "endingBefore": END,
                 "applicableProductIds": [PRODUCT], "applicableProductTags": ["api"], "resellerContractValue": "900000",
                 "awsOptions": {"awsAccountNumber": "1", "awsOfferId": "offer-1", "awsPayerReferenceId": "payer-1"}}],
        }),
    ])
}

/// Everything that recurs.
pub(super) fn recurring() -> Value {
    let schedule = |distribution: &str, frequency: &str| {
        json!({"recurringSchedule": {"amountDistribution": distribution, "frequency": frequency, "startingAt": START,
            "endingBefore": END, "unitPrice": "25", "quantity": "4"}})
    };
    let amount = json!({"recurringSchedule": {"amountDistribution": "DIVIDED", "frequency": "QUARTERLY", "startingAt": START,
        "endingBefore": END, "amount": "1001"}});
    together([
        json!({
            "customerAlias": "acme", "startingAt": START, "rateCardAlias": "standard",
            "multiplierOverridePrioritization": "EXPLICIT",
            "billingProviderConfiguration": {"billingProviderConfigurationId": "configuration-1"},
            "revenueSystemConfiguration": {"revenueSystemConfigurationId": "revenue-1"},
            "commits": [
                {"key": "yearly", "productId": PRODUCT, "type": "PREPAID", "specifiers": specifiers(),
                 "accessSchedule": {"scheduleItems": segments("1001")}, "invoiceSchedule": amount, "temporaryId": "tmp-yearly"},
                {"key": "priced", "productId": OTHER, "type": "PREPAID", "accessSchedule": {"scheduleItems": segments("7")},
                 "invoiceSchedule": schedule("EACH", "MONTHLY")},
                {"key": "free", "productId": "0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6a103", "type": "PREPAID",
                 "accessSchedule": {"scheduleItems": segments("7")}}],
            "credits": [{"key": "gift", "productId": PRODUCT, "specifiers": specifiers(),
                         "accessSchedule": {"scheduleItems": segments("9")}}],
        }),
        json!({
            "scheduledCharges": [
                {"key": "platform", "productId": PRODUCT, "name": "Platform", "schedule": schedule("EACH", "SEMI_ANNUAL")},
                {"key": "support", "productId": PRODUCT, "name": "Support", "schedule": amount}],
            "discounts": [{"productId": PRODUCT, "name": "Loyalty", "schedule": schedule("EACH", "QUARTERLY")},
                          {"productId": OTHER, "name": "Volume", "schedule": amount}],
            "recurringCommits": [
                {"key": "monthly", "productId": PRODUCT, "priority": "50", "startingAt": START, "endingBefore": END,
                 "name": "Monthly", "description": "every month", "temporaryId": "tmp-monthly",
                 "accessAmount": {"unitPrice": "100.50", "quantity": "10", "accessType": "SPEND", "creditTypeId": EUR},
                 "invoiceAmount": {"creditTypeId": EUR, "unitPrice": "90", "quantity": "10"},
                 "commitDuration": {"value": "1", "unit": "PERIODS"}, "applicableProductIds": [PRODUCT],
                 "applicableProductTags": ["api"], "hierarchyConfiguration": only_one_contract(),
                 "netsuiteSalesOrderId": "SO-7", "proration": "FIRST", "rateType": "LIST_RATE", "recurrenceFrequency": "MONTHLY",
                 "prorationRounding": {"access": {"decimalPlaces": "0", "roundingMethod": "HALF_UP"},
                                       "invoice": {"decimalPlaces": "-2", "roundingMethod": "FLOOR"}},
                 "rolloverFraction": "0.1",
                 "subscriptionConfig": {"subscriptionId": "tmp-seats", "allocation": "POOLED",
                                        "applySeatIncreaseConfig": {"isProrated": true}}},
                {"key": "narrow", "productId": OTHER, "priority": "50", "startingAt": START, "specifiers": specifiers(),
                 "temporaryId": "tmp-narrow",
                 "accessAmount": {"unitPrice": "1", "quantity": "1"}, "commitDuration": {"value": "1"}}],
        }),
        json!({
            "recurringCredits": [
                {"key": "monthly", "productId": PRODUCT, "priority": "50", "startingAt": START, "endingBefore": END,
                 "name": "Monthly", "description": "every month", "temporaryId": "tmp-monthly-credit",
                 "accessAmount": {"unitPrice": "100.50", "quantity": "10", "accessType": "SPEND", "creditTypeId": EUR},
                 "commitDuration": {"value": "1", "unit": "PERIODS"}, "applicableProductIds": [PRODUCT],
                 "applicableProductTags": ["api"], "hierarchyConfiguration": only_one_contract(),
                 "netsuiteSalesOrderId": "SO-8", "proration": "FIRST", "rateType": "LIST_RATE", "recurrenceFrequency": "MONTHLY",
                 "prorationRounding": {"access": {"decimalPlaces": "0", "roundingMethod": "HALF_UP"}},
                 "rolloverFraction": "0.1",
                 "subscriptionConfig": {"subscriptionId": "tmp-seats", "allocation": "POOLED",
                                        "applySeatIncreaseConfig": {"isProrated": true}}},
                {"key": "narrow", "productId": OTHER, "priority": "50", "startingAt": START, "specifiers": specifiers(),
                 "accessAmount": {"unitPrice": "1", "quantity": "1"}, "commitDuration": {"value": "1"}}],
        }),
        json!({
            "subscriptions": [
                {"key": "platform", "collectionSchedule": "ADVANCE", "initialQuantity": "10", "name": "Platform",
                 "description": "the platform", "quantityManagementMode": "QUANTITY_ONLY", "customFields": {"team": "sales"},
                 "temporaryId": "tmp-platform", "startingAt": START, "endingBefore": END,
                 "proration": {"invoiceBehavior": "BILL_ON_NEXT_COLLECTION_DATE", "isProrated": true,
                               "rounding": {"decimalPlaces": "0", "roundingMethod": "HALF_UP"}},
                 "subscriptionRate": {"billingFrequency": "MONTHLY", "productId": PRODUCT},
                 "billingCycleConfig": {"anchorDate": START, "invoicePlacement": "ON_SCHEDULED_INVOICE"}},
                {"key": "seats", "collectionSchedule": "ARREARS", "quantityManagementMode": "SEAT_BASED", "proration": {},
                 "temporaryId": "tmp-seats", "subscriptionRate": {"billingFrequency": "ANNUAL", "productId": PRODUCT},
                 "seatConfig": {"initialSeatIds": ["anna", "ben"], "seatGroupKey": "seat_id", "initialUnassignedSeats": "3"}}],
        }),
        overrides_of_recurring(),
    ])
}

/// What is watched, and prices in tiers.
pub(super) fn watched() -> Value {
    let gate = full_gate();
    let discount =
        json!({"paymentFraction": "0.85", "cap": {"amount": "100000", "spendTrackerAlias": "purchases"}});
    together([
        small(),
        json!({
            "multiplierOverridePrioritization": "EXPLICIT",
            "spendTrackers": [
                {"alias": "purchases", "creditTypeId": EUR, "resetFrequency": "BILLING_PERIOD",
                 "applicableSpendSpecifiers": [{"sources": ["MANUAL"], "spendType": "COMMIT_PURCHASE", "discounted": "DISCOUNTED_ONLY"}]},
                {"alias": "recharges", "creditTypeId": EUR, "resetFrequency": "BILLING_PERIOD",
                 "applicableSpendSpecifiers": [{"sources": ["THRESHOLD_RECHARGE"], "spendType": "COMMIT_PURCHASE"}]}],
            "overrides": [
            {"startingAt": START, "type": "TIERED", "priority": "2", "productId": PRODUCT,
             "tiers": [{"multiplier": "0.9", "size": "10"}, {"multiplier": "0.8"}]},
            {"startingAt": START, "type": "OVERWRITE", "productId": OTHER,
             "overwriteRate": {"rateType": "TIERED", "tiers": [{"price": "3", "size": "100"}, {"price": "2"}]}},
            {"startingAt": START, "type": "OVERWRITE", "productId": "0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6a104",
             "overwriteRate": {"rateType": "CUSTOM", "customRate": {"curve": [1, 0.5], "product": {"id": "x"}}}}],
        }),
        json!({
            "spendThresholdConfiguration": {
                "isEnabled": true, "thresholdAmount": "100000", "paymentGateConfig": gate, "discountConfiguration": discount,
                "commit": {"productId": OTHER, "name": "Top-up", "description": "by itself", "priority": "3"}},
            "prepaidBalanceThresholdConfiguration": {
                "isEnabled": true, "thresholdAmount": "100000", "rechargeToAmount": "500000", "customCreditTypeId": EUR,
                "paymentGateConfig": gate, "discountConfiguration": discount,
                "commit": {"productId": OTHER, "name": "Recharge", "description": "by itself", "priority": "3",
                           "applicableProductIds": [PRODUCT], "applicableProductTags": ["api"], "rateType": "LIST_RATE",
                           "rolloverFraction": "0.5", "duration": {"unit": "MONTHS", "value": 6}},
                "thresholdBalanceSpecifiers": [{"exclude": [{"customFieldFilters": [
                    {"entity": "Commit", "key": "team", "value": "sales"}]}]}]},
            "resellerRoyalties": [
                {"fraction": "0.03", "netsuiteResellerId": "7", "resellerType": "GCP", "startingAt": START,
                 "applicableProductTags": ["api"], "gcpOptions": {"gcpAccountId": "1", "gcpOfferId": "offer-1"}}],
        }),
    ])
}

/// A payment gate with everything in it.
fn full_gate() -> Value {
    json!({"paymentGateType": "STRIPE", "taxType": "PRECALCULATED",
        "stripeConfig": {"paymentType": "INVOICE", "invoiceMetadata": {"po": "1"}},
        "precalculatedTaxConfig": {"taxAmount": "10", "taxName": "VAT"}})
}

fn overrides_of_recurring() -> Value {
    json!({
        "overrides": [
            {"startingAt": START, "type": "MULTIPLIER", "multiplier": "0.7", "priority": "4", "isCommitSpecific": true,
             "overrideSpecifiers": [{"productId": PRODUCT, "anyCommitOrCreditIds": ["tmp-yearly", "tmp-monthly"]}]},
            {"startingAt": START, "type": "MULTIPLIER", "multiplier": "0.6", "priority": "5", "isCommitSpecific": true,
             "overrideSpecifiers": [{"productId": PRODUCT, "recurringCommitIds": ["tmp-monthly"]}]}],
    })
}

/// What is said otherwise in the others.
pub(super) fn narrow() -> Value {
    let mut terms = plain();
    let gate =
        json!({"paymentGateType": "STRIPE", "taxType": "NONE", "stripeConfig": {"paymentType": "INVOICE"}});
    terms["prepaidBalanceThresholdConfiguration"] = json!({
        "isEnabled": false, "thresholdAmount": "1", "rechargeToAmount": "2", "paymentGateConfig": gate,
        "commit": {"productId": OTHER, "specifiers": specifiers()}});
    terms["spendThresholdConfiguration"] = json!({
        "isEnabled": false, "thresholdAmount": "1", "paymentGateConfig": gate, "commit": {"productId": OTHER}});
    terms["usageStatementSchedule"] = json!({"frequency": "MONTHLY", "day": "CONTRACT_START"});
    terms["hierarchyConfiguration"] = json!({"parentBehavior": {"invoiceConsolidationType": "NONE"}});
    let template = json!([{"key": "monthly", "productId": PRODUCT, "priority": "50", "startingAt": START,
        "accessAmount": {"unitPrice": "1", "quantity": "1"}, "commitDuration": {"value": "1"}}]);
    terms["recurringCommits"] = template.clone();
    terms["recurringCredits"] = template;
    for list in ["commits", "credits", "recurringCommits", "recurringCredits"] {
        terms[list][0]["hierarchyConfiguration"] = json!({"childAccess": {"type": "ALL"}});
    }
    terms
}

/// A threshold whose payment somebody else collects.
pub(super) fn gated() -> Value {
    let mut terms = plain();
    let gate = json!({"paymentGateType": "EXTERNAL"});
    terms["spendThresholdConfiguration"] = json!({
        "isEnabled": false, "thresholdAmount": "1", "paymentGateConfig": gate, "commit": {"productId": OTHER}});
    terms["prepaidBalanceThresholdConfiguration"] = json!({
        "isEnabled": false, "thresholdAmount": "1", "rechargeToAmount": "3", "paymentGateConfig": gate,
        "commit": {"productId": OTHER}});
    terms
}

/// A contract from a package, by its ID.
pub(super) fn from_package() -> Value {
    json!({"customerId": "customer-1", "startingAt": START, "packageId": "package-1", "name": "Acme 2026",
           "customFields": {"team": "sales"},
           "commits": [{"key": "extra", "productId": OTHER, "type": "PREPAID", "accessSchedule": {"scheduleItems": segments("5")}}]})
}

/// A contract from a package, by its alias.
pub(super) fn by_alias() -> Value {
    json!({"customerId": "customer-1", "startingAt": START, "packageAlias": "pro"})
}
