use serde_json::{Value, json};

use super::*;
use crate::api::BillingContract;

fn contract(name: &str, customer: usize, start: &str, end: &str, price: &str) -> Value {
    let [start, end] = [start, end].map(|day| format!("{day}T00:00:00Z"));
    json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract",
        "metadata": {"name": name, "namespace": "billing", "generation": 1},
        "spec": {"providerRef": {"name": "zoo"}, "zoo": {
            "organizationId": format!("00000000-0000-4000-8000-{customer:012}"), "name": format!("Contract {name}"),
            "status": "active", "provider": "stripe", "billingCadence": "annual", "commitmentScope": "pooled",
            "rolloverPolicy": "none", "currency": "USD", "effectiveAt": start, "termEndAt": end,
            "items": [{"code": "licensed_api_credits", "displayName": "API", "kind": "usage_tiered", "unit": "minute",
                       "rateTiers": [{"tierStartInclusive": 0, "unitPrice": price}]}],
            "periods": [{"periodIndex": 0, "periodStartAt": start, "periodEndAt": end, "commitmentAmount": "120000.50"}],
        }},
    })
}

fn read(contracts: Vec<Value>) -> Vec<BillingContract> {
    contracts.into_iter().map(|contract| serde_json::from_value(contract).unwrap()).collect()
}

fn page(contracts: Vec<Value>, is_cluster: bool) -> String {
    let resources = Resources { contracts: read(contracts), ..Resources::default() };
    let found = Found { resources, scope: "contracts/".to_owned(), is_cluster, wrong: Vec::new() };
    Page::of(&found, "2026-06-01T00:00:00Z".parse().unwrap(), 90).html().unwrap()
}

fn stalled(mut contract: Value, message: &str) -> Value {
    let condition = |type_: &str, status: &str| {
        json!({"type": type_, "status": status, "reason": "InvalidSpec", "message": message,
               "lastTransitionTime": "2026-02-03T04:05:06Z"})
    };
    contract["status"] = json!({"observedGeneration": 1, "conditions": [condition("Ready", "False"), condition("Stalled", "True")]});
    contract
}

#[test]
fn a_page_has_terms_gaps_money_and_price_steps() {
    let html = page(
        vec![
            contract("a", 1, "2025-01-01", "2026-01-01", "0.50"),
            contract("b", 1, "2026-02-01", "2027-02-01", "0.45"),
        ],
        false,
    );
    for part in [
        "<b>1</b>customer</li>",
        "gap of 31 days",
        "<span class=\"d\">2025-01-01</span> <span class=\"d\">to 2026-01-01</span>",
        "USD: 240,001 committed",
        "<th scope=\"row\">2026-02</th><td class=\"n\">120,000.50</td>",
        "<td class=\"n\">0.50 USD</td><td class=\"n\">0.45 USD</td><td class=\"n\">-10.0 %</td>",
        "Nothing is wrong with these files.",
    ] {
        assert!(html.contains(part), "{part}\n{html}");
    }
}

#[test]
fn what_is_not_ready_is_told_with_cause_and_cure() {
    let html =
        page(vec![stalled(contract("a", 1, "2026-01-01", "2027-01-01", "1"), "`spec.x` must be y")], true);
    for part in [
        "<b>1</b>refused</li>",
        "<b>InvalidSpec</b>: `spec.x` must be y",
        "correct the spec",
        "since 2026-02-03",
    ] {
        assert!(html.contains(part), "{part}\n{html}");
    }
}

#[test]
fn nothing_that_a_resource_says_becomes_markup() {
    let mut evil = stalled(contract("a", 1, "2026-01-01", "2027-01-01", "1"), "<script>alert(1)</script>");
    evil["spec"]["zoo"]["name"] = "\"><img src=x onerror=alert(1)>".into();
    let html = page(vec![evil], true);
    assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    assert!(html.contains("script&#62;alert(1)") || html.contains("&lt;script&gt;alert(1)"), "{html}");
}

#[test]
fn a_page_is_one_file_without_script_and_every_drawing_has_words() {
    let html = page(vec![contract("a", 1, "2026-01-01", "2027-01-01", "1")], false);
    for foreign in ["<script", "<link", "src=", "url(", "@import", "http://", "https://"] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    for drawing in html.split("<svg").skip(1) {
        let tag = drawing.split('>').next().unwrap();
        // A chart has a title; a bar in a table stands beside the words of its row.
        assert!(
            tag.contains("aria-hidden") || tag.contains("role=\"img\"") && drawing.contains("<title"),
            "{tag}"
        );
    }
    assert!(
        html.contains("lang=\"en\"")
            && html.contains("prefers-color-scheme: dark")
            && html.contains("@media print")
    );
}

#[test]
fn many_customers_are_folded_into_groups_that_say_what_is_in_them() {
    let contracts =
        (0..250).map(|n| contract(&format!("c{n:03}"), n, "2026-01-01", "2027-01-01", "1")).collect();
    let html = page(contracts, false);
    assert!(
        html.contains("<summary>Contract c000 to Contract c099 (100 customers)</summary>"),
        "{}",
        &html[..4000]
    );
    assert!(html.contains("(50 customers)"));
    assert!(!html.contains("class=\"customer\" open"));
}

#[test]
fn many_rows_of_what_is_not_ready_are_folded_and_none_is_left_out() {
    let contracts =
        (0..70).map(|n| stalled(contract(&format!("c{n:03}"), n, "2026-01-01", "2027-01-01", "1"), "wrong"));
    let html = page(contracts.collect(), true);
    assert!(html.contains("<summary>and 20 more</summary>"));
    assert_eq!(html.matches("<b>InvalidSpec</b>: wrong").count(), 70);
}

#[test]
fn without_contracts_the_page_says_so() {
    let html = page(Vec::new(), true);
    assert!(html.contains("There are no contracts.") && html.contains("Everything is ready."), "{html}");
}
