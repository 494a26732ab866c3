//! What the repository itself must keep.

use std::{fs, path::Path};

use crate::support::root;

#[test]
fn the_definitions_in_crds_are_those_of_the_types() {
    for (name, yaml) in countersign::cli::crds::files().unwrap() {
        let written = fs::read_to_string(root().join("crds").join(&name)).unwrap_or_default();
        assert!(written == yaml, "crds/{name} is stale; run: cargo run -- crds --dir crds");
    }
    let schemas = countersign::cli::crds::json_schemas().unwrap().into_iter();
    for (name, json) in schemas.chain([countersign::cli::crds::kustomize().unwrap()]) {
        let written = fs::read_to_string(root().join("schemas").join(&name)).unwrap_or_default();
        assert!(written == json, "schemas/{name} is stale; run: make crds");
    }
}

/// What the manifest of the crate that decides must not name: whatever acts.
const IMPURE: [&str; 10] = [
    "tokio",
    "reqwest",
    "axum",
    "futures",
    "hyper",
    "\"client\"",
    "\"runtime\"",
    "\"clock\"",
    "fastrand",
    "tracing",
];

#[test]
fn what_decides_is_a_crate_without_client_runtime_or_clock() {
    let manifest = fs::read_to_string(root().join("core/Cargo.toml")).unwrap();
    let code = manifest.lines().map(|line| line.split('#').next().unwrap_or_default());
    for line in code {
        for impure in IMPURE {
            assert!(!line.contains(impure), "core/Cargo.toml: {line}");
        }
    }
}

/// Where billing APIs may be told apart: the list of them, what is of one of them alone, and the one match of what acts.
const SEAM: [&str; 14] = [
    "core/src/api/kind.rs",
    "core/src/api/v1alpha1",
    "core/src/plan/fake.rs",
    "core/src/plan/metronome",
    "core/src/plan/package.rs",
    "core/src/plan/package",
    "core/src/plan/zoo",
    "core/src/plan/zoo.rs",
    "core/src/terms",
    "core/src/validate",
    "src/billing/fake.rs",
    "src/billing/metronome.rs",
    "src/billing/registry.rs",
    "src/billing/zoo.rs",
];

/// How code says which billing API something is of without a match that the compiler checks.
const TELLING: [&str; 9] = [
    "spec.zoo",
    "spec.metronome",
    "spec.fake",
    ".zoo.is_",
    ".metronome.is_",
    ".fake.is_",
    ".zoo.as_",
    ".metronome.as_",
    ".fake.as_",
];

#[test]
fn nothing_outside_the_seam_tells_billing_apis_apart_unless_by_a_match_in_full() {
    let (mut seen, mut found) = (0, Vec::new());
    for folder in ["core/src", "src"] {
        visit(&root().join(folder), &mut |path, source| {
            seen += 1;
            let place = path.strip_prefix(root()).unwrap().display().to_string();
            let is_test = place.ends_with("tests.rs") || place.contains("/tests/");
            if is_test || SEAM.iter().any(|seam| place.starts_with(seam)) {
                return;
            }
            let source = source.split("#[cfg(test)]").next().unwrap_or_default();
            for (number, line) in source.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                // A match over `Api` may look at the member that belongs to its arm.
                let is_arm = code.contains("Api::") || code.contains("Some(Api");
                let in_text = code.contains('"') || code.contains('`');
                if TELLING.iter().any(|telling| code.contains(telling)) && !is_arm && !in_text {
                    found.push(format!("{place}:{}: {}", number + 1, line.trim()));
                }
            }
        });
    }
    assert!(seen > 60, "only {seen} files were looked at");
    assert!(found.is_empty(), "{} places tell billing APIs apart:\n{}", found.len(), found.join("\n"));
}

fn visit(path: &Path, look: &mut impl FnMut(&Path, &str)) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            visit(&entry.unwrap().path(), look);
        }
    } else {
        look(path, &fs::read_to_string(path).unwrap());
    }
}
