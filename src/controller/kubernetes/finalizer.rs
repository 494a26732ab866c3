//! Our finalizers: on an object exactly while its deletion takes a billing call.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{ResourceExt, api::Patch};
use serde_json::json;

use super::{patch_params, raw_api};
use crate::controller::{Context, Error, Handled, ObjectId, bounded};

/// The object with the finalizer set or not; nothing is written when that is so already.
///
/// # Errors
/// When the API server does not do its part, or this replica leads no more.
pub async fn ensure<K: Handled>(
    context: &Context,
    object: &K,
    finalizer: &str,
    set: bool,
) -> Result<K, Error> {
    let mut object = object.clone();
    if set != has(&object, finalizer) {
        *object.meta_mut() = put::<K>(context, &object, finalizer, set).await?;
    }
    Ok(object)
}

/// Takes the finalizer from an object that may be one which cannot be read.
///
/// # Errors
/// When the API server does not do its part.
pub async fn release<K: Handled>(
    context: &Context,
    object: &impl ResourceExt,
    finalizer: &str,
) -> Result<(), Error> {
    if has(object, finalizer) {
        put::<K>(context, object, finalizer, false).await?;
    }
    Ok(())
}

/// Whether an object has a finalizer.
pub fn has(object: &impl ResourceExt, finalizer: &str) -> bool {
    object.finalizers().iter().any(|found| found == finalizer)
}

/// Sets or takes away a finalizer; the metadata that the object has then.
async fn put<K: Handled>(
    context: &Context,
    object: &impl ResourceExt,
    finalizer: &str,
    set: bool,
) -> Result<ObjectMeta, Error> {
    let mut finalizers = object.finalizers().to_vec();
    finalizers.retain(|found| found != finalizer);
    if set {
        finalizers.push(finalizer.to_owned());
    }
    context.leadership.fence_over(None).await?;
    // With the version, so that nobody else's finalizer is lost.
    let patch = json!({"metadata": {"resourceVersion": object.resource_version(), "finalizers": finalizers}});
    let api = raw_api::<K>(context, object.namespace().as_deref());
    let patch = Patch::Merge(&patch);
    let patched = bounded(api.patch_metadata(&object.name_any(), &patch_params(), &patch)).await?;
    K::queue(context).wrote(&ObjectId::of(object).uid, patched.metadata.resource_version.as_deref());
    Ok(patched.metadata)
}
