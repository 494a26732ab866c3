//! The `openapi` file, by the real kustomize.

use std::fs;

use serde_json::Value;

use super::{PROVIDER, contract, folder};
use crate::support::{plane::Plane, root};

const PATCH: &str = "apiVersion: billing.countersign.dev/v1alpha1\nkind: BillingContract\nmetadata:\n  name: acme\nspec:\n  zoo:\n    \
                     items:\n      - code: licensed_api_credits\n        rateTiers:\n          - tierStartInclusive: 100\n            \
                     unitPrice: \"0.40\"\n";

/// The items of the contract that kustomize builds.
fn built(openapi: &str) -> Vec<Value> {
    let item = "      - code: licensed_api_credits\n        displayName: API\n        kind: usage_tiered\n        unit: file\n        \
                rateTiers:\n          - {tierStartInclusive: 0, tierEndExclusive: 100, unitPrice: \"0.50\"}\n          \
                - {tierStartInclusive: 100, unitPrice: \"0.42\"}\n    periods:\n";
    let contract = contract("acme", "1000").replace("    periods:\n", item);
    let kustomization =
        format!("resources: [zoo.yaml, acme.yaml]\npatches: [{{path: patch.yaml}}]\n{openapi}");
    let folder = folder(&[
        ("zoo.yaml", PROVIDER),
        ("acme.yaml", &contract),
        ("patch.yaml", PATCH),
        ("kustomization.yaml", &kustomization),
    ]);
    let schema = root().join("schemas/kustomize-openapi.json");
    fs::copy(schema, folder.path().join("kustomize-openapi.json")).unwrap();
    let text = Plane::shared().kubectl(&["kustomize", folder.path().to_str().unwrap()]);
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let contract = objects.into_iter().find(|object| object["kind"] == "BillingContract").unwrap();
    contract["spec"]["zoo"]["items"].as_array().unwrap().clone()
}

#[test]
fn a_patch_of_one_item_leaves_the_others() {
    let items = built("openapi: {path: kustomize-openapi.json}\n");
    let item = |code: &str| items.iter().find(|item| item["code"] == code).unwrap_or(&Value::Null);
    assert_eq!(item("fde")["fixedFeeAmount"], "1000", "{items:#?}");
    let tiers = item("licensed_api_credits")["rateTiers"].as_array().unwrap();
    let prices: Vec<_> = tiers.iter().map(|tier| tier["unitPrice"].as_str().unwrap()).collect();
    assert_eq!(prices.len(), 2, "{items:#?}");
    assert!(prices.contains(&"0.50") && prices.contains(&"0.40"), "{items:#?}");
}

#[test]
fn without_the_file_a_patch_of_one_item_drops_the_others() {
    assert_eq!(built("").len(), 1, "kustomize knows our lists by itself now: the file and its page can go");
}
