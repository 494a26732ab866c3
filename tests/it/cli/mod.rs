//! The commands for pull requests, as people run them.

mod corpus;
mod kustomize;
pub(crate) mod live;
mod plan;
mod plugin;
mod report;
mod validate;
mod walk;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

use crate::support::root;

/// What a command came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) said: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            said: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs `countersign` in a folder.
pub(crate) fn countersign(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(arguments).current_dir(folder).env_remove("KUBECONFIG").output().unwrap().into()
}

/// A plan that was printed as JSON, which is what its schema says.
fn plan_of(ran: &Ran) -> serde_json::Value {
    static SCHEMA: std::sync::LazyLock<jsonschema::Validator> = std::sync::LazyLock::new(|| {
        let text = std::fs::read_to_string(root().join("schemas/plan.json")).unwrap();
        jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
    });
    let plan = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}{}", ran.out, ran.said));
    let wrong: Vec<_> = SCHEMA.iter_errors(&plan).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", ran.out);
    plan
}

/// A folder with files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::with_prefix("countersign-").unwrap();
    for (name, text) in files {
        write(folder.path(), name, text);
    }
    folder
}

pub(crate) fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Runs git in a folder.
fn git(folder: &Path, arguments: &[&str]) {
    let identity =
        ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").args(identity).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A Git repository with some files in its first commit, which is tagged `before`.
fn repository(files: &[(&str, &str)]) -> TempDir {
    let folder = folder(files);
    git(folder.path(), &["init", "--quiet"]);
    git(folder.path(), &["add", "--all"]);
    git(folder.path(), &["commit", "--quiet", "--message", "Before"]);
    git(folder.path(), &["tag", "before"]);
    folder
}

/// An example's text.
fn example(path: &str) -> String {
    std::fs::read_to_string(PathBuf::from(root()).join("examples").join(path)).unwrap()
}

/// A contract of Zoo that deserves no question.
fn contract(name: &str, fee: &str) -> String {
    let organization =
        format!("6f0c3f0e-6b7e-4b8e-9f0a-{:0>12}", name.bytes().map(usize::from).sum::<usize>());
    format!(
        "apiVersion: billing.countersign.dev/v1alpha1\nkind: BillingContract\nmetadata:\n  name: {name}\nspec:\n  providerRef:\n    \
         name: zoo\n  deletionPolicy: End\n  zoo:\n    organizationId: {organization}\n    name: {name} 2026\n    status: active\n    \
         provider: stripe\n    billingCadence: annual\n    commitmentScope: pooled\n    rolloverPolicy: none\n    currency: USD\n    \
         effectiveAt: 2026-01-01T00:00:00Z\n    termEndAt: 2027-01-01T00:00:00Z\n    items:\n      - code: fde\n        \
         displayName: Engineer\n        kind: fixed_fee\n        unit: year\n        fixedFeeAmount: \"{fee}\"\n    periods:\n      \
         - periodIndex: 0\n        periodStartAt: 2026-01-01T00:00:00Z\n        periodEndAt: 2027-01-01T00:00:00Z\n        \
         commitmentAmount: \"50000\"\n"
    )
}

/// The provider of [`contract`].
const PROVIDER: &str = "apiVersion: billing.countersign.dev/v1alpha1\nkind: BillingProvider\nmetadata:\n  name: zoo\nspec:\n  zoo: {}\n  \
                        tokenSecretRef:\n    name: zoo-token\n";
