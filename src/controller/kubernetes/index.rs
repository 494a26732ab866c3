//! The objects of a cache by what they say, so that one is found without a look at every other.

use std::{
    collections::{HashMap, HashSet},
    fmt::Debug,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kube::{
    Resource,
    runtime::{
        reflector::{ObjectRef, Store},
        watcher::Event,
    },
};
use serde::de::DeserializeOwned;

use crate::controller::{Guarded, decoded};

type Reference<K> = ObjectRef<Guarded<K>>;

/// Objects by their words, such as the names that they have or ask for.
pub struct Index<K, W>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + 'static,
{
    store: Store<Guarded<K>>,
    words: fn(&K) -> Vec<W>,
    entries: Mutex<Entries<K, W>>,
}

struct Entries<K, W>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + 'static,
{
    by_word: HashMap<W, HashSet<Reference<K>>>,
    of: HashMap<Reference<K>, Vec<W>>,
}

impl<K, W> Index<K, W>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + 'static,
    W: Clone + Eq + Hash,
{
    /// An index of a cache by the words that each object has.
    #[must_use]
    pub fn new(store: Store<Guarded<K>>, words: fn(&K) -> Vec<W>) -> Self {
        let entries = Entries { by_word: HashMap::new(), of: HashMap::new() };
        Self { store, words, entries: Mutex::new(entries) }
    }

    /// The cache.
    #[must_use]
    pub fn store(&self) -> &Store<Guarded<K>> {
        &self.store
    }

    /// Hears what the watch delivers, after the cache has.
    pub fn hear(&self, event: &Event<Guarded<K>>) {
        match event {
            Event::Apply(object) | Event::InitApply(object) => {
                let words = decoded(object).map(self.words).unwrap_or_default();
                self.lock().put(ObjectRef::from_obj(object), words);
            }
            Event::Delete(object) => self.lock().put(ObjectRef::from_obj(object), Vec::new()),
            Event::Init => {}
            // What went while nobody watched has no event of its own.
            Event::InitDone => {
                let mut entries = self.lock();
                let gone: Vec<_> =
                    entries.of.keys().filter(|known| self.store.get(known).is_none()).cloned().collect();
                for reference in gone {
                    entries.put(reference, Vec::new());
                }
            }
        }
    }

    /// The objects that have one of these words, each once.
    #[must_use]
    pub fn with(&self, words: &[W]) -> Vec<Arc<Guarded<K>>> {
        let entries = self.lock();
        let found: HashSet<_> = words.iter().filter_map(|word| entries.by_word.get(word)).flatten().collect();
        found.into_iter().filter_map(|reference| self.store.get(reference)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Entries<K, W>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, W> Entries<K, W>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + 'static,
    W: Clone + Eq + Hash,
{
    fn put(&mut self, reference: Reference<K>, words: Vec<W>) {
        for word in self.of.remove(&reference).into_iter().flatten() {
            if let Some(known) = self.by_word.get_mut(&word) {
                known.remove(&reference);
                if known.is_empty() {
                    self.by_word.remove(&word);
                }
            }
        }
        if words.is_empty() {
            return;
        }
        for word in &words {
            self.by_word.entry(word.clone()).or_default().insert(reference.clone());
        }
        self.of.insert(reference, words);
    }
}
