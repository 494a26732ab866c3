//! An operator: a process that can be slow, stopped, killed and started again, and loses its memory then.

pub(crate) mod desk;
mod journal;
pub(crate) mod line;
pub(crate) mod plan;
pub(crate) mod queue;
mod report;
mod spend;
pub(crate) mod task;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use countersign_core::api::{BillingContract, ContractApproval};

use self::{queue::Queue, task::Task};
use crate::{
    cluster::{self, Change, Cluster, Journal, Name},
    time::SECOND,
};

/// How long a lease lasts without being renewed.
pub(crate) const LEASE: i64 = 45 * SECOND;
/// How long a request to a billing API may take.
pub(crate) const TIMEOUT: i64 = 20 * SECOND;

/// What somebody else's lease looked like, and when it was first seen so.
#[derive(Clone, Copy, Debug)]
struct Rival {
    version: u64,
    since: i64,
}

/// What a process knows.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) cache: BTreeMap<Name, Arc<BillingContract>>,
    /// What people say of plans.
    pub(crate) approvals: BTreeMap<Name, Arc<ContractApproval>>,
    /// Contracts that it saw go, and when.
    pub(crate) departed: Vec<(i64, Arc<BillingContract>)>,
    /// What the watch has not delivered yet.
    pub(crate) inbox: VecDeque<Change>,
    /// Objects that a watch event asks to look at.
    pub(crate) touched: BTreeSet<Name>,
    pub(crate) queue: Queue,
    /// What is announced and not reported.
    pub(crate) journal: Journal,
    /// Number of this leadership, or of the last one.
    term: i32,
    pub(crate) tasks: BTreeMap<Name, Task>,
    /// Until when the lease is held.
    pub(crate) held_until: Option<i64>,
    /// When it took the lease, if somebody who held it may have stopped in the middle of a write.
    pub(crate) took_over_at: Option<i64>,
    /// It led before and does not any more, and so knows that the lease was not given up.
    pub(crate) has_led: bool,
    rival: Option<Rival>,
    /// Broken promises that came up while nobody else was looking.
    pub(crate) found: Vec<String>,
    /// Deals whose reconcile was given up after it had sent a write.
    pub(crate) dropped: Vec<usize>,
}

/// A process of the operator.
pub(crate) struct Operator {
    pub(crate) id: usize,
    /// Nothing while it is not running.
    pub(crate) memory: Option<Memory>,
    /// It does nothing before this moment.
    pub(crate) paused_until: i64,
    /// How far its clock is off.
    pub(crate) skew: i64,
}

impl Operator {
    pub(crate) fn new(id: usize) -> Self {
        Self { id, memory: None, paused_until: 0, skew: 0 }
    }

    /// Starts it: it knows nothing before it has the lease.
    pub(crate) fn start(&mut self) {
        self.memory = Some(Memory::default());
    }

    /// What runs and is not paused.
    pub(crate) fn awake(&mut self, now: i64) -> Option<&mut Memory> {
        if self.paused_until > now { None } else { self.memory.as_mut() }
    }

    /// Whether it holds the lease, as far as it knows.
    pub(crate) fn leads(&self, now: i64) -> bool {
        self.memory.as_ref().is_some_and(|memory| memory.may_write(0, now))
    }

    /// Takes the lease, or renews it, as `src/controller/kubernetes/lease.rs` does. `is_lost` when the reply does not come.
    pub(crate) fn renew(&mut self, cluster: &mut Cluster, now: i64, is_lost: bool) {
        let id = self.id;
        let Some(memory) = self.awake(now) else { return };
        if memory.held_until.is_some() && !memory.holds(cluster, id) {
            memory.stop();
        }
        if memory.held_until.is_some() {
            cluster.take_lease(id, memory.term);
            match is_lost {
                false => memory.held_until = Some(now + LEASE),
                true if memory.may_write(0, now) => {}
                true => memory.stop(),
            }
            return;
        }
        let lease = cluster.lease().clone();
        if lease.holder.is_some_and(|holder| holder != id) {
            let seen = memory.rival.filter(|rival| rival.version == lease.version);
            memory.rival =
                Some(Rival { version: lease.version, since: seen.map_or(now, |rival| rival.since) });
        }
        // It may not know yet that the lease says nothing of it any more.
        if memory.rival.is_some_and(|rival| now - rival.since < LEASE) {
            return;
        }
        let is_clean = lease.holder.is_none() && memory.rival.is_none() && !memory.has_led;
        let term = memory.term.max(lease.term) + 1;
        cluster.take_lease(id, term);
        if is_lost {
            memory.has_led = true;
        } else {
            memory.lead(cluster, now, term, is_clean);
        }
    }
}

