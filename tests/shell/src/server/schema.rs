//! What a definition's schema makes of an object: unknown members go, and so do nulls; defaults come.

use serde_json::{Map, Value};

/// Settles the members of an object.
pub(super) fn settle_members(schema: &Value, members: &mut Map<String, Value>) {
    let known = schema.get("properties").and_then(Value::as_object);
    for (name, schema) in known.into_iter().flatten() {
        if members.get(name).is_some_and(Value::is_null) && !is(schema, "nullable") {
            members.remove(name);
        }
        if let Some(default) = schema.get("default").filter(|_| !members.contains_key(name)) {
            members.insert(name.clone(), default.clone());
        }
        if let Some(value) = members.get_mut(name) {
            settle(schema, value);
        }
    }
    let is_known = |name: &str| known.is_some_and(|known| known.contains_key(name));
    match schema.get("additionalProperties") {
        Some(Value::Bool(true)) => {}
        Some(schema @ Value::Object(_)) => {
            members.retain(|name, value| is_known(name) || !value.is_null() || is(schema, "nullable"));
            for (_, value) in members.iter_mut().filter(|(name, _)| !is_known(name)) {
                settle(schema, value);
            }
        }
        _ if is(schema, "x-kubernetes-preserve-unknown-fields") => {}
        _ => members.retain(|name, _| is_known(name)),
    }
}

fn settle(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(members) if schema.get("type").is_some_and(|kind| kind == "object") => {
            settle_members(schema, members);
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for item in items {
                    settle(schema, item);
                }
            }
        }
        _ => {}
    }
}

fn is(schema: &Value, flag: &str) -> bool {
    schema.get(flag) == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settled(mut value: Value) -> Value {
        let schema = json!({"type": "object", "properties": {
            "policy": {"type": "string", "default": "Orphan"},
            "note": {"type": "string", "nullable": true},
            "inner": {"type": "object", "properties": {"on": {"type": "boolean", "default": true}}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "prices": {"type": "object", "additionalProperties": {"type": "string"}},
            "items": {"type": "array", "items": {"type": "object", "properties": {"n": {"default": 1}}}},
        }});
        settle(&schema, &mut value);
        value
    }

    #[test]
    fn defaults_come_where_their_parent_is() {
        assert_eq!(settled(json!({})), json!({"policy": "Orphan"}));
        let found = settled(json!({"policy": null, "inner": {}, "items": [{}]}));
        assert_eq!(found, json!({"policy": "Orphan", "inner": {"on": true}, "items": [{"n": 1}]}));
    }

    #[test]
    fn what_is_unknown_or_null_goes() {
        let found = settled(json!({
            "policy": "End", "x": 1, "note": null, "inner": {"on": null, "y": 2}, "free": {"z": 3},
            "prices": {"a": "1", "b": null},
        }));
        let left = json!({
            "policy": "End", "note": null, "inner": {"on": true}, "free": {"z": 3}, "prices": {"a": "1"},
        });
        assert_eq!(found, left);
    }
}
