//! What a contract says: one set of types that is the custom resource's schema, the plan's subject and the wire form.
//!
//! Pure. Knows nothing of Kubernetes clients, HTTP or time passing.

mod api_enum;
pub mod calendar;
pub mod decimal;
pub mod digest;
#[cfg(feature = "fake")]
pub mod fake;
pub mod json;
pub mod metronome;
pub mod sample;
pub mod shape;
pub mod text;
pub mod time;
pub mod zoo;

pub use decimal::Decimal;
pub use digest::Digest;
pub use shape::Shape;
pub use time::Timestamp;
