//! The schema of the terms is one that a custom resource definition can carry.

use kube::{CustomResource, CustomResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Contract, Package};

#[derive(CustomResource, Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[kube(group = "terms.countersign.dev", version = "v1", kind = "ContractTerms", namespaced)]
struct ContractTermsSpec {
    metronome: Option<Contract>,
}

#[derive(CustomResource, Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "terms.countersign.dev",
    version = "v1",
    kind = "PackageTerms",
    namespaced,
    validation = "self.spec.metronome == oldSelf.spec.metronome"
)]
struct PackageTermsSpec {
    metronome: Package,
}

fn definitions() -> [Value; 2] {
    [ContractTerms::crd(), PackageTerms::crd()].map(|crd| serde_json::to_value(crd).unwrap())
}

/// Calls `check` with the path of every schema in a definition and the schema itself.
fn for_each(schema: &Value, path: &str, check: &mut impl FnMut(&str, &Value)) {
    check(path, schema);
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        for_each(schema, &format!("{path}.{name}"), check);
    }
    for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(schema) = schema.get(key).filter(|schema| schema.is_object()) {
            for_each(schema, &format!("{path}{mark}"), check);
        }
    }
}

fn for_each_of_the_terms(mut check: impl FnMut(&str, &Value)) {
    for definition in definitions() {
        let spec = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        for_each(spec, "spec", &mut check);
    }
}

#[test]
fn a_definition_is_small_and_free_of_our_own_keywords() {
    for definition in definitions() {
        let text = definition.to_string();
        assert!(text.len() < 400_000, "{} bytes", text.len());
        assert!(!text.contains("x-countersign"));
    }
}

#[test]
fn every_text_list_and_map_is_bounded() {
    for_each_of_the_terms(|path, schema| {
        let bound = match schema["type"].as_str() {
            Some("string") if schema["enum"].is_array() => return,
            Some("string") => "maxLength",
            Some("array") => "maxItems",
            Some("integer") => "maximum",
            Some("object") if schema["additionalProperties"].is_object() => "maxProperties",
            _ => return,
        };
        assert!(schema[bound].is_number(), "`{path}` has no {bound}");
    });
}

#[test]
fn every_member_is_explained() {
    for_each_of_the_terms(|path, schema| {
        let is_member = !path.ends_with(['}', ']']) && path != "spec" && path != "spec.metronome";
        assert!(!is_member || schema["description"].is_string(), "`{path}` is not explained");
    });
}

#[test]
fn no_member_gets_a_value_that_nobody_wrote() {
    for_each_of_the_terms(|path, schema| assert!(schema.get("default").is_none(), "`{path}` has a default"));
}

#[test]
fn decimals_are_strings_and_no_number_is_a_float() {
    for_each_of_the_terms(|path, schema| assert_ne!(schema["type"], "number", "`{path}`"));
}
