//! Our finalizers: on an object exactly while its deletion takes a billing call.

use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::controller::{Context, Error, Handled, ObjectId, bounded};

/// The object with the finalizer set or not; nothing is written when that is so already.
///
/// # Errors
/// When the API server does not do its part, or this replica leads no more.
pub async fn ensure<K: Handled>(
    context: &Context,
    api: &Api<K>,
    object: &K,
    finalizer: &str,
    set: bool,
) -> Result<K, Error> {
    if set == object.finalizers().iter().any(|found| found == finalizer) {
        return Ok(object.clone());
    }
    let mut finalizers = object.finalizers().to_vec();
    finalizers.retain(|found| found != finalizer);
    if set {
        finalizers.push(finalizer.to_owned());
    }
    context.leadership.fence_over(None).await?;
    // With the version, so that nobody else's finalizer is lost.
    let patch = json!({"metadata": {"resourceVersion": object.resource_version(), "finalizers": finalizers}});
    let patch = Patch::Merge(&patch);
    let patched = bounded(api.patch(&object.name_any(), &PatchParams::default(), &patch)).await?;
    K::queue(context).wrote(&ObjectId::of(object).uid, patched.resource_version().as_deref());
    Ok(patched)
}
