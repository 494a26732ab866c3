//! Each rule of planning for Zoo, on one contract.

mod left;
mod otherwise;

use serde_json::json;

use super::*;
use crate::{
    api::contract::{Adopt, AdoptMode, DeletionPolicy, DriftPolicy, ManagementPolicy, UnconfirmedWrite},
    plan::{BlockedPlan, SetTerms},
    terms::{sample::Sampler, zoo::PartialContract},
    validate,
};

const ORGANIZATION: &str = "6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11";

fn now() -> DateTime<Utc> {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn contract(status: &str) -> Contract {
    serde_json::from_value(json!({
        "organizationId": ORGANIZATION, "name": "Acme 2026", "status": status, "provider": "stripe",
        "billingCadence": "annual", "commitmentScope": "pooled", "rolloverPolicy": "none", "currency": "USD",
        "effectiveAt": "2026-01-01T00:00:00Z", "termEndAt": "2028-01-01T00:00:00Z",
        "items": [{"code": "licensed_api_credits", "displayName": "API credits", "kind": "usage_tiered", "unit": "minute",
                   "rateTiers": [{"tierStartInclusive": 0, "unitPrice": "0.50"}]}],
        "periods": [
            {"periodIndex": 0, "periodStartAt": "2026-01-01T00:00:00Z", "periodEndAt": "2027-01-01T00:00:00Z", "commitmentAmount": "100.00"},
            {"periodIndex": 1, "periodStartAt": "2027-01-01T00:00:00Z", "periodEndAt": "2028-01-01T00:00:00Z", "commitmentAmount": "200"},
        ],
    }))
    .unwrap()
}

fn desired(contract: &Contract) -> Desired {
    Desired::new(validate::zoo::complete(contract.clone()).unwrap()).unwrap()
}

/// The contract as the API shows it, with what the API fills in.
fn seen(contract: &Contract) -> ObservedContract {
    let mut terms = desired(contract).canonical;
    for period in terms["periods"].as_array_mut().unwrap() {
        let period = period.as_object_mut().unwrap();
        for (name, value) in [("rolloverInAmount", "0"), ("rolloverOutAmount", "0"), ("status", "open")] {
            period.entry(name).or_insert(json!(value));
        }
    }
    let state = terms["status"].as_str().unwrap().to_owned();
    ObservedContract { contract_id: "contract-1".into(), account_id: "account-1".into(), state, terms }
}

/// The recorded of a resource that holds the contract and once saw it in force.
fn holding(contract: &Contract) -> Recorded {
    Recorded {
        contract_id: Some("contract-1".into()),
        state: Some("active".into()),
        applied_spec: Some(desired(contract).digest),
        ..Recorded::default()
    }
}

fn decide(contract: &Contract, observed: Option<&ObservedContract>, recorded: &Recorded) -> Decision {
    plan(&desired(contract), observed, recorded, &Policy::default(), now())
}

#[track_caller]
fn written(decision: Decision) -> Plan {
    match decision {
        Decision::Write(plan) => plan,
        other => panic!("expected a write, not {other:?}"),
    }
}

#[track_caller]
fn refusal(decision: Decision) -> Refusal {
    match decision {
        Decision::Refuse(refusal) => refusal,
        other => panic!("expected a refusal, not {other:?}"),
    }
}

fn body(plan: &Plan) -> Value {
    crate::terms::json::parse_exact(&plan.calls[0].body).unwrap()
}

#[test]
fn a_new_contract_is_written_with_the_digits_of_the_spec() {
    let plan = written(decide(&contract("active"), None, &Recorded::default()));
    assert_eq!(plan.calls.len(), 1);
    assert_eq!(plan.calls[0].path, format!("orgs/{ORGANIZATION}/billing/contract"));
    assert!(plan.calls[0].body.contains(r#""commitment_amount":100.00"#), "{}", plan.calls[0].body);
    assert!(!plan.calls[0].body.contains("organization_id"));
    let summary = plan.summary();
    let shown = "new contract: + Acme 2026 (committed: 300 USD; without a sum: 1 by use); /items/licensed_api_credits: + API credits,";
    assert!(summary.starts_with(shown), "{summary}");
    for part in ["from 0 at 0.5 USD", "commitmentAmount 100 USD", "commitmentAmount 200 USD"] {
        assert!(summary.contains(part), "{part}: {summary}");
    }
}

#[test]
fn a_contract_that_says_the_same_is_settled_even_when_this_resource_never_saw_it() {
    let contract = contract("active");
    assert_eq!(decide(&contract, Some(&seen(&contract)), &Recorded::default()), Decision::InSync);
    assert_eq!(decide(&contract, Some(&seen(&contract)), &holding(&contract)), Decision::InSync);
}

#[test]
fn a_change_names_what_changes_and_what_it_costs() {
    let old = contract("active");
    let mut new = old.clone();
    new.periods[1].commitment_amount = "250.50".parse().unwrap();
    let plan = written(decide(&new, Some(&seen(&old)), &holding(&old)));
    assert_eq!(
        plan.summary(),
        "/periods/1/commitmentAmount: 200 -> 250.5 USD (committed: 300 -> 350.5 USD, +50.5)"
    );
}

#[test]
fn what_billing_keeps_of_a_period_goes_with_its_time_and_not_with_its_number() {
    let mut observed = seen(&contract("active"));
    observed.terms["periods"][0]["rolloverInAmount"] = json!("300");
    observed.terms["periods"][1]["rolloverInAmount"] = json!("7");
    let mut terms = json!(contract("active"));
    terms["effectiveAt"] = json!("2025-07-01T00:00:00Z");
    let periods = terms["periods"].as_array_mut().unwrap();
    for period in periods.iter_mut() {
        period["periodIndex"] = json!(period["periodIndex"].as_i64().unwrap() + 1);
    }
    periods.insert(
        0,
        json!({"periodIndex": 0, "periodStartAt": "2025-07-01T00:00:00Z",
        "periodEndAt": "2026-01-01T00:00:00Z", "commitmentAmount": "50"}),
    );
    let longer: Contract = serde_json::from_value(terms).unwrap();
    let plan = written(decide(&longer, Some(&observed), &holding(&contract("active"))));
    let rollovers = |plan: &Plan| -> Vec<_> {
        let sent = SHAPE.canonical(&body(plan), Spelling::Wire).unwrap();
        let periods = sent["periods"].as_array().unwrap().clone();
        periods.iter().map(|period| period["rolloverInAmount"].clone()).collect()
    };
    assert_eq!(rollovers(&plan), [Value::Null, json!("300"), json!("7")]);
    // A period whose dates alone change keeps what it has.
    let mut moved = contract("active");
    moved.periods[0].period_end_at = "2026-12-01T00:00:00Z".parse().unwrap();
    moved.periods[1].period_start_at = "2026-12-01T00:00:00Z".parse().unwrap();
    let plan = written(decide(&moved, Some(&observed), &holding(&contract("active"))));
    assert_eq!(rollovers(&plan), [json!("300"), json!("7")]);
}

#[test]
fn what_the_spec_leaves_out_is_carried_over() {
    let old = contract("active");
    let mut observed = seen(&old);
    observed.terms["notes"] = json!("theirs");
    observed.terms["periods"][0]["rolloverOutAmount"] = json!("7.5");
    observed.terms["periods"][0]["status"] = json!("closed");
    let mut new = old.clone();
    new.name = "Acme renamed".into();
    let body = body(&written(decide(&new, Some(&observed), &holding(&old))));
    assert_eq!(body["notes"], "theirs");
    assert_eq!(body["periods"][0]["rollover_out_amount"], "7.5");
    assert_eq!(body["periods"][0]["status"], "closed");
}

/// Places of a shape that may be left out, as JSON pointers into a sample that has one item in every list.
fn optional_places(shape: &Shape, path: &str, required: &[&str], found: &mut Vec<String>) {
    for (name, member) in shape.members() {
        let place = format!("{path}/{name}");
        if member.optional && !required.contains(&name) {
            found.push(place.clone());
        }
        match &member.shape {
            Shape::List { item, .. } => optional_places(item, &format!("{place}/0"), &[], found),
            shape => optional_places(shape, &place, &[], found),
        }
    }
}

#[test]
fn a_replace_carries_over_every_optional_member_that_the_spec_leaves_out() {
    let mut sample = Sampler::of::<PartialContract>().full();
    sample.as_object_mut().unwrap().remove("organizationId");
    let full = SHAPE.canonical(&sample, Spelling::Spec).unwrap();
    let mut places = Vec::new();
    optional_places(&SHAPE, "", &REQUIRED, &mut places);
    let count = |start: &str| places.iter().filter(|place| place.starts_with(start)).count();
    assert_eq!((places.len(), count("/periods/"), count("/items/")), (9, 3, 3), "{places:?}");
    for place in places {
        let (parent, name) = place.rsplit_once('/').unwrap();
        let mut written = full.clone();
        written.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
        let observed = ObservedContract { terms: full.clone(), ..seen(&contract("active")) };
        let mut desired = desired(&contract("active"));
        desired.written = written.clone();
        let sent = super::body(&desired, &observed, &Policy::default());
        // An item without a fee has none, and a tier without an end is open.
        let is_meant = ["fixedFeeAmount", "tierEndExclusive"].contains(&name);
        assert_eq!(sent.pointer(&place), full.pointer(&place).filter(|_| !is_meant), "{place}");
        assert_eq!(fingerprint(&written) == fingerprint(&full), !is_meant, "{place}");
    }
}

#[test]
fn nothing_of_an_item_is_carried_over_to_one_of_another_kind() {
    let old = contract("active");
    let mut observed = seen(&old);
    observed.terms["items"][0]["billingUnitGranularity"] = json!("minute");
    let granularity = |unit: &str| {
        let mut new = old.clone();
        new.items[0].unit = serde_json::from_value(json!(unit)).unwrap();
        new.name = "Acme renamed".into();
        body(&written(decide(&new, Some(&observed), &holding(&old))))["items"][0]["billing_unit_granularity"]
            .clone()
    };
    assert_eq!(granularity("minute"), "minute");
    assert_eq!(granularity("file"), Value::Null);
}

#[test]
fn a_closed_period_is_read_only() {
    let old = contract("active");
    let mut observed = seen(&old);
    observed.terms["periods"][0]["status"] = json!("closed");
    let mut new = old.clone();
    new.periods[0].commitment_amount = "1".parse().unwrap();
    let refusal = refusal(decide(&new, Some(&observed), &holding(&old)));
    assert_eq!(refusal.reason, "PeriodClosed");
    assert!(refusal.message.contains("/periods/0/commitmentAmount: 100 -> 1"), "{}", refusal.message);
}

#[test]
fn someone_elses_contract_is_not_overwritten() {
    let spec = contract("active");
    let mut other = spec.clone();
    other.name = "Typed by hand".into();
    assert_eq!(refusal(decide(&spec, Some(&seen(&other)), &Recorded::default())).reason, "ContractExists");
    let replaced = Recorded { contract_id: Some("contract-0".into()), ..holding(&spec) };
    assert_eq!(refusal(decide(&spec, Some(&seen(&other)), &replaced)).reason, "ReplacedOutside");
}

#[test]
fn a_write_whose_reply_was_lost_is_recognised_after_the_spec_moved_on() {
    let sent = contract("active");
    let lost = written(decide(&sent, None, &Recorded::default())).calls[0].fingerprint.clone();
    let mut newer = sent.clone();
    newer.name = "Acme renamed".into();
    let recorded = Recorded { unconfirmed: Some(without_a_reply(lost)), ..Recorded::default() };
    written(decide(&newer, Some(&seen(&sent)), &recorded));
}

#[test]
fn adoption_takes_the_named_contract_and_no_other() {
    let spec = contract("active");
    let mut other = spec.clone();
    other.name = "Typed by hand".into();
    let adopt = |contract_id: &str, mode| Policy {
        adopt: Some(Adopt { contract_id: contract_id.into(), mode }),
        ..Policy::default()
    };
    let decide = |observed: Option<&ObservedContract>, policy: &Policy| {
        plan(&desired(&spec), observed, &Recorded::default(), policy, now())
    };
    let (same, differing) = (seen(&spec), seen(&other));
    written(decide(Some(&differing), &adopt("contract-1", AdoptMode::Override)));
    assert_eq!(decide(Some(&same), &adopt("contract-1", AdoptMode::Match)), Decision::InSync);
    let mismatch = refusal(decide(Some(&differing), &adopt("contract-1", AdoptMode::Match)));
    assert_eq!(mismatch.reason, "AdoptionMismatch");
    for (observed, mode) in
        [(Some(&same), AdoptMode::Match), (Some(&differing), AdoptMode::Override), (None, AdoptMode::Match)]
    {
        assert_eq!(refusal(decide(observed, &adopt("contract-9", mode))).reason, "AdoptionTargetNotFound");
    }
}

#[test]
fn an_active_contract_is_not_taken_out_of_force_silently() {
    let old = contract("active");
    for status in ["draft", "scheduled"] {
        let refusal = refusal(decide(&contract(status), Some(&seen(&old)), &holding(&old)));
        assert_eq!(refusal.reason, "ActiveNotReplaced");
        assert!(refusal.message.contains(status), "{}", refusal.message);
    }
    for status in ["closed", "canceled"] {
        written(decide(&contract(status), Some(&seen(&old)), &holding(&old)));
    }
}

#[test]
fn a_state_that_cannot_be_seen_is_written_once() {
    let draft = seen(&contract("draft"));
    for status in ["scheduled", "closed", "canceled"] {
        let spec = contract(status);
        written(decide(&spec, None, &Recorded::default()));
        assert_eq!(decide(&spec, None, &holding(&spec)), Decision::InSync);
        let older = Recorded { contract_id: Some("contract-2".into()), ..holding(&spec) };
        assert_eq!(decide(&spec, Some(&draft), &older), Decision::InSync);
    }
}

#[test]
fn a_scheduled_contract_may_become_active_by_itself() {
    let spec = contract("scheduled");
    let mut activated = seen(&spec);
    activated.state = "active".into();
    activated.terms["status"] = json!("active");
    assert_eq!(decide(&spec, Some(&activated), &holding(&spec)), Decision::InSync);
}

#[track_caller]
fn waited_for(decision: Decision) -> Refusal {
    match decision {
        Decision::Wait(refusal) => refusal,
        other => panic!("expected a wait, not {other:?}"),
    }
}

#[test]
fn a_held_contract_that_is_not_shown_is_not_written_on_that_word_under_any_policy() {
    let old = contract("active");
    let mut new = old.clone();
    new.name = "Acme renamed".into();
    for management in [ManagementPolicy::Apply, ManagementPolicy::Plan, ManagementPolicy::Observe] {
        let policy = Policy { management, ..Policy::default() };
        for (spec, recorded) in
            [(&old, holding(&old)), (&new, holding(&old)), (&contract("closed"), holding(&old))]
        {
            let refusal = waited_for(plan(&desired(spec), None, &recorded, &policy, now()));
            assert_eq!(refusal.reason, "HeldContractMissing");
            assert!(refusal.message.contains("contract-1"), "{}", refusal.message);
        }
    }
}

#[test]
fn a_held_contract_that_is_gone_is_written_anew_once_somebody_says_so_and_only_then() {
    let spec = contract("active");
    let approving = |approved: &str| Policy { approved: Some(approved.to_owned()), ..Policy::default() };
    let decide = |recorded: &Recorded, policy: &Policy| plan(&desired(&spec), None, recorded, policy, now());
    let asked = waited_for(decide(&holding(&spec), &Policy::default())).message;
    let digest = asked.split("approved-plan=").nth(1).unwrap().split(':').next().unwrap();
    assert_eq!(written(decide(&holding(&spec), &approving(digest))).digest.as_str(), digest);
    // The approval is of this contract, and of this occasion.
    let another = Recorded { contract_id: Some("contract-2".into()), ..holding(&spec) };
    waited_for(decide(&another, &approving(digest)));
    let carried_out = Recorded { applied_plan: Some(Digest::of(&json!(digest))), ..holding(&spec) };
    waited_for(decide(&carried_out, &approving(digest)));
    // That of the create, before there was a contract, is another one.
    let created = written(decide(&Recorded::default(), &Policy::default())).digest;
    waited_for(decide(&holding(&spec), &approving(created.as_str())));
}

#[test]
fn a_contract_that_was_last_seen_in_a_state_that_is_not_shown_is_not_missing() {
    let mut changed = contract("scheduled");
    changed.name = "Acme renamed".into();
    let before: DateTime<Utc> = "2025-12-01T00:00:00Z".parse().unwrap();
    for state in ["scheduled", "closed", "canceled"] {
        let recorded = Recorded { state: Some(state.into()), ..holding(&contract(state)) };
        written(plan(&desired(&changed), None, &recorded, &Policy::default(), before));
    }
}

#[test]
fn a_contract_that_has_ended_is_opened_again_only_when_somebody_says_that_its_periods_begin_anew() {
    let spec = contract("active");
    for state in ["closed", "canceled"] {
        let recorded = Recorded { state: Some(state.into()), ..holding(&contract(state)) };
        let decide = |policy: &Policy| plan(&desired(&spec), None, &recorded, policy, now());
        let Refusal { reason, message } = refusal(decide(&Policy::default()));
        assert_eq!(reason, "TermOver");
        assert!(message.contains(state) && message.contains("begin them anew"), "{message}");
        assert!(!message.contains("  "), "{message}");
        let digest = message.split("approved-plan=").nth(1).unwrap().split(':').next().unwrap();
        let approving = Policy { approved: Some(digest.to_owned()), ..Policy::default() };
        written(decide(&approving));
        let created = written(plan(&desired(&spec), None, &Recorded::default(), &Policy::default(), now()));
        let other = Policy { approved: Some(created.digest.to_string()), ..Policy::default() };
        assert_eq!(refusal(decide(&other)).reason, "TermOver", "that of the first create is another one");
        assert_eq!(
            decide_ended(&recorded, state),
            Decision::InSync,
            "what has ended stays so without a word"
        );
    }
    let scheduled = Recorded { state: Some("scheduled".into()), ..holding(&contract("scheduled")) };
    written(decide(&spec, None, &scheduled));
}

fn decide_ended(recorded: &Recorded, state: &str) -> Decision {
    plan(&desired(&contract(state)), None, recorded, &Policy::default(), now())
}

#[test]
fn what_was_billed_cannot_be_changed_once_the_term_is_over_and_nothing_is_shown() {
    let spec = contract("active");
    let later: DateTime<Utc> = "2028-01-02T00:00:00Z".parse().unwrap();
    let decide = |spec: &Contract| {
        let recorded = Recorded { ends_on: Some("2028-01-01".into()), ..holding(&contract("active")) };
        plan(&desired(spec), None, &recorded, &Policy::default(), later)
    };
    assert_eq!(decide(&spec), Decision::InSync);
    // A draft that somebody prepares for the time after it is no replacement of it.
    let mut draft = seen(&contract("draft"));
    (draft.contract_id, draft.terms["name"]) = ("contract-9".to_owned(), json!("2028"));
    let with_draft = |now| plan(&desired(&spec), Some(&draft), &holding(&spec), &Policy::default(), now);
    assert_eq!(with_draft(later), Decision::InSync);
    assert_eq!(refusal(with_draft(self::now())).reason, "ReplacedOutside", "before, it is one");
    let mut changed = spec.clone();
    changed.periods[1].commitment_amount = "999999".parse().unwrap();
    let why = refusal(decide(&changed));
    assert_eq!(why.reason, "TermOver");
    assert!(
        why.message.contains("can't be changed") && !why.message.contains("approved-plan"),
        "{}",
        why.message
    );
    // A longer term is no other way to change it: somebody has to say that a new contract is meant.
    let mut longer = spec;
    longer.term_end_at = "2029-01-01T00:00:00Z".parse().unwrap();
    longer.periods[1].period_end_at = longer.term_end_at;
    let why = refusal(decide(&longer));
    assert_eq!(why.reason, "TermOver");
    assert!(why.message.contains("approved-plan"), "{}", why.message);
}

#[test]
fn drift_is_corrected_or_reported_as_the_policy_says_and_a_change_of_the_spec_is_no_drift() {
    let spec = contract("active");
    let mut observed = seen(&spec);
    observed.terms["name"] = json!("Changed in the console");
    let report = Policy { drift: DriftPolicy::Report, ..Policy::default() };
    let decide = |recorded: &Recorded, policy: &Policy| {
        plan(&desired(&spec), Some(&observed), recorded, policy, now())
    };
    written(decide(&holding(&spec), &Policy::default()));
    assert!(matches!(decide(&holding(&spec), &report), Decision::Report(changes) if changes.len() == 1));
    written(decide(&holding(&contract("draft")), &report));
}

#[test]
fn ignored_places_are_neither_reported_nor_overwritten() {
    let spec = contract("active");
    let mut observed = seen(&spec);
    observed.terms["items"][0]["displayName"] = json!("Theirs");
    let policy =
        Policy { ignore: vec!["/items/licensed_api_credits/displayName".into()], ..Policy::default() };
    assert_eq!(plan(&desired(&spec), Some(&observed), &holding(&spec), &policy, now()), Decision::InSync);
    observed.terms["name"] = json!("Changed");
    let plan = written(plan(&desired(&spec), Some(&observed), &holding(&spec), &policy, now()));
    assert_eq!(body(&plan)["items"][0]["display_name"], "Theirs");
}

#[test]
fn a_plan_waits_for_its_own_approval() {
    let spec = contract("active");
    let ask = Policy { management: ManagementPolicy::Plan, ..Policy::default() };
    let decide = |policy: &Policy| plan(&desired(&spec), None, &Recorded::default(), policy, now());
    let Decision::AwaitApproval(asked) = decide(&ask) else { panic!("no approval was asked for") };
    written(decide(&Policy { approved: Some(asked.digest.to_string()), ..ask.clone() }));
    assert!(matches!(decide(&Policy { approved: Some("other".into()), ..ask }), Decision::AwaitApproval(_)));
}

#[test]
fn observing_never_writes() {
    let policy = Policy { management: ManagementPolicy::Observe, ..Policy::default() };
    assert!(matches!(
        plan(&desired(&contract("active")), None, &Recorded::default(), &policy, now()),
        Decision::Report(_)
    ));
}

#[test]
fn a_plan_that_did_not_hold_is_not_carried_out_again() {
    let spec = contract("active");
    let mut observed = seen(&spec);
    observed.terms["name"] = json!("Stubborn");
    let blocked = written(decide(&spec, Some(&observed), &holding(&spec))).digest;
    let said = Refusal { reason: crate::api::reasons::NON_CONVERGING, message: "stopped".into() };
    let recorded = Recorded {
        blocked_plan: Some(BlockedPlan { digest: blocked, refusal: said.clone() }),
        ..holding(&spec)
    };
    assert_eq!(refusal(decide(&spec, Some(&observed), &recorded)), said);
    observed.terms["name"] = json!("Something else");
    written(decide(&spec, Some(&observed), &recorded));
}

fn end(shown: Option<&ObservedContract>, recorded: &Recorded, policy: DeletionPolicy) -> Option<Call> {
    let desired = desired(&contract("active"));
    match super::end::plan(ORGANIZATION, Some(&desired), shown, recorded, &Policy::default(), policy, now()) {
        Decision::Write(plan) => plan.calls.first().cloned(),
        Decision::InSync => None,
        other => panic!("expected an end or nothing to end, not {other:?}"),
    }
}

/// A write as it is on record when its reply was lost.
fn without_a_reply(digest: Digest) -> UnconfirmedWrite {
    UnconfirmedWrite {
        digest,
        time: crate::terms::Timestamp(now()),
        after_edit: None,
        taken: false,
        difference: None,
        rounds: 0,
        lost: Vec::new(),
    }
}

/// Why nothing is ended, and the resource does not go either.
fn kept(shown: Option<&ObservedContract>, recorded: &Recorded) -> Refusal {
    let desired = desired(&contract("active"));
    let policy = Policy::default();
    match super::end::plan(
        ORGANIZATION,
        Some(&desired),
        shown,
        recorded,
        &policy,
        DeletionPolicy::Cancel,
        now(),
    ) {
        Decision::Wait(refusal) | Decision::Refuse(refusal) => refusal,
        other => panic!("expected a wait or a refusal, not {other:?}"),
    }
}

#[test]
fn an_end_changes_the_state_and_nothing_else() {
    let spec = contract("active");
    let mut observed = seen(&spec);
    observed.terms["name"] = json!("As billing has it");
    for (policy, status) in [(DeletionPolicy::End, "closed"), (DeletionPolicy::Cancel, "canceled")] {
        let call = end(Some(&observed), &holding(&spec), policy).unwrap();
        let mut sent =
            SHAPE.canonical(&crate::terms::json::parse_exact(&call.body).unwrap(), Spelling::Wire).unwrap();
        assert_eq!(sent["status"], status);
        sent["status"] = json!("active");
        assert_eq!(sent, observed.terms);
    }
}

#[test]
fn an_end_touches_only_a_contract_that_this_resource_holds() {
    let spec = contract("active");
    let observed = seen(&spec);
    assert_eq!(end(Some(&observed), &holding(&spec), DeletionPolicy::Orphan), None);
    let scheduled = Recorded { state: Some("scheduled".into()), ..holding(&spec) };
    assert!(end(None, &scheduled, DeletionPolicy::Cancel).is_some());
}

#[test]
fn a_contract_that_should_be_shown_and_is_not_is_no_ended_one() {
    let spec = contract("active");
    assert_eq!(kept(None, &holding(&spec)).reason, "HeldContractMissing");
    // It is known to have ended: it was seen, it was sent, or its term is over.
    let closed = Recorded { state: Some("closed".into()), ..holding(&spec) };
    let over = Recorded { ends_on: Some("2026-05-31".into()), ..holding(&spec) };
    for recorded in [closed, over] {
        assert_eq!(end(None, &recorded, DeletionPolicy::Cancel), None);
    }
    let mut lost = holding(&spec);
    let sent = end(Some(&seen(&spec)), &lost, DeletionPolicy::Cancel).unwrap();
    lost.unconfirmed = Some(without_a_reply(sent.fingerprint));
    assert_eq!(end(None, &lost, DeletionPolicy::Cancel), None);
    assert_eq!(end(None, &lost, DeletionPolicy::End), None, "the policy may have changed meanwhile");
}

#[test]
fn an_end_whose_reply_was_lost_behind_a_replace_with_another_id_is_known() {
    let spec = contract("active");
    let mut replaced = seen(&spec);
    replaced.contract_id = "contract-2".into();
    let mut lost = holding(&spec);
    lost.unconfirmed = Some(without_a_reply(super::fingerprint(&replaced.terms)));
    let sent = end(Some(&replaced), &lost, DeletionPolicy::Cancel).unwrap();
    lost.unconfirmed = Some(without_a_reply(sent.fingerprint));
    assert_eq!(end(None, &lost, DeletionPolicy::Cancel), None);
}

#[test]
fn a_contract_that_may_have_been_made_right_before_a_kill_is_neither_ended_nor_left_without_a_word() {
    let spec = contract("active");
    assert_eq!(kept(Some(&seen(&spec)), &Recorded::default()).reason, "OwnershipUnproven");
    let mut foreign = spec.clone();
    foreign.name = "Typed by hand".into();
    assert_eq!(end(Some(&seen(&foreign)), &Recorded::default(), DeletionPolicy::Cancel), None);
    // It may be what the spec said before it was changed, unless a report speaks of the spec as it was last.
    let lacking = Recorded { may_lack_a_write: true, ..Recorded::default() };
    assert_eq!(kept(Some(&seen(&foreign)), &lacking).reason, "OwnershipUnproven");
    assert_eq!(end(None, &lacking, DeletionPolicy::Cancel), None);
    let another = Recorded { contract_id: Some("contract-2".into()), ..lacking };
    assert_eq!(
        end(Some(&seen(&foreign)), &another, DeletionPolicy::Cancel),
        None,
        "it has another on record"
    );
}

#[test]
fn a_scheduled_contract_is_not_ended_over_another_that_stands_in_its_place() {
    let spec = contract("active");
    let mut foreign = seen(&spec);
    foreign.contract_id = "somebody-else-s".into();
    let scheduled = Recorded { state: Some("scheduled".into()), ..holding(&spec) };
    assert_eq!(end(Some(&foreign), &scheduled, DeletionPolicy::Cancel), None);
}
