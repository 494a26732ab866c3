//! Objects that this version cannot read: reported on the object, never in the way of the others.

use std::time::Duration;

use chrono::Utc;
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
    core::{ApiResource, DynamicObject},
    runtime::controller::Action,
};
use serde_json::json;

use super::{
    Context, Error, Guarded, Handled, bounded,
    schedule::{Trigger, Turn},
    status::{Standing, conditions},
};

/// Says on the object that it cannot be read and why, once a generation.
///
/// # Errors
/// When the API server does not do its part; the pass is tried again.
pub async fn report<K: Handled>(
    context: &Context,
    guarded: &Guarded<K>,
    error: &str,
) -> Result<Action, Error> {
    let (uid, generation) = (guarded.uid().unwrap_or_default(), guarded.meta().generation);
    let schedule = K::schedule(context);
    if schedule.turn(&uid, None, &Trigger { generation, ..Trigger::default() }) != Turn::Now {
        return Ok(Action::await_change());
    }
    let message = format!("This version of Countersign cannot read the resource: {error}");
    tracing::warn!(kind = %K::kind(&()), name = guarded.name_any(), namespace = guarded.namespace(), message);
    let standing = Standing::stalled("Undecodable", message);
    let conditions = conditions(&[], &standing, &[], generation, Utc::now());
    let patch = json!({"status": {"observedGeneration": generation, "conditions": conditions}});
    let (client, resource) = (context.client.clone(), ApiResource::erase::<K>(&()));
    let api: Api<DynamicObject> = match guarded.namespace() {
        Some(namespace) => Api::namespaced_with(client, &namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    bounded(api.patch_status(&guarded.name_any(), &PatchParams::default(), &Patch::Merge(&patch))).await?;
    schedule.settle(&uid, Duration::from_hours(24));
    Ok(Action::await_change())
}
