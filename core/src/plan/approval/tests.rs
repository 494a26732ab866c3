use serde_json::{Value, json};

use super::*;
use crate::{
    api::contract::ManagementPolicy,
    plan::{Change, Decision, Demands, MoneyEffect, Recorded},
};

const OTHER: &str = "00000000000000000000000000000000";

fn plan() -> Plan {
    let change = Change::new("/name", Some(json!("a")), Some(json!("b")));
    Plan::new(&json!("a"), &json!("b"), vec![change], MoneyEffect::default(), vec![])
}

fn digest(policy: &Policy, recorded: &Recorded) -> String {
    match plan().under(&Policy { management: ManagementPolicy::Plan, ..policy.clone() }, recorded, false) {
        Decision::AwaitApproval(plan) => plan.digest.to_string(),
        other => panic!("{other:?}"),
    }
}

fn approval(name: &str, digest: &str, more: &Value) -> ContractApproval {
    let mut object = json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "ContractApproval",
        "metadata": {"name": name, "namespace": "billing", "creationTimestamp": "2026-06-01T00:00:00Z"},
        "spec": {"contractRef": {"name": "acme"}, "planDigest": digest, "decision": "Approve",
            "approvedBy": "ann@example.com"},
    });
    for (path, value) in more.as_object().into_iter().flatten() {
        let (parent, member) = path.rsplit_once('/').unwrap();
        match parent {
            "" => object[member] = value.clone(),
            parent => object.pointer_mut(parent).unwrap()[member] = value.clone(),
        }
    }
    serde_json::from_value(object).unwrap()
}

/// What becomes of the plan, in a word.
fn outcome(policy: &Policy) -> &'static str {
    match plan().under(policy, &Recorded::default(), false) {
        Decision::Write(plan) if plan.consent.given.is_some() => "approved",
        Decision::Write(_) => "written",
        Decision::AwaitApproval(_) => "waits",
        Decision::Deny(..) => "denied",
        Decision::Report(_) => "reported",
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_people_say_of_a_plan_decides_whether_it_is_carried_out() {
    let this = digest(&Policy::default(), &Recorded::default());
    let yes = approval("a-yes", &this, &json!({}));
    let no = approval("z-no", &this, &json!({"/spec/decision": "Deny"}));
    let other_yes = approval("o-yes", OTHER, &json!({}));
    let other_no = approval("o-no", OTHER, &json!({"/spec/decision": "Deny"}));
    let spent = approval("spent", &this, &json!({"/status": {"spentAt": "2026-06-02T00:00:00Z"}}));
    let going = |of: &ContractApproval| {
        let mut going = of.clone();
        going.metadata.deletion_timestamp.clone_from(&going.metadata.creation_timestamp);
        going
    };
    let (yes_goes, no_goes) = (going(&yes), going(&no));
    let independent = approval("b-free", &this, &json!({"/spec/independent": true}));
    let independent_other = approval("o-free", OTHER, &json!({"/spec/independent": true}));
    // What is said, and what becomes of the plan under Apply, Plan, Observe, and where only others may approve.
    let table: &[(&[&ContractApproval], [&str; 4])] = &[
        (&[], ["written", "waits", "reported", "waits"]),
        (&[&yes], ["approved", "approved", "reported", "waits"]),
        (&[&independent], ["approved", "approved", "reported", "approved"]),
        (&[&yes, &independent], ["approved", "approved", "reported", "approved"]),
        (&[&no], ["denied", "denied", "reported", "denied"]),
        (&[&yes, &no], ["denied", "denied", "reported", "denied"]),
        (&[&no, &independent], ["denied", "denied", "reported", "denied"]),
        (&[&other_yes, &independent_other], ["written", "waits", "reported", "waits"]),
        (&[&other_no], ["written", "waits", "reported", "waits"]),
        (&[&yes, &other_no], ["approved", "approved", "reported", "waits"]),
        (&[&spent], ["written", "waits", "reported", "waits"]),
        (&[&yes_goes], ["written", "waits", "reported", "waits"]),
        (&[&yes, &no_goes], ["approved", "approved", "reported", "waits"]),
    ];
    for (said, expected) in table {
        let of = |management, by_other| Policy {
            management,
            demands: Demands { by_other, ..Demands::default() },
            sayings: Sayings::of(said.iter().copied()),
            ..Policy::default()
        };
        let found = [
            outcome(&of(ManagementPolicy::Apply, false)),
            outcome(&of(ManagementPolicy::Plan, false)),
            outcome(&of(ManagementPolicy::Observe, true)),
            outcome(&of(ManagementPolicy::Apply, true)),
        ];
        let names: Vec<_> = said.iter().map(|said| said.metadata.name.as_deref().unwrap()).collect();
        assert_eq!(found, *expected, "{names:?}");
    }
}

#[test]
fn the_annotation_approves_its_plan_unless_somebody_else_has_to_or_somebody_denies_it() {
    let this = digest(&Policy::default(), &Recorded::default());
    let no = approval("no", &this, &json!({"/spec/decision": "Deny"}));
    let management = ManagementPolicy::Plan;
    let annotated = Policy { management, approved: Some(this), ..Policy::default() };
    assert_eq!(outcome(&annotated), "approved");
    assert_eq!(
        outcome(&Policy { demands: Demands { by_other: true, ..Demands::default() }, ..annotated.clone() }),
        "waits"
    );
    assert_eq!(outcome(&Policy { sayings: Sayings::of([&no]), ..annotated }), "denied");
}

#[test]
fn an_approval_of_a_plan_is_none_of_the_same_plan_after_it_was_carried_out() {
    let mut recorded = Recorded::default();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let this = digest(&Policy::default(), &recorded);
        assert!(!seen.contains(&this), "a plan of before has come again");
        let yes = approval("yes", &this, &json!({}));
        let policy =
            Policy { management: ManagementPolicy::Plan, sayings: Sayings::of([&yes]), ..Policy::default() };
        let Decision::Write(plan) = plan().under(&policy, &recorded, false) else { panic!("not approved") };
        recorded.applied_plan = Some(plan.digest);
        assert!(matches!(plan_again(&policy, &recorded), Decision::AwaitApproval(_)), "it was spent");
        seen.push(this);
    }
}

