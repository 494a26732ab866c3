//! From what a billing API says to what a custom resource can say: what the schema, the types or the validation do not
//! take is left out, place by place, and named.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    api,
    status::bounded,
    terms::json::of_segment,
    validate::{Violation, path, schema},
};

/// Most places that are left out of one resource; one with more is another thing than its kind.
const MOST_LEFT_OUT: usize = 100;
/// Most bytes of a value that is named.
const MOST_SHOWN: usize = 120;

/// Steps from a resource to a member of its spec, such as `/spec/zoo`; what is less deep is all of the terms, or not theirs.
const WHOLE: usize = 2;

/// Something that the billing API says and the resource cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it would stand.
    pub path: String,
    /// What the billing API says there, as JSON, shortened.
    pub value: String,
    /// Why it cannot stand there.
    pub why: String,
}

/// Something that no resource can say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unimportable(pub String);

/// A spec with everything that it can say, and what was left out: parts of its terms, and never all of them.
///
/// # Errors
/// When what is left says nothing any more; the error says why.
pub(super) fn express<S: DeserializeOwned>(
    kind: &str,
    spec: &Value,
    validate: impl Fn(&S) -> Vec<Violation>,
) -> Result<(S, Vec<LeftOut>), Unimportable> {
    let schema = api::spec_schema(kind).ok_or_else(|| Unimportable(format!("there is no kind {kind}")))?;
    let (mut resource, mut left_out) = (json!({"spec": spec}), Vec::new());
    for _ in 0..MOST_LEFT_OUT {
        let spec = &resource["spec"];
        let mut violations = schema::check(schema, "spec", spec);
        if violations.is_empty() {
            let typed = S::deserialize(spec).map_err(|error| Unimportable(error.to_string()))?;
            violations = validate(&typed);
            if violations.is_empty() {
                return Ok((typed, left_out));
            }
        }
        let Some(violation) = violations.first() else { continue };
        let place = path::pointer(&resource, &violation.path);
        if place.matches('/').count() <= WHOLE {
            return Err(Unimportable(violation.to_string()));
        }
        if let Some(value) = take(&mut resource, &place) {
            let path = violation.path.clone();
            left_out.push(LeftOut {
                path,
                value: bounded(&value.to_string(), MOST_SHOWN),
                why: violation.message.clone(),
            });
        }
    }
    Err(Unimportable("more of it cannot be said than can".to_owned()))
}

/// Takes what a JSON pointer leads to out of a resource.
fn take(resource: &mut Value, pointer: &str) -> Option<Value> {
    let (parent, name) = pointer.rsplit_once('/')?;
    match resource.pointer_mut(parent)? {
        Value::Object(members) => members.remove(&of_segment(name)),
        Value::Array(items) => {
            let index = name.parse().ok().filter(|index| *index < items.len())?;
            Some(items.remove(index))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::BillingContractSpec;

    fn spec() -> Value {
        json!({
            "providerRef": {"name": "zoo"},
            "zoo": {
                "organizationId": "6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11", "effectiveAt": "2026-01-01T00:00:00Z",
                "items": [
                    {"code": "fde", "displayName": "FDE", "kind": "fixed_fee", "unit": "year", "fixedFeeAmount": "10"},
                    {"code": "govcloud_management", "displayName": "G", "kind": "by_weight", "unit": "year"},
                ],
            },
        })
    }

    fn expressed(spec: &Value) -> Result<(BillingContractSpec, Vec<LeftOut>), Unimportable> {
        express("BillingContract", spec, |_: &BillingContractSpec| Vec::new())
    }

    #[test]
    fn what_cannot_be_said_is_left_out_by_the_smallest_part_and_named() {
        let (spec, left_out) = expressed(&spec()).unwrap();
        let items = spec.zoo.unwrap().terms.items.unwrap();
        assert_eq!(items.len(), 1, "an item without its kind is none");
        let paths: Vec<_> = left_out.iter().map(|left| (left.path.as_str(), left.value.as_str())).collect();
        assert_eq!(paths[0], ("spec.zoo.items[govcloud_management].kind", r#""by_weight""#));
        assert!(paths[1].0.starts_with("spec.zoo.items[govcloud_management].kind"), "{paths:?}");
    }

    #[test]
    fn a_spec_of_which_nothing_is_left_is_an_error_that_says_why() {
        let mut spec = spec();
        spec["zoo"].as_object_mut().unwrap().remove("organizationId");
        let error = expressed(&spec).unwrap_err().to_string();
        assert!(error.contains("`spec.zoo.organizationId` is required"), "{error}");
    }
}
