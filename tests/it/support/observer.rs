//! Sees every version of every object of a namespace, and holds each against the rules of kstatus.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use countersign::api::{BillingContract, BillingProvider, ContractPackage};
use futures::{StreamExt as _, stream};
use kube::{
    Api, Client,
    core::{ApiResource, DynamicObject},
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::Value;
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use super::{DEADLINE, kstatus};

/// What was seen, by kind and name.
#[derive(Default)]
struct Seen {
    objects: BTreeMap<(String, String), Vec<Value>>,
    /// Kinds that are listed anew: versions may have been missed.
    gaps: BTreeSet<String>,
    /// Objects not seen since their watch broke: where a backup was put back, it goes on beyond versions that it never showed.
    unseen: BTreeSet<(String, String)>,
    gone: Vec<(String, String)>,
    broken_rules: Vec<String>,
}

/// A watch on the contracts, providers and packages of a namespace.
pub(crate) struct Observer {
    seen: Arc<Mutex<Seen>>,
    changed: watch::Receiver<()>,
    task: JoinHandle<()>,
}

impl Observer {
    pub(crate) fn start(client: &Client, namespace: &str) -> Self {
        let kinds = [
            ApiResource::erase::<BillingContract>(&()),
            ApiResource::erase::<BillingProvider>(&()),
            ApiResource::erase::<ContractPackage>(&()),
        ];
        let watch_kind = |kind: ApiResource| {
            let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &kind);
            watcher(api, watcher::Config::default())
                .default_backoff()
                .map(move |event| (kind.kind.clone(), event))
                .boxed()
        };
        let mut events = stream::select_all(kinds.map(watch_kind));
        let (sender, changed) = watch::channel(());
        let seen = Arc::<Mutex<Seen>>::default();
        let record = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Some((kind, event)) = events.next().await {
                match event {
                    Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                        record.lock().unwrap().see(&kind, &object);
                    }
                    Ok(watcher::Event::Init) => drop(record.lock().unwrap().gaps.insert(kind)),
                    Ok(watcher::Event::InitDone) => drop(record.lock().unwrap().gaps.remove(&kind)),
                    Ok(watcher::Event::Delete(object)) => {
                        let name = object.metadata.name.unwrap_or_default();
                        record.lock().unwrap().gone.push((kind, name));
                    }
                    // The watch goes on by itself, also over the death of an API server.
                    Err(_) => record.lock().unwrap().miss(&kind),
                }
                sender.send_replace(());
            }
        });
        Self { seen, changed, task }
    }

    /// Waits until the newest version of an object is as wanted.
    pub(crate) async fn until(
        &self,
        kind: &str,
        name: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value, String> {
        let this = (kind.to_owned(), name.to_owned());
        // Only what is wanted is copied: many may wait, and each looks at every change.
        let newest = |wanted: &dyn Fn(&Value) -> bool| {
            let seen = self.seen.lock().unwrap();
            seen.objects.get(&this)?.last().filter(|object| wanted(object)).cloned()
        };
        let found = self.wait(|| newest(&wanted)).await;
        found.ok_or_else(|| match newest(&|_| true) {
            Some(object) => serde_json::to_string_pretty(&object).unwrap(),
            None => format!("no {kind} {name}"),
        })
    }

    /// Waits until an object has been deleted as often.
    pub(crate) async fn until_gone(&self, kind: &str, name: &str, times: usize) -> bool {
        let this = (kind.to_owned(), name.to_owned());
        let count = || self.seen.lock().unwrap().gone.iter().filter(|gone| **gone == this).count();
        self.wait(|| (count() >= times).then_some(())).await.is_some()
    }

    async fn wait<T>(&self, look: impl Fn() -> Option<T>) -> Option<T> {
        let mut changed = self.changed.clone();
        let waiting = async {
            loop {
                changed.mark_unchanged();
                if let Some(found) = look() {
                    return Some(found);
                }
                if changed.changed().await.is_err() {
                    return None;
                }
            }
        };
        timeout(DEADLINE, waiting).await.ok().flatten()
    }

    /// Every version of an object, oldest first.
    pub(crate) fn history(&self, kind: &str, name: &str) -> Vec<Value> {
        let seen = self.seen.lock().unwrap();
        seen.objects.get(&(kind.to_owned(), name.to_owned())).cloned().unwrap_or_default()
    }

    /// Every version of every object, as text.
    pub(crate) fn everything(&self) -> String {
        self.seen.lock().unwrap().objects.values().flatten().map(ToString::to_string).collect()
    }

    /// Rules of kstatus that an object broke.
    pub(crate) fn broken_rules(&self) -> Vec<String> {
        self.seen.lock().unwrap().broken_rules.clone()
    }
}

impl Seen {
    fn miss(&mut self, kind: &str) {
        let of_kind = self.objects.keys().filter(|(of, _)| of == kind).cloned();
        self.unseen.extend(of_kind);
    }

    fn see(&mut self, kind: &str, object: &DynamicObject) {
        let name = object.metadata.name.clone().unwrap_or_default();
        let mut object = serde_json::to_value(object).unwrap();
        object["metadata"].as_object_mut().unwrap().remove("managedFields");
        let history = self.objects.entry((kind.to_owned(), name.clone())).or_default();
        let before = history.last();
        if before.is_some_and(|before| {
            before["metadata"]["resourceVersion"] == object["metadata"]["resourceVersion"]
        }) {
            return;
        }
        // What was put back from a backup follows nothing that was seen.
        let version = |object: &Value| object["metadata"]["resourceVersion"].as_str()?.parse::<u64>().ok();
        let before = before.filter(|before| version(before) < version(&object));
        let before = before.filter(|_| !self.gaps.contains(kind));
        let is_known = !self.unseen.remove(&(kind.to_owned(), name.clone()));
        let before = before.filter(|_| is_known);
        for rule in kstatus::broken_rules(before, &object) {
            let after = before.map_or(&Value::Null, |before| &before["status"]);
            self.broken_rules.push(format!("{kind} {name}: {rule}: {object}, after {after}"));
        }
        history.push(object);
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
