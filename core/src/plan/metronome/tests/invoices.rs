//! What is invoiced for good already of what a plan changes is named in it, and only what touches the past asks for it.

use super::{planner::World, *};
use crate::{
    api::contract::{DeletionPolicy, ManagementPolicy},
    plan::{Ending, invoiced::FinalInvoice},
    protocol::{CallError, Goal, Outcome},
};

const USD: &str = "2714e483-4ff1-48e4-9e25-ac732e8f24f2";
const PAST: &str = "2026-01-01T00:00:00Z";

/// A contract that is billed as its spec says, under a policy that asks.
fn billed(spec: &Value) -> World {
    let mut world = World::new(spec, None, None);
    world.settle();
    world.contract.spec.management_policy = ManagementPolicy::Plan;
    world
}

/// The id of the first item of a list.
fn id_of(world: &World, list: &str) -> String {
    world.api.contract[list][0]["id"].as_str().unwrap().to_owned()
}

fn invoice(id: &str, issued_at: &str, line: &Value) -> Value {
    json!({"id": id, "status": "FINALIZED", "type": "SCHEDULED", "contract_id": "contract-1", "customer_id": "customer-1",
        "issued_at": issued_at, "total": 120_000, "credit_type": {"id": USD, "name": "USD (cents)"}, "line_items": [line]})
}

fn payment(commit: &str) -> Value {
    json!({"type": "commit_purchase", "commit_id": commit, "commit_type": "PrepaidCommit", "product_id": fixture::PRODUCT,
        "name": "Launch", "total": 120_000})
}

fn usage(id: &str, from: &str, until: &str) -> Value {
    let mut invoice =
        invoice(id, until, &json!({"type": "usage", "product_id": fixture::PRODUCT, "name": "API"}));
    invoice["type"] = json!("USAGE");
    invoice["start_timestamp"] = json!(from);
    invoice["end_timestamp"] = json!(until);
    invoice
}

/// The plan for terms.
#[track_caller]
fn planned(world: &mut World, terms: &Value) -> Plan {
    world.contract.spec.metronome = serde_json::from_value(terms.clone()).unwrap();
    world.contract.metadata.generation = world.contract.metadata.generation.map(|before| before + 1);
    match world.pass(Goal::InForce).outcome {
        Outcome::AwaitingApproval(plan) => plan,
        other => panic!("{other:?}"),
    }
}

fn named(plan: &Plan) -> Vec<(&str, Vec<&str>)> {
    let places = |invoice: &'_ FinalInvoice| invoice.places.len();
    assert!(plan.invoiced.invoices.iter().all(|invoice| places(invoice) > 0));
    let all = plan.invoiced.invoices.iter();
    all.map(|invoice| (&*invoice.id, invoice.places.iter().map(|place| &**place).collect())).collect()
}

#[test]
fn a_plan_that_touches_nothing_past_asks_for_no_invoices() {
    let mut spec = fixture::plain();
    spec["commits"][0]["invoiceSchedule"]["scheduleItems"] = json!([
        {"timestamp": PAST, "amount": "120000"}, {"timestamp": "2026-09-01T00:00:00Z", "amount": "7"}]);
    let mut world = billed(&spec);
    assert_eq!(world.invoice_reads, 0, "nor does a new contract");
    let later = json!({"key": "later", "productId": fixture::OTHER, "schedule": {"scheduleItems":
        [{"timestamp": "2026-08-01T00:00:00Z", "amount": "5"}]}});
    let changes = [
        ("/name", json!("Acme 2027")),
        ("/netPaymentTermsDays", json!("45")),
        ("/endingBefore", json!("2026-12-01T00:00:00Z")),
        ("/commits/0/name", json!("Start")),
        ("/commits/0/description", json!("a note")),
        ("/commits/0/invoiceSchedule/scheduleItems/1/amount", json!("8")),
        ("/commits/0/invoiceSchedule/scheduleItems/1/timestamp", json!("2026-10-01T00:00:00Z")),
        ("/scheduledCharges/1", later),
        (
            "/overrides/1",
            json!({"startingAt": "2026-07-01T00:00:00Z", "type": "MULTIPLIER", "multiplier": "0.5", "productId": fixture::OTHER}),
        ),
    ];
    for (place, value) in changes {
        let mut other = spec.clone();
        match place.rsplit_once('/') {
            Some((list, "1")) => other.pointer_mut(list).unwrap().as_array_mut().unwrap().push(value),
            _ => other = with(&spec, place, value),
        }
        let plan = planned(&mut world, &other);
        assert!(plan.invoiced.is_empty(), "{place}");
        assert_eq!(world.invoice_reads, 0, "{place}: {:?}", plan.calls);
    }
}

