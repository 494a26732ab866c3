//! A contract that Zoo tells in other words, or numbers anew, is the contract that it was.

use super::*;
use crate::{
    api::BillingContract,
    plan::Planner as _,
    protocol::{Outcome, ReconcileResult, Requeue},
    status::contract::status,
    terms::json::parse_exact,
};

/// The reply that shows a contract, as text.
fn reply(contract: &Contract) -> Value {
    let written = desired(contract).written;
    let mut reply = parse_exact(&serde_json::to_string(&SHAPE.wire(&written)).unwrap()).unwrap();
    let members = reply.as_object_mut().unwrap();
    members.insert("contract_id".into(), json!("contract-1"));
    members.insert("account_id".into(), json!("account-1"));
    for period in reply["periods"].as_array_mut().unwrap() {
        let period = period.as_object_mut().unwrap();
        for (name, value) in
            [("rollover_in_amount", json!(0)), ("rollover_out_amount", json!(0)), ("status", json!("open"))]
        {
            period.entry(name).or_insert(value);
        }
    }
    reply
}

fn each(value: &mut Value, name: &str, change: fn(&str, &mut Value)) {
    match value {
        Value::Object(members) => {
            members.iter_mut().for_each(|(name, value)| each(value, name, change));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each(item, name, change)),
        _ => {}
    }
    change(name, value);
}

fn is_money(name: &str) -> bool {
    name.ends_with("_amount") || name == "unit_price"
}

fn is_word(name: &str) -> bool {
    ["billing_cadence", "code", "commitment_scope", "kind", "provider", "rollover_policy", "status", "unit"]
        .contains(&name)
}

