//! Every optional field of a contract, by taking it out of the spec after it was in force.

use super::*;

/// A contract with every optional field that a contract may have without a fixed fee, none of them as it begins.
fn full() -> Value {
    let mut terms = desired(&contract("active")).canonical;
    for (place, value) in [
        ("/discountDescription", json!("10 % for three years")),
        ("/externalCustomerId", json!("cus_1")),
        ("/notes", json!("ours")),
        ("/items/0/billingUnitGranularity", json!("minute")),
        ("/periods/0/rolloverInAmount", json!("5")),
        ("/periods/0/rolloverOutAmount", json!("7.5")),
        ("/periods/1/status", json!("closed")),
    ] {
        set(&mut terms, place, value);
    }
    terms
}

fn set(terms: &mut Value, place: &str, value: Value) {
    let (parent, name) = place.rsplit_once('/').unwrap();
    let members = terms.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() { drop(members.remove(name)) } else { drop(members.insert(name.to_owned(), value)) }
}

fn without(terms: &Value, place: &str) -> Value {
    let mut terms = terms.clone();
    set(&mut terms, place, Value::Null);
    terms
}

fn meant(terms: &Value) -> Desired {
    let mut written = terms.clone();
    written["organizationId"] = json!(ORGANIZATION);
    let contract: Contract = serde_json::from_value(written).unwrap();
    Desired::new(validate::zoo::complete(contract).unwrap()).unwrap()
}

/// What billing shows, with what it fills in.
fn shown(terms: &Value) -> ObservedContract {
    let mut terms = terms.clone();
    for period in terms["periods"].as_array_mut().unwrap() {
        for (name, value) in [("rolloverInAmount", "0"), ("rolloverOutAmount", "0"), ("status", "open")] {
            period.as_object_mut().unwrap().entry(name).or_insert(json!(value));
        }
    }
    ObservedContract { terms, ..seen(&contract("active")) }
}

/// The record of a resource whose spec is in force.
fn recorded(spec: &Value, observed: &ObservedContract) -> Recorded {
    let before = holding(&contract("active"));
    Recorded { set: leaving::record(spec, observed, &before), ..before }
}

fn decide(spec: &Value, observed: &ObservedContract, recorded: &Recorded) -> Decision {
    plan(&meant(spec), Some(observed), recorded, &Policy::default(), now())
}

#[test]
fn every_field_that_leaves_the_spec_is_cleared_or_refused_by_name() {
    let (spec, observed) = (full(), shown(&full()));
    let recorded = recorded(&spec, &observed);
    assert_eq!(decide(&spec, &observed, &recorded), Decision::InSync);
    let mut places = Vec::new();
    optional_places(&SHAPE, "", &REQUIRED, &mut places);
    let (mut cleared, mut refused, mut apart) = (Vec::new(), Vec::new(), Vec::new());
    for place in places {
        let place = if place.ends_with("status") { "/periods/1/status".to_owned() } else { place };
        if spec.pointer(&place).is_none() {
            apart.push(place);
            continue;
        }
        let name = place.rsplit('/').next().unwrap();
        let left = without(&spec, &place);
        let never_said = Recorded { set: SetTerms::default(), ..recorded.clone() };
        assert_eq!(
            decide(&left, &observed, &never_said),
            Decision::InSync,
            "{place}: what was never said is the API's"
        );
        match decide(&left, &observed, &recorded) {
            Decision::Write(plan) => {
                assert!(plan.summary().contains(name), "{}", plan.summary());
                let sent = SHAPE.canonical(&body(&plan), Spelling::Wire).unwrap();
                assert_eq!(sent, without(&observed.terms, &place), "nothing else changes");
                let after = ObservedContract { terms: sent, ..observed.clone() };
                let kept = Recorded { set: leaving::record(&left, &after, &recorded), ..recorded.clone() };
                assert_eq!(decide(&left, &after, &kept), Decision::InSync);
                let theirs = decide(&left, &observed, &kept);
                assert_eq!(theirs, Decision::InSync, "{place}: what somebody puts there later is theirs");
                cleared.push(name.to_owned());
            }
            Decision::Refuse(refusal) => {
                assert_eq!(refusal.reason, "ImmutableField");
                assert!(refusal.message.contains(&place), "{}", refusal.message);
                assert!(refusal.message.contains("Ways out: "), "{}", refusal.message);
                let policy = Policy { ignore: vec![place.clone()], ..Policy::default() };
                let ignored = plan(&meant(&left), Some(&observed), &recorded, &policy, now());
                assert_eq!(ignored, Decision::InSync, "{place}: a way out");
                refused.push(name.to_owned());
            }
            other => panic!("{place}: {other:?}"),
        }
    }
    println!(
        "{} of {} cleared ({}), {} refused ({}), {} told by their absence or kind ({})",
        cleared.len(),
        cleared.len() + refused.len() + apart.len(),
        cleared.join(", "),
        refused.len(),
        refused.join(", "),
        apart.len(),
        apart.join(", ")
    );
    assert_eq!(cleared, ["discountDescription", "externalCustomerId", "billingUnitGranularity", "notes"]);
    assert_eq!(refused, ["rolloverInAmount", "rolloverOutAmount", "status"]);
    assert_eq!(apart, ["/items/0/fixedFeeAmount", "/items/0/rateTiers/0/tierEndExclusive"]);
}

#[test]
fn what_billing_has_moved_along_since_is_its_own() {
    let mut spec = desired(&contract("active")).canonical;
    set(&mut spec, "/periods/0/status", json!("open"));
    set(&mut spec, "/periods/0/rolloverOutAmount", json!("5"));
    let recorded = recorded(&spec, &shown(&spec));
    let mut moved = shown(&spec);
    set(&mut moved.terms, "/periods/0/status", json!("closed"));
    set(&mut moved.terms, "/periods/0/rolloverOutAmount", json!("6"));
    let left = without(&without(&spec, "/periods/0/status"), "/periods/0/rolloverOutAmount");
    assert_eq!(decide(&left, &moved, &recorded), Decision::InSync);
    assert!(leaving::record(&left, &moved, &recorded).get("periods/0").is_none());
}

#[test]
fn what_left_the_spec_of_a_contract_that_was_replaced_outside_is_nobodys() {
    let (spec, observed) = (full(), shown(&full()));
    let other = Recorded { contract_id: Some("contract-0".into()), ..recorded(&spec, &observed) };
    assert_eq!(decide(&without(&spec, "/notes"), &observed, &other), Decision::InSync);
}

#[test]
fn a_fee_of_an_item_that_has_none_in_the_spec_is_taken_out_whoever_set_it() {
    let mut observed = shown(&full());
    set(&mut observed.terms, "/items/0/fixedFeeAmount", json!("10"));
    let Decision::Write(plan) = decide(&full(), &observed, &holding(&contract("active"))) else {
        panic!("no plan")
    };
    assert_eq!(
        plan.summary().split(" (").next(),
        Some("/items/licensed_api_credits/fixedFeeAmount: - 10 USD")
    );
    assert_eq!(body(&plan)["items"][0].get("fixed_fee_amount"), None);
}

#[test]
fn a_text_that_becomes_empty_is_written_as_the_spec_says() {
    let (mut spec, observed) = (full(), shown(&full()));
    let recorded = recorded(&spec, &observed);
    set(&mut spec, "/notes", json!(""));
    let Decision::Write(plan) = decide(&spec, &observed, &recorded) else { panic!("no plan") };
    assert_eq!(plan.changes.len(), 1, "{}", plan.summary());
    assert_eq!(body(&plan)["notes"], "");
}
