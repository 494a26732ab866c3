//! Resources as a person would write them.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::to_string;

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
}
