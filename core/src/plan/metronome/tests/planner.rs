//! The planner against an API that keeps a contract, through the whole protocol, whatever reply is lost.

use std::collections::BTreeSet;

use super::*;
use crate::{
    api::{BillingContract, contract::DeletionPolicy},
    plan::{Announced, Call, CallKind, ContractSnapshot, Ending, Planner},
    protocol::{CallError, Goal, Outcome, ReconcileResult, Reconciliation, Step},
    status,
};

const ACCOUNT: &str = "https://api.metronome.com";

/// What becomes of one of the writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is carried out, and its reply is lost.
    Reply,
    /// It never arrives.
    Request,
    /// It is carried out, and whoever sent it ends before anything is reported.
    Killed,
    /// It is carried out and answered, and nothing can be read after it.
    Unread,
}

impl Fault {
    /// Those after which a write is in force that no read has shown.
    pub(super) const UNSEEN: [Self; 3] = [Self::Reply, Self::Killed, Self::Unread];
}

/// A resource, its status, and the API.
pub(super) struct World {
    pub contract: BillingContract,
    stamp_cluster: Option<String>,
    pub api: Api,
    keys: BTreeSet<String>,
    pub creates: usize,
    pub sends: usize,
    pub fault: Option<(usize, Fault)>,
    /// What was announced and not reported.
    announced: Option<Announced>,
    /// The pass ends before it can report.
    dies: bool,
    /// Nothing can be read in the rest of the pass.
    is_unread: bool,
    pub now: DateTime<Utc>,
    /// What the API makes of a contract before it tells it.
    pub alters: fn(&mut Value),
    /// The same of everything else that it tells.
    pub alters_rest: fn(&mut Value),
    /// Whether the reply to an edit tells what it has added.
    pub tells: bool,
    /// What reads of the contract show instead of what it is, as they are behind.
    pub behind: Option<Value>,
    /// What reads of the history show instead.
    pub history_behind: Option<Value>,
    /// How much time each pass takes.
    pub takes: TimeDelta,
    /// How far the clock of the API is ahead.
    pub ahead: TimeDelta,
    /// What a read of invoices tells.
    pub invoices: Result<Vec<Value>, CallError>,
    /// How often invoices were read.
    pub invoice_reads: usize,
}

/// The spec says these terms from now on.
pub(super) fn set_terms(world: &mut World, terms: &Value) {
    world.contract.spec.metronome = serde_json::from_value(terms.clone()).unwrap();
    world.contract.metadata.generation = world.contract.metadata.generation.map(|before| before + 1);
}

impl World {
    pub(super) fn new(terms: &Value, stamp_cluster: Option<&str>, fault: Option<(usize, Fault)>) -> Self {
        let contract = json!({
            "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract",
            "metadata": {"name": "acme", "namespace": "billing", "uid": "1", "generation": 1},
            "spec": {"providerRef": {"name": "metronome"}, "metronome": terms},
        });
        Self {
            contract: serde_json::from_value(contract).unwrap(),
            stamp_cluster: stamp_cluster.map(str::to_owned),
            api: Api::default(),
            keys: BTreeSet::new(),
            creates: 0,
            sends: 0,
            fault,
            announced: None,
            dies: false,
            is_unread: false,
            now: now(),
            alters: |_| {},
            alters_rest: |_| {},
            tells: true,
            behind: None,
            history_behind: None,
            takes: TimeDelta::minutes(1),
            ahead: TimeDelta::zero(),
            invoices: Ok(Vec::new()),
            invoice_reads: 0,
        }
    }

