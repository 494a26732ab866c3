//! What the contracts in the cache claim, by subject, so that a claim is checked without a look at every contract.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kube::runtime::{
    reflector::{ObjectRef, Store},
    watcher,
};

use super::wakes::Wakes;
use crate::{
    api::BillingContract,
    controller::{Guarded, decoded},
    protocol::claims::{Subject, marks, subjects},
};

type Reference = ObjectRef<Guarded<BillingContract>>;

/// Contracts by what they claim, whichever account they claim it in.
pub struct ClaimIndex {
    store: Store<Guarded<BillingContract>>,
    index: Mutex<Index>,
    wakes: Wakes,
}

#[derive(Default)]
struct Index {
    by_subject: HashMap<Subject, HashSet<Reference>>,
    of: HashMap<Reference, Vec<Subject>>,
    /// Contracts that wait for somebody to hold something, or to hold it no more.
    interested: HashMap<Subject, HashSet<Reference>>,
}

impl ClaimIndex {
    /// An index of a cache; whoever may hold what another gave up is woken.
    #[must_use]
    pub fn new(store: Store<Guarded<BillingContract>>, wakes: Wakes) -> Self {
        Self { store, index: Mutex::default(), wakes }
    }

    /// Hears what the watch delivers, after the cache has.
    pub fn hear(&self, event: &watcher::Event<Guarded<BillingContract>>) {
        match event {
            watcher::Event::Apply(contract) | watcher::Event::InitApply(contract) => {
                let claimed = decoded(contract).map(marks).unwrap_or_default();
                self.put(&ObjectRef::from_obj(contract), claimed);
            }
            watcher::Event::Delete(contract) => self.put(&ObjectRef::from_obj(contract), Vec::new()),
            watcher::Event::Init => {}
            // What went while nobody watched has no event of its own.
            watcher::Event::InitDone => {
                let gone: Vec<_> =
                    self.lock().of.keys().filter(|known| self.store.get(known).is_none()).cloned().collect();
                for reference in &gone {
                    self.put(reference, Vec::new());
                }
            }
        }
    }

    /// Other contracts that claim something that this one claims, in whatever account.
    #[must_use]
    pub fn rivals(&self, contract: &BillingContract) -> Vec<Arc<Guarded<BillingContract>>> {
        let index = self.lock();
        self.others(&index, &subjects(contract), &ObjectRef::from_obj(contract))
    }

    /// Contracts besides one that hold or claim one of these; the one is woken when that changes.
    #[must_use]
    pub fn marked(
        &self,
        marks: &[Subject],
        own: &ObjectRef<BillingContract>,
    ) -> Vec<Arc<Guarded<BillingContract>>> {
        let mut index = self.lock();
        let reference = ObjectRef::new(&own.name).within(own.namespace.as_deref().unwrap_or_default());
        for mark in marks {
            index.interested.entry(mark.clone()).or_default().insert(reference.clone());
        }
        self.others(&index, marks, own)
    }

    fn others(
        &self,
        index: &Index,
        subjects: &[Subject],
        own: &ObjectRef<BillingContract>,
    ) -> Vec<Arc<Guarded<BillingContract>>> {
        let references: HashSet<&Reference> =
            subjects.iter().filter_map(|subject| index.by_subject.get(subject)).flatten().collect();
        let others =
            references.into_iter().filter(|other| other.name != own.name || other.namespace != own.namespace);
        others.filter_map(|other| self.store.get(other)).collect()
    }

    /// Notes what a contract claims now, and wakes who may hold what it gave up.
    fn put(&self, reference: &Reference, claimed: Vec<Subject>) {
        let mut index = self.lock();
        let before = if claimed.is_empty() {
            index.of.remove(reference)
        } else {
            index.of.insert(reference.clone(), claimed.clone())
        };
        let mut woken = HashSet::new();
        let before = before.unwrap_or_default();
        for changed in claimed.iter().filter(|subject| !before.contains(subject)) {
            woken.extend(index.interested.remove(changed).into_iter().flatten());
        }
        for subject in before.into_iter().filter(|subject| !claimed.contains(subject)) {
            woken.extend(index.interested.remove(&subject).into_iter().flatten());
            if let Some(claimants) = index.by_subject.get_mut(&subject) {
                claimants.remove(reference);
                woken.extend(claimants.iter().cloned());
                if claimants.is_empty() {
                    index.by_subject.remove(&subject);
                }
            }
        }
        for subject in claimed {
            index.by_subject.entry(subject).or_default().insert(reference.clone());
        }
        drop(index);
        woken.remove(reference);
        for reference in woken {
            self.wakes.wake(reference, &self.store);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
