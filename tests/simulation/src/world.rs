//! Everything together: what happens, one event after the other.

use std::sync::Arc;

use countersign_core::{api::BillingContract, plan::MAY_SHOW_LATER};

use crate::{
    cluster::Name,
    event::{Event, Outage},
    ground::Ground,
    mutant::Mutant,
    operator::{
        LEASE, Operator,
        line::{self, Fate},
        plan, task,
    },
    people::People,
    rules::{Rule, Rules},
};

/// Most steps of one reconcile.
pub(crate) const MAX_STEPS: u32 = 60;

/// A world.
pub(crate) struct World {
    pub(crate) ground: Ground,
    pub(crate) operators: Vec<Operator>,
    pub(crate) people: People,
    /// etcd is never put back: after that, much is excused that no resource can know any more.
    pub(crate) keeps_etcd: bool,
    /// Events that happened.
    pub(crate) steps: u64,
    /// Faults and people have stopped.
    pub(crate) is_calm: bool,
}

impl World {
    pub(crate) fn new(seed: u64, rules: Rules, mutant: Option<Mutant>, traced: bool) -> Self {
        let ground = Ground::new(seed, rules, mutant, traced);
        let mut operators = vec![Operator::new(0), Operator::new(1)];
        for operator in &mut operators {
            operator.start();
        }
        let keeps_etcd = seed.is_multiple_of(2);
        Self { ground, operators, people: People::new(), keeps_etcd, steps: 0, is_calm: false }
    }

    /// Operators that have something to do.
    pub(crate) fn busy(&self) -> Vec<usize> {
        let is_busy =
            |operator: &usize| !self.tasks(*operator).is_empty() || !self.ready(*operator).is_empty();
        (0..self.operators.len()).filter(is_busy).collect()
    }

    /// Whether an operator runs.
    pub(crate) fn is_running(&self, operator: usize) -> bool {
        self.operators.get(operator).is_some_and(|operator| operator.memory.is_some())
    }

    /// Whether an operator stands still.
    pub(crate) fn is_somebody_paused(&self) -> bool {
        self.operators
            .iter()
            .any(|operator| operator.memory.is_some() && operator.paused_until > self.ground.now)
    }

    /// How many changes its watch has not delivered yet.
    pub(crate) fn unheard(&self, operator: usize) -> usize {
        self.awake(operator).map_or(0, |memory| memory.inbox.len())
    }

    /// Names of what an operator is at.
    pub(crate) fn tasks(&self, operator: usize) -> Vec<Name> {
        self.awake(operator).map(|memory| memory.tasks.keys().cloned().collect()).unwrap_or_default()
    }

    /// Names of what an operator could begin with.
    pub(crate) fn ready(&self, operator: usize) -> Vec<Name> {
        let leads = self.operators.get(operator).is_some_and(|operator| operator.leads(self.ground.now));
        let Some(memory) = self.awake(operator).filter(|_| leads) else { return Vec::new() };
        let is_due = |(name, object): &(&Name, &Arc<BillingContract>)| {
            let uid = object.metadata.uid.as_deref().unwrap_or_default();
            !memory.tasks.contains_key(*name)
                && (memory.touched.contains(*name) || memory.queue.has_come(uid, self.ground.now))
        };
        memory.cache.iter().filter(is_due).map(|(name, _)| name.clone()).collect()
    }

    fn awake(&self, operator: usize) -> Option<&crate::operator::Memory> {
        let operator = self.operators.get(operator)?;
        operator.memory.as_ref().filter(|_| operator.paused_until <= self.ground.now)
    }

