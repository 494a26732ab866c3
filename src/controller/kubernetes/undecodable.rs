//! Objects that this version cannot read: reported on the object, never in the way of the others.

use std::time::Duration;

use kube::{Resource, ResourceExt, api::Patch, runtime::controller::Action};
use serde::Serialize;
use serde_json::json;

use super::{
    patch_params,
    queue::{Due, Fingerprint},
    raw_api,
};
use crate::{
    api::{RELEASE, reasons},
    clock,
    controller::{Context, Error, Guarded, Handled, ObjectId, bounded},
    status::{Summary, conditions},
};

/// What people are told of an object that cannot be read.
#[must_use]
pub fn message(error: &str) -> String {
    format!("This version of Countersign cannot read the resource: {error}")
}

/// Says on the object that it cannot be read and why, once a generation.
///
/// # Errors
/// When the API server does not do its part; the pass is tried again.
pub async fn report<K: Handled>(
    context: &Context,
    guarded: &Guarded<K>,
    message: &str,
) -> Result<Action, Error> {
    let (uid, generation) = (ObjectId::of(guarded).uid, guarded.meta().generation);
    let queue = K::queue(context);
    let fingerprint = Fingerprint {
        generation,
        deleting: guarded.meta().deletion_timestamp.is_some(),
        annotations: vec![guarded.annotations().get(RELEASE).cloned()],
        ..Fingerprint::default()
    };
    if queue.due(&uid, None, &fingerprint) != Due::Now {
        return Ok(Action::await_change());
    }
    tracing::warn!(kind = %K::kind(&()), name = guarded.name_any(), namespace = guarded.namespace(), message);
    let summary = Summary::stalled(reasons::UNDECODABLE, message);
    let before = guarded.decoded().map_or_else(|invalid| invalid.conditions.as_slice(), |_| &[]);
    let conditions = conditions(before, &summary, &[], generation, clock::now());
    put(context, guarded, &json!({"observedGeneration": generation, "conditions": conditions})).await?;
    queue.after(&uid, Duration::from_hours(24));
    Ok(Action::await_change())
}

/// Writes members of the status of an object that cannot be read; the others stay as they are.
///
/// # Errors
/// When the API server does not do its part, or this replica leads no more.
pub async fn put<K: Handled>(
    context: &Context,
    guarded: &Guarded<K>,
    status: &(impl Serialize + Sync),
) -> Result<(), Error> {
    let api = raw_api::<K>(context, guarded.namespace().as_deref());
    let mut status = serde_json::to_value(status).unwrap_or_default();
    if let (Some(fence), Some(members)) = (context.leadership.fence_over(None).await?, status.as_object_mut())
    {
        members.insert("fence".to_owned(), fence.into());
    }
    // With the version, which stands for the number of the leadership that wrote the status: that can't be read.
    let metadata = json!({"resourceVersion": guarded.resource_version()});
    let patch = Patch::Merge(json!({"metadata": metadata, "status": status}));
    let patched = bounded(api.patch_status(&guarded.name_any(), &patch_params(), &patch)).await?;
    K::queue(context).wrote(&ObjectId::of(guarded).uid, patched.resource_version().as_deref());
    Ok(())
}
