//! What a reason means and what to do about it, in the words of `docs/operations.md`.
//!
//! The page is compiled in, so that there is one text of each: a test of the documentation holds it against the list of
//! reasons, and a test here that every reason has its row.

use std::{collections::BTreeMap, sync::LazyLock};

const PAGE: &str = include_str!("../../../docs/operations.md");

/// What a reason means, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What it means.
    pub meaning: String,
    /// What to do; empty where there is nothing to do.
    pub cure: String,
}

/// Which row of a table: the heading's word (`contracts`), the reason, and whether it is among those that are refused.
type Key = (&'static str, &'static str, bool);

static ROWS: LazyLock<BTreeMap<Key, Advice>> = LazyLock::new(|| rows(PAGE));

/// What the documentation says of a reason of a kind; a reason that can stand for two things is told apart by whether
/// the resource is stalled. Nothing for a reason that the page does not have.
#[must_use]
pub fn advice(kind: &str, reason: &str, is_stalled: bool) -> Option<Advice> {
    let table = match kind {
        "ContractPackage" => "packages",
        "BillingProvider" | "ClusterBillingProvider" => "providers",
        _ => "contracts",
    };
    // What the tables of packages and providers leave out is in that of contracts.
    let tables = [table, "contracts"];
    let mut found =
        tables.iter().flat_map(|table| [is_stalled, !is_stalled].map(|stalled| (*table, stalled)));
    found.find_map(|(table, stalled)| {
        let mut rows = ROWS.iter();
        rows.find(|((of, word, refused), _)| *of == table && *word == reason && *refused == stalled)
            .map(|(_, advice)| advice.clone())
    })
}

fn rows(page: &'static str) -> BTreeMap<Key, Advice> {
    let mut rows = BTreeMap::new();
    let (mut table, mut is_refused) = ("", false);
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix('#') {
            table = heading.trim_start_matches(['#', ' ']).strip_prefix("Reasons of ").unwrap_or_default();
            is_refused = false;
        }
        let Some(row) = line.strip_prefix("| ").filter(|_| !table.is_empty()) else { continue };
        if row.starts_with("**") {
            is_refused = row.starts_with("**refused");
        }
        let cells: Vec<_> = row.trim_end_matches('|').split(" | ").collect();
        let [reasons, meaning, cure] = *cells else { continue };
        for reason in reasons.split(", ") {
            let Some(reason) = reason.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) else {
                continue;
            };
            let advice = Advice { meaning: plain(meaning), cure: plain(cure) };
            rows.insert((table, reason, is_refused), advice);
        }
    }
    rows
}

/// The text of a cell without the addresses of its links.
fn plain(cell: &str) -> String {
    let mut text = String::new();
    let mut rest = cell.trim();
    while let Some((before, link)) = rest.split_once('[') {
        let Some((label, (_, after))) =
            link.split_once("](").and_then(|(label, url)| Some((label, url.split_once(')')?)))
        else {
            break;
        };
        text.extend([before, label]);
        rest = after;
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::reasons;

    #[test]
    fn what_to_do_is_what_the_page_says_without_its_links() {
        let found = advice("BillingContract", "ContractExists", true).unwrap();
        assert_eq!(found.cure, "take it over, or correct the spec");
        assert!(found.meaning.starts_with("the customer has a contract already"), "{found:?}");
    }

    #[test]
    fn a_reason_that_is_waited_for_and_refused_is_told_apart() {
        assert_eq!(advice("BillingContract", "ProviderNotFound", false).unwrap().cure, "nothing");
        assert!(advice("BillingContract", "ProviderNotFound", true).unwrap().cure.starts_with("create it"));
    }

    #[test]
    fn the_same_reason_of_another_kind_has_its_own_row_or_that_of_contracts() {
        assert!(advice("BillingProvider", "BillingUnreachable", false).unwrap().cure.contains("caBundle"));
        assert!(advice("ContractPackage", "AliasTaken", true).unwrap().cure.contains("endingBefore"));
        assert!(advice("ContractPackage", "Throttled", false).unwrap().cure.contains("requestsPerSecond"));
        assert_eq!(advice("BillingContract", "NoSuchReason", false), None);
    }

    #[test]
    fn every_reason_of_a_condition_that_is_not_ready_has_a_row() {
        // What only events and other conditions say is not why something is not ready.
        const NOT_OF_READY: [&str; 9] = [
            "DriftDetected",
            "ProgressingWithRetry",
            "Accepted",
            "NotTried",
            "Applied",
            "Found",
            "AccountChanged",
            "Ended",
            "Drifted",
        ];
        for reason in reasons::ALL {
            let kinds = ["BillingContract", "ContractPackage", "BillingProvider"];
            let is_known = kinds.iter().any(|kind| advice(kind, reason.as_str(), true).is_some());
            assert!(is_known || NOT_OF_READY.contains(&reason.as_str()), "{reason}");
        }
    }
}
