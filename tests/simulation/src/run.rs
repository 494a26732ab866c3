//! A run: a seed makes the events; the events alone repeat it, and fewer of them may break the same promise.

use std::collections::BTreeMap;

use crate::{
    event::{self, Event},
    mutant::Mutant,
    rules::Rules,
    world::World,
};

/// What a run is made of, besides its seed.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How many events happen before the calm.
    pub events: usize,
    /// Scenarios that may come up.
    pub rules: Rules,
    /// A rule of the design that is taken out.
    pub mutant: Option<Mutant>,
}

/// A promise that was broken.
#[derive(Clone, Debug)]
pub struct Broken {
    /// The seed.
    pub seed: u64,
    /// What is wrong.
    pub finding: String,
    events: Vec<Event>,
}

impl Broken {
    /// How many events it takes.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.events.len()
    }

    /// The events, and what came of each.
    #[must_use]
    pub fn trace(&self, setup: &Setup) -> Vec<String> {
        let mut world = World::new(self.seed, setup.rules.clone(), setup.mutant, true);
        let _ = replay(&mut world, &self.events);
        world.ground.trace.unwrap_or_default()
    }
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Run {
    /// Events that happened, those of the calm included.
    pub steps: u64,
    /// Lines of invoices that were made.
    pub charges: usize,
    /// How often each fault, action and outcome came up.
    pub counts: BTreeMap<&'static str, u64>,
    /// The first promise that was broken.
    pub broken: Option<Broken>,
}

/// Runs a seed.
#[must_use]
pub fn run(seed: u64, setup: &Setup) -> Run {
    let mut world = World::new(seed, setup.rules.clone(), setup.mutant, false);
    live(&mut world, seed, setup, true)
}

/// Runs a seed up to the calm, which takes three times as long as what comes before it.
#[must_use]
pub fn run_without_calm(seed: u64, setup: &Setup) -> Run {
    let mut world = World::new(seed, setup.rules.clone(), setup.mutant, false);
    live(&mut world, seed, setup, false)
}

/// Everything that happens in the run of a seed.
#[must_use]
pub fn trace(seed: u64, setup: &Setup) -> Vec<String> {
    let mut world = World::new(seed, setup.rules.clone(), setup.mutant, true);
    drop(live(&mut world, seed, setup, true));
    world.ground.trace.unwrap_or_default()
}

fn live(world: &mut World, seed: u64, setup: &Setup, is_calmed: bool) -> Run {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
    let mut events = Vec::with_capacity(setup.events);
    while events.len() < setup.events && world.ground.findings.is_empty() {
        let event = event::next(world, &mut rng);
        events.push(event.clone());
        world.happen(&event);
    }
    if is_calmed && world.ground.findings.is_empty() {
        world.calm();
    }
    let finding = world.ground.findings.first().cloned();
    Run {
        steps: world.steps + world.ground.counts.get("step of a reconcile").copied().unwrap_or_default(),
        charges: world.ground.accounts.iter().map(|account| account.metronome.charges()).sum(),
        counts: world.ground.counts.clone(),
        broken: finding.map(|finding| Broken { seed, finding, events }),
    }
}

/// Lets the same events happen again, and says what is broken.
fn replay(world: &mut World, events: &[Event]) -> Option<String> {
    for event in events {
        world.happen(event);
        if let Some(finding) = world.ground.findings.first() {
            return Some(finding.clone());
        }
    }
    world.calm();
    world.ground.findings.first().cloned()
}

/// The same broken promise with as few events as it takes: each part that can be left out is.
#[must_use]
pub fn shrink(broken: &Broken, setup: &Setup) -> Broken {
    let mut smallest = broken.clone();
    let kind = kind(&broken.finding);
    let mut part = smallest.events.len() / 2;
    while part > 0 {
        let mut from = 0;
        let mut is_smaller = false;
        while from < smallest.events.len() {
            let mut fewer = smallest.events.clone();
            fewer.drain(from..(from + part).min(fewer.len()));
            let mut world = World::new(broken.seed, setup.rules.clone(), setup.mutant, false);
            match replay(&mut world, &fewer) {
                Some(finding) if self::kind(&finding) == kind => {
                    smallest = Broken { events: fewer, finding, ..smallest };
                    is_smaller = true;
                }
                _ => from += part,
            }
        }
        part = if is_smaller && part == 1 { 1 } else { part / 2 };
    }
    smallest
}

/// A finding without what differs from run to run: names, numbers and what they say.
fn kind(finding: &str) -> String {
    let words = finding.split_whitespace();
    let plain =
        words.filter(|word| word.chars().all(|letter| letter.is_ascii_alphabetic() || ",:".contains(letter)));
    plain.take(7).collect::<Vec<_>>().join(" ")
}