impl Memory {
    /// What a process knows that has just read all that there is.
    pub(crate) fn of(cluster: &Cluster) -> Self {
        let mut memory = Self { journal: cluster.journal().clone(), ..Self::default() };
        memory.list(cluster, 0);
        memory
    }

    /// Everything is listed anew: whatever the watch did not deliver is in it.
    fn list(&mut self, cluster: &Cluster, now: i64) {
        self.inbox.clear();
        let approvals = cluster.approvals();
        self.approvals = approvals.map(|said| (cluster::name_of(said), Arc::clone(said))).collect();
        let listed = cluster.list().map(|object| (Name::of(object), Arc::clone(object))).collect();
        let before = std::mem::replace(&mut self.cache, listed);
        let is_gone = |(name, object): &(Name, Arc<BillingContract>)| {
            self.cache.get(name).is_none_or(|found| found.metadata.uid != object.metadata.uid)
        };
        self.departed.extend(before.into_iter().filter(is_gone).map(|(_, gone)| (now, gone)));
        self.touched.extend(self.cache.keys().cloned());
        self.queue.listed();
    }

    /// Whether the lease says that it is held by this leadership.
    fn holds(&self, cluster: &Cluster, operator: usize) -> bool {
        let lease = cluster.lease();
        lease.holder == Some(operator) && lease.term == self.term
    }

    /// Whether what a leadership of some number wrote may be replaced. A higher one is a later leader's; or the lease, which
    /// went back with a backup, is this one's all the same, and gets a number above.
    fn may_replace(
        &mut self,
        written: Option<i32>,
        cluster: &mut Cluster,
        operator: usize,
        now: i64,
    ) -> bool {
        let Some(above) = written.filter(|written| *written > self.term) else {
            return self.may_write(0, now);
        };
        let may = self.may_write(0, now) && self.holds(cluster, operator);
        if may {
            self.term = above + 1;
            cluster.take_lease(operator, self.term);
            self.held_until = Some(now + LEASE);
        }
        may
    }

    /// Whether a write that may take so long may start now.
    pub(crate) fn may_write(&self, takes: i64, now: i64) -> bool {
        self.held_until.is_some_and(|until| now + takes < until)
    }

    /// The lease is taken: everything is listed now, and watched from there on. Nothing is left of what was known in an
    /// earlier term.
    fn lead(&mut self, cluster: &Cluster, now: i64, term: i32, is_clean: bool) {
        *self = Self {
            held_until: Some(now + LEASE),
            term,
            took_over_at: (!is_clean).then_some(now),
            has_led: true,
            found: std::mem::take(&mut self.found),
            dropped: std::mem::take(&mut self.dropped),
            ..Self::of(cluster)
        };
    }

    /// The lease is lost: all work stops, and caches and watches end with it.
    fn stop(&mut self) {
        let mut dropped = std::mem::take(&mut self.dropped);
        dropped.extend(self.unrecorded());
        let found = std::mem::take(&mut self.found);
        *self = Self { has_led: true, term: self.term, dropped, found, ..Self::default() };
    }

    /// Whether it hears of what changes: as long as it takes itself for the leader.
    pub(crate) const fn watches(&self) -> bool {
        self.held_until.is_some()
    }

    /// Deals whose reconcile has sent a write, and not put it on record yet.
    pub(crate) fn unrecorded(&self) -> Vec<usize> {
        self.tasks.values().filter(|task| task.desk.has_sent).map(|task| task.desk.slot).collect()
    }

    /// The watch delivers what it has, at most so many.
    pub(crate) fn hear(&mut self, most: usize, cluster: &Cluster, now: i64) {
        for _ in 0..most {
            match self.inbox.pop_front() {
                Some(Change::Put(object)) => {
                    let name = Name::of(&object);
                    self.touched.insert(name.clone());
                    self.cache.insert(name, object);
                }
                Some(Change::Gone(name)) => {
                    self.departed.extend(self.cache.remove(&name).map(|gone| (now, gone)));
                }
                Some(Change::Said(approval)) => {
                    self.touched.insert(cluster::contract_of(&approval));
                    self.approvals.insert(cluster::name_of(&approval), approval);
                }
                Some(Change::Unsaid(approval)) => {
                    self.touched.insert(cluster::contract_of(&approval));
                    self.approvals.remove(&cluster::name_of(&approval));
                }
                Some(Change::Broken) => self.list(cluster, now),
                None => return,
            }
        }
    }

    /// What is said of the plans of a contract, as far as this process has heard.
    pub(crate) fn said_of(&self, contract: &Name) -> Vec<Arc<ContractApproval>> {
        let about = self.approvals.values().filter(|said| cluster::contract_of(said) == *contract);
        about.map(Arc::clone).collect()
    }
}
