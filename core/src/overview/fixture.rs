//! Contracts for the tests of this folder.

use serde_json::json;

use crate::api::BillingContract;

/// A contract of Zoo in the namespace `billing`, of the customer 0…1, between two days.
pub(super) fn contract(name: &str, start: &str, end: &str) -> BillingContract {
    contract_of(name, 1, start, end, "120000")
}

/// The same of another customer, with another commitment.
pub(super) fn contract_of(
    name: &str,
    customer: u32,
    start: &str,
    end: &str,
    commitment: &str,
) -> BillingContract {
    let [start, end] = [start, end].map(|day| format!("{day}T00:00:00Z"));
    serde_json::from_value(json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract",
        "metadata": {"name": name, "namespace": "billing", "generation": 1},
        "spec": {"providerRef": {"name": "zoo"}, "zoo": {
            "organizationId": format!("00000000-0000-4000-8000-{customer:012}"), "name": format!("The {name}"),
            "status": "active", "provider": "stripe", "billingCadence": "annual", "commitmentScope": "pooled",
            "rolloverPolicy": "none", "currency": "USD", "effectiveAt": start, "termEndAt": end,
            "items": [{"code": "licensed_api_credits", "displayName": "API", "kind": "usage_tiered", "unit": "minute",
                       "rateTiers": [{"tierStartInclusive": 0, "unitPrice": "0.50"}]}],
            "periods": [{"periodIndex": 0, "periodStartAt": start, "periodEndAt": end, "commitmentAmount": commitment}],
        }},
    }))
    .unwrap()
}

/// Gives a contract its conditions, as the operator does.
pub(super) fn set(
    contract: &mut BillingContract,
    ready: &str,
    reason: &str,
    message: &str,
    is_stalled: bool,
) {
    let condition = |type_: &str, status: &str| {
        json!({"type": type_, "status": status, "reason": reason, "message": message, "observedGeneration": 1,
               "lastTransitionTime": "2026-02-03T04:05:06Z"})
    };
    let mut conditions = vec![condition("Ready", ready)];
    conditions.extend(is_stalled.then(|| condition("Stalled", "True")));
    let status = json!({"observedGeneration": 1, "conditions": conditions});
    contract.status = Some(serde_json::from_value(status).unwrap());
}
