//! What people and programs read of representative plans of both APIs.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::*;
use crate::{
    api::contract::DriftPolicy,
    plan::{Change, Decision, Plan, Policy, Recorded, USD_CENTS, Unit, metronome, zoo},
    terms::Decimal,
    validate,
};

const EUR: &str = "0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6a1e0";
const PRODUCT: &str = "0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6a101";

fn now() -> DateTime<Utc> {
    "2026-06-01T10:30:00Z".parse().unwrap()
}

/// The plan that a decision is to carry out.
#[track_caller]
fn written(decision: Decision) -> Plan {
    match decision {
        Decision::Write(plan) => plan,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn reported(decision: Decision) -> Vec<Change> {
    match decision {
        Decision::Report(changes) => changes,
        other => panic!("{other:?}"),
    }
}

fn with(terms: &Value, places: &[(&str, Value)]) -> Value {
    let mut terms = terms.clone();
    for (pointer, value) in places {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        match terms.pointer_mut(parent).unwrap() {
            Value::Array(items) if name == "-" => items.push(value.clone()),
            parent if value.is_null() => drop(parent.as_object_mut().unwrap().remove(name)),
            parent => parent[name] = value.clone(),
        }
    }
    terms
}

fn zoo_terms() -> Value {
    json!({
        "organizationId": "6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11", "name": "Acme 2026", "status": "active",
        "provider": "stripe", "billingCadence": "annual", "commitmentScope": "pooled", "rolloverPolicy": "none",
        "currency": "EUR", "effectiveAt": "2026-03-15T00:00:00Z", "termEndAt": "2028-03-15T00:00:00Z",
        "items": [
            {"code": "licensed_api_credits", "displayName": "API credits", "kind": "usage_tiered", "unit": "minute",
             "rateTiers": [{"tierStartInclusive": 0, "tierEndExclusive": 100_000, "unitPrice": "0.50"},
                           {"tierStartInclusive": 100_000, "unitPrice": "0.42"}]},
            {"code": "enterprise_support", "displayName": "Support", "kind": "fixed_fee", "unit": "year",
             "fixedFeeAmount": "185000.00"}],
        "periods": [
            {"periodIndex": 0, "periodStartAt": "2026-03-15T00:00:00Z", "periodEndAt": "2027-03-15T00:00:00Z",
             "commitmentAmount": "120000.00"},
            {"periodIndex": 1, "periodStartAt": "2027-03-15T00:00:00Z", "periodEndAt": "2028-03-15T00:00:00Z",
             "commitmentAmount": "150000"}],
    })
}

fn zoo_desired(terms: &Value) -> zoo::Desired {
    let contract = serde_json::from_value(terms.clone()).unwrap();
    zoo::Desired::new(validate::zoo::complete(contract).unwrap()).unwrap()
}

/// The decision for some terms where the API has others, and the spec had been those before.
fn zoo_decision(observed: &Value, terms: &Value, applied: &Value, policy: &Policy) -> Decision {
    let observed = zoo::ObservedContract {
        contract_id: "contract-1".into(),
        account_id: "account-1".into(),
        state: "active".into(),
        terms: zoo_desired(observed).terms().clone(),
    };
    let recorded = Recorded {
        contract_id: Some("contract-1".into()),
        applied_spec: Some(zoo_desired(applied).digest),
        ..Recorded::default()
    };
    zoo::plan(&zoo_desired(terms), Some(&observed), &recorded, policy, now())
}

fn zoo_change() -> Plan {
    let old = zoo_terms();
    let new = with(
        &old,
        &[
            ("/items/0/rateTiers/1/unitPrice", json!("0.40")),
            (
                "/items/-",
                json!({"code": "fde", "displayName": "Engineer | `on site` <b>@all", "kind": "fixed_fee",
                "unit": "period", "fixedFeeAmount": "90000"}),
            ),
            ("/periods/1/commitmentAmount", json!("140000.50")),
        ],
    );
    written(zoo_decision(&old, &new, &old, &Policy::default()))
}

fn metronome_terms() -> Value {
    let segments = |amount: &str| json!([{"amount": amount, "startingAt": "2026-01-01T00:00:00Z", "endingBefore": "2028-01-01T00:00:00Z"}]);
    json!({
        "customerId": "customer-1", "startingAt": "2026-01-01T00:00:00Z", "name": "Acme 2026", "rateCardId": "card-1",
        "commits": [
            {"key": "launch", "productId": PRODUCT, "type": "PREPAID", "name": "Launch",
             "accessSchedule": {"scheduleItems": segments("1200000")},
             "invoiceSchedule": {"scheduleItems": [
                 {"timestamp": "2026-01-01T00:00:00Z", "amount": "600000"},
                 {"timestamp": "2027-01-01T00:00:00Z", "amount": "600000"}]}},
            {"key": "europe", "productId": PRODUCT, "type": "PREPAID", "name": "Europe",
             "accessSchedule": {"creditTypeId": EUR, "scheduleItems": segments("1000")},
             "invoiceSchedule": {"creditTypeId": EUR, "scheduleItems": [
                 {"timestamp": "2026-01-01T00:00:00Z", "amount": "1000"}]}}],
        "scheduledCharges": [
            {"key": "setup", "productId": PRODUCT, "name": "Set-up",
             "schedule": {"creditTypeId": EUR, "scheduleItems": [
                 {"timestamp": "2026-09-01T00:00:00Z", "amount": "1000"}]}}],
        "recurringCommits": [
            {"key": "monthly", "productId": PRODUCT, "startingAt": "2026-01-01T00:00:00Z", "priority": "10",
             "recurrenceFrequency": "MONTHLY", "commitDuration": {"value": "1"},
             "accessAmount": {"unitPrice": "100", "quantity": "50"},
             "invoiceAmount": {"creditTypeId": USD_CENTS, "unitPrice": "100", "quantity": "50"}}],
        "overrides": [
            {"startingAt": "2026-01-01T00:00:00Z", "type": "MULTIPLIER", "multiplier": "0.8", "productId": PRODUCT},
            {"startingAt": "2026-01-01T00:00:00Z", "type": "OVERWRITE", "productId": PRODUCT,
             "overwriteRate": {"rateType": "FLAT", "price": "42.5"}}],
    })
}

fn metronome_desired(terms: &Value) -> metronome::Desired {
    let contract: crate::terms::metronome::Contract = serde_json::from_value(terms.clone()).unwrap();
    let resolved = metronome::Resolved {
        customer_id: "customer-1".into(),
        from_contract_id: None,
        package_id: None,
        key: metronome::UniquenessKey::derive("test", "billing", "acme"),
        stamp: None,
    };
    metronome::Desired::new(validate::metronome::contract(&contract).unwrap(), resolved).unwrap()
}

/// The contract as the API tells it: a charge and a commit in euros, and a commit of somebody else.
fn metronome_reply() -> Value {
    let unit = json!({"id": EUR, "name": "EUR"});
    let product = json!({"id": PRODUCT, "name": "API"});
    let items =
        |amount: &str| json!([{"id": "item-1", "timestamp": "2026-09-01T00:00:00Z", "amount": amount}]);
    let access = |amount: &str| {
        json!([{"id": "item-2", "amount": amount, "starting_at": "2026-01-01T00:00:00Z",
            "ending_before": "2027-01-01T00:00:00Z"}])
    };
    json!({
        "id": "contract-1", "customer_id": "customer-1", "uniqueness_key": "test/billing/acme",
        "starting_at": "2026-01-01T00:00:00Z", "ending_before": "2028-01-01T00:00:00Z", "name": "Acme 2026",
        "rate_card_id": "card-1", "overrides": [],
        "commits": [
            {"id": "commit-1", "type": "PREPAID", "name": "Europe", "product": product,
             "access_schedule": {"credit_type": unit, "schedule_items": access("1000")},
             "invoice_schedule": {"credit_type": unit, "schedule_items": items("1000")}},
            {"id": "commit-2", "type": "PREPAID", "name": "Goodwill", "product": product,
             "access_schedule": {"schedule_items": access("777")},
             "invoice_schedule": {"schedule_items": items("77700")}}],
        "scheduled_charges": [
            {"id": "charge-1", "name": "Set-up", "product": product,
             "schedule": {"credit_type": unit, "schedule_items": items("1000")}}],
    })
}

fn metronome_spec() -> Value {
    json!({
        "customerId": "customer-1", "startingAt": "2026-01-01T00:00:00Z", "endingBefore": "2028-01-01T00:00:00Z",
        "name": "Acme 2026", "rateCardId": "card-1",
        "commits": [
            {"key": "europe", "productId": PRODUCT, "type": "PREPAID", "name": "Europe",
             "accessSchedule": {"creditTypeId": EUR, "scheduleItems": [{"amount": "1000",
                 "startingAt": "2026-01-01T00:00:00Z", "endingBefore": "2027-01-01T00:00:00Z"}]},
             "invoiceSchedule": {"creditTypeId": EUR, "scheduleItems": [
                 {"timestamp": "2026-09-01T00:00:00Z", "amount": "1000"}]}}],
        "scheduledCharges": [
            {"key": "setup", "productId": PRODUCT, "name": "Set-up",
             "schedule": {"creditTypeId": EUR, "scheduleItems": [
                 {"timestamp": "2026-09-01T00:00:00Z", "amount": "1000"}]}}],
    })
}

fn metronome_decision(spec: &Value) -> Decision {
    let observed = metronome::ObservedContract::read(&metronome_reply(), now()).unwrap();
    let items = [("commits/europe", "commit-1"), ("scheduledCharges/setup", "charge-1")];
    let recorded = Recorded {
        contract_id: Some("contract-1".into()),
        applied_spec: Some(metronome_desired(spec).digest),
        items: items.map(|(path, id)| (path.to_owned(), id.to_owned())).into(),
        ..Recorded::default()
    };
    metronome::plan(&metronome_desired(spec), Some(&observed), &recorded, &Policy::default(), now())
}

/// A charge that loses its euros, and a new commit.
fn metronome_change() -> Plan {
    let new = with(
        &metronome_spec(),
        &[
            (
                "/scheduledCharges/0/schedule",
                json!({"scheduleItems": [
                {"timestamp": "2026-09-01T00:00:00Z", "amount": "110000"}]}),
            ),
            (
                "/commits/-",
                json!({"key": "more", "productId": PRODUCT, "type": "POSTPAID", "name": "More",
                "invoiceSchedule": {"scheduleItems": [{"timestamp": "2027-12-31T00:00:00Z", "amount": "5000000"}]},
                "accessSchedule": {"scheduleItems": [{"amount": "5000000",
                    "startingAt": "2027-01-01T00:00:00Z", "endingBefore": "2028-01-01T00:00:00Z"}]}}),
            ),
            (
                "/overrides",
                json!([{"startingAt": "2026-07-01T00:00:00Z", "type": "OVERWRITE", "productId": PRODUCT,
                "overwriteRate": {"rateType": "FLAT", "price": "42.5"}}]),
            ),
        ],
    );
    written(metronome_decision(&new))
}

fn everything(plan: &Plan) -> String {
    let json = serde_json::to_string_pretty(&plan_json(plan)).unwrap();
    format!(
        "# One line\n{}\n\n# Text\n{}\n# Markdown\n{}\n# JSON\n{json}\n",
        summary(plan),
        lines(plan),
        plan_markdown(plan)
    )
}

#[test]
fn a_new_contract_shows_every_price_fee_and_commitment() {
    let recorded = Recorded::default();
    let plan = zoo::plan(&zoo_desired(&zoo_terms()), None, &recorded, &Policy::default(), now());
    insta::assert_snapshot!("zoo_new", everything(&written(plan)));
    let desired = metronome_desired(&metronome_terms());
    let plan = metronome::plan(&desired, None, &recorded, &Policy::default(), now());
    insta::assert_snapshot!("metronome_new", everything(&written(plan)));
}

#[test]
fn a_change_shows_what_it_does_to_prices_and_to_each_year() {
    insta::assert_snapshot!("zoo_change", everything(&zoo_change()));
}

#[test]
fn a_unit_that_changes_is_shown_on_both_sides_and_an_item_that_is_replaced_twice() {
    let plan = metronome_change();
    let text = lines(&plan);
    assert!(text.contains("amount: 1000 EUR -> 1100.00 USD\n"), "{text}");
    assert!(text.contains("/schedule/creditTypeId: "), "{text}");
    assert!(text.contains("/scheduledCharges/setup: - Set-up"), "{text}");
    assert!(text.contains("/scheduledCharges/setup: + Set-up"), "{text}");
    insta::assert_snapshot!("metronome_change", everything(&plan));
}

#[test]
fn a_commit_in_another_unit_is_refused_by_name() {
    let spec = with(
        &metronome_spec(),
        &[(
            "/commits/0/invoiceSchedule",
            json!({"scheduleItems": [
            {"timestamp": "2026-09-01T00:00:00Z", "amount": "110000"}]}),
        )],
    );
    let Decision::Refuse(refusal) = metronome_decision(&spec) else { panic!("not refused") };
    assert_eq!(refusal.reason, "ImmutableField");
    let named = format!("/commits/europe/invoiceSchedule/creditTypeId: {EUR} -> {USD_CENTS}");
    assert!(refusal.message.contains(&named), "{}", refusal.message);
}

#[test]
fn a_charge_that_is_renamed_is_shown_to_be_archived_and_added() {
    let spec = with(&metronome_spec(), &[("/scheduledCharges/0/name", json!("Set-up fee"))]);
    let plan = written(metronome_decision(&spec));
    let text = lines(&plan);
    assert!(text.contains("/scheduledCharges/setup: - Set-up,"), "{text}");
    assert!(text.contains("/scheduledCharges/setup: + Set-up fee,"), "{text}");
    assert!(plan.effect.is_none(), "{:?}", plan.effect);
}

#[test]
fn the_effect_leaves_out_what_others_put_into_the_contract() {
    let effect = metronome_change().effect;
    let found: Vec<_> =
        effect.totals().iter().map(|sum| (sum.unit.label().to_owned(), sum.difference())).collect();
    let number = |digits: &str| digits.parse::<Decimal>().ok();
    assert_eq!(
        found,
        [
            ("EUR".to_owned(), number("0")),
            ("USD".to_owned(), number("5000000")),
            ("EUR".to_owned(), number("-1000")),
            ("USD".to_owned(), number("110000")),
        ]
    );
}

#[test]
fn each_unit_of_what_is_committed_has_its_name() {
    let observed = metronome::ObservedContract::read(&metronome_reply(), now()).unwrap();
    let found: Vec<_> = observed
        .committed_value()
        .into_iter()
        .map(|sum| format!("{} {}", sum.amount.unwrap(), sum.currency))
        .collect();
    assert_eq!(found, ["777.00 USD", "1000 EUR"]);
}

#[test]
fn drift_says_which_side_is_which() {
    let (git, report) = (zoo_terms(), Policy { drift: DriftPolicy::Report, ..Policy::default() });
    let console = with(&git, &[("/items/0/rateTiers/1/unitPrice", json!("0.05")), ("/name", json!("Acme"))]);
    let changes = reported(zoo_decision(&console, &git, &git, &report));
    insta::assert_snapshot!("zoo_drift", format!("{}\n\n{}", drift(&changes), drift_markdown(&changes)));
    let foreign = reported(metronome_decision(&metronome_spec()));
    let text = drift(&foreign);
    assert!(text.contains("/commits/commit-2: billing says Goodwill, "), "{text}");
    assert!(text.contains("amount 777.00 USD") && text.ends_with(", Git says nothing"), "{text}");
}

#[test]
fn a_price_keeps_its_decimals_beside_the_one_before() {
    let line = |from: &str, to: &str| {
        Change::new("/items/a/unitPrice", Some(json!(from)), Some(json!(to))).to_string()
    };
    assert_eq!(line("0.42", "0.4"), "/items/a/unitPrice: 0.42 -> 0.40");
    assert_eq!(line("0.6", "0.5"), "/items/a/unitPrice: 0.6 -> 0.5");
    assert_eq!(line("0.5", "0.495"), "/items/a/unitPrice: 0.5 -> 0.495");
}

#[test]
fn what_is_not_zero_is_never_shown_as_zero() {
    let unit = Some(Unit::PricingUnit { id: USD_CENTS.to_owned(), name: None });
    for (cents, shown) in [
        ("0.5", "0.005 USD"),
        ("0.00000000000000000000000001", "0.0000000000000000000000000001 USD"),
        ("0.000000000000000000000000001", "0.000000000000000000000000001 US cents"),
        ("0", "0.00 USD"),
    ] {
        let change = Change::new("/items/a/unitPrice", None, Some(json!(cents)));
        let line = change.counted_in(None, unit.as_ref()).to_string();
        assert!(line.ends_with(&format!(" {shown}")), "{line}");
    }
}

#[test]
fn what_is_cut_says_how_much_is_left() {
    let change =
        |index: usize| Change::new(format!("/items/{index}/name"), None, Some(json!("ä".repeat(60))));
    let changes: Vec<_> = (0..63).map(change).collect();
    let text = summarize(&changes);
    let shown = text.matches("/name: + ").count();
    assert!(text.len() < 2100 && text.ends_with(&format!(" (and {} more changes)", 63 - shown)), "{text}");
    assert!(!text.contains('…'), "a change is shown whole or counted");
    let long = summarize(&[Change::new("/notes", None, Some(json!("ä".repeat(3000)))), change(1)]);
    assert!(long.contains("…; /items/1/name: + "), "{long}");
    let effect = zoo_change().effect;
    let plan = Plan { changes: changes.clone(), effect, ..zoo_change() };
    let event = summary(&plan);
    assert!(event.len() <= 1000 && event.contains(" more changes) (committed: 270000 -> "), "{event}");
    let all = summary_within(&plan, 16_000);
    assert!(all.matches("/name: + ").count() == 63 && !all.contains(" more change"), "{all}");
    assert_eq!(drift_lines(&changes, 20).len(), 20);
    assert_eq!(drift_lines(&changes, 20).last().unwrap(), "(and 44 more changes)");
    assert_eq!(drift_lines(&changes[..20], 20).len(), 20);
}

#[test]
fn text_of_others_can_neither_break_a_line_nor_a_table() {
    let change =
        Change::new("/name", Some(json!("a\nb\u{1b}[31m")), Some(json!("``` | <img> \u{202e}@team")));
    assert_eq!(change.to_string(), "/name: a b [31m -> ``` | <img>  @team");
    let unseen = Change::new("/name", Some(json!("Acme")), Some(json!("Ac\u{200b}me")));
    assert_eq!(unseen.to_string(), "/name: Acme -> Ac me");
    let table = drift_markdown(&[change]);
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.ends_with("| `/name` | `a b [31m` | ```` ``` \\| <img>  @team ```` |\n"), "{table}");
}
