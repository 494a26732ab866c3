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

use super::queue::{Due, Fingerprint};
use crate::{
    api::reasons,
    controller::{Context, Error, Guarded, Handled, ObjectId, bounded},
    status::{Summary, conditions},
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
    let (uid, generation) = (ObjectId::of(guarded).uid, guarded.meta().generation);
    let queue = K::queue(context);
    if queue.due(&uid, None, &Fingerprint { generation, ..Fingerprint::default() }) != Due::Now {
        return Ok(Action::await_change());
    }
    let message = format!("This version of Countersign cannot read the resource: {error}");
    tracing::warn!(kind = %K::kind(&()), name = guarded.name_any(), namespace = guarded.namespace(), message);
    let summary = Summary::stalled(reasons::UNDECODABLE, message);
    let conditions = conditions(&[], &summary, &[], generation, Utc::now());
    // The status can't be read either, so its version stands for the number of the leadership that wrote it.
    let fence = context.leadership.fence_over(None).await?;
    let patch = json!({
        "metadata": {"resourceVersion": guarded.resource_version()},
        "status": {"observedGeneration": generation, "conditions": conditions, "fence": fence},
    });
    let (client, resource) = (context.client.clone(), ApiResource::erase::<K>(&()));
    let api: Api<DynamicObject> = match guarded.namespace() {
        Some(namespace) => Api::namespaced_with(client, &namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    bounded(api.patch_status(&guarded.name_any(), &PatchParams::default(), &Patch::Merge(&patch))).await?;
    queue.after(&uid, Duration::from_hours(24));
    Ok(Action::await_change())
}
