//! What is answered when something is not done: `Status` objects with the reasons that Kubernetes gives.

use serde_json::{Value, json};

use super::{Id, kinds::Kind};

/// Why a request is not carried out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    /// HTTP status.
    pub(super) code: u16,
    reason: &'static str,
    message: String,
    details: Value,
}

impl Refusal {
    fn new(code: u16, reason: &'static str, message: String) -> Self {
        Self { code, reason, message, details: json!({}) }
    }

    fn about(code: u16, reason: &'static str, kind: &Kind, id: &Id, message: String) -> Self {
        let details = json!({"name": id.name, "group": kind.group, "kind": kind.plural});
        Self { details, ..Self::new(code, reason, message) }
    }

    /// The request cannot be understood.
    pub(super) fn bad(message: &str) -> Self {
        Self::new(400, "BadRequest", message.to_owned())
    }

    /// No such path.
    pub(super) fn no_path() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource".to_owned())
    }

    /// No such verb at this path.
    pub(super) fn no_verb() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(405, "MethodNotAllowed", message.to_owned())
    }

    /// A body of another kind than this path takes.
    pub(super) fn media_type(found: &str) -> Self {
        let message = format!("the body of the request was in an unknown format: {found}");
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// No such object.
    pub(super) fn not_found(kind: &Kind, id: &Id) -> Self {
        Self::about(404, "NotFound", kind, id, format!("{} {:?} not found", kind.resource(), id.name))
    }

    /// There is an object of this name.
    pub(super) fn exists(kind: &Kind, id: &Id) -> Self {
        let message = format!("{} {:?} already exists", kind.resource(), id.name);
        Self::about(409, "AlreadyExists", kind, id, message)
    }

    /// The object is not, or is no more, what the request says.
    pub(super) fn conflict(kind: &Kind, id: &Id, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} {:?}: {why}", kind.resource(), id.name);
        Self::about(409, "Conflict", kind, id, message)
    }

    /// The version that the request names is not the object's.
    pub(super) fn modified(kind: &Kind, id: &Id) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, id, why)
    }

    /// The object may not be so.
    pub(super) fn invalid(kind: &Kind, id: &Id, why: &str) -> Self {
        let message = format!("{} {:?} is invalid: {why}", kind.resource(), id.name);
        Self::about(422, "Invalid", kind, id, message)
    }

    /// The version that was asked for is kept no more.
    pub(super) fn expired(asked: u64, kept: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {asked} ({kept})"))
    }

    /// The version that was asked for is not there yet.
    pub(super) fn too_large(asked: u64, current: u64) -> Self {
        let message = format!("Too large resource version: {asked}, current: {current}");
        let causes = json!([{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]);
        let details = json!({"causes": causes, "retryAfterSeconds": 1});
        Self { details, ..Self::new(504, "Timeout", message) }
    }

    /// Too many requests.
    pub(super) fn too_many() -> Self {
        let message = "Too many requests, please try again later.".to_owned();
        Self { details: json!({"retryAfterSeconds": 1}), ..Self::new(429, "TooManyRequests", message) }
    }

    /// Something broke, and the request may or may not have been carried out.
    pub(super) fn internal() -> Self {
        Self::new(500, "InternalError", "etcdserver: request timed out".to_owned())
    }

    /// The server is not ready.
    pub(super) fn unavailable() -> Self {
        let message = "the server is currently unable to handle the request".to_owned();
        Self::new(503, "ServiceUnavailable", message)
    }

    /// The answer.
    pub(super) fn status(&self) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure", "code": self.code,
            "reason": self.reason, "message": self.message, "details": self.details,
        })
    }
}
