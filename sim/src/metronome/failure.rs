//! Why a call was not carried out, in Metronome's words.

use axum::Json as Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::switches::{Conflict, EditKey};
use super::value::Fields;
use crate::problem::Problem;
use crate::store::StoreError;

/// A status, and the body that goes with it.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    pub(super) body: Option<Fields>,
}

impl Failure {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, body: Some(Fields::default().with("message", message.into())) }
    }

    fn with_code(mut self, code: &str) -> Self {
        if let Some(body) = &mut self.body {
            body.set("code", code);
        }
        self
    }

    /// The same, about the part of the request at `path`.
    pub(super) fn at(mut self, path: &str) -> Self {
        if let Some(body) = &mut self.body
            && let Some(message) = body.text("message").map(|message| format!("{path}: {message}"))
        {
            body.set("message", message);
        }
        self
    }

    /// 400 with `message`.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 404 with `message`.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 400 with a code such as `ContractNotFound`, as the v2 calls have it.
    pub(super) fn missing(code: &str, message: impl Into<String>) -> Self {
        Self::bad_request(message).with_code(code)
    }

    /// 404 with the code `NotFound`.
    pub(super) fn gone(message: impl Into<String>) -> Self {
        Self::not_found(message).with_code("NotFound")
    }

    /// 403 with `message`.
    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// 401.
    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized")
    }

    /// 422 with `message`.
    pub(super) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// 500, which says nothing.
    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
    }

    /// 409 with `message`.
    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }

    /// The answer to an edit whose uniqueness key another edit, `owner`, was made with.
    pub(super) fn edit_key_taken(owner: &str, status: EditKey, tell: Conflict) -> Self {
        match status {
            EditKey::Conflict => Self::key_taken(owner, tell),
            EditKey::Unprocessable => Self::unprocessable("Uniqueness key already exists"),
        }
    }

    /// 409 because the uniqueness key belongs to `owner`.
    pub(super) fn key_taken(owner: &str, tell: Conflict) -> Self {
        let plain = Self::conflict("This uniqueness key has already been used.");
        match tell {
            Conflict::Message => plain,
            Conflict::Code => plain.with_code("Conflict"),
            Conflict::Id => {
                Self { status: plain.status, body: plain.body.map(|body| body.with("conflicting_id", owner)) }
            }
            Conflict::Empty => Self { status: plain.status, body: None },
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        // Told to the log there.
        let _ = Problem::from(error);
        Self::internal()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self.body {
            Some(body) => (self.status, Body(body)).into_response(),
            None => self.status.into_response(),
        }
    }
}