    /// Lets something happen.
    pub(crate) fn happen(&mut self, event: &Event) {
        self.steps += 1;
        if !self.is_calm {
            self.ground.note(|| format!("{event:?}"));
        }
        match event {
            Event::Pass(milliseconds) => {
                self.ground.count("time passes");
                let before = self.ground.now;
                self.ground.pass(*milliseconds);
                self.deliver();
                // Who stood still goes on with what it was at, before it hears that its lease is gone.
                for operator in self.operators.iter_mut().filter(|operator| operator.paused_until <= before) {
                    operator.renew(&mut self.ground.cluster, self.ground.now, false);
                }
            }
            Event::Hear(operator, most) => {
                let now = self.ground.now;
                if let Some((Some(memory), _, ground)) = self.operator(*operator) {
                    memory.hear(*most, &ground.cluster, now);
                }
            }
            Event::Renew(operator, is_lost) => {
                self.ground.count(if *is_lost { "renewal's reply lost" } else { "lease renewed" });
                let now = self.ground.now;
                if let Some(operator) = self.operators.get_mut(*operator) {
                    operator.renew(&mut self.ground.cluster, now, *is_lost);
                }
            }
            Event::Begin(operator, name) => self.begin(*operator, name),
            Event::Step(operator, name, fate) => drop(self.step(*operator, name, *fate)),
            Event::Foresee(operator, name) => drop(self.foresee(*operator, name)),
            Event::Kill(operator) => self.kill(*operator),
            Event::Start(operator) => {
                if let Some(operator) =
                    self.operators.get_mut(*operator).filter(|operator| operator.memory.is_none())
                {
                    self.ground.count("operator started");
                    operator.start();
                }
            }
            Event::Pause(operator, milliseconds) => {
                let is_at_work = !self.tasks(*operator).is_empty();
                self.ground.count(if is_at_work { "operator paused at work" } else { "operator paused" });
                let until = self.ground.now + milliseconds;
                if let Some(operator) = self.operators.get_mut(*operator) {
                    operator.paused_until = until;
                }
            }
            Event::Skew(operator, by) => {
                self.ground.count("clock skewed");
                if let Some(operator) = self.operators.get_mut(*operator) {
                    operator.skew = *by;
                }
            }
            Event::Act(act) => {
                if self.people.act(act, &mut self.ground) {
                    self.ground.count(act.name());
                }
            }
            Event::BackUp => {
                self.ground.count("etcd backed up");
                self.ground.cluster.back_up();
            }
            Event::Restore(outage) => self.restore(*outage),
        }
        let memories = self.operators.iter_mut().filter_map(|operator| operator.memory.as_mut());
        let (mut dropped, mut found) = (Vec::new(), Vec::new());
        for memory in memories {
            dropped.append(&mut memory.dropped);
            found.append(&mut memory.found);
        }
        for slot in dropped {
            self.ground.lost_record(slot);
        }
        for finding in found {
            self.ground.find(finding);
        }
        self.deliver();
    }

    /// What changed goes to the watches, and what a contract gave up wakes who claims it.
    fn deliver(&mut self) {
        for change in self.ground.cluster.changes() {
            let memories = self.operators.iter_mut().filter_map(|operator| operator.memory.as_mut());
            for memory in memories.filter(|memory| memory.watches()) {
                memory.inbox.push_back(change.clone());
            }
        }
    }

    fn operator(
        &mut self,
        operator: usize,
    ) -> Option<(Option<&mut crate::operator::Memory>, i64, &mut Ground)> {
        let now = self.ground.now;
        let operator = self.operators.get_mut(operator)?;
        let skew = operator.skew;
        Some((operator.awake(now), skew, &mut self.ground))
    }

    fn begin(&mut self, operator: usize, name: &Name) {
        let leads = self.operators.get(operator).is_some_and(|operator| operator.leads(self.ground.now));
        let Some((Some(memory), skew, ground)) = self.operator(operator).filter(|_| leads) else { return };
        if memory.tasks.contains_key(name) {
            return;
        }
        if let Some(task) = task::begin(memory, ground, name, skew) {
            ground.count("reconcile begun");
            ground.note(|| format!("begin {name}"));
            memory.tasks.insert(name.clone(), task);
        }
    }

    /// Carries out one step of a reconcile; false when there is none.
    pub(crate) fn step(&mut self, operator: usize, name: &Name, fate: Fate) -> bool {
        let Some((Some(memory), skew, ground)) = self.operator(operator) else { return false };
        let Some(task) = memory.tasks.remove(name) else { return false };
        ground.count("step of a reconcile");
        match task.step(memory, ground, fate, operator, skew) {
            task::Next::Task(task) => drop(memory.tasks.insert(name.clone(), *task)),
            task::Next::Done => {}
            task::Next::Dead => self.kill(operator),
        }
        true
    }

