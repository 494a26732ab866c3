//! What was asked and answered: one entry for each API request, committed together with what the request changed.
//! Knows no API.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::effects::Kind;
use crate::store::{StoreError, Tx};

/// A request and its fate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Position in the journal, from 1, never used twice.
    pub(crate) seq: u64,
    /// When the request was carried out, by the simulator's clock.
    pub(crate) time: DateTime<Utc>,
    /// The method.
    pub(crate) method: String,
    /// The path as sent, with the query.
    pub(crate) path: String,
    /// The pattern of the path, as in `/orgs/{id}/billing/contract`; `None` when no route has the path.
    pub(crate) route: Option<String>,
    /// The status answered; under `drop_reply` the one the caller never saw; `None` when nothing was done.
    pub(crate) status: Option<u16>,
    /// The fault that hit the request.
    pub(crate) fault: Option<Kind>,
    /// The body as sent; `None` when it was empty.
    pub(crate) body: Option<String>,
    /// The paths of fields that the body has and the call does not take; `?` before a query parameter.
    #[serde(default)]
    pub(crate) unknown_fields: Vec<String>,
    /// The first digits of the token's fingerprint; `None` when no token was sent.
    pub(crate) token: Option<String>,
    /// The id by which the answer names the request.
    pub(crate) request_id: String,
}

/// Which entries to answer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Filter {
    /// Only entries after this position.
    pub(crate) after: u64,
    /// Only this method.
    pub(crate) method: Option<String>,
    /// Only paths that start so.
    pub(crate) path_prefix: Option<String>,
    /// At most so many entries.
    pub(crate) limit: Option<usize>,
}

impl Filter {
    fn admits(&self, method: &str, path: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path_prefix.as_ref().is_none_or(|prefix| path.starts_with(prefix))
    }
}

/// Adds an entry, whose `seq` is filled in here.
///
/// # Errors
/// When the store can't be written.
pub(crate) fn record(tx: &Tx, entry: Entry) -> Result<(), StoreError> {
    tx.append(|seq| serde_json::to_string(&Entry { seq, ..entry }))
}

/// The entries that `filter` admits, oldest first.
///
/// # Errors
/// When the store can't be read.
pub(crate) fn entries(tx: &Tx, filter: &Filter) -> Result<Vec<Entry>, StoreError> {
    let limit = filter.limit.unwrap_or(usize::MAX);
    let mut entries = Vec::new();
    tx.lines(filter.after, |line| {
        let entry: Entry = serde_json::from_str(line)?;
        if entries.len() < limit && filter.admits(&entry.method, &entry.path) {
            entries.push(entry);
        }
        Ok(entries.len() < limit)
    })?;
    Ok(entries)
}

/// Empties the journal; positions go on.
///
/// # Errors
/// When the store can't be written.
pub(crate) fn clear(tx: &Tx) -> Result<(), StoreError> {
    tx.clear_log()
}

/// How often something happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Tally {
    method: String,
    route: Option<String>,
    status: Option<u16>,
    fault: Option<Kind>,
    count: u64,
}

/// The number of entries by method, route, status and fault.
///
/// # Errors
/// When the store can't be read.
pub(crate) fn summary(tx: &Tx) -> Result<Vec<Tally>, StoreError> {
    /// An entry without its body.
    #[derive(PartialEq, Eq, PartialOrd, Ord, Deserialize)]
    struct Key {
        method: String,
        route: Option<String>,
        status: Option<u16>,
        fault: Option<Kind>,
    }
    let mut counts: BTreeMap<Key, u64> = BTreeMap::new();
    tx.lines(0, |line| {
        *counts.entry(serde_json::from_str(line)?).or_default() += 1;
        Ok(true)
    })?;
    let count = |(Key { method, route, status, fault }, count)| Tally { method, route, status, fault, count };
    Ok(counts.into_iter().map(count).collect())
}
