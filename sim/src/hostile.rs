//! Answers that no API means to give: a gateway's page, bodies without end, JSON too deep to read, headers without
//! measure. Knows no API.

use std::convert::Infallible;
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
    /// JSON with so many levels.
    Deep(u32),
    /// Headers of so many bytes.
    Headers(u32),
}

/// The answer, with a status.
pub(crate) fn answer(look: &Look, status: StatusCode) -> Response {
    let mut response = match look {
        Look::Html => page(status),
        Look::Endless => json(Body::new(Endless { begun: false })),
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

/// An array that is never closed.
struct Endless {
    begun: bool,
}

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        const MORE: &[u8] = b"0,0,0,0,";
        let chunk =
            if self.begun { Bytes::from(MORE.repeat(1 << 10)) } else { Bytes::from_static(br#"{"data":["#) };
        self.begun = true;
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }
}
