//! Answers that no API means to give: a gateway's page, bodies that have no end, stand still or break off, JSON too
//! deep to read, headers without measure, any text at all. Knows no API.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use hyper::body::Frame;
use serde::{Deserialize, Serialize};

/// The most bytes of headers that can be asked for: more than any client reads, less than a header map holds.
pub(crate) const MOST_HEADER_BYTES: u32 = 16 << 20;

/// The most levels of JSON that can be asked for.
pub(crate) const MOST_DEPTH: u32 = 10_000_000;

/// Mark on a response that does not come from the API and so has none of its headers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Foreign;

/// What an answer looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Look {
    /// The HTML page of a gateway.
    Html,
    /// JSON that goes on until the connection is closed.
    Endless,
    /// JSON that stands still after its beginning.
    Stalled,
    /// JSON that breaks off after its beginning, and the connection with it.
    Cut,
    /// Any text, of any type.
    Text {
        /// The body.
        body: String,
        /// The Content-Type header.
        content_type: String,
    },
    /// JSON with so many levels.
    Deep(u32),
    /// Headers of so many bytes.
    Headers(u32),
}

/// The answer, with a status.
pub(crate) fn answer(look: &Look, status: StatusCode) -> Response {
    let mut response = match look {
        Look::Html => page(status),
        Look::Endless => json(Body::new(Unending { begun: false, then: Then::More })),
        Look::Stalled => json(Body::new(Unending { begun: false, then: Then::Nothing })),
        Look::Cut => json(Body::new(Unending { begun: false, then: Then::Break })),
        Look::Text { body, content_type } => {
            let mut response = Response::new(Body::from(body.clone()));
            if let Ok(value) = HeaderValue::from_str(content_type) {
                response.headers_mut().insert(header::CONTENT_TYPE, value);
            }
            response
        }
        Look::Deep(levels) => {
            let levels = usize::try_from(*levels).unwrap_or(usize::MAX);
            json(Body::from(format!(r#"{{"data":{}{}}}"#, "[".repeat(levels), "]".repeat(levels))))
        }
        Look::Headers(bytes) => crowded(*bytes),
    };
    *response.status_mut() = status;
    response.extensions_mut().insert(Foreign);
    response
}

fn json(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn page(status: StatusCode) -> Response {
    let title = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
    let page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    let mut response = Response::new(Body::from(page));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response.headers_mut().insert(header::SERVER, HeaderValue::from_static("nginx"));
    response
}

fn crowded(bytes: u32) -> Response {
    const EACH: u32 = 8 << 10;
    let mut response = json(Body::from("{}"));
    let filler = "x".repeat(usize::try_from(EACH).unwrap_or_default());
    for index in 0..bytes.div_ceil(EACH) {
        let name = HeaderName::try_from(format!("x-filler-{index}"));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&filler)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// What comes after the beginning of a body that never ends well.
#[derive(Clone, Copy)]
enum Then {
    More,
    Nothing,
    Break,
}

/// An array that is never closed.
struct Unending {
    begun: bool,
    then: Then,
}

impl HttpBody for Unending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        const MORE: &[u8] = b"0,0,0,0,";
        if !self.begun {
            self.begun = true;
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(br#"{"data":["#)))));
        }
        match self.then {
            Then::More => Poll::Ready(Some(Ok(Frame::data(Bytes::from(MORE.repeat(1 << 10)))))),
            // Nothing ever wakes it: it ends when the caller hangs up.
            Then::Nothing => Poll::Pending,
            Then::Break => Poll::Ready(Some(Err(io::Error::other("broken off by a fault")))),
        }
    }
}
