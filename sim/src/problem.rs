//! Why a request was not carried out, before an API puts it into its own words. Knows no API.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::store::StoreError;

/// A status with what to tell the caller. As a response it has no body yet: see [`rendered`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// What is wrong, for people.
    pub(crate) message: String,
    /// What is wrong, for programs, where the API has a code for it.
    pub(crate) code: Option<Cow<'static, str>>,
    /// When to come back, as the header says it.
    pub(crate) retry_after: Option<HeaderValue>,
}

impl Problem {
    /// A problem with neither code nor time to come back.
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), code: None, retry_after: None }
    }

    /// 400 with `message`.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 404 with `message`.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a request failed on the store");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self { code: Some("Internal".into()), ..Self::new(status, "Internal Server Error") }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(after) = self.retry_after.clone() {
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives a response that is a [`Problem`] its JSON body; every other response stays as it is.
pub(crate) fn rendered(mut response: Response, body: impl FnOnce(&Problem) -> serde_json::Value) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.body_mut() = Body::from(body(&problem).to_string());
    response
}
