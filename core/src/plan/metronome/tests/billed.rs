//! What can be billed, list by list.

use serde_json::{Value, json};

use super::fixture::{plain, recurring};

/// Lists of what can be billed.
pub(super) const BILLED: [&str; 6] =
    ["commits", "credits", "recurringCommits", "recurringCredits", "scheduledCharges", "subscriptions"];
/// Lists whose items end.
pub(super) const RECURRING: [&str; 3] = ["recurringCommits", "recurringCredits", "subscriptions"];

/// A contract with one of everything that can be billed, of the least that the API takes.
pub(super) fn one_of_each() -> Value {
    let mut spec = plain();
    for list in RECURRING {
        let mut item = recurring()[list][0].clone();
        for name in ["subscriptionConfig", "endingBefore", "temporaryId"] {
            item.as_object_mut().unwrap().remove(name);
        }
        spec[list] = json!([item]);
    }
    spec
}
