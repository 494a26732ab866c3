//! Pointers in `ignoreDrift` that lead nowhere: whoever wrote one believes that a place is left alone, and it is not.

use crate::{
    api::{Api, BillingContractSpec},
    terms::{Shape, json::of_segment, metronome, zoo},
    validate::Violation,
};

/// Every pointer that leads to no part that terms of the contract's billing API can have.
#[must_use]
pub fn drift(spec: &BillingContractSpec) -> Vec<Violation> {
    let shape: &Shape = match spec.api() {
        Some(Api::Zoo) => &zoo::SHAPE,
        Some(Api::Metronome) => &metronome::CONTRACT,
        // Its terms have no shape of their own.
        #[cfg(feature = "fake")]
        Some(Api::Fake) => return Vec::new(),
        None => return Vec::new(),
    };
    let nowhere = |(index, pointer): (usize, &String)| {
        let why = astray(shape, pointer)?;
        Some(Violation::new(format!("spec.ignoreDrift[{index}]"), format!("points at nothing: {why}")))
    };
    spec.ignore_drift.iter().enumerate().filter_map(nowhere).collect()
}

/// Why a pointer leads nowhere.
fn astray(shape: &Shape, pointer: &str) -> Option<String> {
    let (mut shape, mut done) = (shape, String::new());
    for segment in pointer.split('/').skip(1) {
        let name = of_segment(segment);
        let place = if done.is_empty() { "the terms have".to_owned() } else { format!("`{done}` has") };
        shape = match shape {
            Shape::Object(members) => {
                let Some(member) = members.get(&name) else {
                    let near =
                        members.keys().map(|known| (strsim::damerau_levenshtein(&name, known), known)).min();
                    let hint = near
                        .filter(|(distance, _)| *distance <= 3)
                        .map(|(_, near)| format!("; did you mean `{near}`?"));
                    return Some(format!("{place} no `{name}`{}", hint.unwrap_or_default()));
                };
                &member.shape
            }
            Shape::List { item, keys } => {
                let key = keys.first().and_then(|key| item.member(key));
                if let Some(Shape::Enum(words)) = key
                    && !words.contains(&name)
                {
                    return Some(format!("{place} no item `{name}`: items go by {}", words.join(", ")));
                }
                if matches!(key, Some(Shape::Integer)) && name.parse::<i64>().is_err() {
                    return Some(format!("{place} no item `{name}`: items go by their number"));
                }
                item
            }
            Shape::Map(values) => values,
            Shape::Any => return None,
            _ => return Some(format!("{place} no parts")),
        };
        done = format!("{done}/{segment}");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn told((api, terms): (&str, &Value), pointers: &[&str]) -> Vec<String> {
        let spec = json!({"providerRef": {"name": "p"}, "ignoreDrift": pointers, api: terms});
        let spec: BillingContractSpec = serde_json::from_value(spec).unwrap();
        drift(&spec).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn pointers_that_lead_nowhere_are_told_with_what_may_be_meant() {
        let zoo = json!({"organizationId": "o", "effectiveAt": "2026-01-01T00:00:00Z"});
        let sound = ["/notes", "/items/fde", "/items/fde/rateTiers/0/unitPrice", "/periods/1/status"];
        assert_eq!(told(("zoo", &zoo), &sound), [""; 0]);
        let wrong = ["/note", "/items/0/unitPrice", "/items/fde/price", "/name/x", "/periods/first", "/"];
        let found = told(("zoo", &zoo), &wrong);
        assert_eq!(found.len(), wrong.len(), "{found:#?}");
        assert!(
            found[0].contains("`spec.ignoreDrift[0]`") && found[0].contains("did you mean `notes`?"),
            "{found:#?}"
        );
        assert!(found[1].contains("items go by enterprise_support, fde"), "{found:#?}");
        assert!(found[2].contains("`/items/fde` has no `price`"), "{found:#?}");
        assert!(found[3].contains("no parts") && found[4].contains("their number"), "{found:#?}");
    }

    #[test]
    fn items_that_people_name_themselves_are_not_doubted() {
        let metronome = json!({"customerId": "c", "startingAt": "2026-01-01T00:00:00Z"});
        let sound = ["/commits/annual/priority", "/customFields/anything", "/overrides/0", "/endingBefore"];
        assert_eq!(told(("metronome", &metronome), &sound), [""; 0]);
    }
}
