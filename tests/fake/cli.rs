//! The command line, with files of the Fake billing API.

use std::{
    fs,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    fixture::{NAME, PRICE, acme, provider},
    support::terms::with,
};

fn countersign(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign")).args(arguments).output().unwrap()
}

/// Whether files are sound, and what is said of them.
fn validate(objects: &[Value]) -> (bool, String) {
    let folder = TempDir::with_prefix("countersign-").unwrap();
    for (index, object) in objects.iter().enumerate() {
        fs::write(folder.path().join(format!("{index}.yaml")), object.to_string()).unwrap();
    }
    let output = countersign(&["validate", folder.path().to_str().unwrap()]);
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn sound_files_are_found_sound() {
    let (is_sound, said) = validate(&[acme(), provider("http://127.0.0.1:1")]);
    assert!(is_sound, "{said}");
    assert!(said.contains("1 contract and 1 provider are sound"), "{said}");
}

#[test]
fn every_violation_is_named_with_its_path() {
    let zoo = with(
        provider("http://127.0.0.1:1"),
        "/spec",
        json!({"zoo": {"baseUrl": "https://zoo.example"}, "tokenSecretRef": {"name": "t"}}),
    );
    let clear = with(provider("http://fake.example"), "/metadata/name", json!("clear"));
    let both = {
        let zoo = crate::support::terms::acme()["spec"]["zoo"].take();
        with(with(acme(), "/spec/zoo", zoo), "/metadata/name", json!("both"))
    };
    let (is_sound, said) = validate(&[
        with(acme(), NAME, json!(" ")),
        with(with(acme(), PRICE, json!("-1")), "/metadata/name", json!("negative")),
        zoo,
        clear,
        both,
    ]);
    assert!(!is_sound, "{said}");
    for part in [
        "BillingContract acme: `spec.fake.name` must not be blank",
        "BillingContract acme: `spec.providerRef` is an account of another billing API than the terms",
        "BillingContract negative: `spec.fake.price`",
        "BillingProvider clear: `spec.fake.baseUrl`",
        "BillingContract both: `spec` must have exactly one of `zoo`, `metronome`, `fake`",
    ] {
        assert!(said.contains(part), "nothing of {part:?} in {said}");
    }
}

#[test]
fn the_definitions_have_the_terms_of_a_contract_and_no_package_of_them() {
    let folder = TempDir::with_prefix("countersign-").unwrap();
    assert!(countersign(&["crds", "--dir", folder.path().to_str().unwrap()]).status.success());
    let read = |kind: &str| -> Value {
        let path = folder.path().join(format!("{kind}.billing.countersign.dev.yaml"));
        serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    let spec = |crd: &Value| {
        crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties").unwrap().clone()
    };
    let terms = spec(&read("billingcontracts"))["fake"].take();
    assert_eq!(terms["required"], json!(["customerId", "name", "price"]));
    assert!(spec(&read("billingproviders"))["fake"].is_object());
    assert!(spec(&read("clusterbillingproviders"))["fake"].is_object());
    assert!(spec(&read("contractpackages"))["fake"].is_null());
}