    fn read(&self, need: &Need) -> Option<Value> {
        let contract = self.behind.as_ref().unwrap_or(&self.api.contract).clone();
        let mut contract = Some(contract).filter(|contract| !contract.is_null());
        contract.iter_mut().for_each(self.alters);
        match need {
            Need::CustomerByAlias { .. } => Some(json!("customer-1")),
            Need::Contract(_) => contract,
            Need::Contracts { .. } => Some(contract.into_iter().collect()),
            Need::LegacyContract(_) => {
                let commits = &self.api.contract["commits"];
                Some(json!({"package_id": self.api.contract["package_id"], "current": {"commits": commits}}))
            }
            Need::Edits(_) => {
                let mut told = self.history_behind.clone().unwrap_or_else(|| json!(self.api.history));
                (self.alters_rest)(&mut told);
                Some(told)
            }
            Need::Seats { subscription_id, .. } => Some(self.api.seats_of(subscription_id)),
            Need::CustomFieldKeys => Some(json!([])),
            Need::BillingConfigurations { .. } | Need::Package { .. } => None,
            Need::Balances { kind, .. } => {
                let mut told = self.api.balances(*kind);
                (self.alters_rest)(&mut told);
                Some(told)
            }
            Need::Invoices(_) | Need::Packages | Need::ContractsOnPackage { .. } => panic!("{need:?}"),
        }
    }

    fn send(&mut self, call: &Call) -> Result<Value, CallError> {
        let fault = self.fault.filter(|(at, _)| *at == self.sends).map(|(_, fault)| fault);
        self.sends += 1;
        if fault == Some(Fault::Request) {
            return Err(CallError::Unknown("lost".into()));
        }
        let key = body(call)["uniqueness_key"].as_str().map(str::to_owned);
        if key.is_some_and(|key| !self.keys.insert(key)) {
            return Err(CallError::KeyUsed { message: "used".into() });
        }
        self.creates += usize::from(call.kind == CallKind::Create);
        if call.path != ADD_KEY {
            self.api.call(call);
        }
        if let (CallKind::Edit, Some(edit)) = (call.kind, self.api.history.last_mut()) {
            edit["timestamp"] = json!((self.now + self.ahead).to_rfc3339());
        }
        self.dies = fault == Some(Fault::Killed);
        self.is_unread = fault == Some(Fault::Unread);
        match fault.filter(|fault| *fault != Fault::Unread) {
            None if call.kind == CallKind::Edit => {
                let mut edit = self.api.history.last().cloned().filter(|_| self.tells);
                edit.iter_mut().for_each(self.alters);
                let mut id = json!({"id": self.api.contract["id"]});
                (self.alters_rest)(&mut id);
                id["edit"] = json!(edit);
                Ok(id)
            }
            None => {
                let is_beside = call.kind == CallKind::Add;
                let id = if is_beside { &self.api.made_beside } else { &self.api.contract["id"] };
                let mut id = json!({"id": id});
                (self.alters_rest)(&mut id);
                Ok(id)
            }
            Some(_) => Err(CallError::Unknown("lost".into())),
        }
    }

    /// One pass, from nothing but the status.
    pub(super) fn pass(&mut self, goal: Goal) -> ReconcileResult<ContractSnapshot> {
        let account =
            AccountSettings { key_prefix: "test".into(), stamp_cluster: self.stamp_cluster.clone() };
        let planner = ContractPlanner::new(&self.contract, None, None, &account).unwrap();
        let recorded = Recorded::of(&self.contract, ACCOUNT).and_announced(self.announced.clone());
        let policy = Policy::of(&self.contract);
        let api = crate::api::Api::Metronome;
        let mut machine = Reconciliation::new(api, planner, goal, recorded, policy);
        let result = loop {
            match machine.next(self.now) {
                Step::Read(need) if self.is_unread => {
                    machine.told(&need, Err(CallError::Unreachable("no answer".to_owned())), self.now);
                }
                Step::Read(need @ Need::Invoices(_)) => {
                    self.invoice_reads += 1;
                    let told = self.invoices.clone().map(|all| Some(all.into()));
                    machine.told(&need, told, self.now);
                }
                Step::Read(need) => machine.told(&need, Ok(self.read(&need)), self.now),
                Step::Confirm => machine.confirmed(true),
                Step::Announce(announced) => {
                    self.announced = Some(*announced);
                    machine.announced(Ok(()));
                }
                Step::Withdraw => panic!("nothing is given up"),
                Step::Send(call) => {
                    let reply = self.send(&call);
                    machine.sent(reply, self.now);
                }
                Step::Done(result) => break *result,
            }
        };
        self.is_unread = false;
        let result = ReconcileResult { account: Some(ACCOUNT.into()), ..result };
        if !std::mem::take(&mut self.dies) {
            self.contract.status = Some(status::contract::status(&self.contract, &result, None, self.now));
            self.announced = None;
        }
        self.now += self.takes;
        result
    }

