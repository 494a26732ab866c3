//! Makes definitions read well in `kubectl explain`, which shows descriptions and little else: what each word of an enum
//! means, and what holds where a field is left out, are put there.

use std::{collections::BTreeMap, sync::LazyLock};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use super::{approval, contract, package};

/// What the words of our own enums mean, by the list of words. (Those of billing APIs bring it along as a title.)
static OWN: LazyLock<BTreeMap<Vec<String>, String>> = LazyLock::new(|| {
    [
        meanings::<contract::ProviderKind>(),
        meanings::<contract::DeletionPolicy>(),
        meanings::<contract::ManagementPolicy>(),
        meanings::<contract::DriftPolicy>(),
        meanings::<contract::AdoptMode>(),
        meanings::<approval::ApprovalDecision>(),
        meanings::<package::Lifecycle>(),
        meanings::<package::PackageDeletionPolicy>(),
    ]
    .into()
});

/// The words of an enum, and one text on what each means.
fn meanings<T: JsonSchema>() -> (Vec<String>, String) {
    let schema = SchemaGenerator::default().into_root_schema_for::<T>();
    let variants = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let word = |variant: &Value| {
        let text = |name| variant.get(name).and_then(Value::as_str).map(str::to_owned);
        Some((text("const")?, text("description")?))
    };
    let words: Vec<_> = variants.filter_map(word).collect();
    let text: Vec<_> = words.iter().map(|(word, meaning)| format!("`{word}`: {meaning}")).collect();
    (words.into_iter().map(|(word, _)| word).collect(), text.join(" "))
}

/// Makes a schema read well, and nulls go: the API server prunes them where they are not declared.
pub(super) fn tidy(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if let Some(words) = &mut schema.enum_ {
        words.retain(|word| !word.0.is_null());
    }
    let title = schema.title.take();
    let told = [title.or_else(|| meaning(schema)), schema.default.as_ref().and_then(default)];
    let description = schema.description.take().into_iter().flat_map(|description| paragraphs(&description));
    let paragraphs: Vec<_> = description.chain(told.into_iter().flatten()).collect();
    schema.description = (!paragraphs.is_empty()).then(|| paragraphs.join("\n\n"));
    for property in schema.properties.iter_mut().flat_map(BTreeMap::values_mut) {
        tidy(property);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        tidy(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        tidy(values);
    }
}

/// A text in paragraphs of one line each: the reader's tool breaks lines.
fn paragraphs(description: &str) -> Vec<String> {
    description.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect()
}

/// What the words of one of our own enums mean.
fn meaning(schema: &JSONSchemaProps) -> Option<String> {
    let words = schema.enum_.as_ref()?.iter().map(|word| word.0.as_str().map(str::to_owned));
    OWN.get(&words.collect::<Option<Vec<_>>>()?).cloned()
}

/// What holds where a field is left out.
fn default(value: &JSON) -> Option<String> {
    match &value.0 {
        Value::String(text) => Some(format!("Default: `{text}`.")),
        value @ (Value::Number(_) | Value::Bool(_)) => Some(format!("Default: `{value}`.")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::crds;

    /// Calls `look` with the path and the schema of each field below a schema.
    fn visit(path: &str, schema: &Value, look: &mut impl FnMut(&str, &Value)) {
        look(path, schema);
        for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            visit(&format!("{path}.{name}"), schema, look);
        }
        for member in ["items", "additionalProperties"] {
            schema.get(member).into_iter().for_each(|schema| visit(path, schema, look));
        }
    }

    #[test]
    fn every_word_of_an_enum_and_every_default_is_explained() {
        let (mut words, mut defaults) = (0, 0);
        for crd in crds() {
            let crd = serde_json::to_value(crd).unwrap();
            let kind = crd["spec"]["names"]["kind"].as_str().unwrap();
            let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
            visit(kind, spec, &mut |path, schema| {
                let description = schema["description"].as_str().unwrap_or_default();
                for word in schema["enum"].as_array().into_iter().flatten() {
                    let told = format!("`{}`: ", word.as_str().unwrap());
                    assert!(description.contains(&told), "{path}: nothing on {word} in {description:?}");
                    words += 1;
                }
                if let Value::String(_) | Value::Number(_) | Value::Bool(_) = &schema["default"] {
                    assert!(description.contains("Default: `"), "{path}: {description:?}");
                    defaults += 1;
                }
                assert!(schema.get("title").is_none(), "{path}");
            });
        }
        assert!(words > 300 && defaults > 10, "{words} words, {defaults} defaults");
    }
}
