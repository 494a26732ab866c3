//! What the repository itself must keep.

use std::{fs, path::Path};

use crate::support::root;

#[test]
fn the_definitions_in_crds_are_those_of_the_types() {
    for (name, yaml) in countersign::cli::crds::files().unwrap() {
        let written = fs::read_to_string(root().join("crds").join(&name)).unwrap_or_default();
        assert!(written == yaml, "crds/{name} is stale; run: cargo run -- crds --dir crds");
    }
}

/// Modules that compute and nothing else.
const PURE: [&str; 6] = [
    "core/src/api",
    "core/src/terms",
    "core/src/validate",
    "core/src/plan",
    "core/src/protocol",
    "core/src/status",
];

/// What a module that only computes has no use for.
const IMPURE: [&str; 14] = [
    "tokio",
    "reqwest",
    "axum",
    "futures",
    "async fn",
    ".await",
    "kube::Client",
    "kube::Api",
    "Api::",
    "Client::",
    "std::net",
    "std::fs",
    "SystemTime",
    "::now()",
];

#[test]
fn pure_modules_know_no_client_no_clock_and_no_runtime() {
    let mut seen = 0;
    for module in PURE {
        visit(&root().join(module), &mut |path, source| {
            seen += 1;
            for (number, line) in source.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                for impure in IMPURE {
                    assert!(!code.contains(impure), "{}:{}: {impure}", path.display(), number + 1);
                }
                let imports = code.trim_start().starts_with("use ") || code.contains("kube::{");
                let of_kube =
                    imports && code.contains("kube") && (code.contains("Client") || code.contains("Api,"));
                assert!(!of_kube, "{}:{}: {line}", path.display(), number + 1);
            }
        });
    }
    assert!(seen > 15, "only {seen} files were looked at");
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
