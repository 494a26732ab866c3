//! What an answer of a billing API means, by its status, its headers and its own words. Without I/O.

use std::{num::IntErrorKind, time::Duration};

use chrono::{DateTime, NaiveDateTime, Utc};
use reqwest::{
    StatusCode,
    header::{DATE, HeaderMap, RETRY_AFTER},
};
use serde_json::Value;

use super::super::{CallError, budget::LONGEST_PAUSE};
use crate::{
    plan::{Call, CallKind},
    terms::text::seen,
};

/// Most characters of the API's own message that are passed on.
const MAX_MESSAGE: usize = 500;
/// Pause after a 429 that names none.
const DEFAULT_PAUSE: Duration = Duration::from_secs(5);

/// What an answer that is no success comes to.
pub(super) struct Failure {
    /// By what to do next.
    pub(super) error: CallError,
    /// How long every call of the provider is to be held back.
    pub(super) hold: Option<Duration>,
}

/// What an answer that is no success means. An API whose errors have the number of the request is not the one that answers
/// a 404 without. The `token` that was sent is not passed on, should the API's words have it.
pub(super) fn failure(
    status: StatusCode,
    pause: Option<Duration>,
    body: &str,
    numbers_requests: bool,
    path: &str,
    token: &str,
) -> Failure {
    let said = api_error(body, token)
        .filter(|said| status != StatusCode::NOT_FOUND || !numbers_requests || said.request_id.is_some());
    let of_load = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
    let hold = match &said {
        _ if status == StatusCode::TOO_MANY_REQUESTS => Some(pause.unwrap_or(DEFAULT_PAUSE)),
        Some(_) if !of_load => None,
        _ => pause,
    };
    let error = match said {
        _ if status == StatusCode::TOO_MANY_REQUESTS => {
            CallError::Throttled { pause: hold.unwrap_or(DEFAULT_PAUSE) }
        }
        _ if status == StatusCode::CONFLICT && body.trim().is_empty() => {
            CallError::Conflict { message: NO_REASON.to_owned() }
        }
        Some(said) => told(status, said, path),
        None => foreign(status),
    };
    Failure { error, hold }
}

/// What the API's own words mean.
fn told(status: StatusCode, ApiError { message, code: named, .. }: ApiError, path: &str) -> CallError {
    let code = status.as_u16();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => CallError::Credentials { status: code, message },
        StatusCode::BAD_REQUEST if named.as_deref().is_some_and(|name| name.ends_with("NotFound")) => {
            CallError::NotFound { what: path.to_owned(), message }
        }
        StatusCode::CONFLICT => CallError::Conflict { message },
        StatusCode::NOT_FOUND => CallError::NotFound { what: path.to_owned(), message },
        _ if FINAL.contains(&code) => CallError::Rejected { status: code, message },
        _ if status.is_client_error() => CallError::Unknown(format!("HTTP {code}: {message}")),
        _ => CallError::Unknown(format!("HTTP {code}")),
    }
}

/// Client errors that say something final about the request: the same one would be answered so for ever. Any other is of the
/// moment (a timeout, a lock, a payment that is due) or nobody knows what it means, and is tried again.
const FINAL: [u16; 12] = [400, 405, 406, 410, 411, 413, 414, 415, 416, 417, 422, 431];

/// What stands for the words of an answer that has none.
const NO_REASON: &str = "no reason given";

/// What a 409 means for a write: where the API takes a key once, that the key was used; else something of the moment. The
/// API is known to say of a used key of an edit also 422, in its own words.
pub(super) fn refused_key(call: &Call, error: CallError) -> CallError {
    let has_key = call.kind.is_taken_once();
    match error {
        // Another conflict of an edit, such as a setting that can be made once, would be answered the same way for ever.
        CallError::Conflict { message } if call.kind == CallKind::Edit && !is_of_key(&message) => {
            CallError::Rejected { status: 409, message }
        }
        CallError::Conflict { message } if has_key => CallError::KeyUsed { message },
        CallError::Conflict { message } => CallError::Unknown(format!("HTTP 409: {message}")),
        CallError::Rejected { status: 422, message }
            if has_key && message.to_lowercase().contains("uniqueness key already") =>
        {
            CallError::KeyUsed { message }
        }
        error => error,
    }
}

/// Whether a conflict may be that of a key: it says so, or says nothing.
fn is_of_key(message: &str) -> bool {
    let message = message.to_lowercase();
    ["uniqueness", "already been used", "idempotency"].iter().any(|word| message.contains(word))
        || message == NO_REASON
}

/// What an answer means that is not in the billing API's own form, such as a gateway's page: nothing is known of the
/// request, and least of all that something does not exist.
fn foreign(status: StatusCode) -> CallError {
    let why = format!("HTTP {}, and the reply is not in the form of the billing API", status.as_u16());
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            CallError::Credentials { status: status.as_u16(), message: NO_REASON.to_owned() }
        }
        _ if status.is_server_error() => CallError::Unknown(why),
        _ => CallError::Foreign(why),
    }
}

