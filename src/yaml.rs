//! YAML, as Kubernetes reads it: several documents in one text, each a JSON value.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Reads every document; empty ones are left out.
///
/// # Errors
/// Where the text is no YAML, or says one key twice.
pub fn parse_documents(text: &str) -> Result<Vec<Value>, serde_saphyr::Error> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// Writes one document.
///
/// # Errors
/// When the value has something that YAML cannot say.
pub fn to_string(value: &impl Serialize) -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(value)
}

/// A JSON value whose members stay in the order in which they were written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Ordered {
    Members(IndexMap<String, Ordered>),
    Items(Vec<Ordered>),
    Value(Value),
}

/// Writes a resource as a person would: fields in the order of its type, without those that are null, or that are the
/// defaults of the schema of its `spec`.
///
/// # Errors
/// When the resource cannot be written as YAML.
pub fn tidy(
    resource: &impl Serialize,
    spec: Option<&Value>,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let mut resource: Ordered = serde_json::from_str(&serde_json::to_string(resource)?)?;
    resource.leave_out(None);
    if let (Ordered::Members(members), Some(schema)) = (&mut resource, spec)
        && let Some(spec) = members.get_mut("spec")
    {
        spec.leave_out(Some(schema));
    }
    Ok(to_string(&resource)?)
}

impl Ordered {
    /// Leaves out nulls, and values that are the schema's defaults.
    fn leave_out(&mut self, schema: Option<&Value>) {
        let below = |name: &str| schema.and_then(|schema| schema.get(name));
        match self {
            Self::Members(members) => {
                let schema_of = |name: &str| below("properties").and_then(|properties| properties.get(name));
                members.retain(|name, value| {
                    let default = schema_of(name).and_then(|schema| schema.get("default"));
                    let is_default = default.is_some_and(|default| value.is(default));
                    !is_default && !matches!(value, Self::Value(Value::Null))
                });
                for (name, value) in members {
                    value.leave_out(schema_of(name));
                }
            }
            Self::Items(items) => items.iter_mut().for_each(|item| item.leave_out(below("items"))),
            Self::Value(_) => {}
        }
    }

    fn is(&self, value: &Value) -> bool {
        serde_json::to_value(self).is_ok_and(|found| found == *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_are_read_in_order_and_empty_ones_left_out() {
        let text = "---\na: 1\n---\n# nothing\n---\nb: [x, 2026-01-01T00:00:00Z]\n";
        assert_eq!(
            parse_documents(text).unwrap(),
            [json!({"a": 1}), json!({"b": ["x", "2026-01-01T00:00:00Z"]})]
        );
        assert_eq!(parse_documents("").unwrap(), [Value::Null; 0]);
    }

    #[test]
    fn a_key_that_is_written_twice_is_an_error_with_its_place() {
        let error = parse_documents("a: 1\nb: 2\na: 3\n").unwrap_err().to_string();
        assert!(error.contains('3') && error.contains('a'), "{error}");
    }

    #[test]
    fn a_tidy_resource_has_its_own_order_and_no_defaults() {
        #[derive(Serialize)]
        struct Resource {
            spec: Spec,
            status: Option<i32>,
        }
        #[derive(Serialize)]
        struct Spec {
            name: &'static str,
            amount: &'static str,
            active: bool,
        }
        let schema = json!({"properties": {"active": {"default": true}, "amount": {"default": "0"}}});
        let spec = Spec { name: "b", amount: "120000", active: true };
        let text = tidy(&Resource { spec, status: None }, Some(&schema)).unwrap();
        assert_eq!(text, "spec:\n  name: b\n  amount: \"120000\"\n");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let value =
            json!({"amount": "0.50", "no": "no", "time": "2026-01-01T00:00:00Z", "list": [{"a": null}]});
        let text = to_string(&value).unwrap();
        assert_eq!(parse_documents(&text).unwrap(), [value], "{text}");
    }
}