#[test]
fn a_change_of_what_is_on_a_final_invoice_names_it_with_its_date_and_amount() {
    let mut world = billed(&fixture::plain());
    let commit = id_of(&world, "commits");
    let mut draft = invoice("draft", PAST, &payment(&commit));
    draft["status"] = json!("DRAFT");
    let mut voided = invoice("voided", PAST, &payment(&commit));
    voided["status"] = json!("VOID");
    let mut of_another = invoice("of another", PAST, &payment(&commit));
    of_another["contract_id"] = json!("contract-9");
    let mut in_lower_case = invoice("0b1f", "2026-01-01T00:00:00+00:00", &payment(&commit));
    in_lower_case["status"] = json!("finalized");
    let later = invoice("later", "2026-02-01T00:00:00Z", &payment(&commit));
    world.invoices = Ok(vec![
        draft,
        voided,
        of_another,
        later,
        in_lower_case,
        invoice("else", PAST, &payment("commit-9")),
    ]);
    let place = "/commits/0/invoiceSchedule/scheduleItems/0/amount";
    let plan = planned(&mut world, &with(&fixture::plain(), place, json!("130000")));
    assert_eq!(named(&plan), [("0b1f", vec!["/commits/launch"])]);
    let summary = plan.summary();
    assert!(summary.contains("invoiced already: invoice 0b1f of 2026-01-01, 1200.00 USD"), "{summary}");
    let status = world.contract.status.as_ref().unwrap().plan.as_ref().unwrap();
    let line = "  invoice 0b1f of 2026-01-01, 1200.00 USD (/commits/launch): is final and stays as it is";
    assert!(status.lines.iter().any(|found| found == line), "{:?}", status.lines);
    let digest = plan.digest;
    world.invoices = Ok(Vec::new());
    let plan = planned(&mut world, &with(&fixture::plain(), place, json!("130000")));
    assert_eq!(
        (plan.invoiced.is_empty(), plan.digest),
        (true, digest),
        "an approval holds whatever becomes final"
    );
}

#[test]
fn a_part_of_a_schedule_that_says_its_invoice_is_known_by_it() {
    let mut world = billed(&fixture::plain());
    let row = &mut world.api.contract["scheduled_charges"][0]["schedule"]["schedule_items"][0];
    row["invoice_id"] = json!("by-id");
    let line = json!({"type": "scheduled", "name": "Set-up"});
    world.invoices = Ok(vec![invoice("by-id", "2026-01-09T00:00:00Z", &line), invoice("other", PAST, &line)]);
    let spec = with(&fixture::plain(), "/scheduledCharges/0/schedule/scheduleItems/0/amount", json!("1"));
    assert_eq!(named(&planned(&mut world, &spec)), [("by-id", vec!["/scheduledCharges/setup"])]);
}

