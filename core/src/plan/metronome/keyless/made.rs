//! What a create has just made of items without keys, however billing tells it.

use serde_json::{Value, json};

use super::{super::defaults::prune, Item, Wanted, selectors, unordered};
use crate::plan::pairing::Pairing;

/// Pairs what a create has just made with what it was made from, whatever billing makes of it: nobody else had the time to
/// add anything, and what is added once more counts twice. What says most of the same goes first.
pub(super) fn pair(pairing: &mut Pairing<'_, Wanted, Item<'_>>) {
    let ways: [fn(&Value) -> Value; 5] = [
        |terms| json!([about(terms), selectors(terms), worth(terms)]),
        |terms| json!([about(terms), selectors(terms)]),
        |terms| json!([about(terms), worth(terms)]),
        about,
        |_| Value::Null,
    ];
    for way in ways {
        let key = |terms: &Value| {
            let mut said = way(terms);
            prune(&mut said);
            Some(unordered(&said).to_lowercase())
        };
        pairing.by_key(|wanted| key(&wanted.canonical), |item| key(item.terms));
    }
}

/// When an item begins, and what a thing other than an override is for.
fn about(terms: &Value) -> Value {
    json!(["netsuiteResellerId", "resellerType", "startingAt"].map(|name| terms.get(name)))
}

/// What an item does or comes to, whatever it applies to.
fn worth(terms: &Value) -> Value {
    let names = [
        "entitled",
        "fraction",
        "maxAmount",
        "multiplier",
        "overwriteRate",
        "quantity",
        "tiers",
        "unitPrice",
    ];
    json!(names.map(|name| terms.get(name)))
}
