//! A call as the handlers see it: who calls and what the body says, and what they answer.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::failure::Failure;
use super::fields::{Checked, Table};
use super::switches::Hours;
use super::value::{Fields, Json};
use crate::json;
use crate::settings::Settings;
use crate::store::Tx;

/// What a call is carried out with.
pub(super) struct Call {
    pub(super) tx: Tx,
    pub(super) now: DateTime<Utc>,
    pub(super) settings: Settings,
    /// Who calls, as `created_by` tells it.
    pub(super) actor: String,
    /// The known fields of the body.
    pub(super) body: Fields,
    pub(super) query: BTreeMap<String, String>,
    /// The ids in the path, by the names that the route gives them.
    pub(super) ids: BTreeMap<String, String>,
}

impl Call {
    /// The id that the route calls `name`.
    pub(super) fn path(&self, name: &str) -> &str {
        self.ids.get(name).map_or("", String::as_str)
    }
}

/// What a call answers when it succeeds.
pub(super) enum Answer {
    /// 200 with a body.
    Body(Json),
    /// 200 without a body.
    Empty,
}

impl Answer {
    /// `{"data": …}`.
    pub(super) fn data(data: impl Into<Json>) -> Self {
        Self::Body(Fields::default().with("data", data).into())
    }
}

/// What carries a call out. It checks everything before it writes anything.
pub(super) type Act = fn(&Call) -> Result<Answer, Failure>;

/// The known fields of a body that fits its table; the paths of the others are added to `unknown`.
pub(super) fn checked(
    table: &Table,
    body: &[u8],
    hours: Hours,
    unknown: &mut Vec<String>,
) -> Result<Fields, Failure> {
    let body = match body {
        [] => Json::Object(Fields::default()),
        body => json::parse(body).map_err(|wrong| Failure::bad_request(format!("invalid JSON: {wrong}")))?,
    };
    let Json::Object(body) = body else {
        return Err(Failure::bad_request(format!("the body must be an object, not {}", body.kind())));
    };
    let (Checked { body, unknown: more }, wrong) = table.check(body, hours == Hours::Check);
    unknown.extend(more);
    if wrong.is_empty() { Ok(body) } else { Err(Failure::bad_request(wrong.join("; "))) }
}
