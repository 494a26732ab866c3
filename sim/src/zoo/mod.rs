//! Zoo's organization billing contract: `PUT` and `GET /orgs/{id}/billing/contract`.
//!
//! What Zoo's own description leaves open is decided here as follows; [`crate::settings`] has the other answers.
//! `PUT` replaces the organization's current contract: the active one, else the latest draft, else the one written
//! last. The contract keeps its id and its rows get new ones. `GET` answers the active contract, else the latest draft,
//! else 404. Every decimal comes back with the digits it was sent with. A caller is checked before the body is.

mod control;
mod organization;
mod retell;
mod routes;
mod validate;
mod wire;

pub(crate) use control::router as control_router;
pub(crate) use organization::{ReplaceMode, UnknownOrganizations};
pub(crate) use routes::Wording;
pub(crate) use routes::{API, router};