fn plan_again(policy: &Policy, recorded: &Recorded) -> Decision {
    plan().under(policy, recorded, false)
}

#[test]
fn who_approved_is_told_with_the_plan_that_is_written() {
    let this = digest(&Policy::default(), &Recorded::default());
    let yes = approval("price", &this, &json!({"/spec/note": "as agreed"}));
    let policy = Policy { sayings: Sayings::of([&yes]), ..Policy::default() };
    let Decision::Write(plan) = plan().under(&policy, &Recorded::default(), false) else { panic!() };
    let given = plan.consent.given.unwrap();
    assert_eq!(given.to_string(), "approved by ann@example.com (ContractApproval price)");
    assert_eq!(given.time.unwrap().to_string(), "2026-06-01T00:00:00Z");
    assert_eq!((given.name.as_deref(), given.note.as_deref()), (Some("price"), Some("as agreed")));
}

#[test]
fn whoever_denied_a_plan_is_named_with_what_they_said() {
    let this = digest(&Policy::default(), &Recorded::default());
    let no = approval("too-cheap", &this, &json!({"/spec/decision": "Deny", "/spec/note": "below cost"}));
    let policy = Policy { sayings: Sayings::of([&no]), ..Policy::default() };
    let Decision::Deny(_, refusal) = plan().under(&policy, &Recorded::default(), false) else { panic!() };
    assert_eq!(refusal.reason, reasons::PLAN_DENIED);
    for words in ["ann@example.com", "ContractApproval too-cheap", "below cost", &*this, "/name: a -> b"] {
        assert!(refusal.message.contains(words), "{words}: {}", refusal.message);
    }
}

#[test]
fn what_was_said_and_does_not_count_is_not_passed_over_in_silence() {
    let this = digest(&Policy::default(), &Recorded::default());
    let (late, dependent) = (approval("late", OTHER, &json!({})), approval("own", &this, &json!({})));
    let waiting = |policy: &Policy| match plan().under(policy, &Recorded::default(), false) {
        Decision::AwaitApproval(plan) => (plan.notes(), plan.how_to_approve()),
        other => panic!("{other:?}"),
    };
    let asks = Policy { management: ManagementPolicy::Plan, ..Policy::default() };
    let (notes, how) =
        waiting(&Policy { approved: Some("f00".into()), sayings: Sayings::of([&late]), ..asks.clone() });
    assert!(
        notes.starts_with(
            "The annotation billing.countersign.dev/approved-plan is about another plan (f00). "
        )
    );
    assert!(notes.ends_with(&format!("ContractApproval late is about another plan ({OTHER}). ")), "{notes}");
    assert!(how.contains(&format!("approved-plan={this}")), "{how}");
    let by_other = Policy {
        demands: Demands { by_other: true, ..Demands::default() },
        approved: Some(this.clone()),
        ..asks.clone()
    };
    let (notes, how) = waiting(&Policy { sayings: Sayings::of([&dependent]), ..by_other });
    assert!(notes.contains("does not count with this provider"), "{notes}");
    assert!(notes.contains("ContractApproval own does not say `independent: true`"), "{notes}");
    assert!(how.contains("may not write contracts") && !how.contains("annotate"), "{how}");
    assert_eq!(waiting(&asks).0, "");
}
