//! The write protocol with Fake's planner, step by step and without I/O.

use chrono::{DateTime, Utc};
use countersign::{
    api::{Api, BillingContract, contract::DeletionPolicy},
    plan::{
        Ending, Policy, Recorded,
        fake::{ContractPlanner, Need},
    },
    protocol::{CallError, Goal, Outcome, Reconciliation, Step},
    terms::json::parse_exact,
};
use serde_json::{Value, json};

use crate::{
    fixture::{CUSTOMER, PRICE, acme},
    support::terms::with,
};

type Machine = Reconciliation<ContractPlanner>;

fn now() -> DateTime<Utc> {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn machine(object: &Value, goal: Goal, recorded: Recorded) -> Machine {
    let contract: BillingContract = serde_json::from_value(object.clone()).unwrap();
    let planner = ContractPlanner::new(&contract.spec).unwrap();
    Reconciliation::new(Api::Fake, planner, goal, recorded, Policy::of(&contract))
}

fn ended() -> Goal {
    Goal::Ended(Ending { policy: DeletionPolicy::End, end_at: None, void_invoices: false })
}

/// A contract as the billing API tells it.
fn told(name: &str, price: &str) -> Value {
    let text =
        format!(r#"{{"contract_id":"fake-1","terms":{{"name":"{name}","price":{price}}},"ended":false}}"#);
    parse_exact(&text).unwrap()
}

/// Answers the read that comes next.
#[track_caller]
fn read(machine: &mut Machine, answer: Option<Value>) {
    let Step::Read(need) = machine.next(now()) else { panic!("no read comes next") };
    assert_eq!(need, Need::Contract { customer_id: CUSTOMER.to_owned() });
    machine.told(&need, Ok(answer), now());
}

/// Answers the write that comes next; its body.
#[track_caller]
fn send(machine: &mut Machine, reply: Result<Value, CallError>) -> String {
    let mut step = machine.next(now());
    if step == Step::Confirm {
        machine.confirmed(true);
        step = machine.next(now());
    }
    if let Step::Announce(_) = step {
        machine.announced(Ok(()));
        step = machine.next(now());
    }
    let Step::Send(call) = step else { panic!("no write comes next: {step:?}") };
    assert_eq!(call.path, format!("customers/{CUSTOMER}"));
    machine.sent(reply, now());
    call.body
}

#[track_caller]
fn done(
    machine: &mut Machine,
) -> countersign::protocol::ReconcileResult<countersign::plan::ContractSnapshot> {
    match machine.next(now()) {
        Step::Done(result) => *result,
        step => panic!("it is not done: {step:?}"),
    }
}

#[test]
fn a_new_contract_is_one_read_and_one_write() {
    let mut machine = machine(&acme(), Goal::InForce, Recorded::default());
    read(&mut machine, None);
    let body = send(&mut machine, Ok(told("Acme 2026", "0.50")));
    assert_eq!(body, r#"{"terms":{"name":"Acme 2026","price":0.50},"ended":false}"#);
    let result = done(&mut machine);
    assert!(matches!(&result.outcome, Outcome::InSync { applied, .. } if applied.len() == 1), "{result:?}");
    assert_eq!(result.snapshot.unwrap().contract_id, "fake-1");
    assert_eq!(result.customer_id.as_deref(), Some(CUSTOMER));
    assert!(result.write.is_none());
}

#[test]
fn the_same_number_in_other_digits_is_no_difference() {
    let mut machine = machine(&acme(), Goal::InForce, Recorded::default());
    read(&mut machine, Some(told("Acme 2026", "0.5000")));
    let result = done(&mut machine);
    assert!(matches!(&result.outcome, Outcome::InSync { applied, .. } if applied.is_empty()), "{result:?}");
}

#[test]
fn a_lost_reply_is_looked_up_and_nothing_is_sent_again() {
    let mut first = machine(&acme(), Goal::InForce, Recorded::default());
    read(&mut first, None);
    send(&mut first, Err(CallError::Unknown("no answer in time".to_owned())));
    let result = done(&mut first);
    assert!(matches!(result.outcome, Outcome::Unconfirmed { .. }), "{result:?}");

    // The spec has moved on, and what was sent is still known to be this resource's.
    let recorded = Recorded { unconfirmed: result.write, ..Recorded::default() };
    let mut second = machine(&with(acme(), PRICE, json!("0.49")), Goal::InForce, recorded);
    read(&mut second, Some(told("Acme 2026", "0.50")));
    let body = send(&mut second, Ok(told("Acme 2026", "0.49")));
    assert!(body.contains(r#""price":0.49}"#), "{body}");
    assert!(matches!(done(&mut second).outcome, Outcome::InSync { .. }));
}

#[test]
fn a_contract_of_somebody_else_is_left_alone() {
    let mut machine = machine(&acme(), Goal::InForce, Recorded::default());
    read(&mut machine, Some(told("Typed by hand", "7")));
    let result = done(&mut machine);
    let Outcome::Refused { refusal, .. } = result.outcome else { panic!("{result:?}") };
    assert_eq!(refusal.reason.as_str(), "ContractExists");
}

#[test]
fn a_refusal_blocks_the_plan() {
    let mut machine = machine(&acme(), Goal::InForce, Recorded::default());
    read(&mut machine, None);
    send(&mut machine, Err(CallError::Rejected { status: 422, message: "no".to_owned() }));
    let result = done(&mut machine);
    assert!(
        matches!(&result.outcome, Outcome::Refused { blocked_plan: Some(_), .. }) && result.write.is_none(),
        "{result:?}"
    );
}

#[test]
fn what_is_taken_and_not_kept_is_not_written_for_ever() {
    let mut recorded = Recorded { contract_id: Some("fake-1".to_owned()), ..Recorded::default() };
    for round in 1..10 {
        let mut machine = machine(&acme(), Goal::InForce, recorded.clone());
        read(&mut machine, Some(told("Acme 2026", "7")));
        if let Step::Done(result) = machine.next(now()) {
            panic!("round {round}: {result:?}");
        }
        send(&mut machine, Ok(told("Acme 2026", "7")));
        let result = done(&mut machine);
        match result.outcome {
            Outcome::NotInForce { .. } => recorded.unconfirmed = result.write,
            Outcome::Refused { refusal, .. } => {
                assert_eq!((refusal.reason.as_str(), round), ("NonConverging", 3));
                return;
            }
            outcome => panic!("round {round}: {outcome:?}"),
        }
    }
    panic!("writing does not stop");
}

#[test]
fn only_what_the_resource_holds_is_ended() {
    let mut other = machine(&acme(), ended(), Recorded::default());
    read(&mut other, Some(told("Acme 2026", "0.50")));
    assert!(matches!(done(&mut other).outcome, Outcome::Ended { applied } if applied.is_empty()));

    let recorded = Recorded { contract_id: Some("fake-1".to_owned()), ..Recorded::default() };
    let mut own = machine(&acme(), ended(), recorded);
    read(&mut own, Some(told("Acme 2026", "0.50")));
    let body = send(&mut own, Ok(json!({"contract_id": "fake-1", "ended": true})));
    assert_eq!(body, r#"{"terms":{"name":"Acme 2026","price":0.5},"ended":true}"#);
    assert!(matches!(done(&mut own).outcome, Outcome::Ended { applied } if applied.len() == 1));
}

#[test]
fn a_reply_that_is_no_contract_is_not_taken_for_an_empty_one() {
    for reply in [
        json!({}),
        json!({"contract_id": "fake-1"}),
        json!({"contract_id": "fake-1", "terms": {"name": "Acme 2026"}}),
        json!({"contract_id": "fake-1", "terms": {"price": "7"}}),
    ] {
        let mut machine = machine(&acme(), Goal::InForce, Recorded::default());
        read(&mut machine, Some(reply.clone()));
        let result = done(&mut machine);
        assert!(matches!(result.outcome, Outcome::Waiting { .. }), "{reply}: {result:?}");
    }
}
