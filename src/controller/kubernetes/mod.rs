//! What every kind needs of the API server: queues, turns, statuses, finalizers, events, the lease, the record of
//! writes and the probes.

pub mod again;
pub mod events;
pub mod finalizer;
pub mod index;
pub mod journal;
pub mod leadership;
pub mod lease;
pub mod queue;
pub mod server;
pub mod status;
pub mod turn;
pub mod undecodable;
pub mod watch;
pub mod words;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::MicroTime, jiff};
use kube::{
    Api,
    api::{PatchParams, PostParams},
    core::{ApiResource, DynamicObject},
};

use crate::{
    clock,
    controller::{Context, Handled},
};

/// Who writes, as `metadata.managedFields` has it.
pub const FIELD_MANAGER: &str = "countersign";

/// How this operator creates and replaces.
#[must_use]
pub fn post_params() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

/// How this operator patches.
#[must_use]
pub fn patch_params() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

/// The time of day, as Leases and events have it.
fn now() -> MicroTime {
    let now = jiff::Timestamp::from_microsecond(clock::now().timestamp_micros());
    MicroTime(now.unwrap_or(jiff::Timestamp::UNIX_EPOCH))
}

/// The API of a kind whose objects may be such that cannot be read.
fn raw_api<K: Handled>(context: &Context, namespace: Option<&str>) -> Api<DynamicObject> {
    let (client, resource) = (context.client.clone(), ApiResource::erase::<K>(&()));
    match namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    }
}
