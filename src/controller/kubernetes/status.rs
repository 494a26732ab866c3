//! The one way in which a status is written, for every kind.

use kube::{Api, core::object::HasStatus};
use serde::Serialize;

use super::post_params;
use crate::api::Fenced;
use crate::controller::{Context, Error, Handled, ObjectId, bounded};

/// How often a status write is repeated when the object moves on.
const MAX_CONFLICTS: u32 = 5;

/// Replaces the status if it changed, and says whether it did. Should the spec or the metadata have moved on meanwhile, the
/// newer object gets it; one that is gone, or another of the same name, does not.
///
/// A replace, as it is the cheapest write for the API server, and its version catches a cache that is behind. A status that
/// was computed from another one than is there knows nothing of what that says, and is never written over it. Nor is what a
/// later leader wrote replaced: the status carries the number of the leadership that wrote it.
///
/// # Errors
/// When the API server does not do its part, this replica leads no more, or somebody else wrote the status meanwhile.
pub async fn write<K>(
    context: &Context,
    api: &Api<K>,
    object: &K,
    mut status: <K as HasStatus>::Status,
) -> Result<bool, Error>
where
    K: Handled + HasStatus + Serialize,
    <K as HasStatus>::Status: Clone + PartialEq + Fenced,
{
    // In sync, no leader writes: who wrote last is no difference.
    *status.fence_mut() = fence(object);
    if object.status() == Some(&status) {
        return Ok(false);
    }
    let ObjectId { uid, name, .. } = ObjectId::of(object);
    let known = object.status();
    let mut object = object.clone();
    for _ in 0..MAX_CONFLICTS {
        *status.fence_mut() = context.leadership.fence_over(fence(&object)).await?;
        *object.status_mut() = Some(status.clone());
        match bounded(api.replace_status(&name, &post_params(), &object)).await {
            Ok(written) => {
                context.metrics.status_written(K::LABEL);
                K::queue(context).wrote(&uid, written.resource_version().as_deref());
                return Ok(true);
            }
            Err(error) if error.is(kube::core::Status::is_conflict) => {
                object = bounded(api.get(&name)).await?;
                if object.uid().as_deref() != Some(&uid) {
                    return Ok(false);
                }
                if object.status() != known {
                    // A former leader's last word, or a backup's: whatever is done next starts from it.
                    K::queue(context).knows(&uid, object.resource_version().as_deref());
                    return Err(Error::Overtaken);
                }
            }
            Err(error) if error.is(kube::core::Status::is_not_found) => return Ok(false),
            Err(error) => {
                // It may be written all the same, and what is in the cache would not know.
                K::queue(context).doubt(&uid, object.resource_version().as_deref());
                return Err(error);
            }
        }
    }
    Err(Error::Timeout)
}

/// The number of the leadership that wrote an object's status.
fn fence<K: HasStatus>(object: &K) -> Option<i32>
where
    <K as HasStatus>::Status: Clone + Fenced,
{
    object.status().cloned().and_then(|mut status| *status.fence_mut())
}
