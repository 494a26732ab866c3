//! A Kubernetes API server in memory, at the HTTP layer of kube's client.
//!
//! It serves what the operator uses, with the rules that kube-apiserver has for it, and every request of an operator meets
//! the [`Weather`]. Time passes only as tokio's clock says.
//!
//! - [`kinds`], [`schema`], [`object`]: what is stored, and what a definition makes of it;
//! - [`state`]: all of it, its versions, and the changes that are still known;
//! - [`read`], [`write`], [`watch`], [`refusal`]: what is asked, and answered;
//! - [`request`], [`service`], [`weather`]: the wire, and what goes wrong on it.

mod kinds;
mod object;
mod read;
mod refusal;
mod request;
mod schema;
mod service;
mod state;
mod watch;
mod weather;
mod write;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use serde_json::Value;

pub(crate) use self::service::Answer;
pub use self::weather::Weather;
use self::{
    kinds::{Kind, Kinds},
    object::Object,
    refusal::Refusal,
    request::{Part, Verb},
    state::State,
    write::Written,
};
use crate::hash;

/// Where the operator runs.
pub(crate) const NAMESPACE: &str = "countersign-system";
/// Name of the `ConfigMap` in which writes are announced.
pub(crate) const RECORD: &str = "countersign-writes";
/// Name of the operator's Lease.
const LEASE: &str = "countersign";

/// Names an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Its kind, as paths name it: `billingcontracts`.
    pub plural: String,
    /// Its namespace; none for kinds that have none.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl Id {
    /// Names an object in a namespace.
    #[must_use]
    pub fn within(plural: &str, namespace: &str, name: &str) -> Self {
        Self { plural: plural.to_owned(), namespace: Some(namespace.to_owned()), name: name.to_owned() }
    }

    /// Names an object of a kind that has no namespaces.
    #[must_use]
    pub fn of_cluster(plural: &str, name: &str) -> Self {
        Self { plural: plural.to_owned(), namespace: None, name: name.to_owned() }
    }
}

/// A write that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: DateTime<Utc>,
    /// By which operator; nobody's are those of people and tests.
    pub who: Option<usize>,
    /// `create`, `update`, `patch` or `delete`.
    pub verb: &'static str,
    /// Of what.
    pub id: Id,
    /// `status`, or nothing.
    pub subresource: Option<&'static str>,
    /// The count of versions after it; a write that changed nothing leaves it as it was.
    pub version: u64,
    /// The object before it, if it was there.
    pub before: Option<Value>,
    /// The object after it, unless it is gone.
    pub after: Option<Value>,
}

struct Inner {
    seed: u64,
    kinds: Kinds,
    now: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    state: Mutex<State>,
}

/// A server; clones are the same one.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

impl Server {
    /// A server that serves the kinds of these definitions, besides Secrets, `ConfigMaps`, Leases and Events. `now` is the
    /// time that its objects get. The same seed gives the same requests the same fates.
    #[must_use]
    pub fn new(
        seed: u64,
        definitions: &[Value],
        now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
    ) -> Self {
        let kinds = Kinds::new(definitions);
        Self(Arc::new(Inner { seed, kinds, now: Box::new(now), state: Mutex::new(State::new()) }))
    }

    /// A client through which an operator speaks; each of its requests meets the weather. Must be called within a runtime.
    #[must_use]
    pub fn client(&self, who: usize) -> kube::Client {
        let server = self.clone();
        let service = tower::service_fn(move |request| {
            let server = server.clone();
            async move { server.serve(who, request).await }
        });
        kube::Client::new(service, NAMESPACE)
    }

    /// Serves one request of an operator, which meets the weather.
    pub(crate) async fn serve(
        &self,
        who: usize,
        request: http::Request<kube::client::Body>,
    ) -> std::io::Result<http::Response<Answer>> {
        service::serve(self.clone(), who, request).await
    }

    /// What may go wrong from now on, for every operator without a weather of its own.
    pub fn set_weather(&self, weather: Weather) {
        self.with(|state| {
            state.weathers.common = weather;
            state.wake();
        });
    }

    /// What may go wrong from now on for one operator alone; nothing for what goes for all.
    pub fn set_weather_of(&self, who: usize, weather: Option<Weather>) {
        self.with(|state| {
            match weather {
                Some(weather) => drop(state.weathers.own.insert(who, weather)),
                None => drop(state.weathers.own.remove(&who)),
            }
            state.wake();
        });
    }

