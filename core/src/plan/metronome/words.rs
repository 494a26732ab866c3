//! Words that this version does not know: the billing API may have learned new ones. Whatever has such a word is what it was,
//! and no other thing: to take it for another one would add the first once more.

use serde_json::{Map, Value};

use super::lists::shape_at;
use crate::{plan::pairing::ANYTHING, terms::Shape};

/// What a thing says at a place that it is looked up by. Where a word belongs there, and it has none or one that is not known,
/// it may be meant whatever is wanted.
pub(super) fn said(shape: &'static Shape, place: &str, thing: &Value) -> String {
    let value = thing.pointer(place);
    match shape_at(shape, place) {
        word @ Shape::Enum(_) if value.is_none_or(|value| is_unknown(word, value)) => ANYTHING.to_owned(),
        _ => value.map_or_else(String::new, Value::to_string),
    }
}

/// Whether a value is no word that its shape has.
fn is_unknown(shape: &Shape, value: &Value) -> bool {
    matches!(shape, Shape::Enum(words) if value.as_str().is_none_or(|word| words.iter().all(|known| known != word)))
}

/// Whether a thing has a word, wherever, that is not known.
pub(super) fn has_unknown(shape: &Shape, thing: &Value) -> bool {
    match thing {
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| shape.member(name).is_some_and(|shape| has_unknown(shape, value))),
        Value::Array(items) => {
            matches!(shape, Shape::List { item, .. } if items.iter().any(|value| has_unknown(item, value)))
        }
        value => is_unknown(shape, value),
    }
}

/// A thing without its words.
pub(super) fn without(shape: &Shape, thing: &Value) -> Value {
    match (thing, shape) {
        (Value::Object(members), _) => {
            let member = |(name, value): (&String, &Value)| match shape.member(name) {
                Some(Shape::Enum(_)) => None,
                Some(shape) => Some((name.clone(), without(shape, value))),
                None => Some((name.clone(), value.clone())),
            };
            Value::Object(members.iter().filter_map(member).collect::<Map<_, _>>())
        }
        (Value::Array(items), Shape::List { item, .. }) => {
            items.iter().map(|value| without(item, value)).collect()
        }
        _ => thing.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::metronome::lists::item_shape;

    #[test]
    fn a_word_that_is_not_known_stands_for_any_and_is_found_wherever_it_is() {
        let (commit, rate) = (item_shape("commits"), item_shape("overrides"));
        assert_eq!(said(commit, "/type", &json!({"type": "PREPAID"})), "\"PREPAID\"");
        for unknown in [json!({"type": "FLEXIBLE"}), json!({"type": null}), json!({})] {
            assert_eq!(said(commit, "/type", &unknown), ANYTHING, "{unknown}");
        }
        assert_eq!(said(commit, "/productId", &json!({})), "");
        let override_ = |frequency: &str| json!({"overrideSpecifiers": [{"productId": "p", "billingFrequency": frequency}]});
        assert!(has_unknown(rate, &override_("FORTNIGHTLY")) && !has_unknown(rate, &override_("MONTHLY")));
        let without = without(rate, &override_("FORTNIGHTLY"));
        assert_eq!(without, json!({"overrideSpecifiers": [{"productId": "p"}]}));
    }
}
