//! What the contracts in the cache claim, by subject, so that a claim is checked without a look at every contract.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use kube::{
    ResourceExt,
    runtime::{
        reflector::{ObjectRef, Store},
        watcher,
    },
};

use super::{aliases::Aliases, wakes::Wakes};
use crate::{
    api::BillingContract,
    clock,
    controller::Guarded,
    plan::MAY_SHOW_LATER,
    protocol::claims::{RankIn, Subject, customers, marks, rank_in, subjects},
};

type Reference = ObjectRef<Guarded<BillingContract>>;
type Object = Arc<Guarded<BillingContract>>;

/// What is known of a contract in the cache.
#[derive(Clone, Default)]
struct Known {
    claimed: Vec<(Subject, RankIn)>,
    object: Option<Object>,
}

/// How many names on each side of one that leads nowhere are compared with it.
const MOST_NAMES: usize = 50;

/// Contracts by what they claim, whichever account they claim it in.
pub struct ClaimIndex {
    store: Store<Guarded<BillingContract>>,
    index: Mutex<Index>,
    wakes: Wakes,
    /// Until when what was made by an operator before this one, for contracts that this one never saw, may not show.
    unseen_until: Option<DateTime<Utc>>,
}

#[derive(Default)]
struct Index {
    /// In the order in which they hold it.
    by_subject: HashMap<Subject, BTreeMap<RankIn, Reference>>,
    of: HashMap<Reference, Known>,
    /// Namespaces and names of all.
    names: BTreeSet<(String, String)>,
    /// Contracts that went a short while ago, by what their customers go by.
    departed: HashMap<String, Vec<(DateTime<Utc>, Object)>>,
    /// What customers are called.
    aliases: Aliases,
    /// When those that went longer ago were last forgotten.
    swept: DateTime<Utc>,
    /// Contracts that wait for somebody to hold something, or to hold it no more.
    interested: HashMap<Subject, HashSet<Reference>>,
}

impl ClaimIndex {
    /// An index of a cache; whoever may hold what another gave up is woken.
    #[must_use]
    pub fn new(store: Store<Guarded<BillingContract>>, wakes: Wakes) -> Self {
        Self { store, index: Mutex::default(), wakes, unseen_until: None }
    }

    /// The same, where the operator before this one may have stopped in the middle of its work just now.
    #[must_use]
    pub fn taken_over(self, at: DateTime<Utc>) -> Self {
        Self { unseen_until: at.checked_add_signed(MAY_SHOW_LATER), ..self }
    }

    /// Until when what an operator before this one has made may not show.
    #[must_use]
    pub const fn unseen_until(&self) -> Option<DateTime<Utc>> {
        self.unseen_until
    }

    /// Whether all that contracts which are gone have made shows by now.
    #[must_use]
    pub fn is_settled(&self, now: DateTime<Utc>) -> bool {
        let is_old = |(at, _): &(DateTime<Utc>, Object)| !is_recent(*at, now);
        self.unseen_until.is_none_or(|until| until <= now)
            && self.lock().departed.values().flatten().all(is_old)
    }

    /// Hears what the watch delivers, after the cache has.
    pub fn hear(&self, event: &watcher::Event<Guarded<BillingContract>>) {
        match event {
            watcher::Event::Apply(contract) | watcher::Event::InitApply(contract) => {
                let reference = ObjectRef::from_obj(contract);
                let known = contract.readable().map(|contract| Known {
                    claimed: marks(contract)
                        .into_iter()
                        .map(|subject| (subject.clone(), rank_in(contract, &subject)))
                        .collect(),
                    // The cache's own, so that it costs nothing.
                    object: self.store.get(&reference),
                });
                self.put(&reference, known);
            }
            watcher::Event::Delete(contract) => {
                self.gone(&ObjectRef::from_obj(contract), Some(&Arc::new(contract.clone())));
            }
            watcher::Event::Init => {}
            // What went while nobody watched has no event of its own.
            watcher::Event::InitDone => {
                let mut gone = Vec::new();
                for (reference, known) in &mut self.lock().of {
                    // While a list comes in, the cache has what was there before it.
                    match self.store.get(reference) {
                        Some(object) => known.object = Some(object),
                        None => gone.push((reference.clone(), known.object.take())),
                    }
                }
                for (reference, object) in gone {
                    self.gone(&reference, object.as_ref());
                }
            }
        }
    }

