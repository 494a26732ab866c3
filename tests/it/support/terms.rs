//! Contracts and what else tests apply, as YAML would say it.

use serde_json::{Value, json};

/// An organization of the simulator.
pub(crate) const ORG: &str = "6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11";

/// The n-th of many organizations.
pub(crate) fn organization(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012x}")
}

/// A contract of [`ORG`] named `acme`.
pub(crate) fn acme() -> Value {
    contract("acme", ORG)
}

/// A contract with a tiered price, a fixed fee and one period.
pub(crate) fn contract(name: &str, organization: &str) -> Value {
    json!({
        "apiVersion": "billing.countersign.dev/v1alpha1",
        "kind": "BillingContract",
        "metadata": {"name": name},
        "spec": {
            "providerRef": {"name": "zoo"},
            "zoo": {
                "organizationId": organization,
                "name": "Acme 2026 enterprise",
                "status": "active",
                "provider": "stripe",
                "billingCadence": "annual",
                "commitmentScope": "pooled",
                "rolloverPolicy": "none",
                "currency": "USD",
                "effectiveAt": "2026-01-01T00:00:00Z",
                "termEndAt": "2036-01-01T00:00:00Z",
                "items": [
                    {
                        "code": "licensed_api_credits", "displayName": "API credits", "kind": "usage_tiered",
                        "unit": "minute",
                        "rateTiers": [
                            {"tierStartInclusive": 0, "tierEndExclusive": 100_000, "unitPrice": "0.50"},
                            {"tierStartInclusive": 100_000, "unitPrice": "0.42"},
                        ],
                    },
                    {
                        "code": "fde", "displayName": "Forward-deployed engineer", "kind": "fixed_fee", "unit": "year",
                        "fixedFeeAmount": "250000.00",
                    },
                ],
                "periods": [
                    {
                        "periodIndex": 0, "periodStartAt": "2026-01-01T00:00:00Z",
                        "periodEndAt": "2036-01-01T00:00:00Z", "commitmentAmount": "120000",
                    },
                ],
            },
        },
    })
}

/// A published package: for a contract that starts in 2026, it comes to what [`contract`] says.
pub(crate) fn package(name: &str) -> Value {
    let mut terms = contract(name, ORG)["spec"]["zoo"].take();
    for absolute in ["organizationId", "effectiveAt", "termEndAt", "periods"] {
        terms.as_object_mut().unwrap().remove(absolute).unwrap();
    }
    terms["term"] = json!({"unit": "YEARS", "value": 10});
    terms["generatedPeriods"] =
        json!({"every": {"unit": "YEARS", "value": 10}, "commitmentAmount": "120000"});
    json!({
        "apiVersion": "billing.countersign.dev/v1alpha1",
        "kind": "ContractPackage",
        "metadata": {"name": name},
        "spec": {"lifecycle": "Published", "zoo": terms},
    })
}

/// A contract that takes everything but customer and start from a package.
pub(crate) fn from_package(name: &str, organization: &str, reference: Value) -> Value {
    let mut contract = contract(name, organization);
    contract["spec"]["zoo"] = json!({"organizationId": organization, "effectiveAt": "2026-01-01T00:00:00Z"});
    contract["spec"]["packageRef"] = reference;
    contract
}

/// The same with another value at a JSON pointer; the last member may be new.
pub(crate) fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    match object.pointer_mut(parent).unwrap_or_else(|| panic!("nothing at {parent}")) {
        Value::Array(items) => items[member.parse::<usize>().unwrap()] = value,
        parent => parent[member] = value,
    }
    object
}

/// The same without what a JSON pointer names.
pub(crate) fn without(mut object: Value, pointer: &str) -> Value {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).and_then(Value::as_object_mut).unwrap().remove(member).unwrap();
    object
}

/// Price of the first tier.
pub(crate) const PRICE: &str = "/spec/zoo/items/0/rateTiers/0/unitPrice";

/// The body in which the billing API has what a contract says: an opinion of its own on how terms are spelled.
pub(crate) fn wire(contract: &Value) -> Value {
    let mut body = respelled(&contract["spec"]["zoo"]);
    body.as_object_mut().unwrap().remove("organization_id");
    body
}

fn respelled(value: &Value) -> Value {
    const MONEY: [&str; 5] =
        ["unitPrice", "fixedFeeAmount", "commitmentAmount", "rolloverInAmount", "rolloverOutAmount"];
    match value {
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                let snake: String = name
                    .chars()
                    .flat_map(|letter| {
                        letter.is_uppercase().then_some('_').into_iter().chain(letter.to_lowercase())
                    })
                    .collect();
                let value = match value.as_str() {
                    Some(digits) if MONEY.contains(&name.as_str()) => serde_json::from_str(digits).unwrap(),
                    _ => respelled(value),
                };
                (snake, value)
            };
            members.iter().map(member).collect()
        }
        Value::Array(items) => items.iter().map(respelled).collect(),
        single => single.clone(),
    }
}

/// A provider named `zoo` with its token in the Secret `zoo-token`.
pub(crate) fn provider(url: &str) -> Value {
    json!({
        "apiVersion": "billing.countersign.dev/v1alpha1",
        "kind": "BillingProvider",
        "metadata": {"name": "zoo"},
        "spec": {
            "zoo": {"baseUrl": url},
            "tokenSecretRef": {"name": "zoo-token"},
            "requestsPerSecond": 1000,
            "syncPeriodSeconds": 86_400,
        },
    })
}

/// The Secret `zoo-token`.
pub(crate) fn secret(token: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "zoo-token"}, "stringData": {"token": token}})
}