/// What a failed call means when something was to be changed: a stranger's answer does not say whether it was.
pub(super) fn as_write(error: CallError) -> CallError {
    if let CallError::Foreign(why) = error { CallError::Unknown(why) } else { error }
}

/// What a failed call means when nothing was to be changed: that the outcome is not known does no harm.
pub(super) fn as_read(error: CallError) -> CallError {
    match error {
        CallError::Unknown(why) => CallError::Unreachable(why),
        CallError::Conflict { message } => CallError::Unreachable(format!("HTTP 409: {message}")),
        error => error,
    }
}

/// `Retry-After`, in seconds or as a date, within bounds; of several, the longest. A date counts from the answer's own, as
/// its clock and this one may differ. `retry-after-ms`, as some send beside it, is in thousandths of a second.
pub(super) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let texts = |name: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.map(|text| text.trim().to_owned()).collect::<Vec<_>>()
    };
    let said_at = texts(DATE.as_str()).first().and_then(|text| http_date(text)).unwrap_or(now);
    let pauses = texts(RETRY_AFTER.as_str()).into_iter().filter_map(|text| {
        let until =
            || http_date(&text)?.signed_duration_since(said_at).to_std().ok().or(Some(Duration::ZERO));
        whole(&text).map(Duration::from_secs).or_else(until)
    });
    let in_thousandths = texts(RETRY_AFTER_MS).into_iter().filter_map(|text| whole(&text));
    let pause = pauses.chain(in_thousandths.map(Duration::from_millis)).max()?;
    Some(pause.min(LONGEST_PAUSE))
}

/// A header that OpenAPI-made clients look for.
const RETRY_AFTER_MS: &str = "retry-after-ms";

/// A number without sign. A fraction is rounded up: the API asked for no less. One beyond all bounds is the largest.
fn whole(text: &str) -> Option<u64> {
    match text.split_once('.').map_or(text, |(whole, _)| whole).parse::<u64>() {
        Ok(number) => Some(number.saturating_add(u64::from(text.contains('.')))),
        Err(error) => (*error.kind() == IntErrorKind::PosOverflow).then_some(u64::MAX),
    }
}

/// A date in each of the forms that HTTP has had, and as JSON has it.
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    let named = DateTime::parse_from_rfc2822(text).or_else(|_| DateTime::parse_from_rfc3339(text));
    let plain = || {
        let forms = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
        forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
    };
    named.map(|time| time.to_utc()).ok().or_else(|| plain().map(|time| time.and_utc()))
}

/// Shortest token that is looked for: what is shorter is no secret, and stands in any text.
const SHORTEST_TOKEN: usize = 8;

/// A text without the token that was sent: an API may name what it refuses, and whoever may see a status may not see that.
fn without_token(text: &str, token: &str) -> String {
    if token.len() < SHORTEST_TOKEN { text.to_owned() } else { text.replace(token, "(the token)") }
}

/// What an API says of an error: Zoo has a message and the number of the request, Metronome's newer endpoints a code. A
/// code or a number of another kind is none, and takes nothing from the message.
struct ApiError {
    message: String,
    code: Option<String>,
    request_id: Option<String>,
}