/// What Zoo may make of a reply, by what it is called.
type Way = (&'static str, fn(&str, &mut Value));

const WAYS: [Way; 7] = [
    ("another offset", another_offset),
    ("numbers as text", numbers_as_text),
    ("floats", floats),
    ("reversed", reversed),
    ("capitals", capitals),
    ("small letters", small_letters),
    ("nulls and more members", nulls_and_more_members),
];

fn small_letters(name: &str, value: &mut Value) {
    if let (true, Value::String(text)) = (name == "currency", value) {
        text.make_ascii_lowercase();
    }
}

fn another_offset(_: &str, value: &mut Value) {
    let time = value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    if let Some(time) = time {
        let offset = chrono::FixedOffset::west_opt(8 * 3600).unwrap();
        *value = json!(time.with_timezone(&offset).format("%Y-%m-%dT%H:%M:%S.000000%:z").to_string());
    }
}

fn numbers_as_text(_: &str, value: &mut Value) {
    if value.is_number() {
        *value = json!(value.to_string());
    }
}

fn floats(name: &str, value: &mut Value) {
    if is_money(name) {
        let digits = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let digits = if digits.contains('.') { digits } else { format!("{digits}.0") };
        *value = parse_exact(&format!("{digits}e0")).unwrap();
    }
}

fn reversed(_: &str, value: &mut Value) {
    if let Value::Array(items) = value {
        items.reverse();
    }
}

fn capitals(name: &str, value: &mut Value) {
    if let (true, Some(word)) = (is_word(name), value.as_str()) {
        *value = json!(word.to_uppercase());
    }
}

fn nulls_and_more_members(_: &str, value: &mut Value) {
    const OPTIONAL: [&str; 5] = [
        "billing_unit_granularity",
        "discount_description",
        "fixed_fee_amount",
        "notes",
        "tier_end_exclusive",
    ];
    if let Value::Object(members) = value {
        for name in OPTIONAL {
            members.entry(name).or_insert(Value::Null);
        }
        members.insert("id".into(), json!("6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a12"));
        members.insert("updated_by".into(), json!({"name": ["x"]}));
    }
}

#[test]
fn what_means_the_same_in_other_words_is_no_difference() {
    let mut contract = contract("active");
    contract.items[0].rate_tiers = serde_json::from_value(json!([
        {"tierStartInclusive": 0, "tierEndExclusive": 100_000, "unitPrice": "0.50"},
        {"tierStartInclusive": 100_000, "unitPrice": "0.42"},
    ]))
    .unwrap();
    for (way, change) in WAYS {
        let mut reply = reply(&contract);
        each(&mut reply, "", change);
        let observed = ObservedContract::read(&reply).unwrap_or_else(|error| panic!("{way}: {error:?}"));
        assert_eq!(observed.state, "active", "{way}");
        for recorded in [holding(&contract), Recorded::default()] {
            assert_eq!(decide(&contract, Some(&observed), &recorded), Decision::InSync, "{way}");
        }
    }
}

#[test]
fn a_second_thing_of_one_key_is_one_too_many_in_billing_whatever_it_says() {
    let contract = contract("active");
    for (list, path) in [("items", "/items/licensed_api_credits"), ("periods", "/periods/0")] {
        for otherwise in [false, true] {
            let mut told = reply(&contract);
            let mut second = told[list][0].clone();
            if otherwise {
                let name = if list == "items" { "display_name" } else { "rollover_in_amount" };
                second[name] = if list == "items" { json!("Another") } else { json!(7) };
            }
            told[list].as_array_mut().unwrap().push(second);
            let observed = ObservedContract::read(&told).unwrap();
            let plan = written(decide(&contract, Some(&observed), &holding(&contract)));
            let paths: Vec<_> = plan.changes.iter().map(|change| change.path.as_str()).collect();
            assert!(paths.contains(&path), "{paths:?}");
            assert_eq!(
                body(&plan)[list].as_array().map(Vec::len),
                told[list].as_array().map(|all| all.len() - 1)
            );
        }
    }
}

#[test]
fn the_currency_of_closed_periods_stays() {
    let old = contract("active");
    let mut observed = seen(&old);
    let mut new = old.clone();
    new.currency = "EUR".into();
    written(decide(&new, Some(&observed), &holding(&old)));
    observed.terms["periods"][0]["status"] = json!("closed");
    let refusal = refusal(decide(&new, Some(&observed), &holding(&old)));
    assert_eq!(refusal.reason, "PeriodClosed");
    assert!(refusal.message.contains("/currency: USD -> EUR"), "{}", refusal.message);
}

#[test]
fn what_was_ended_and_is_shown_is_opened_again_only_when_somebody_says_so() {
    let spec = contract("active");
    for state in ["closed", "canceled"] {
        let observed = in_state(&spec, state);
        let refused = refusal(decide(&spec, Some(&observed), &holding(&spec)));
        assert_eq!(refused.reason, "TermOver");
        let digest = refused.message.split("approved-plan=").nth(1).unwrap().split(':').next().unwrap();
        let policy = Policy { approved: Some(digest.to_owned()), ..Policy::default() };
        let decision = plan(&desired(&spec), Some(&observed), &holding(&spec), &policy, now());
        assert_eq!(body(&written(decision))["status"], "active");
        // What this resource has written itself is not asked about, however late it arrives.
        let late =
            Recorded { unconfirmed: Some(without_a_reply(fingerprint(&observed.terms))), ..holding(&spec) };
        written(decide(&spec, Some(&observed), &late));
        let mut ended = spec.clone();
        ended.status = serde_json::from_value(json!(state)).unwrap();
        assert_eq!(decide(&ended, Some(&observed), &holding(&spec)), Decision::InSync);
    }
}

#[test]
fn a_period_that_billing_has_closed_is_not_opened_by_putting_another_before_it() {
    let old = contract("active");
    let mut observed = seen(&old);
    observed.terms["periods"][0]["status"] = json!("closed");
    observed.terms["periods"][0]["rolloverOutAmount"] = json!("50");
    let mut one_before = old.clone();
    one_before.periods.insert(0, old.periods[0].clone());
    one_before.effective_at = "2025-01-01T00:00:00Z".parse().unwrap();
    one_before.periods[0].period_start_at = "2025-01-01T00:00:00Z".parse().unwrap();
    one_before.periods[0].period_end_at = "2026-01-01T00:00:00Z".parse().unwrap();
    for (index, period) in (0..).zip(&mut one_before.periods) {
        period.period_index = index;
    }
    let mut swapped = old.clone();
    (swapped.periods[0].commitment_amount, swapped.periods[1].commitment_amount) =
        (old.periods[1].commitment_amount, old.periods[0].commitment_amount);
    for spec in [one_before, swapped] {
        assert_eq!(refusal(decide(&spec, Some(&observed), &holding(&old))).reason, "PeriodClosed");
    }
}

/// A contract that is shown in a state of the API, whatever this version makes of it.
fn in_state(contract: &Contract, state: &str) -> ObservedContract {
    let mut shown = seen(contract);
    (shown.state, shown.terms["status"]) = (state.to_owned(), json!(state));
    shown
}

#[test]
fn nothing_is_written_over_a_state_that_this_version_does_not_know_until_somebody_says_that_it_is_meant() {
    let active = contract("active");
    let paused = in_state(&active, "paused");
    let mut dearer = active.clone();
    dearer.items[0].rate_tiers[0].unit_price = "0.60".parse().unwrap();
    for wanted in [&active, &dearer, &contract("closed")] {
        let refused = refusal(decide(wanted, Some(&paused), &holding(&active)));
        assert_eq!(refused.reason, "UnknownState");
        assert!(refused.message.contains("contract-1 is paused"), "{}", refused.message);
        let digest = refused.message.split("approved-plan=").nth(1).unwrap().split(':').next().unwrap();
        let policy = Policy { approved: Some(digest.to_owned()), ..Policy::default() };
        let decision = plan(&desired(wanted), Some(&paused), &holding(&active), &policy, now());
        assert_eq!(written(decision).calls.len(), 1);
    }
    // Who ignores the state is in sync as long as nothing else differs, and changes nothing in it unasked.
    let policy = Policy { ignore: vec!["/status".into()], ..Policy::default() };
    let decide = |spec| plan(&desired(spec), Some(&paused), &holding(&active), &policy, now());
    assert_eq!(decide(&active), Decision::InSync);
    assert_eq!(refusal(decide(&dearer)).reason, "UnknownState");
    // Its end is a replace as well.
    for deletion in [DeletionPolicy::End, DeletionPolicy::Cancel] {
        let ended = end::plan(
            ORGANIZATION,
            Some(&desired(&active)),
            Some(&paused),
            &holding(&active),
            &Policy::default(),
            deletion,
            now(),
        );
        assert_eq!(refusal(ended).reason, "UnknownState");
    }
}

#[test]
fn a_period_in_a_state_that_this_version_does_not_know_is_left_as_it_is() {
    let spec = contract("active");
    let mut shown = seen(&spec);
    shown.terms["periods"][0]["status"] = json!("settling");
    let mut raised = spec.clone();
    raised.periods[0].commitment_amount = "150".parse().unwrap();
    let mut open = spec.clone();
    open.periods[0].status = serde_json::from_value(json!("open")).unwrap();
    for wanted in [raised, open] {
        let refused = refusal(decide(&wanted, Some(&shown), &holding(&spec)));
        assert_eq!(refused.reason, "UnknownState");
        assert!(refused.message.contains("period 0 is settling"), "{}", refused.message);
    }
    // What does not touch it goes on, and carries it over.
    let mut dearer = spec.clone();
    dearer.items[0].rate_tiers[0].unit_price = "0.60".parse().unwrap();
    let plan = written(decide(&dearer, Some(&shown), &holding(&spec)));
    assert!(plan.calls[0].body.contains(r#""status":"settling""#), "{}", plan.calls[0].body);
}

/// The schema of a contract's status.
fn status_schema() -> Value {
    let definitions = crate::api::crds();
    let contracts = definitions.iter().find(|found| found.spec.names.kind == "BillingContract").unwrap();
    let contracts = serde_json::to_value(contracts).unwrap();
    let schema = "/spec/versions/0/schema/openAPIV3Schema/properties/status";
    contracts.pointer(schema).unwrap().clone()
}

/// The status of a resource that holds what a reply tells, and only reports differences; nothing where the reply is not believed.
fn reported(contract: &Contract, reply: &Value) -> Option<Value> {
    let resource: BillingContract = serde_json::from_value(json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract",
        "metadata": {"name": "acme", "namespace": "billing", "uid": "1", "generation": 1},
        "spec": {"providerRef": {"name": "zoo"}, "zoo": contract},
    }))
    .unwrap();
    let mut planner = ContractPlanner::new(&resource.spec, None).unwrap();
    let need = Need::Contract { organization_id: ORGANIZATION.into() };
    planner.learn(&need, Some(reply.clone()), now()).ok()?;
    let recorded = holding(contract);
    let policy = Policy { management: ManagementPolicy::Observe, ..Policy::default() };
    let outcome = match planner.plan(&recorded, &policy, now()).unwrap() {
        Decision::Report(changes) => Outcome::Drifted { changes },
        Decision::InSync => Outcome::InSync { spec_digest: planner.digest().cloned(), applied: vec![] },
        Decision::Refuse(refusal) => Outcome::Refused { refusal, blocked_plan: None },
        other => panic!("{other:?}"),
    };
    let mut result = ReconcileResult::new(outcome, Requeue::AfterSyncPeriod);
    result.snapshot = planner.snapshot(&recorded, now());
    Some(serde_json::to_value(status(&resource, &result, None, now())).unwrap())
}

#[test]
fn whatever_billing_tells_of_a_contract_its_status_is_taken_by_the_api_server() {
    let (contract, schema) = (contract("active"), status_schema());
    let long = "U".repeat(5000);
    let periods = |amount: &str| {
        let period = |n: usize| {
            format!(
                r#"{{"period_index":{n},"period_start_at":"2026-01-01T00:00:00Z","period_end_at":"2027-01-01T00:00:00Z","commitment_amount":{amount}}}"#
            )
        };
        parse_exact(&format!("[{}]", [0, 1, 2].map(period).join(","))).unwrap()
    };
    let many: Vec<_> =
        (0..2000).map(|n| json!({"code": format!("c{n}-{long}"), "fixed_fee_amount": 5})).collect();
    let mut read = 0;
    for (member, odd) in [
        ("currency", json!(long)),
        ("currency", json!("U\u{0}\u{202e}D")),
        ("currency", json!("")),
        ("name", json!(long)),
        ("notes", json!("あ".repeat(100_000))),
        ("items", json!(many)),
        ("items", json!([{"code": "a/b~c\u{0}", "kind": long, "rate_tiers": [{"unit_price": 1}]}])),
        ("periods", periods("79228162514264337593543950335")),
        ("periods", periods("-79228162514264337593543950335")),
        ("periods", periods("26409387504754779197847983445")),
        ("periods", periods("0.1234567890123456789012345678")),
        ("periods", periods("-123456789012345678.9012345678")),
        ("periods", periods("1e27")),
        ("effective_at", json!("0000-01-01T00:00:00+23:59")),
        ("term_end_at", json!("9999-12-31T23:59:59-23:59")),
        ("term_end_at", json!("9999-12-31T23:59:59Z")),
    ] {
        let mut told = reply(&contract);
        told[member] = odd.clone();
        let odd: String = odd.to_string().chars().take(80).collect();
        let Some(status) = reported(&contract, &told) else { continue };
        read += 1;
        let violations = crate::validate::schema::check(&schema, "status", &status);
        assert!(violations.is_empty(), "{member} {odd}: {violations:#?}");
        let back: Result<crate::api::contract::BillingContractStatus, _> = serde_json::from_value(status);
        assert!(back.is_ok(), "{member} {odd}: {back:?}");
    }
    assert!(read > 10, "{read}");
}
