//! When contracts apply, before and after a plan: what a timeline shows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    plan::{Change, facts::Side, outlook},
    terms::Timestamp,
};

/// Members in which a term begins, and those in which it ends, of each billing API.
const STARTS: [&str; 2] = ["/effectiveAt", "/startingAt"];
const ENDS: [&str; 2] = ["/termEndAt", "/endingBefore"];

/// When a contract applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// First moment.
    pub start: Timestamp,
    /// First moment after it; none where it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
}

/// When a contract applies before and after a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Terming {
    /// Before; none when it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Span>,
    /// After; none when it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Span>,
}

/// When a contract applies by what its files say; nothing when they are invalid. A package of Metronome may end it sooner.
#[must_use]
pub fn span(side: &Side<'_>) -> Option<Span> {
    let outlook = outlook(&side.contract.spec, side.package.map(|package| &package.spec)).ok()?;
    Some(Span { start: outlook.start, end: outlook.end })
}

/// When a contract applies before, by what it says after and what changes.
#[must_use]
pub fn before(after: Span, changes: &[Change]) -> Option<Span> {
    if changes.iter().any(Change::is_new_contract) {
        return None;
    }
    let moved = |paths: [&str; 2]| changes.iter().find(|change| paths.contains(&change.path.as_str()));
    let time = |value: &Option<Value>| value.as_ref()?.as_str()?.parse().ok();
    Some(Span {
        start: moved(STARTS).map_or(Some(after.start), |change| time(&change.from)).unwrap_or(after.start),
        end: moved(ENDS).map_or(after.end, |change| time(&change.from)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_term_before_follows_from_what_changes() {
        let after = Span { start: time("2026-01-01T00:00:00Z"), end: Some(time("2028-01-01T00:00:00Z")) };
        let longer = Change::new(
            "/termEndAt",
            Some(json!("2027-01-01T00:00:00Z")),
            Some(json!("2028-01-01T00:00:00Z")),
        );
        let found = before(after, &[longer]).unwrap();
        assert_eq!((found.start, found.end), (after.start, Some(time("2027-01-01T00:00:00Z"))));
        let bounded = Change::new("/endingBefore", None, Some(json!("2028-01-01T00:00:00Z")));
        assert_eq!(before(after, &[bounded]).unwrap().end, None);
        assert_eq!(before(after, &[]), Some(after));
        assert_eq!(before(after, &[Change::new_contract(json!({}))]), None);
    }
}
