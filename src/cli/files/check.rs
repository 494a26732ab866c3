//! What the API server would not take: schema, metadata and CEL rules of the definitions, without a server.

use std::{borrow::Cow, collections::BTreeMap, sync::LazyLock};

use kube_cel::{CompiledSchema, Validator, compile_schema};
use serde_json::{Map, Value};

use crate::{
    api::{self, GROUP},
    review::{Finding, Rule},
    validate::{Violation, schema},
};

/// A definition: the schema of the whole resource.
struct Definition {
    schema: Value,
    is_namespaced: bool,
}

/// Members that metadata can have.
const METADATA: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

static DEFINITIONS: LazyLock<BTreeMap<String, Definition>> = LazyLock::new(|| {
    let definition = |crd| {
        let crd = serde_json::to_value(crd).unwrap_or_default();
        let schema = crd.pointer("/spec/versions/0/schema/openAPIV3Schema")?.clone();
        let is_namespaced = crd.pointer("/spec/scope")?.as_str()? == "Namespaced";
        Some((crd.pointer("/spec/names/kind")?.as_str()?.to_owned(), Definition { schema, is_namespaced }))
    };
    api::crds().into_iter().filter_map(definition).collect()
});

thread_local! {
    /// The rules of each definition, compiled once.
    static RULES: BTreeMap<String, CompiledSchema> =
        DEFINITIONS.iter().map(|(kind, definition)| (kind.clone(), compile_schema(&without_times(&definition.schema)))).collect();
    static VALIDATOR: Validator = Validator::new();
}

/// Our kinds.
pub(super) fn kinds() -> impl Iterator<Item = &'static str> {
    DEFINITIONS.keys().map(String::as_str)
}

/// What the API server would not take of a resource of our group; its [`rules`] are asked only of what passes here.
#[must_use]
pub fn check(resource: &Value) -> Vec<Finding> {
    let mut found = kind_and_version(resource);
    let kind = text(resource, "/kind");
    if let Some(definition) = DEFINITIONS.get(kind) {
        found.extend(Finding::errors(Rule::Schema, metadata(resource, definition)));
        let none = Value::Null;
        let spec = definition.schema.pointer("/properties/spec").unwrap_or(&none);
        let violations = schema::check(spec, "spec", resource.get("spec").unwrap_or(&none));
        found.extend(Finding::errors(Rule::Schema, violations));
    }
    found
}

