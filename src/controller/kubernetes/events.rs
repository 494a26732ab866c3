//! Kubernetes events, at most one for a change.
//!
//! kube's `Recorder` folds events that differ only in their note into a series that keeps the first note, which would
//! show yesterday's price; these are written once a change, so there is nothing to fold.

use k8s_openapi::api::{core::v1::ObjectReference, events::v1::Event};
use kube::{Api, Client, api::ObjectMeta};

use super::{now, post_params, words::words};
use crate::{controller::bounded, status::EventRecord};

/// Writes an event about an object. An event that cannot be written is logged and forgotten.
pub async fn publish(client: &Client, about: ObjectReference, instance: &str, record: EventRecord) {
    let namespace = about.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let name = about.name.clone().unwrap_or_default();
    let event = Event {
        metadata: ObjectMeta {
            name: Some(event_name(&name)),
            namespace: Some(namespace.clone()),
            ..ObjectMeta::default()
        },
        action: Some("Reconcile".to_owned()),
        event_time: Some(now()),
        note: Some(record.message),
        reason: Some(record.reason.as_str().to_owned()),
        regarding: Some(about),
        reporting_controller: Some("billing.countersign.dev/countersign".to_owned()),
        reporting_instance: Some(instance.chars().take(128).collect()),
        type_: Some(if record.warning { "Warning" } else { "Normal" }.to_owned()),
        ..Event::default()
    };
    let api = Api::<Event>::namespaced(client.clone(), &namespace);
    if let Err(error) = bounded(api.create(&post_params(), &event)).await {
        tracing::warn!(error = words(&error), "an event could not be written");
    }
}

/// A name that is valid whatever the object is called: its start, cut where a letter or a digit ends it.
fn event_name(object: &str) -> String {
    let start: String = object.chars().take(200).collect();
    let start = start.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
    format!("{start}.{}", uuid::Uuid::new_v4().simple())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_event_is_valid_wherever_the_object_s_name_is_cut() {
        for end in ["a", "-", ".", ".-."] {
            let name = event_name(&format!("{}{end}bcdef", "x".repeat(199)));
            let (start, _) = name.rsplit_once('.').unwrap();
            assert!(start.ends_with(|letter: char| letter.is_ascii_alphanumeric()), "{name}");
        }
    }
}