    /// Whether an operator would carry out now whatever it finds, and knows all that there is to know.
    pub(crate) fn is_quiet(&self, operator: usize) -> bool {
        let now = self.ground.now;
        let leads = self.ground.cluster.lease().holder == Some(operator);
        self.awake(operator).filter(|_| leads).is_some_and(|memory| {
            let is_past = |(at, _): &(i64, Arc<BillingContract>)| self.shows_all_since(operator, *at);
            memory.inbox.is_empty()
                && memory.tasks.is_empty()
                && memory.may_write(line::takes(), now)
                && memory.departed.iter().all(is_past)
        })
    }

    /// Whether all that was made at a moment shows by now, by the clock of an operator.
    fn shows_all_since(&self, operator: usize, at: i64) -> bool {
        let skew = self.operators.get(operator).map_or(0, |operator| operator.skew);
        self.ground.now + skew - at > MAY_SHOW_LATER.num_milliseconds()
    }

    /// What the live plan prints at a quiet moment is what the operator does next when nothing comes between; what it leaves
    /// alone is left alone. False when the operator has nothing to do.
    pub(crate) fn foresee(&mut self, operator: usize, name: &Name) -> bool {
        let Some(skew) = self.operators.get(operator).map(|operator| operator.skew) else { return false };
        self.deliver();
        if !self.is_quiet(operator) {
            return false;
        }
        let Some(foreseen) = plan::calls(&mut self.ground, name, skew) else { return false };
        self.begin(operator, name);
        let task = self.awake(operator).and_then(|memory| memory.tasks.get(name));
        let is_pass = task.map(task::Task::is_whole);
        let knows_more = task.is_some_and(|task| task.desk.announced.is_some());
        self.ground.sent = Some(Vec::new());
        let mut steps = 0;
        while steps < MAX_STEPS && self.step(operator, name, Fate::Fine) {
            steps += 1;
        }
        let sent = self.ground.sent.take().unwrap_or_default();
        if is_pass != Some(true) || knows_more {
            return is_pass.is_some();
        }
        self.ground.count(if foreseen.is_empty() { "plan without calls" } else { "plan with calls" });
        // What billing makes of a name is seen once it is written.
        let is_trimmed =
            self.people.deals.iter().any(|deal| deal.object() == *name && deal.marks.is_untrimmed);
        // What an operator before it may have made is looked for first, which the plan does not know.
        let took_over = self.awake(operator).and_then(|memory| memory.took_over_at);
        let looks = took_over.is_some_and(|at| !self.shows_all_since(operator, at));
        let is_put_off = looks && sent.is_empty();
        let differs = plan::difference(&foreseen, &sent).filter(|_| !is_trimmed && !is_put_off);
        if let Some(difference) = differs {
            self.ground.find(format!("{name}: a plan is not what happens: it {difference}"));
        }
        true
    }

    pub(crate) fn kill(&mut self, operator: usize) {
        if let Some(operator) = self.operators.get_mut(operator).filter(|operator| operator.memory.is_some())
        {
            self.ground.count("operator killed");
            let lost = operator.memory.take().map(|memory| memory.unrecorded());
            for slot in lost.into_iter().flatten() {
                self.ground.lost_record(slot);
            }
        }
    }

    /// etcd is put back.
    fn restore(&mut self, outage: Outage) {
        self.ground.count("etcd restored");
        self.ground.cluster.restore();
        // What was spent since is not, as far as anybody knows.
        self.ground.carried_out.clear();
        self.ground.lease_doubted_until = self.ground.now + 2 * LEASE;
        for deal in &mut self.people.deals {
            deal.marks.is_lost = true;
            deal.marks.is_beside_unknown |= deal.has_had_beside();
        }
        if outage == Outage::Short && self.ground.rules.has(Rule::Restore) {
            return;
        }
        drop(self.ground.cluster.changes());
        for operator in self.operators.iter_mut().filter(|operator| operator.memory.is_some()) {
            operator.start();
            // The process is the same.
            if let Some(memory) = &mut operator.memory {
                memory.has_led = true;
            }
        }
    }

    /// What is in the cluster, as it is.
    pub(crate) fn objects(&self) -> Vec<Arc<BillingContract>> {
        self.ground.cluster.list().cloned().collect()
    }
}
