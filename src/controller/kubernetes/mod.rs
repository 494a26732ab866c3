//! What every kind needs of the API server: queues, turns, statuses, finalizers, events, the lease and the probes.

pub mod again;
pub mod events;
pub mod finalizer;
pub mod index;
pub mod leadership;
pub mod lease;
pub mod queue;
pub mod server;
pub mod status;
pub mod turn;
pub mod undecodable;
pub mod watch;