/// A schema in which times are text. The evaluator would make times of them by itself, and then refuse `timestamp(…)` of
/// one, which the API server takes; our rules all say `timestamp(…)`.
fn without_times(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, value)| *name != "format" || *value != "date-time");
            kept.map(|(name, value)| (name.clone(), without_times(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(without_times).collect(),
        value => value.clone(),
    }
}

/// What the CEL rules of a resource's definition say, about what it says now and, where what it said before is known,
/// about the change.
#[must_use]
pub fn rules(kind: &str, resource: &Value, before: Option<&Value>) -> Vec<Finding> {
    let (resource, before) = (without_nulls(resource), before.map(without_nulls));
    let asked = RULES.with(|rules| {
        let rules = rules.get(kind)?;
        VALIDATOR.with(|validator| validator.validate_compiled(rules, &resource, before.as_deref()).err())
    });
    let finding = |error: kube_cel::ValidationError| {
        let path = error.field_path.trim_start_matches('.');
        let path = if path.is_empty() { "spec" } else { path };
        Finding::error(Rule::Cel, Violation::new(path, sentence(&error.message)))
    };
    asked.into_iter().flat_map(kube_cel::ValidationErrors::into_vec).map(finding).collect()
}

/// A rule's message as the end of a sentence that begins with the place.
fn sentence(message: &str) -> String {
    let is_one = ["must ", "is ", "may "].iter().any(|start| message.starts_with(start));
    if is_one { message.to_owned() } else { format!("is refused: {message}") }
}

fn kind_and_version(resource: &Value) -> Vec<Finding> {
    let (version, kind) = (text(resource, "/apiVersion"), text(resource, "/kind"));
    let mut found = Vec::new();
    if version != format!("{GROUP}/v1alpha1") {
        found.push(Violation::new("apiVersion", format!("must be {GROUP}/v1alpha1, not {version}")));
    }
    if !DEFINITIONS.contains_key(kind) {
        let known: Vec<_> = kinds().collect();
        found.push(Violation::new("kind", format!("must be one of {}, not {kind:?}", known.join(", "))));
    }
    Finding::errors(Rule::Kind, found).collect()
}

/// What is wrong beside the `spec`.
fn metadata(resource: &Value, definition: &Definition) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut refuse = |path: &str, message: &str| found.push(Violation::new(path, message));
    match resource.pointer("/metadata/name") {
        Some(Value::String(name)) if !name.is_empty() => {
            if !is_dns_name(name, 253, true) {
                let message = match name.len() {
                    0..=253 => format!("must be lower case letters, digits, `-` and `.`, not {name:?}"),
                    length => format!("must have at most 253 characters, not {length}"),
                };
                refuse("metadata.name", &message);
            }
        }
        Some(value @ (Value::Number(_) | Value::Bool(_))) => {
            refuse("metadata.name", &format!("must be text, in quotes: without them, it means {value}"));
        }
        _ if resource.pointer("/metadata/generateName").is_some() => {
            refuse(
                "metadata.name",
                "is required: a resource is known by its name, so `generateName` cannot make it up",
            );
        }
        _ => refuse("metadata.name", "is required, as text"),
    }
    match resource.pointer("/metadata/namespace") {
        None | Some(Value::Null) => {}
        Some(Value::String(name)) if name.is_empty() => {}
        Some(_) if !definition.is_namespaced => {
            refuse("metadata.namespace", "must be left out: the kind is the cluster's");
        }
        Some(Value::String(name)) if is_namespace(name) => {}
        Some(Value::String(name)) if name.len() > 63 => {
            let message = format!("must have at most 63 characters, not {}", name.len());
            refuse("metadata.namespace", &message);
        }
        Some(value @ (Value::Number(_) | Value::Bool(_))) => {
            let message = format!("must be text, in quotes: without them, it means {value}");
            refuse("metadata.namespace", &message);
        }
        Some(name) => {
            refuse("metadata.namespace", &format!("must be lower case letters, digits and `-`, not {name}"));
        }
    }
    for (list, is_label) in [("labels", true), ("annotations", false)] {
        let members = match resource.get("metadata").and_then(|metadata| metadata.get(list)) {
            Some(Value::Object(members)) => members.clone(),
            None | Some(Value::Null) => Map::new(),
            Some(_) => {
                refuse(&format!("metadata.{list}"), "must be a mapping of text");
                continue;
            }
        };
        for (name, value) in members {
            let path = format!("metadata.{list}.{name}");
            match value {
                _ if !is_qualified(&name) => refuse(&path, "is no name that labels and annotations can have"),
                Value::String(text) if is_label && !is_label_value(&text) => {
                    refuse(
                        &path,
                        &format!("must be at most 63 letters, digits, `-`, `_` and `.`, not {text:?}"),
                    );
                }
                Value::String(_) | Value::Null => {}
                value @ (Value::Number(_) | Value::Bool(_)) => {
                    refuse(&path, &format!("must be text, in quotes: without them, it means {value}"));
                }
                _ => refuse(&path, "must be text"),
            }
        }
    }
    let written = resource.get("metadata").and_then(Value::as_object).into_iter().flatten();
    for name in written.map(|(name, _)| name).filter(|name| !METADATA.contains(&name.as_str())) {
        refuse(&format!("metadata.{name}"), "is no field of metadata");
    }
    for name in resource.as_object().into_iter().flatten().map(|(name, _)| name) {
        if !["apiVersion", "kind", "metadata", "spec", "status"].contains(&name.as_str()) {
            refuse(name, "is no field of a resource; terms stand below `spec`");
        }
    }
    found
}

/// Whether text is a name of lower case letters, digits and `-`, of one part or of several with dots between them.
fn is_dns_name(text: &str, most: usize, has_dots: bool) -> bool {
    let is_part = |part: &str| {
        let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !part.is_empty() && !part.starts_with('-') && !part.ends_with('-') && part.bytes().all(is_inner)
    };
    text.len() <= most && if has_dots { text.split('.').all(is_part) } else { is_part(text) }
}

/// Whether text is the name of a namespace.
pub(in crate::cli) fn is_namespace(text: &str) -> bool {
    is_dns_name(text, 63, false)
}

/// Whether text is the name of a label or an annotation: `prefix/name`.
pub(in crate::cli) fn is_qualified(text: &str) -> bool {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    prefix.is_none_or(|prefix| is_dns_name(prefix, 253, true)) && !name.is_empty() && is_label_value(name)
}

/// Whether text is the value of a label.
pub(in crate::cli) fn is_label_value(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_outer = |byte: Option<u8>| byte.is_none_or(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 63
        && text.bytes().all(is_inner)
        && is_outer(text.bytes().next())
        && is_outer(text.bytes().next_back())
}

/// A value as the API server takes it: it leaves out what is null before it asks its rules.
pub(super) fn without_nulls(value: &Value) -> Cow<'_, Value> {
    fn has_null(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Object(members) => members.values().any(has_null),
            Value::Array(items) => items.iter().any(has_null),
            _ => false,
        }
    }
    fn without(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let said = members.iter().filter(|(_, value)| !value.is_null());
                said.map(|(name, value)| (name.clone(), without(value))).collect::<Map<_, _>>().into()
            }
            Value::Array(items) => items.iter().map(without).collect(),
            value => value.clone(),
        }
    }
    if has_null(value) { Cow::Owned(without(value)) } else { Cow::Borrowed(value) }
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
