//! Watches on the token Secrets, one each, by name and of their metadata only.
//!
//! A watch with a field selector on the name needs no more than a Role with `resourceNames`. Whoever refers to a
//! Secret hears of its changes; the token itself is read by the provider, when it needs it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    core::PartialObjectMeta,
    runtime::{WatchStreamExt, watcher, watcher::Event},
};
use tokio::{sync::mpsc, task::JoinHandle};

use super::registry::ProviderKey;
use crate::controller::kubernetes::{watch::watch, words::words};

/// Namespace and name of a Secret.
pub type SecretName = (String, String);

/// Every watch, with the providers that want to hear of it.
pub struct SecretWatches {
    client: Client,
    watches: Mutex<HashMap<SecretName, Watch>>,
    changed: mpsc::UnboundedSender<ProviderKey>,
}

struct Watch {
    users: Arc<Mutex<HashSet<ProviderKey>>>,
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl SecretWatches {
    /// No watches yet, and the stream of providers whose Secret changed.
    #[must_use]
    pub fn new(client: Client) -> (Self, mpsc::UnboundedReceiver<ProviderKey>) {
        let (changed, to_providers) = mpsc::unbounded_channel();
        (Self { client, watches: Mutex::default(), changed }, to_providers)
    }

    /// From now on `provider` hears of changes of this Secret, and of no other.
    pub fn watch(&self, provider: &ProviderKey, secret: &SecretName) {
        self.release(provider, Some(secret));
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = watches.entry(secret.clone()).or_insert_with(|| self.start(secret));
        watch.users.lock().unwrap_or_else(PoisonError::into_inner).insert(provider.clone());
    }

    /// `provider` no longer hears of any Secret but the one kept; watches without a listener end.
    pub fn release(&self, provider: &ProviderKey, keep: Option<&SecretName>) {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        watches.retain(|name, watch| {
            let mut users = watch.users.lock().unwrap_or_else(PoisonError::into_inner);
            if Some(name) != keep {
                users.remove(provider);
            }
            !users.is_empty()
        });
    }

    fn start(&self, (namespace, name): &SecretName) -> Watch {
        let users = Arc::<Mutex<HashSet<ProviderKey>>>::default();
        let api = Api::<PartialObjectMeta<Secret>>::namespaced(self.client.clone(), namespace);
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let (listeners, changed, name) = (Arc::clone(&users), self.changed.clone(), name.clone());
        let task = tokio::spawn(async move {
            let mut events = watch(api, config).default_backoff().boxed();
            while let Some(event) = events.next().await {
                match event {
                    Ok(Event::Apply(_) | Event::Delete(_) | Event::InitDone) => {}
                    Ok(Event::Init | Event::InitApply(_)) => continue,
                    Err(error) => {
                        tracing::warn!(secret = name, error = words(&error), "a Secret cannot be watched");
                        continue;
                    }
                }
                for provider in listeners.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                    if changed.send(provider.clone()).is_err() {
                        return;
                    }
                }
            }
        });
        Watch { users, task }
    }
}