    /// Creates an object, or replaces its labels, its annotations, and everything else but its status and the rest of its
    /// metadata. The object as it is then, or the `Status` that says why not.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn apply(&self, object: Value) -> Value {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let Some(kind) = self.0.kinds.of(text("/apiVersion"), text("/kind")) else {
            return Refusal::no_path().status();
        };
        let namespace = kind.is_namespaced.then(|| text("/metadata/namespace").to_owned());
        let id = Id { plural: kind.plural.clone(), namespace, name: text("/metadata/name").to_owned() };
        self.by_people(|server, state| {
            let Some(found) = state.find(&id).cloned() else {
                return server.write(state, None, Verb::Create, (&kind, &id), Part::Main, object);
            };
            let given = Object::read(&kind, object)?;
            let mut next = Object { rest: given.rest.clone(), ..Object::clone(&found) };
            next.take_meta(&given);
            for kept in ["finalizers", "ownerReferences"] {
                let kept = found.meta.get(kept).map(|value| (kept.to_owned(), value.clone()));
                next.meta.extend(kept);
            }
            server.write(state, None, Verb::Update, (&kind, &id), Part::Main, next.value())
        })
    }

    /// Merges a patch into an object, but for its status. The object as it is then, or the `Status` that says why not.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn patch(&self, id: &Id, merge: Value) -> Value {
        self.by_people(|server, state| {
            let kind = server.0.kinds.named(&id.plural).ok_or_else(Refusal::no_path)?;
            server.write(state, None, Verb::Patch, (&kind, id), Part::Main, merge)
        })
    }

    /// Deletes an object, as far as its finalizers let it. The object that is left, the one that was removed, or the `Status`
    /// that says why not.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn delete(&self, id: &Id) -> Value {
        self.by_people(|server, state| {
            let kind = server.0.kinds.named(&id.plural).ok_or_else(Refusal::no_path)?;
            server.write(state, None, Verb::Delete, (&kind, id), Part::Main, Value::Null)
        })
    }

    /// An object.
    #[must_use]
    pub fn get(&self, id: &Id) -> Option<Value> {
        self.with(|state| state.find(id).map(|object| object.value()))
    }

    /// The objects of a kind, in the order of their namespaces and names.
    #[must_use]
    pub fn list(&self, plural: &str) -> Vec<Value> {
        self.with(|state| state.all(plural).values().map(|object| object.value()).collect())
    }

    /// Keeps a copy of everything, the count of versions with it.
    pub fn back_up(&self) {
        self.with(State::back_up);
    }

    /// Goes back to the copy; every watch breaks. Without a copy nothing happens.
    pub fn restore(&self) {
        self.with(State::restore);
    }

    /// Who holds the operator's Lease.
    #[must_use]
    pub fn holder(&self) -> Option<String> {
        let lease = self.get(&Id::within("leases", NAMESPACE, LEASE))?;
        let holder = lease.pointer("/spec/holderIdentity")?.as_str()?;
        (!holder.is_empty()).then(|| holder.to_owned())
    }

    /// The writes that were carried out, in their order.
    #[must_use]
    pub fn log(&self) -> Vec<Entry> {
        self.with(|state| state.log.clone())
    }

    /// The same, without so many of the first.
    #[must_use]
    pub fn log_after(&self, first: usize) -> Vec<Entry> {
        self.with(|state| state.log.get(first..).unwrap_or_default().to_vec())
    }

    /// The requests of operators that this server cannot understand, and kube-apiserver might: there should be none.
    #[must_use]
    pub fn unserved(&self) -> Vec<String> {
        self.with(|state| state.unserved.clone())
    }

    /// How often each fault came up.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.with(|state| state.weathers.counts().clone())
    }

    /// Looks at, or changes, everything at one moment.
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn by_people(&self, write: impl FnOnce(&Self, &mut State) -> Result<Written, Refusal>) -> Value {
        match self.with(|state| write(self, state)) {
            Ok(Written::Object(object) | Written::Removed(object)) => object.value(),
            Err(refusal) => refusal.status(),
        }
    }

    /// Carries a write out.
    fn write(
        &self,
        state: &mut State,
        who: Option<usize>,
        verb: Verb,
        (kind, id): (&Kind, &Id),
        part: Part,
        body: Value,
    ) -> Result<Written, Refusal> {
        let now = (self.0.now)();
        let before = state.find(id).map(|object| object.value());
        let written = match verb {
            Verb::Create => write::create(state, (kind, id), body, (self.uid(state, id), now)),
            Verb::Update => write::replace(state, (kind, id), part, body, (self.uid(state, id), now)),
            Verb::Patch => write::patch(state, (kind, id), part, &body),
            Verb::Delete => write::delete(state, (kind, id), &body, now),
            Verb::Get | Verb::List | Verb::Watch => Err(Refusal::no_verb()),
        }?;
        let subresource = (part == Part::Status).then_some("status");
        let (verb, version) = (verb.name(), state.version());
        let after = state.find(id).map(|object| object.value());
        state.log.push(Entry { at: now, who, verb, id: id.clone(), subresource, version, before, after });
        Ok(written)
    }

    /// A UID that no other object had: the count of writes never goes back.
    fn uid(&self, state: &State, id: &Id) -> String {
        let mut rng = fastrand::Rng::with_seed(hash((self.0.seed, id, state.log.len())));
        let hex = format!("{:032x}", rng.u128(..));
        format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
    }
}
