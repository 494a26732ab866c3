//! The simulator without connections and without a disk, for a program that has it in itself. Knows no API.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, Response};

use crate::server::{answer, router};
use crate::state::Sim;
use crate::store::StoreError;

/// A simulator in memory. Clones are the same one.
#[derive(Clone)]
pub struct Embedded(Router);

impl Embedded {
    /// One with nothing in it.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new(tokens: &[String]) -> Result<Self, StoreError> {
        Ok(Self(router(&Arc::new(Sim::in_memory(tokens)?))))
    }

    /// Answers a request; nothing when a fault closes its connection. A request that has begun is carried through, also when
    /// this is dropped.
    pub async fn answer(&self, request: Request<Bytes>) -> Option<Response<Bytes>> {
        let response = answer(self.0.clone(), request.map(Body::from)).await.ok()?;
        let (parts, body) = response.into_parts();
        // A body that breaks off is no answer.
        let body = to_bytes(body, usize::MAX).await.ok()?;
        Some(Response::from_parts(parts, body))
    }
}
