//! What is stored, under one count of versions, and what is still known of how it came about.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use tokio::sync::watch;

use super::{Entry, Id, object::Object, weather::Weathers};

/// Most changes of one kind that are kept for watches.
const KEPT: usize = 2000;

/// What etcd holds, and a backup of it.
#[derive(Clone, Default)]
struct Content {
    /// The count of versions: of the last change of anything.
    version: u64,
    objects: BTreeMap<Id, Arc<Object>>,
}

/// One change of an object.
#[derive(Clone)]
pub(super) struct Change {
    /// Its version.
    pub(super) version: u64,
    /// Of what.
    pub(super) id: Id,
    /// What it was before; nothing for what was created.
    pub(super) before: Option<Arc<Object>>,
    /// What it is now, or last was if it is gone.
    pub(super) object: Arc<Object>,
    /// Whether it is gone.
    pub(super) is_gone: bool,
}

impl Change {
    /// The type of the event that tells it.
    pub(super) fn event(&self) -> &'static str {
        match (&self.before, self.is_gone) {
            (_, true) => "DELETED",
            (None, false) => "ADDED",
            (Some(_), false) => "MODIFIED",
        }
    }
}

/// The changes of a kind that are still known: all that are newer than a version.
#[derive(Default)]
struct History {
    forgotten: u64,
    changes: VecDeque<Change>,
}

/// Everything that changes.
pub(super) struct State {
    content: Content,
    backup: Option<Content>,
    histories: BTreeMap<String, History>,
    /// Whatever is not newer is forgotten, of every kind.
    compacted: u64,
    /// How often every watch was broken.
    pub(super) breaks: u64,
    /// What may go wrong.
    pub(super) weathers: Weathers,
    /// The writes that were carried out.
    pub(super) log: Vec<Entry>,
    /// The requests that are not served here.
    pub(super) unserved: Vec<String>,
    /// Wakes the watches.
    wakes: watch::Sender<u64>,
}

impl State {
    /// Nothing is stored yet.
    pub(super) fn new() -> Self {
        Self {
            // Versions never begin at zero, which stands for any version.
            content: Content { version: 1, objects: BTreeMap::new() },
            backup: None,
            histories: BTreeMap::new(),
            compacted: 1,
            breaks: 0,
            weathers: Weathers::default(),
            log: Vec::new(),
            unserved: Vec::new(),
            wakes: watch::Sender::new(0),
        }
    }

    /// The version of the last change.
    pub(super) fn version(&self) -> u64 {
        self.content.version
    }

    /// An object.
    pub(super) fn find(&self, id: &Id) -> Option<&Arc<Object>> {
        self.content.objects.get(id)
    }

    /// The objects of a kind, in the order of their names.
    pub(super) fn all(&self, plural: &str) -> BTreeMap<Id, Arc<Object>> {
        let first = Id { plural: plural.to_owned(), namespace: None, name: String::new() };
        let found = self.content.objects.range(first..).take_while(|(id, _)| id.plural == plural);
        found.map(|(id, object)| (id.clone(), Arc::clone(object))).collect()
    }

    /// The objects of a kind as they were at a version that is not forgotten.
    pub(super) fn all_at(&self, plural: &str, version: u64) -> BTreeMap<Id, Arc<Object>> {
        let mut found = self.all(plural);
        let changes = self.histories.get(plural).into_iter().flat_map(|history| history.changes.iter().rev());
        for change in changes.take_while(|change| change.version > version) {
            match &change.before {
                Some(before) => drop(found.insert(change.id.clone(), Arc::clone(before))),
                None => drop(found.remove(&change.id)),
            }
        }
        found
    }

    /// Stores an object, new or changed.
    pub(super) fn put(&mut self, id: Id, mut object: Object) -> Arc<Object> {
        self.content.version += 1;
        object.set("resourceVersion", self.content.version.to_string());
        let object = Arc::new(object);
        let before = self.content.objects.insert(id.clone(), Arc::clone(&object));
        self.tell(Change {
            version: self.content.version,
            id,
            before,
            object: Arc::clone(&object),
            is_gone: false,
        });
        object
    }

    /// Removes an object; what it last was goes to the watches with the version of its removal.
    pub(super) fn remove(&mut self, id: &Id) {
        let Some(before) = self.content.objects.remove(id) else { return };
        self.content.version += 1;
        let mut last = Object::clone(&before);
        last.set("resourceVersion", self.content.version.to_string());
        let change = Change {
            version: self.content.version,
            id: id.clone(),
            before: Some(before),
            object: Arc::new(last),
            is_gone: true,
        };
        self.tell(change);
    }

    fn tell(&mut self, change: Change) {
        let history = self.histories.entry(change.id.plural.clone()).or_default();
        history.changes.push_back(change);
        if history.changes.len() > KEPT
            && let Some(oldest) = history.changes.pop_front()
        {
            history.forgotten = oldest.version;
        }
        self.wake();
    }

    /// The version up to which nothing is known any more of how a kind changed.
    pub(super) fn forgotten(&self, plural: &str) -> u64 {
        self.histories.get(plural).map_or(0, |history| history.forgotten).max(self.compacted)
    }

    /// The first change of a kind after a version.
    pub(super) fn next(&self, plural: &str, after: u64) -> Option<&Change> {
        let changes = &self.histories.get(plural)?.changes;
        changes.get(changes.partition_point(|change| change.version <= after))
    }

    /// The versions that the changes of a kind have which are still known.
    pub(super) fn versions(&self, plural: &str) -> Vec<u64> {
        let changes = self.histories.get(plural).into_iter().flat_map(|history| &history.changes);
        changes.map(|change| change.version).collect()
    }

    /// Forgets how everything came about.
    pub(super) fn compact(&mut self) {
        self.histories.clear();
        self.compacted = self.content.version;
        self.wake();
    }

    /// Keeps a copy of everything.
    pub(super) fn back_up(&mut self) {
        self.backup = Some(self.content.clone());
    }

    /// Goes back to the copy, and breaks every watch. Without a copy nothing happens.
    pub(super) fn restore(&mut self) {
        let Some(backup) = self.backup.clone() else { return };
        self.content = backup;
        self.breaks += 1;
        self.compact();
    }

    /// Wakes every watch.
    pub(super) fn wake(&self) {
        self.wakes.send_modify(|count| *count += 1);
    }

    /// Hears of whatever a watch must look at.
    pub(super) fn listen(&self) -> watch::Receiver<u64> {
        self.wakes.subscribe()
    }
}
