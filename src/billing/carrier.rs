//! What takes requests to a billing API in the place of the network: a simulation.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use futures::{FutureExt as _, future::BoxFuture};
use reqwest::{Request, RequestBuilder, Response};

/// Why there is no answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// For people; it never has the request's address or headers.
    pub why: String,
    /// Whether the request has certainly not been sent.
    pub never_sent: bool,
}

impl Unanswered {
    pub(super) fn in_time() -> Self {
        Self { why: "no answer in time".to_owned(), never_sent: false }
    }
}

type Carried = BoxFuture<'static, Result<Response, Unanswered>>;

/// Takes requests where they are answered. What is dropped meanwhile may be carried out all the same.
#[derive(Clone)]
pub struct Carrier(Arc<dyn Fn(Request) -> Carried + Send + Sync>);

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Carrier")
    }
}

impl Carrier {
    /// One that answers so.
    pub fn new<F>(carry: impl Fn(Request) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Response, Unanswered>> + Send + 'static,
    {
        Self(Arc::new(move |request| carry(request).boxed()))
    }

    /// Takes a request, and waits so long for the answer.
    pub(super) async fn carry(
        &self,
        request: RequestBuilder,
        within: Duration,
    ) -> Result<Response, Unanswered> {
        let malformed = |_| Unanswered { why: "the request is malformed".to_owned(), never_sent: true };
        let request = request.build().map_err(malformed)?;
        tokio::time::timeout(within, (self.0)(request)).await.unwrap_or_else(|_| Err(Unanswered::in_time()))
    }
}
