//! Schemas for tools beside the API server: JSON schemas for editors, and what kustomize has to know of our lists.

use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use super::{
    BillingContract, BillingContractSpec, BillingProvider, ClusterBillingProvider, ContractApproval,
    ContractApprovalSpec, ContractPackage, ContractPackageSpec, GROUP, crds,
    provider::{BillingProviderSpec, ClusterBillingProviderSpec},
};
use crate::terms::shape::schema_of;

/// A JSON schema for each kind, with the name of its file. Unlike the definitions they say what each word of an enum means,
/// and that there are no other members: an editor shows both while somebody types.
#[must_use]
pub fn json_schemas() -> Vec<(String, Value)> {
    vec![
        schema::<BillingContract>(schema_of::<BillingContractSpec>()),
        schema::<BillingProvider>(schema_of::<BillingProviderSpec>()),
        schema::<ClusterBillingProvider>(schema_of::<ClusterBillingProviderSpec>()),
        schema::<ContractApproval>(schema_of::<ContractApprovalSpec>()),
        schema::<ContractPackage>(schema_of::<ContractPackageSpec>()),
    ]
}

fn schema<K: CustomResourceExt>(mut spec: Value) -> (String, Value) {
    let crd = K::crd();
    let kind = crd.spec.names.kind;
    close(&mut spec);
    if let Some(members) = spec.as_object_mut() {
        members.remove("$schema");
        members.remove("title");
    }
    let description = crd
        .spec
        .versions
        .first()
        .and_then(|version| version.schema.as_ref()?.open_api_v3_schema.as_ref()?.description.clone());
    let text = || json!({"type": "string"});
    let texts = || json!({"type": "object", "additionalProperties": text()});
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": kind,
        "description": description,
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
        "properties": {
            "apiVersion": {"const": format!("{GROUP}/v1alpha1")},
            "kind": {"const": kind},
            "metadata": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": text(), "namespace": text(), "labels": texts(), "annotations": texts()},
            },
            "spec": spec,
            "status": {"type": "object"},
        },
    });
    (format!("{}.json", kind.to_lowercase()), schema)
}

/// Leaves out what only Kubernetes understands, and refuses members that a schema does not name.
fn close(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    let is_open = members.contains_key("x-kubernetes-preserve-unknown-fields");
    members.retain(|name, _| !name.starts_with("x-"));
    if members.contains_key("properties") && !is_open {
        members.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    for (name, value) in members {
        match (name.as_str(), value) {
            ("properties", Value::Object(properties)) => properties.values_mut().for_each(close),
            ("items" | "additionalProperties", value) => close(value),
            ("anyOf" | "oneOf" | "allOf", Value::Array(all)) => all.iter_mut().for_each(close),
            _ => {}
        }
    }
}

/// What kustomize has to know so that a patch of one item leaves the others of its list (`openapi` of a kustomization):
/// by which member items of each keyed list go. It takes lists of custom resources for single values otherwise.
#[must_use]
pub fn kustomize_openapi() -> Value {
    let mut definitions = Map::new();
    for crd in crds() {
        let kind = crd.spec.names.kind.clone();
        let crd = serde_json::to_value(crd).unwrap_or_default();
        let spec =
            crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").and_then(keyed_lists);
        let Some(spec) = spec else { continue };
        let definition = json!({
            "type": "object",
            "properties": {"spec": spec},
            "x-kubernetes-group-version-kind": [{"group": GROUP, "version": "v1alpha1", "kind": kind}],
        });
        definitions.insert(format!("dev.countersign.billing.v1alpha1.{kind}"), definition);
    }
    json!({"definitions": definitions})
}

/// The part of a schema that leads to keyed lists; none when it leads to none.
fn keyed_lists(schema: &Value) -> Option<Value> {
    if let Some(items) = schema.get("items") {
        let below = keyed_lists(items);
        let key = schema.get("x-kubernetes-list-map-keys").and_then(|keys| keys.get(0));
        let mut list =
            json!({"type": "array", "items": below.clone().unwrap_or_else(|| json!({"type": "object"}))});
        let members = list.as_object_mut()?;
        match (key, below) {
            (Some(key), _) => {
                members.insert("x-kubernetes-patch-merge-key".to_owned(), key.clone());
                members.insert("x-kubernetes-patch-strategy".to_owned(), "merge".into());
            }
            // Items without a key can't be told apart: whoever patches one writes the whole list.
            (None, _) => return None,
        }
        return Some(list);
    }
    let properties = schema.get("properties")?.as_object()?;
    let led: Map<_, _> =
        properties.iter().filter_map(|(name, schema)| Some((name.clone(), keyed_lists(schema)?))).collect();
    (!led.is_empty()).then(|| json!({"type": "object", "properties": led}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kustomize_is_told_the_key_of_every_keyed_list() {
        fn keys(schema: &Value, found: &mut usize) {
            *found += usize::from(schema.get("x-kubernetes-list-map-keys").is_some());
            for below in schema
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .map(|(_, below)| below)
            {
                keys(below, found);
            }
            schema.get("items").into_iter().for_each(|items| keys(items, found));
        }
        let mut wanted = 0;
        for crd in crds() {
            let crd = serde_json::to_value(crd).unwrap();
            keys(
                crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").unwrap(),
                &mut wanted,
            );
        }
        let openapi = kustomize_openapi();
        let told = openapi.to_string().matches("x-kubernetes-patch-merge-key").count();
        assert!(told >= 15, "{told}");
        assert_eq!(told, wanted);
        let items = "/definitions/dev.countersign.billing.v1alpha1.BillingContract/properties/spec/properties/zoo/properties/items";
        let items = openapi.pointer(items).unwrap();
        assert_eq!(items["x-kubernetes-patch-merge-key"], "code");
        assert_eq!(
            items["items"]["properties"]["rateTiers"]["x-kubernetes-patch-merge-key"],
            "tierStartInclusive"
        );
    }

    #[test]
    fn json_schemas_say_what_words_mean_and_that_there_is_nothing_else() {
        let schemas = json_schemas();
        let names: Vec<_> = schemas.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "billingcontract.json",
                "billingprovider.json",
                "clusterbillingprovider.json",
                "contractapproval.json",
                "contractpackage.json"
            ]
        );
        let contract = &schemas[0].1;
        let policy = contract.pointer("/properties/spec/properties/deletionPolicy").unwrap().to_string();
        assert!(policy.contains("Ends the contract in good order."), "{policy}");
        assert_eq!(
            contract
                .pointer("/properties/spec/properties/zoo")
                .unwrap()
                .to_string()
                .matches("x-kubernetes")
                .count(),
            0
        );
        assert_eq!(contract.pointer("/properties/spec/additionalProperties"), Some(&json!(false)));
        let whole = contract.to_string();
        assert!(
            whole.contains("When the contract starts to apply") && !whole.contains("\"$ref\""),
            "references"
        );
    }
}