#[test]
fn what_is_archived_or_priced_otherwise_since_names_what_was_invoiced_of_it() {
    let mut world = billed(&fixture::plain());
    let commit = id_of(&world, "commits");
    world.invoices = Ok(vec![
        invoice("paid", PAST, &payment(&commit)),
        usage("march", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"),
    ]);
    let without = with(&fixture::plain(), "/commits", Value::Null);
    assert_eq!(named(&planned(&mut world, &without)), [("paid", vec!["/commits/launch"])]);
    let priced = with(&fixture::plain(), "/overrides/0/multiplier", json!("0.7"));
    assert_eq!(named(&planned(&mut world, &priced)), [("march", vec!["/overrides"])]);
    let mut since = fixture::plain();
    since["overrides"]
        .as_array_mut()
        .unwrap()
        .push(json!({"startingAt": "2026-04-01T00:00:00Z", "type": "MULTIPLIER",
        "multiplier": "0.5", "productId": fixture::OTHER}));
    let plan = planned(&mut world, &since);
    assert_eq!(named(&plan), [], "that use was invoiced before");
    assert_eq!(plan.invoiced.unknown, None);
}

#[test]
fn invoices_that_may_not_be_read_stop_nothing_and_are_said_to_be_unknown() {
    let forbidden = CallError::Credentials { status: 403, message: "no right".into() };
    let foreign = CallError::Foreign("a gateway".into());
    let place = "/commits/0/invoiceSchedule/scheduleItems/0/amount";
    for error in [forbidden, foreign, CallError::Unreachable("no answer".into())] {
        let mut world = billed(&fixture::plain());
        world.contract.spec.management_policy = ManagementPolicy::Apply;
        world.invoices = Err(error);
        world.contract.spec.metronome =
            serde_json::from_value(with(&fixture::plain(), place, json!("130000"))).unwrap();
        world.contract.metadata.generation = Some(9);
        let outcome = world.pass(Goal::InForce).outcome;
        let Outcome::InSync { applied, .. } = outcome else { panic!("{outcome:?}") };
        let summary = applied[0].summary();
        assert!(summary.contains("what is invoiced already is not known"), "{summary}");
        assert_eq!((world.api.edits.len(), world.invoice_reads), (1, 1));
    }
    let mut world = billed(&fixture::plain());
    world.invoices = Err(CallError::Throttled { pause: std::time::Duration::from_secs(3) });
    world.contract.spec.metronome =
        serde_json::from_value(with(&fixture::plain(), place, json!("130000"))).unwrap();
    let outcome = world.pass(Goal::InForce).outcome;
    assert!(matches!(&outcome, Outcome::Waiting { reason, .. } if *reason == "Throttled"), "{outcome:?}");
}

#[test]
fn what_only_an_invoice_still_tells_of_is_not_billed_again() {
    let again = json!({"key": "again", "productId": fixture::OTHER, "type": "PREPAID",
        "accessSchedule": {"scheduleItems": [{"amount": "5", "startingAt": PAST, "endingBefore": "2027-01-01T00:00:00Z"}]},
        "invoiceSchedule": {"scheduleItems": [{"timestamp": PAST, "amount": "5"}]}});
    let mut spec = fixture::plain();
    spec["commits"].as_array_mut().unwrap().push(again);
    let of_gone = |product: &str, kind: &str| {
        let mut line = payment("commit-that-is-gone");
        line["product_id"] = json!(product);
        line["commit_type"] = json!(kind);
        invoice("old", PAST, &line)
    };
    let decide = |invoices: Vec<Value>, spec: &Value| {
        let mut world = World::new(&fixture::plain(), None, None);
        world.settle();
        world.invoices = Ok(invoices);
        world.contract.spec.metronome = serde_json::from_value(spec.clone()).unwrap();
        world.contract.metadata.generation = Some(2);
        let outcome = world.pass(Goal::InForce).outcome;
        (outcome, world.api.edits.len())
    };
    for kind in ["PrepaidCommit", "PostpaidCommit", "OfAnotherVersion"] {
        let (outcome, edits) = decide(vec![of_gone(fixture::OTHER, kind)], &spec);
        let Outcome::Refused { refusal, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(refusal.reason, "BackdatedItem", "{}", refusal.message);
        assert_eq!(edits, 0);
    }
    let others = vec![of_gone(fixture::PRODUCT, "PrepaidCommit")];
    for (invoices, spec) in [
        (others, spec.clone()),
        (Vec::new(), spec.clone()),
        (vec![of_gone(fixture::OTHER, "PrepaidCommit")], with(&spec, "/commits/1/backdate", json!(true))),
    ] {
        let (outcome, edits) = decide(invoices, &spec);
        assert!(matches!(outcome, Outcome::InSync { .. }) && edits == 1, "{outcome:?}");
    }
}

#[test]
fn a_cancellation_names_what_it_voids_and_what_stays() {
    for void_invoices in [true, false] {
        let mut world = billed(&fixture::plain());
        let line = payment(&id_of(&world, "commits"));
        world.invoices = Ok(vec![
            invoice("paid", PAST, &line),
            usage("may", "2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z"),
        ]);
        let goal = Goal::Ended(Ending { policy: DeletionPolicy::Cancel, end_at: None, void_invoices });
        let outcome = world.pass(goal).outcome;
        let Outcome::AwaitingApproval(plan) = outcome else { panic!("{outcome:?}") };
        assert_eq!(named(&plan), [("paid", vec!["the contract"]), ("may", vec!["the contract"])]);
        let becomes = if void_invoices { "is voided" } else { "is final and stays as it is" };
        assert!(plan.invoiced.lines()[1].ends_with(becomes), "{:?}", plan.invoiced);
    }
    let mut world = billed(&fixture::plain());
    let goal = Goal::Ended(Ending { policy: DeletionPolicy::End, end_at: None, void_invoices: false });
    world.pass(goal);
    assert_eq!(world.invoice_reads, 0, "an end in good order is to come");
}
