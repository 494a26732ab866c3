//! Annotations in the operator's name that it does not read: whoever wrote one believes that it does something.

use serde_json::{Map, Value};

use crate::{
    api::{APPROVED_PLAN, GROUP, RELEASE, REVISION},
    validate::Violation,
};

/// What the operator reads on a resource of ours.
const READ: [&str; 3] = [APPROVED_PLAN, RELEASE, REVISION];

/// Every annotation and label of a resource that begins with the operator's group and does nothing.
#[must_use]
pub fn idle(resource: &Value) -> Vec<Violation> {
    let none = Map::new();
    let of = |list: &str| resource.get("metadata").and_then(|metadata| metadata.get(list)?.as_object());
    let is_ours = |name: &str| name.split_once('/').is_some_and(|(group, _)| group == GROUP);
    let labels = of("labels").unwrap_or(&none).keys().filter(|name| is_ours(name)).map(|name| {
        let why = "does nothing: the operator reads no labels, only annotations".to_owned();
        Violation::new(format!("metadata.labels.{name}"), why)
    });
    let annotations = of("annotations").unwrap_or(&none).iter().filter(|(name, _)| is_ours(name));
    let annotations = annotations.filter_map(|(name, value)| {
        let why = idle_annotation(name, value.as_str()?)?;
        Some(Violation::new(format!("metadata.annotations.{name}"), why))
    });
    annotations.chain(labels).collect()
}

fn idle_annotation(name: &str, value: &str) -> Option<String> {
    let is_digest = value.len() == 32 && value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match name {
        RELEASE if value != "true" => {
            Some(format!("does nothing unless it is `true`, in quotes, not {value:?}"))
        }
        APPROVED_PLAN if !is_digest => {
            Some(format!("approves nothing: {value:?} is no digest as `status.plan.digest` has them"))
        }
        name if READ.contains(&name) => None,
        name => {
            let near = READ.iter().map(|known| (strsim::damerau_levenshtein(name, known), known)).min();
            let hint = near.filter(|(distance, _)| *distance <= 3);
            let hint = hint.map(|(_, near)| format!("; did you mean `{near}`?")).unwrap_or_default();
            Some(format!("does nothing here: the operator reads no such annotation{hint}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(metadata: &Value) -> Vec<String> {
        idle(&json!({"metadata": metadata})).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_annotation_of_ours_that_does_nothing_is_asked_about() {
        let one = |name: &str, value: &str| {
            let told = told(&json!({"annotations": {format!("billing.countersign.dev/{name}"): value}}));
            told.first()
                .map(|told| told.split("` ").skip(1).collect::<Vec<_>>().join("` "))
                .unwrap_or_default()
        };
        let misspelt = one("aproved-plan", "x");
        assert!(misspelt.ends_with("did you mean `billing.countersign.dev/approved-plan`?"), "{misspelt}");
        assert_eq!(one("note", "x"), "does nothing here: the operator reads no such annotation");
        assert_eq!(one("release", "yes"), "does nothing unless it is `true`, in quotes, not \"yes\"");
        assert!(one("approved-plan", "00112233").starts_with("approves nothing: \"00112233\""));
        assert!(one("approved-plan", &"0".repeat(31)).starts_with("approves nothing"));
        assert!(one("approved-plan", &"G".repeat(32)).starts_with("approves nothing"));
    }

    #[test]
    fn annotations_that_are_read_and_those_of_others_are_not_asked_about() {
        let all = json!({"annotations": {
            "billing.countersign.dev/approved-plan": "00112233445566778899aabbccddeeff",
            "billing.countersign.dev/release": "true", "billing.countersign.dev/revision": "main@sha1:1",
            "reconcile.fluxcd.io/requestedAt": "now", "example.com/note": "x", "note": "y",
        }, "labels": {"team": "sales"}});
        assert_eq!(told(&all), [""; 0]);
        assert_eq!(told(&json!(null)), [""; 0]);
    }

    #[test]
    fn a_label_of_ours_is_asked_about_whatever_its_name() {
        let all = told(&json!({"labels": {"billing.countersign.dev/release": "true"}}));
        assert_eq!(
            all,
            [
                "`metadata.labels.billing.countersign.dev/release` does nothing: the operator reads no labels, only annotations"
            ]
        );
    }
}