    /// Those of the other contracts that claim something of this one, and fit, which matter: for each subject the first in
    /// the order of holders, and the first that stays. There may be thousands, and they all ask.
    #[must_use]
    pub fn rivals(
        &self,
        contract: &BillingContract,
        fits: impl Fn(&BillingContract) -> bool,
    ) -> Vec<Arc<Guarded<BillingContract>>> {
        let own = ObjectRef::from_obj(contract);
        let index = self.lock();
        let mut rivals: Vec<Arc<Guarded<BillingContract>>> = Vec::new();
        for subject in subjects(contract) {
            let claimants = index.by_subject.get(&subject).into_iter().flat_map(BTreeMap::values);
            let others = claimants.filter(|other| other.name != own.name || other.namespace != own.namespace);
            let mut is_first = true;
            for other in others.filter_map(|other| self.store.get(other)) {
                let Some(found) = other.readable() else { continue };
                if !fits(found) {
                    continue;
                }
                let stays = found.metadata.deletion_timestamp.is_none();
                if is_first || stays {
                    rivals.push(Arc::clone(&other));
                }
                is_first = false;
                if stays {
                    break;
                }
            }
        }
        rivals
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
        let found: HashSet<&Reference> = marks
            .iter()
            .filter_map(|mark| index.by_subject.get(mark))
            .flat_map(BTreeMap::values)
            .filter(|other| other.name != own.name || other.namespace != own.namespace)
            .collect();
        found.into_iter().filter_map(|other| self.store.get(other)).collect()
    }

    /// Names of other contracts of the same namespace and billing API that stand next to a name in the order of letters.
    #[must_use]
    pub fn near(&self, contract: &BillingContract, name: &str) -> Vec<String> {
        let (namespace, own) = (contract.namespace().unwrap_or_default(), contract.name_any());
        let index = self.lock();
        let place = (namespace.clone(), name.to_owned());
        let before = index.names.range(..place.clone()).rev().take(MOST_NAMES);
        let near = before.chain(index.names.range(place..).take(MOST_NAMES));
        let others = near.filter(|(found, name)| *found == namespace && *name != own);
        let is_same_api = |name: &str| {
            let found = self.store.get(&ObjectRef::new(name).within(&namespace));
            found.is_some_and(|found| {
                found.readable().is_some_and(|found| found.spec.api() == contract.spec.api())
            })
        };
        others.filter(|(_, name)| is_same_api(name)).map(|(_, name)| name.clone()).collect()
    }

    /// All that a customer of an account is called, as far as it was told; `customer` has what whoever asks knows, its ID first.
    #[must_use]
    pub fn names(&self, account: &str, customer: &[&str]) -> Vec<String> {
        self.lock().aliases.learn(account, customer)
    }

    /// The contracts of a customer, by any of its names, that went a short while ago.
    #[must_use]
    pub fn departed(&self, customer: &[String], now: DateTime<Utc>) -> Vec<(DateTime<Utc>, Object)> {
        let index = self.lock();
        let of_name = |name: &String| index.departed.get(name).into_iter().flatten();
        let recent = customer.iter().flat_map(of_name).filter(|(at, _)| is_recent(*at, now));
        recent.map(|(at, object)| (*at, Arc::clone(object))).collect()
    }

    /// A contract has gone: it claims nothing any more, and is remembered for as long as what it made may not show.
    fn gone(&self, reference: &Reference, object: Option<&Object>) {
        if let Some((object, contract)) = object.and_then(|object| Some((object, object.readable()?))) {
            let mut index = self.lock();
            let now = clock::now();
            if !is_recent(index.swept, now) {
                index.swept = now;
                index.departed.retain(|_, gone| {
                    gone.retain(|(at, _)| is_recent(*at, now));
                    !gone.is_empty()
                });
                let Index { aliases, by_subject, departed, .. } = &mut *index;
                aliases.keep(|alias| {
                    departed.contains_key(alias) || by_subject.contains_key(&Subject::Of(alias.to_owned()))
                });
            }
            for name in customers(contract) {
                index.departed.entry(name).or_default().push((now, Arc::clone(object)));
            }
        }
        self.put(reference, None);
    }