/// The API's own words, in one line and bounded; nothing when the reply is not in the API's form, which is not passed on.
fn api_error(body: &str, token: &str) -> Option<ApiError> {
    let said = serde_json::from_str::<Value>(body).ok()?;
    let text = |name: &str| said.get(name)?.as_str().map(str::to_owned);
    // Before anything is cut off or replaced, or a part of it would stay.
    let message = without_token(&text("message")?, token);
    let message = message.chars().map(seen).take(MAX_MESSAGE).collect();
    Some(ApiError { message, code: text("code"), request_id: text("request_id") })
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn a_pause_is_taken_in_every_form_and_within_bounds() {
        let now = "2026-10-21T07:27:00Z".parse().unwrap();
        let pause = |text: &str| {
            retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::try_from(text).unwrap())]), now)
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(pause("90"), seconds(90));
        assert_eq!(pause("90.5"), seconds(91));
        assert_eq!(pause("Wed, 21 Oct 2026 07:28:00 GMT"), seconds(60));
        assert_eq!(pause("Wed, 21 Oct 2020 07:28:00 GMT"), seconds(0));
        assert_eq!(pause("18446744073709551615"), Some(LONGEST_PAUSE));
        assert_eq!(pause("99999999999999999999999"), Some(LONGEST_PAUSE));
        for none in ["soon", "-5", "", "1,000", "Wed, 41 Oct 2026 07:28:00 GMT"] {
            assert_eq!(pause(none), None, "{none}");
        }
        for date in ["Wednesday, 21-Oct-26 07:28:00 GMT", "Wed Oct 21 07:28:00 2026", "2026-10-21T07:28:00Z"]
        {
            assert_eq!(pause(date), seconds(60), "{date}");
        }
        let headers = |all: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, text) in all {
                headers.append(HeaderName::from_static(name), HeaderValue::try_from(*text).unwrap());
            }
            retry_after(&headers, now)
        };
        assert_eq!(headers(&[("retry-after", "5"), ("retry-after", "90")]), seconds(90));
        assert_eq!(headers(&[("retry-after-ms", "2500")]), Some(Duration::from_millis(2500)));
        assert_eq!(headers(&[("retry-after-ms", "99999999999999999999999")]), Some(LONGEST_PAUSE));
        let ahead = ("date", "Wed, 21 Oct 2026 08:27:00 GMT");
        let until = ("retry-after", "Wed, 21 Oct 2026 08:28:00 GMT");
        assert_eq!(headers(&[ahead, until]), seconds(60), "by the clock of who says so");
    }

    #[test]
    fn an_error_is_in_the_apis_words_whatever_stands_beside_its_message() {
        let final_ = |body: &str| {
            let failure = failure(StatusCode::BAD_REQUEST, None, body, true, "p", "");
            matches!(failure.error, CallError::Rejected { status: 400, .. })
        };
        for beside in
            ["", r#","code":400"#, r#","code":null"#, r#","code":{"a":1}"#, r#","request_id":7,"details":[]"#]
        {
            assert!(final_(&format!(r#"{{"message":"no"{beside}}}"#)), "{beside}");
        }
        for foreign in
            [r#"{"error":"no"}"#, r#"{"message":null}"#, r#"["no"]"#, "no", "", "{\"message\":\"no\"} {"]
        {
            assert!(!final_(foreign), "{foreign}");
        }
        let gone = |body: &str| failure(StatusCode::NOT_FOUND, None, body, true, "p", "").error;
        assert!(matches!(gone(r#"{"message":"no","request_id":"1"}"#), CallError::NotFound { .. }));
        for gateway in [r#"{"message":"no Route matched"}"#, r#"{"message":"no","request_id":null}"#] {
            assert!(matches!(gone(gateway), CallError::Foreign(_)), "{gateway}");
        }
    }

    #[test]
    fn only_what_is_known_to_be_final_is_final() {
        let of = |code: u16| {
            let status = StatusCode::from_u16(code).unwrap();
            failure(status, None, r#"{"message":"no","request_id":"1"}"#, true, "p", "").error
        };
        for code in [400, 405, 406, 410, 413, 415, 422, 431] {
            assert!(matches!(of(code), CallError::Rejected { .. }), "{code}");
        }
        for code in
            [300, 302, 307, 402, 407, 408, 412, 418, 421, 423, 424, 425, 426, 428, 451, 499, 500, 503, 599]
        {
            assert!(matches!(of(code), CallError::Unknown(_)), "{code}");
        }
    }

    #[test]
    fn a_conflict_is_a_used_key_only_where_the_api_takes_a_key_once() {
        let call = |kind| {
            let body = serde_json::json!({});
            Call::new(kind, "p", &body, crate::terms::Digest::of(&body)).unwrap()
        };
        let conflict = || CallError::Conflict { message: "busy".into() };
        let used = CallError::KeyUsed { message: "busy".into() };
        assert_eq!(refused_key(&call(CallKind::Create), conflict()), used);
        let refused = CallError::Rejected { status: 409, message: "busy".into() };
        assert_eq!(refused_key(&call(CallKind::Edit), conflict()), refused);
        for message in ["This uniqueness key has already been used.", NO_REASON] {
            let error = CallError::Conflict { message: message.into() };
            assert!(matches!(refused_key(&call(CallKind::Edit), error), CallError::KeyUsed { .. }));
        }
        assert!(matches!(refused_key(&call(CallKind::Replace), conflict()), CallError::Unknown(_)));
        let words = CallError::Rejected { status: 422, message: "Uniqueness key already exists".into() };
        assert!(matches!(refused_key(&call(CallKind::Edit), words), CallError::KeyUsed { .. }));
    }

    #[test]
    fn a_token_that_the_api_quotes_is_not_passed_on() {
        let of = |message: &str| {
            let body = serde_json::json!({"message": message}).to_string();
            api_error(&body, r#"to/ken"\-1234"#).unwrap().message
        };
        assert_eq!(of(r#"Bearer to/ken"\-1234 is unknown"#), "Bearer (the token) is unknown");
        let cut = of(&format!("{}{}", "x".repeat(MAX_MESSAGE - 4), r#"to/ken"\-1234"#));
        assert!(cut.ends_with("(the"), "{cut}");
        // A word that anybody may use is no secret.
        assert_eq!(api_error(r#"{"message": "a bad name"}"#, "a").unwrap().message, "a bad name");
    }

    #[test]
    fn a_page_of_html_is_not_passed_on() {
        assert!(api_error("<html>secret</html>", "").is_none());
        let error = api_error(r#"{"message": "bad\nname", "request_id": "1"}"#, "").unwrap();
        assert_eq!(error.message, "bad name");
    }
}
