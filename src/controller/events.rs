//! Kubernetes events, at most one for a change.
//!
//! kube's `Recorder` folds events that differ only in their note into a series that keeps the first note, which would
//! show yesterday's price; these are written once a change, so there is nothing to fold.

use chrono::Utc;
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};

use super::status::Note;

/// Most characters of an event's note that the API server accepts.
const MAX_NOTE: usize = 1000;

/// Writes an event about an object. An event that cannot be written is logged and forgotten.
pub async fn publish(client: &Client, about: ObjectReference, instance: &str, note: Note) {
    let namespace = about.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let now = jiff::Timestamp::from_microsecond(Utc::now().timestamp_micros())
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let name = about.name.clone().unwrap_or_default();
    let event = Event {
        metadata: ObjectMeta {
            name: Some(format!(
                "{}.{}",
                name.chars().take(200).collect::<String>(),
                uuid::Uuid::new_v4().simple()
            )),
            namespace: Some(namespace.clone()),
            ..ObjectMeta::default()
        },
        action: Some("Reconcile".to_owned()),
        event_time: Some(MicroTime(now)),
        note: Some(note.message.chars().take(MAX_NOTE).collect()),
        reason: Some(note.reason.to_owned()),
        regarding: Some(about),
        reporting_controller: Some("billing.countersign.dev/countersign".to_owned()),
        reporting_instance: Some(instance.chars().take(128).collect()),
        type_: Some(if note.warning { "Warning" } else { "Normal" }.to_owned()),
        ..Event::default()
    };
    if let Err(error) =
        Api::<Event>::namespaced(client.clone(), &namespace).create(&PostParams::default(), &event).await
    {
        tracing::warn!(%error, "an event could not be written");
    }
}