    /// Passes until the contract is in sync.
    #[track_caller]
    pub(super) fn settle(&mut self) {
        let mut last = None;
        for _ in 0..6 {
            let result = self.pass(Goal::InForce);
            if matches!(result.outcome, Outcome::InSync { .. }) {
                return;
            }
            last = Some(result.outcome);
        }
        panic!("{last:?} for {:?}", self.contract.spec.metronome);
    }
}

/// Every contract of the fixtures that the API shows as the spec has it.
fn specs() -> impl Iterator<Item = Value> {
    fixture::all().into_iter()
}

#[test]
fn every_contract_is_made_once_and_settles_whichever_reply_is_lost() {
    for stamp in [None, Some("prod")] {
        for spec in specs() {
            let mut smooth = World::new(&spec, stamp, None);
            smooth.settle();
            assert_eq!((smooth.creates, smooth.pass(Goal::InForce).write), (1, None), "{spec}");
            let sends = smooth.sends;
            for at in 0..sends {
                for fault in [Fault::Reply, Fault::Request, Fault::Killed, Fault::Unread] {
                    let mut world = World::new(&spec, stamp, Some((at, fault)));
                    world.settle();
                    assert_eq!(world.creates, 1, "{fault:?} of write {at} of {spec}");
                    let before = world.sends;
                    assert!(matches!(world.pass(Goal::InForce).outcome, Outcome::InSync { .. }));
                    assert_eq!(world.sends, before, "nothing is left to write after {fault:?} of {at}");
                    assert_eq!(world.contract.status.as_ref().unwrap().unconfirmed_write, None);
                }
            }
        }
    }
}

#[test]
fn the_stamp_of_a_long_name_fits_into_a_custom_field_and_is_that_name_alone() {
    let stamped = |end: &str| {
        let mut world = World::new(&fixture::plain(), Some("prod"), None);
        world.contract.metadata.name = Some(format!("{}{end}", "a".repeat(250)));
        let revision = [(crate::api::REVISION.to_owned(), "main@sha1:".repeat(40))];
        world.contract.metadata.annotations = Some(revision.into());
        world.settle();
        world.api.contract["custom_fields"].as_object().unwrap().clone()
    };
    let (one, other) = (stamped("one"), stamped("two"));
    assert!(one.values().all(|value| value.as_str().unwrap().chars().count() <= 200), "{one:?}");
    assert_ne!(one["countersign_name"], other["countersign_name"]);
}

#[test]
fn nothing_is_put_on_record_before_an_edit_where_there_is_nothing_to_put_there() {
    let world = World::new(&fixture::plain(), None, None);
    let account = AccountSettings { key_prefix: "test".into(), stamp_cluster: None };
    let mut planner = ContractPlanner::new(&world.contract, None, None, &account).unwrap();
    let edit = Call::new(CallKind::Edit, EDIT_CONTRACT, &json!({}), Digest::of(&json!("edit"))).unwrap();
    let mut recorded = Recorded::default();
    assert!(!planner.sending(&edit, &mut recorded));
    assert_eq!(recorded, Recorded::default());
}

