//! From what a billing API says to what a custom resource can say: what the schema, the types or the validation do not
//! take is left out, place by place, and named.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    api,
    status::bounded,
    validate::{Violation, schema},
};

/// Most places that are left out of one resource; one with more is another thing than its kind.
const MOST_LEFT_OUT: usize = 100;
/// Most bytes of a value that is named.
const MOST_SHOWN: usize = 120;

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

/// A spec with everything that it can say, and what was left out. `kept` is the place without which it says nothing.
///
/// # Errors
/// When what is left says nothing any more; the error says why.
pub(super) fn express<S: DeserializeOwned>(
    kind: &str,
    kept: &[&str],
    spec: Value,
    validate: impl Fn(&S) -> Vec<Violation>,
) -> Result<(S, Vec<LeftOut>), Unimportable> {
    let schema = api::spec_schema(kind).ok_or_else(|| Unimportable(format!("there is no kind {kind}")))?;
    let (mut spec, mut left_out) = (spec, Vec::new());
    for _ in 0..MOST_LEFT_OUT {
        let mut violations = schema::check(schema, "spec", &spec);
        if violations.is_empty() {
            let typed = S::deserialize(&spec).map_err(|error| Unimportable(error.to_string()))?;
            violations = validate(&typed);
            if violations.is_empty() {
                return Ok((typed, left_out));
            }
        }
        let Some(violation) = violations.first() else { continue };
        let place = existing(schema, &spec, &steps(&violation.path));
        if place.len() <= kept.len() {
            return Err(Unimportable(violation.to_string()));
        }
        if let Some(value) = take(&mut spec, &place) {
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

/// A step on the way to a place.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Index(usize),
}

/// The steps of a path such as `spec.metronome.commits[launch].priority`; what stands in brackets is still a name.
fn steps(path: &str) -> Vec<(bool, &str)> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some((key, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            steps.push((true, key));
            rest = after;
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            if !name.is_empty() {
                steps.push((false, name));
            }
            if after.len() == rest.len() {
                break;
            }
            rest = after;
        }
    }
    steps
}

/// The part of a path that exists in a spec, `spec` itself included.
fn existing(spec_schema: &Value, spec: &Value, path: &[(bool, &str)]) -> Vec<Step> {
    let (mut at, mut value) = (spec_schema, spec);
    let mut place = vec![Step::Member("spec".to_owned())];
    for (is_item, name) in path.iter().skip(1) {
        let next = if *is_item {
            let items = value.as_array().map_or(&[][..], Vec::as_slice);
            let by_key = items.iter().position(|item| schema::key(at, item).as_deref() == Some(name));
            let index = by_key.or_else(|| name.parse().ok().filter(|index| *index < items.len()));
            at = at.get("items").unwrap_or(&Value::Null);
            index.map(|index| (Step::Index(index), items.get(index)))
        } else {
            let properties = at.get("properties").and_then(|properties| properties.get(*name));
            at = properties.or_else(|| at.get("additionalProperties")).unwrap_or(&Value::Null);
            value.get(*name).map(|found| (Step::Member((*name).to_owned()), Some(found)))
        };
        let Some((step, Some(found))) = next else { break };
        place.push(step);
        value = found;
    }
    place
}

/// Takes what stands at a place out of a spec.
fn take(spec: &mut Value, place: &[Step]) -> Option<Value> {
    let (last, parents) = place.split_last()?;
    let parent = parents.iter().skip(1).try_fold(spec, |value, step| match step {
        Step::Member(name) => value.get_mut(name),
        Step::Index(index) => value.get_mut(index),
    })?;
    match last {
        Step::Member(name) => parent.as_object_mut()?.remove(name),
        Step::Index(index) => {
            let items = parent.as_array_mut()?;
            (*index < items.len()).then(|| items.remove(*index))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::BillingContractSpec;
    use serde_json::json;

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

    fn expressed(spec: Value) -> Result<(BillingContractSpec, Vec<LeftOut>), Unimportable> {
        express("BillingContract", &["spec", "zoo"], spec, |_: &BillingContractSpec| Vec::new())
    }

    #[test]
    fn what_cannot_be_said_is_left_out_by_the_smallest_part_and_named() {
        let (spec, left_out) = expressed(spec()).unwrap();
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
        let error = expressed(spec).unwrap_err().to_string();
        assert!(error.contains("`spec.zoo.organizationId` is required"), "{error}");
    }

    #[test]
    fn a_path_is_read_step_by_step() {
        assert_eq!(
            steps("spec.metronome.commits[a.b].priority"),
            [(false, "spec"), (false, "metronome"), (false, "commits"), (true, "a.b"), (false, "priority")]
        );
    }
}
