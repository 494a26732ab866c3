//! The rules of the write protocol, each as a table of steps: what the machine asks for next, and what it is told.
//!
//! A [`Bench`] is one resource across passes. Between two of them it keeps nothing but the status, as a restart does,
//! and every question is asked twice.

#![allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]

mod announced;
mod approval;
mod ending;
mod failing;
mod former;
mod identity;
mod lost;
mod metronome;
mod metronome_end;
mod package;
mod renamed;
mod rounds;
mod scripted;
mod zoo;

use std::fmt::Debug;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{CallError, Goal, Outcome, ReconcileResult, Reconciliation, Requeue, Step};
use crate::{
    api::{
        Api, BillingContract, BillingContractStatus, REQUESTED_AT,
        contract::{DeletionPolicy, UnconfirmedWrite},
    },
    plan::{
        Announced, Call, ContractSnapshot, Demands, Ending, Holders, Pace, Planner, Policy, Recorded,
        Refusal, Sayings,
    },
    status,
};

const ACCOUNT: &str = "https://billing.example";

/// A row of a table: what is expected next, and what it comes to.
#[derive(Clone, Debug)]
enum Row {
    /// A read whose fact is named so, and what it tells.
    Read(&'static str, Result<Option<Value>, CallError>),
    /// A write whose kind and path begin so, and its reply.
    Send(&'static str, Result<Value, CallError>),
    /// The end, in a word, with its reason where it has one.
    Done(&'static str),
    /// The process ends here, and nothing is reported.
    Killed,
}

/// A read that tells something.
fn read(fact: &'static str, told: Value) -> Row {
    Row::Read(fact, Ok(Some(told)))
}

/// A read of something that is not there.
fn absent(fact: &'static str) -> Row {
    Row::Read(fact, Ok(None))
}

/// A write that is taken.
fn taken(call: &'static str, reply: Value) -> Row {
    Row::Send(call, Ok(reply))
}

/// A write that is not taken, or may not be.
fn failed(call: &'static str, error: CallError) -> Row {
    Row::Send(call, Err(error))
}

fn done(word: &'static str) -> Row {
    Row::Done(word)
}

fn unknown() -> CallError {
    CallError::Unknown("timeout".into())
}

fn key_used() -> CallError {
    CallError::KeyUsed { message: "exists".into() }
}

fn rejected() -> CallError {
    CallError::Rejected { status: 400, message: "no".into() }
}

fn not_found() -> CallError {
    CallError::NotFound { what: "the contract".into(), message: "none".into() }
}

fn now() -> DateTime<Utc> {
    "2026-06-01T10:30:00Z".parse().unwrap()
}

fn ending(policy: DeletionPolicy) -> Goal {
    Goal::Ended(Ending { policy, end_at: None, void_invoices: false })
}

/// What a reconcile came to, in a word.
fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Waiting { reason, .. } | Outcome::Refused { refusal: Refusal { reason, .. }, .. } => {
            format!("{} {}", outcome.label(), reason.as_str())
        }
        outcome => outcome.label().to_owned(),
    }
}

fn call_name(call: &Call) -> String {
    format!("{:?} {}", call.kind, call.path)
}

/// What came of a table.
struct Ran<S> {
    /// None when the process ended before it.
    result: Option<ReconcileResult<S>>,
    /// Calls that were sent.
    sent: Vec<Call>,
    /// What was last announced.
    announced: Option<Announced>,
}

/// Takes a machine through a table.
#[track_caller]
fn run<P>(mut machine: Reconciliation<P>, now: DateTime<Utc>, rows: &[Row]) -> Ran<P::Snapshot>
where
    P: Planner,
    P::Snapshot: Debug + PartialEq,
{
    let (mut sent, mut announced) = (Vec::new(), None);
    for (index, row) in rows.iter().enumerate() {
        let mut step = machine.next(now);
        assert_eq!(machine.next(now), step, "asked twice, row {index}");
        if step == Step::Confirm {
            machine.confirmed(true);
            step = machine.next(now);
        }
        assert_ne!(step, Step::Withdraw, "what is announced is sent at once");
        if let Step::Announce(news) = step {
            announced = Some(*news);
            machine.announced(Ok(()));
            step = machine.next(now);
        }
        match (step, row) {
            (_, Row::Killed) => return Ran { result: None, sent, announced },
            (Step::Read(need), Row::Read(fact, told)) if format!("{need:?}").starts_with(fact) => {
                machine.told(&need, told.clone(), now);
            }
            (Step::Send(call), Row::Send(name, reply)) if call_name(&call).starts_with(name) => {
                assert!(machine.plan().is_some_and(|plan| plan.calls.contains(&call)), "{call:?}");
                machine.sent(reply.clone(), now);
                sent.push(call);
            }
            (Step::Done(result), Row::Done(expected)) => {
                assert_eq!(word(&result.outcome), *expected, "row {index}: {result:?}");
                assert_eq!(index + 1, rows.len(), "nothing follows the end");
                assert_eq!(machine.plan(), None);
                machine.sent(Ok(Value::Null), now);
                assert_eq!(
                    machine.next(now),
                    Step::Done(result.clone()),
                    "a reply to nothing changes nothing"
                );
                return Ran { result: Some(*result), sent, announced };
            }
            (step, row) => panic!("row {index} is {row:?}, and the machine asks for {step:?}"),
        }
    }
    panic!("the table has no end, and the machine asks for {:?}", machine.next(now));
}

/// One resource and its status.
struct Bench<P> {
    api: Api,
    contract: BillingContract,
    planner: Box<dyn Fn(&BillingContract) -> P>,
    goal: Goal,
    claimed: Option<Refusal>,
    /// What people say of its plans.
    sayings: Sayings,
    /// Counts changes of contracts.
    pace: Pace,
    holders: Box<dyn Fn(&BillingContract) -> Holders>,
    now: DateTime<Utc>,
    /// Calls of the last pass.
    sent: Vec<Call>,
    /// What was announced and not reported.
    announced: Option<Announced>,
}

impl<P> Bench<P>
where
    P: Planner<Snapshot = ContractSnapshot>,
{
    fn with(api: Api, spec: &Value, planner: impl Fn(&BillingContract) -> P + 'static) -> Self {
        let contract = json!({
            "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract",
            "metadata": {"name": "acme", "namespace": "billing", "uid": "1", "generation": 1},
            "spec": spec,
        });
        Self {
            api,
            contract: serde_json::from_value(contract).unwrap(),
            planner: Box::new(planner),
            goal: Goal::InForce,
            claimed: None,
            sayings: Sayings::default(),
            pace: Pace::default(),
            holders: Box::new(|_| Holders::default()),
            now: now(),
            sent: Vec::new(),
            announced: None,
        }
    }

    fn machine(&self) -> Reconciliation<P> {
        let recorded = Recorded::of(&self.contract, ACCOUNT).and_announced(self.announced.clone());
        let policy = Policy::of(&self.contract).under(Demands::default(), self.sayings.clone());
        Reconciliation::new(self.api, (self.planner)(&self.contract), self.goal, recorded, policy)
            .claimed_by_another(self.claimed.clone())
            .paced(self.pace.clone())
            .knowing((self.holders)(&self.contract))
    }

    /// One pass, whose result becomes the status.
    #[track_caller]
    fn pass(&mut self, rows: &[Row]) -> ReconcileResult<ContractSnapshot> {
        let ran = run(self.machine(), self.now, rows);
        self.sent = ran.sent;
        let result = ran.result.expect("the end is in the table");
        let result = ReconcileResult { account: Some(ACCOUNT.to_owned()), ..result };
        self.contract.status = Some(status::contract::status(&self.contract, &result, None, self.now));
        self.announced = None;
        result
    }

    /// One pass of a process that ends before it can report.
    #[track_caller]
    fn killed(&mut self, rows: &[Row]) {
        let rows: Vec<_> = rows.iter().cloned().chain([Row::Killed]).collect();
        let ran = run(self.machine(), self.now, &rows);
        assert_eq!(ran.result, None);
        self.sent = ran.sent;
        self.announced = ran.announced.or(self.announced.take());
    }

    fn later(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
    }

    /// Somebody changes the spec.
    fn change(&mut self) {
        self.contract.metadata.generation = self.contract.metadata.generation.map(|before| before + 1);
    }

    /// Somebody asks for another try.
    fn request(&mut self) {
        self.annotate(REQUESTED_AT, &self.now.to_rfc3339());
    }

    fn annotate(&mut self, name: &str, value: &str) {
        let annotations = self.contract.metadata.annotations.get_or_insert_default();
        annotations.insert(name.to_owned(), value.to_owned());
    }

    fn status(&self) -> BillingContractStatus {
        self.contract.status.clone().unwrap_or_default()
    }

    fn contract_id(&self) -> Option<String> {
        self.status().contract_id
    }

    /// The write on record.
    fn write(&self) -> Option<UnconfirmedWrite> {
        self.status().unconfirmed_write
    }

    /// How many rounds are on record.
    fn rounds(&self) -> Option<i32> {
        self.write().map(|write| write.rounds)
    }
}