#[test]
fn what_was_observed_is_on_record_for_the_next_plan_of_the_same_pass() {
    let mut world = World::new(&fixture::plain(), None, None);
    world.settle();
    let account = AccountSettings { key_prefix: "test".into(), stamp_cluster: None };
    let mut planner = ContractPlanner::new(&world.contract, None, None, &account).unwrap();
    let mut recorded = Recorded::default();
    planner.remember(&mut recorded, now());
    assert_eq!(recorded, Recorded::default(), "nothing was observed yet");
    let made = desired(&fixture::plain()).create_fingerprint();
    assert!(!planner.shows(&made));
    while let Err(need) = planner.observe(&recorded, &Policy::default(), now()) {
        planner.learn(&need, world.read(&need), now()).unwrap();
    }
    assert!(planner.shows(&made) && !planner.shows(&Digest::of(&json!("another write"))));
    planner.remember(&mut recorded, now());
    let status = world.contract.status.unwrap();
    assert_eq!(recorded.contract_id, status.contract_id);
    let items: Vec<_> = recorded.items.into_iter().collect();
    assert_eq!(items, status.items.into_iter().map(|item| (item.key, item.id)).collect::<Vec<_>>());
    assert_eq!(recorded.set.to_status(), status.set_fields);
}

#[test]
fn the_history_of_edits_is_read_before_somebody_is_asked_whose_an_item_is() {
    let mut world = World::new(&fixture::plain(), None, None);
    world.settle();
    world.contract.status.as_mut().unwrap().items.clear();
    set_terms(&mut world, &with(&fixture::plain(), "/commits/0/productId", json!(fixture::OTHER)));
    let account = AccountSettings { key_prefix: "test".into(), stamp_cluster: None };
    let mut planner = ContractPlanner::new(&world.contract, None, None, &account).unwrap();
    let (recorded, policy) = (Recorded::of(&world.contract, ACCOUNT), Policy::default());
    let mut needs = Vec::new();
    while let Err(need) = planner.observe(&recorded, &policy, now()) {
        planner.learn(&need, world.read(&need), now()).unwrap();
    }
    let decision = loop {
        match planner.plan(&recorded, &policy, now()) {
            Ok(decision) => break decision,
            Err(need) => {
                planner.learn(&need, world.read(&need), now()).unwrap();
                needs.push(need);
            }
        }
    };
    assert_eq!(refused(decision).reason, "AmbiguousItem");
    assert!(matches!(*needs, [Need::Edits(_)]), "{needs:?}");
}

#[test]
fn a_contract_of_ones_own_is_ended_without_its_record_also_where_the_spec_would_adopt_it() {
    let mut world = World::new(&fixture::plain(), None, None);
    world.settle();
    world.contract.status = None;
    world.contract.spec.adopt =
        serde_json::from_value(json!({"contractId": world.api.contract["id"], "mode": "Match"})).unwrap();
    let goal = Goal::Ended(Ending { policy: DeletionPolicy::Cancel, end_at: None, void_invoices: false });
    let outcomes: Vec<_> = (0..2).map(|_| world.pass(goal).outcome).collect();
    assert!(matches!(outcomes[1], Outcome::Ended { .. }), "{outcomes:?}");
    assert!(world.api.contract["archived_at"].is_string());
    // One that only `adopt` finds is somebody else's.
    let mut world = World::new(&fixture::plain(), None, None);
    world.settle();
    world.contract.status = None;
    world.api.contract.as_object_mut().unwrap().remove("uniqueness_key");
    world.contract.spec.adopt =
        serde_json::from_value(json!({"contractId": world.api.contract["id"], "mode": "Match"})).unwrap();
    world.pass(goal);
    assert!(world.api.contract["archived_at"].is_null(), "{}", world.api.contract);
}

