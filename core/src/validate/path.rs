//! Paths as people read them (`spec.zoo.items[fde].fixedFeeAmount`) and pointers as programs follow them
//! (`/spec/zoo/items/1/fixedFeeAmount`).

use serde_json::Value;

use crate::terms::json::{of_segment, to_segment};

/// Members that an item of a list goes by in a path.
const KEYS: [&str; 6] = ["key", "code", "periodIndex", "alias", "name", "tierStartInclusive"];

/// The JSON pointer to what a path means in a resource, or to the nearest part above it that is there.
#[must_use]
pub fn pointer(resource: &Value, path: &str) -> String {
    let (mut value, mut rest, mut pointer) = (resource, path, String::new());
    while !rest.is_empty() {
        let step = match value {
            Value::Object(members) => {
                let rest = rest.strip_prefix('.').unwrap_or(rest);
                let fits = |name: &&String| {
                    let after = rest.strip_prefix(name.as_str());
                    after.is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
                };
                // Names may have dots: the longest one that fits is meant.
                let name = members.keys().filter(fits).max_by_key(|name| name.len());
                name.and_then(|name| Some((to_segment(name), members.get(name)?, rest.get(name.len()..)?)))
            }
            Value::Array(items) => {
                rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).and_then(|(key, rest)| {
                    let index =
                        items.iter().position(|item| goes_by(item, key)).or_else(|| key.parse().ok())?;
                    Some((index.to_string(), items.get(index)?, rest))
                })
            }
            _ => None,
        };
        let Some((segment, next, after)) = step else { return pointer };
        pointer.push('/');
        pointer.push_str(&segment);
        (value, rest) = (next, after);
    }
    pointer
}

/// The path of a part of the terms, below `root`, for people: `/items/fde/rateTiers/0` becomes `root.items[fde].rateTiers[0]`.
#[must_use]
pub fn of_pointer(root: &str, terms: &Value, pointer: &str) -> String {
    let (mut path, mut value) = (root.to_owned(), Some(terms));
    for segment in pointer.split('/').skip(1) {
        let segment = of_segment(segment);
        value = match value {
            Some(Value::Array(items)) => {
                path.extend([format!("[{segment}]")]);
                let found = items.iter().find(|item| goes_by(item, &segment));
                found.or_else(|| items.get(segment.parse::<usize>().ok()?))
            }
            value => {
                path.push('.');
                path.push_str(&segment);
                value.and_then(|value| value.get(&segment))
            }
        };
    }
    path
}

/// Whether an item of a list goes by a key in paths.
fn goes_by(item: &Value, key: &str) -> bool {
    KEYS.iter().any(|name| match item.get(name) {
        Some(Value::String(text)) => text == key,
        Some(Value::Number(number)) => number.to_string() == key,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_leads_to_its_part_or_to_the_nearest_one_above_it() {
        let resource = json!({"metadata": {"labels": {"a.b/c": "x"}}, "spec": {"zoo": {"items": [
            {"code": "fde"}, {"code": "api", "rateTiers": [{"tierStartInclusive": 0}, {"tierStartInclusive": 100, "unitPrice": "1"}]}],
            "ignoreDrift": ["/a"]}}});
        for (path, expected) in [
            ("spec.zoo.items[api].rateTiers[100].unitPrice", "/spec/zoo/items/1/rateTiers/1/unitPrice"),
            ("spec.zoo.items[api].rateTiers[1].unitPrice", "/spec/zoo/items/1/rateTiers/1/unitPrice"),
            ("spec.zoo.items[fde].displayName", "/spec/zoo/items/0"),
            ("spec.zoo.organizationId", "/spec/zoo"),
            ("spec.zoo.ignoreDrift[0]", "/spec/zoo/ignoreDrift/0"),
            ("metadata.labels.a.b/c", "/metadata/labels/a.b~1c"),
            ("spec.packageRef", "/spec"),
            ("", ""),
        ] {
            assert_eq!(pointer(&resource, path), expected, "{path}");
        }
    }

    #[test]
    fn a_pointer_into_terms_becomes_a_path_that_people_read() {
        let terms = json!({"items": [{"code": "fde", "rateTiers": [{"unitPrice": "1"}]}], "customFields": {"a/b": "c"}});
        let path = |pointer| of_pointer("spec.zoo", &terms, pointer);
        assert_eq!(path("/items/fde/rateTiers/0/unitPrice"), "spec.zoo.items[fde].rateTiers[0].unitPrice");
        assert_eq!(path("/customFields/a~1b"), "spec.zoo.customFields.a/b");
    }
}
