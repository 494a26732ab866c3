//! What every kind needs of the API server: queues, statuses, finalizers, events, the lease and the probes.

pub mod events;
pub mod finalizer;
pub mod lease;
pub mod queue;
pub mod server;
pub mod status;
pub mod undecodable;
