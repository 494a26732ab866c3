//! The operator itself in virtual time: what runs is what is shipped, from its watches to its bytes on the wire, on one
//! thread, against an API server in memory and billing-sim.

pub mod server;