    /// Notes what a contract claims now, and wakes who may hold what it gave up.
    fn put(&self, reference: &Reference, known: Option<Known>) {
        let mut index = self.lock();
        let before = match &known {
            Some(known) => index.of.insert(reference.clone(), known.clone()),
            None => index.of.remove(reference),
        };
        let name = (reference.namespace.clone().unwrap_or_default(), reference.name.clone());
        if known.is_some() {
            index.names.insert(name);
        } else {
            index.names.remove(&name);
        }
        let claimed = known.unwrap_or_default().claimed;
        let before = before.unwrap_or_default().claimed;
        let has =
            |all: &[(Subject, RankIn)], subject: &Subject| all.iter().any(|(found, _)| found == subject);
        let mut woken = HashSet::new();
        for (subject, _) in claimed.iter().filter(|(subject, _)| !has(&before, subject)) {
            woken.extend(index.interested.remove(subject).into_iter().flatten());
        }
        for (subject, rank) in &before {
            let Some(claimants) = index.by_subject.get_mut(subject) else { continue };
            claimants.remove(rank);
            let is_gone = !has(&claimed, subject);
            // Of those who have only the customer in common, whoever asked is woken.
            if is_gone && !matches!(subject, Subject::Of(_)) {
                woken.extend(claimants.values().cloned());
            }
            if claimants.is_empty() {
                index.by_subject.remove(subject);
            }
            if is_gone {
                woken.extend(index.interested.remove(subject).into_iter().flatten());
            }
        }
        for (subject, rank) in claimed {
            index.by_subject.entry(subject).or_default().insert(rank, reference.clone());
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

fn is_recent(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now.signed_duration_since(at) < MAY_SHOW_LATER
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector;
    use serde_json::json;

    use super::*;
    use crate::controller::{decoded, kubernetes::queue::Queue};

    fn claimant(n: usize, deleted: bool) -> Guarded<BillingContract> {
        let deleted = deleted.then_some("2026-02-01T00:00:00Z");
        serde_json::from_value(json!({
            "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract",
            "metadata": {"name": format!("c{n:04}"), "namespace": "billing", "uid": format!("u{n}"),
                "creationTimestamp": format!("2026-01-01T00:00:{:02}Z", n % 60), "deletionTimestamp": deleted},
            "spec": {"providerRef": {"name": "zoo"}, "zoo": {"organizationId": "org", "effectiveAt": "2026-01-01T00:00:00Z"}},
        }))
        .unwrap()
    }

    fn index(claimants: &[Guarded<BillingContract>]) -> ClaimIndex {
        let (store, mut writer) = reflector::store();
        let index = ClaimIndex::new(store, Wakes::new(Arc::<Queue>::default()).0);
        for claimant in claimants {
            let event = watcher::Event::Apply(claimant.clone());
            writer.apply_watcher_event(&event);
            index.hear(&event);
        }
        index
    }

    #[test]
    fn of_thousands_of_claimants_only_the_first_and_the_first_that_stays_are_looked_at() {
        let claimants: Vec<_> = (0..3000).map(|n| claimant(n, n == 0)).collect();
        let index = index(&claimants);
        let asked = std::cell::Cell::new(0);
        let this = decoded(&claimants[1500]).unwrap();
        let rivals = index.rivals(this, |_| {
            asked.set(asked.get() + 1);
            true
        });
        let names: Vec<_> = rivals.iter().map(|rival| rival.name_any()).collect();
        assert_eq!(names, ["c0000", "c0060"]);
        assert_eq!(asked.get(), 2);
    }

    #[test]
    fn a_claim_that_changes_or_ends_is_forgotten() {
        let claimants = [claimant(0, false), claimant(1, false)];
        let index = index(&claimants);
        let this = decoded(&claimants[1]).unwrap();
        assert_eq!(index.rivals(this, |_| true).len(), 1);
        assert_eq!(index.rivals(this, |_| false).len(), 0);
        index.hear(&watcher::Event::Delete(claimants[0].clone()));
        assert_eq!(index.rivals(this, |_| true).len(), 0);
    }

    #[test]
    fn a_contract_that_went_is_known_by_its_customer_for_as_long_as_what_it_made_may_not_show() {
        let claimants = [claimant(0, false), claimant(1, false)];
        let index = index(&claimants);
        let now = Utc::now();
        let [org, other] = ["org", "other"].map(str::to_owned);
        assert!(index.departed(std::slice::from_ref(&org), now).is_empty());
        index.hear(&watcher::Event::Delete(claimants[0].clone()));
        let gone = index.departed(&[other.clone(), org.clone()], now);
        assert_eq!(gone.iter().map(|(_, gone)| gone.name_any()).collect::<Vec<_>>(), ["c0000"]);
        assert!(index.departed(&[other], now).is_empty());
        assert!(index.departed(&[org], now + MAY_SHOW_LATER + chrono::TimeDelta::seconds(1)).is_empty());
    }

    #[test]
    fn names_beside_one_that_leads_nowhere_are_found_in_its_namespace_and_without_those_that_went() {
        let claimants: Vec<_> = (0..200).map(|n| claimant(n, false)).collect();
        let index = index(&claimants);
        index.hear(&watcher::Event::Delete(claimants[100].clone()));
        let this = decoded(&claimants[101]).unwrap();
        let near = index.near(this, "c0100x");
        assert_eq!(near.len(), 2 * MOST_NAMES - 1, "{near:?}");
        assert!(near.contains(&"c0099".to_owned()) && near.contains(&"c0102".to_owned()));
        assert!(!near.contains(&"c0100".to_owned()) && !near.contains(&"c0101".to_owned()));
    }
}