#[test]
fn what_only_a_key_leads_to_and_the_spec_cannot_have_made_is_ended_by_nobody() {
    let goal = Goal::Ended(Ending { policy: DeletionPolicy::Cancel, end_at: None, void_invoices: false });
    let later = with(&fixture::plain(), "/startingAt", json!("2026-03-01T00:00:00Z"));
    // Refused from the start: the resource goes, and leaves it as it is.
    let mut world = World::new(&fixture::plain(), None, None);
    world.settle();
    world.contract.status = None;
    world.contract.metadata.generation = Some(1);
    world.contract.spec.metronome = Some(serde_json::from_value(later.clone()).unwrap());
    assert!(matches!(world.pass(Goal::InForce).outcome, Outcome::Refused { .. }));
    // A deletion is another generation, and no other spec.
    world.contract.metadata.generation = Some(2);
    world.contract.metadata.deletion_timestamp =
        serde_json::from_value(json!("2026-06-01T10:00:00Z")).unwrap();
    let ended = world.pass(goal).outcome;
    assert!(matches!(&ended, Outcome::Ended { applied } if applied.is_empty()), "{ended:?}");
    assert!(world.api.contract["archived_at"].is_null());
    // Made by a process that was killed, from a spec that has changed since: it is neither ended nor left without a word.
    let mut world = World::new(&fixture::plain(), None, None);
    world.settle();
    world.contract.status = None;
    set_terms(&mut world, &later);
    world.contract.metadata.generation = Some(2);
    let Outcome::Refused { refusal, .. } = world.pass(goal).outcome else { panic!() };
    assert_eq!(refusal.reason, "OwnershipUnproven");
    assert!(refusal.message.contains("/startingAt"), "{}", refusal.message);
    assert!(world.api.contract["archived_at"].is_null());
    // From the spec as it is, it may have made it.
    set_terms(&mut world, &fixture::plain());
    world.pass(goal);
    assert!(world.api.contract["archived_at"].is_string());
}

#[test]
fn what_another_owner_has_stamped_is_not_ended_by_whoever_has_its_key() {
    let goal = Goal::Ended(Ending { policy: DeletionPolicy::Cancel, end_at: None, void_invoices: false });
    let mut world = World::new(&fixture::plain(), Some("staging"), None);
    world.settle();
    world.contract.status = None;
    let fields = world.api.contract["custom_fields"].as_object_mut().unwrap();
    let cluster = fields.values_mut().find(|value| **value == "staging").unwrap();
    *cluster = json!("production");
    assert!(matches!(world.pass(Goal::InForce).outcome, Outcome::Refused { .. }));
    world.pass(goal);
    assert!(world.api.contract["archived_at"].is_null(), "it is production's");
}

#[test]
fn a_plan_that_cancels_says_that_the_contract_is_archived_and_not_that_it_ends() {
    let mut world = World::new(&fixture::plain(), None, None);
    world.settle();
    let goal = Goal::Ended(Ending { policy: DeletionPolicy::Cancel, end_at: None, void_invoices: false });
    let Outcome::Ended { applied } = world.pass(goal).outcome else { panic!() };
    assert!(applied[0].summary().contains("active -> archived"), "{}", applied[0].summary());
}

#[test]
fn each_item_of_a_stamped_contract_says_which_of_the_spec_it_is_and_of_an_unstamped_one_none_does() {
    for (cluster, key) in [(Some("prod"), json!("launch")), (None, Value::Null)] {
        let mut world = World::new(&fixture::plain(), cluster, None);
        world.settle();
        let key_of = |list: &str, at: usize| world.api.contract[list][at]["custom_fields"][ITEM_KEY].clone();
        assert_eq!(key_of("commits", 0), key);
        assert_eq!(key_of("scheduled_charges", 0), if key.is_null() { Value::Null } else { json!("setup") });
        // So does one that comes later.
        let mut more = fixture::plain()["commits"][0].clone();
        more["key"] = json!("more");
        more["productId"] = json!(fixture::OTHER);
        set_terms(&mut world, &with(&fixture::plain(), "/commits/-", more));
        world.settle();
        let later = world.api.contract["commits"][1]["custom_fields"][ITEM_KEY].clone();
        assert_eq!(later, if key.is_null() { Value::Null } else { json!("more") });
    }
}

#[test]
fn every_change_is_made_once_whichever_reply_is_lost() {
    let spec = fixture::plain();
    let changed = with(&with(&spec, "/name", json!("Acme 2027")), "/commits/0/name", json!("Start"));
    for fault in [None, Some((1, Fault::Reply)), Some((1, Fault::Request)), Some((2, Fault::Reply))] {
        let mut world = World::new(&spec, None, None);
        world.settle();
        world.fault = fault;
        world.contract.spec.metronome = serde_json::from_value(changed.clone()).unwrap();
        world.contract.metadata.generation = Some(2);
        world.settle();
        assert_eq!(world.api.edits.len(), 1, "{fault:?}");
        assert_eq!(world.api.contract["name"], "Acme 2027");
    }
}

#[test]
fn every_contract_comes_to_its_end_whichever_reply_is_lost() {
    for spec in specs() {
        for policy in [DeletionPolicy::End, DeletionPolicy::Cancel] {
            for fault in [None, Some(Fault::Reply), Some(Fault::Request)] {
                let mut world = World::new(&spec, None, None);
                world.settle();
                world.fault = fault.map(|fault| (world.sends, fault));
                let goal = Goal::Ended(Ending { policy, end_at: None, void_invoices: false });
                let outcomes: Vec<_> = (0..2).map(|_| world.pass(goal).outcome).collect();
                assert!(matches!(outcomes[1], Outcome::Ended { .. }), "{outcomes:?} of {spec}");
                let ended = match policy {
                    DeletionPolicy::Cancel => "archived_at",
                    _ => "ending_before",
                };
                assert!(world.api.contract[ended].is_string(), "{spec}");
            }
        }
    }
}

#[test]
fn an_end_is_a_full_hour_and_the_plan_says_which() {
    for (end_at, ends, told) in [
        (None, "2026-06-01T11:00:00+00:00", "ends at the next full hour"),
        (Some("2026-03-01T00:00:00Z"), "2026-06-01T11:00:00+00:00", "ends at the next full hour"),
        (Some("2026-06-01T10:59:59Z"), "2026-06-01T11:00:00+00:00", "ends at the next full hour"),
        (Some("2026-06-30T22:30:00Z"), "2026-06-30T23:00:00+00:00", "ends 2026-06-30T23:00:00Z"),
        (Some("2026-07-01T00:00:00+02:00"), "2026-06-30T22:00:00+00:00", "ends 2026-06-30T22:00:00Z"),
    ] {
        let mut world = World::new(&fixture::plain(), None, None);
        world.settle();
        let end_at = end_at.map(|end| end.parse().unwrap());
        let goal = Goal::Ended(Ending { policy: DeletionPolicy::End, end_at, void_invoices: false });
        let Outcome::Ended { applied } = world.pass(goal).outcome else { panic!("{end_at:?}") };
        assert_eq!(world.api.contract["ending_before"], ends);
        assert!(applied[0].summary().contains(told), "{}", applied[0].summary());
    }
    let mut world = World::new(&fixture::plain(), None, None);
    world.contract.spec.end_at = "2026-06-30T22:30:00Z".parse().ok();
    let Outcome::Refused { refusal, .. } = world.pass(Goal::InForce).outcome else { panic!() };
    assert!(refusal.message.contains("`spec.endAt` must be a full hour"), "{}", refusal.message);
}

#[test]
fn a_contract_that_is_as_its_spec_says_is_shown_so_that_nothing_is_left_to_plan() {
    for spec in fixture::all() {
        let desired = desired(&spec);
        let shown = desired.shown("contract-1").unwrap();
        let mut observed = ObservedContract::read(&shown.contract, now()).unwrap();
        if observed.needs_v1(&desired, &Recorded::default()) {
            observed.merge_v1(&shown.legacy);
        }
        for id in observed.needs_seats(&desired, &Recorded::default(), now()) {
            observed.merge_seats(&id, &shown.seats(&id));
        }
        for (kind, told) in &shown.balances {
            let told = balances::ObservedBalances::read(*kind, told).unwrap();
            observed.merge_balances(*kind, &told, desired.key());
        }
        let recorded = Recorded { contract_id: Some("contract-1".to_owned()), ..Recorded::default() };
        let decision = plan(&desired, Some(&observed), &recorded, &Policy::default(), now());
        assert_eq!(decision, Decision::InSync, "{spec:#}");
    }
}
