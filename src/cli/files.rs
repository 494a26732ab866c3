//! Resources in files: read, checked as the API server would check them, and typed.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::LazyLock,
};

use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Failure;
use crate::{
    api::{self, BillingContract, BillingProvider, ClusterBillingProvider, ContractPackage, GROUP},
    validate::{Violation, schema},
    yaml,
};

/// The schema of each kind's `spec`.
static SCHEMAS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let spec = |crd| {
        let crd = serde_json::to_value(crd).unwrap_or_default();
        let schema = crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec")?;
        Some((crd.pointer("/spec/names/kind")?.as_str()?.to_owned(), schema.clone()))
    };
    api::crds().into_iter().filter_map(spec).collect()
});

/// What stands in files.
#[derive(Debug, Default)]
pub struct Files {
    /// Providers.
    pub providers: Vec<Found<BillingProvider>>,
    /// Providers of the cluster.
    pub cluster_providers: Vec<Found<ClusterBillingProvider>>,
    /// Packages.
    pub packages: Vec<Found<ContractPackage>>,
    /// Contracts.
    pub contracts: Vec<Found<BillingContract>>,
    /// Whatever the API server would not take.
    pub problems: Vec<Problem>,
}

/// A resource, and the file that it stands in.
#[derive(Debug)]
pub struct Found<K> {
    /// The file.
    pub file: String,
    /// The resource.
    pub resource: K,
}

/// Something that is wrong with a resource in a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file and the resource.
    pub place: String,
    /// What is wrong.
    pub violation: Violation,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.violation)
    }
}

impl<K: Resource<DynamicType = ()>> Found<K> {
    /// What is wrong with the resource, with its place.
    pub fn problems(&self, violations: Vec<Violation>) -> impl Iterator<Item = Problem> {
        let place = place(&self.file, &K::kind(&()), &self.resource.name_any());
        violations.into_iter().map(move |violation| Problem { place: place.clone(), violation })
    }
}

impl Files {
    /// Reads files, and folders with all `.yaml` and `.yml` files in them; `-` is the standard input.
    ///
    /// # Errors
    /// When one cannot be read, or is no YAML.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Failure> {
        let mut files = Self::default();
        for path in paths {
            if path.as_os_str() == "-" {
                let mut text = String::new();
                io::stdin().read_to_string(&mut text)?;
                files.add("standard input", &text)?;
            } else {
                files.add_path(path)?;
            }
        }
        Ok(files)
    }

    fn add_path(&mut self, path: &Path) -> Result<(), Failure> {
        let cannot = |error: io::Error| format!("cannot read {}: {error}", path.display());
        if path.is_dir() {
            let entries: Result<Vec<_>, _> = fs::read_dir(path).map_err(cannot)?.collect();
            let mut paths: Vec<_> = entries.map_err(cannot)?.iter().map(fs::DirEntry::path).collect();
            paths.sort();
            let is_yaml =
                |path: &PathBuf| path.extension().is_some_and(|name| name == "yaml" || name == "yml");
            return paths
                .iter()
                .filter(|path| path.is_dir() || is_yaml(path))
                .try_for_each(|path| self.add_path(path));
        }
        self.add(&path.display().to_string(), &fs::read_to_string(path).map_err(cannot)?)
    }

    /// Adds the resources in a text; those of other API groups are none of our business.
    fn add(&mut self, file: &str, text: &str) -> Result<(), Failure> {
        for document in yaml::parse_documents(text).map_err(|error| format!("{file}: {error}"))? {
            let text = |pointer| document.pointer(pointer).and_then(Value::as_str);
            let group = text("/apiVersion").and_then(|version| version.split_once('/'));
            let kind = text("/kind").unwrap_or_default();
            if let Some((GROUP, version)) = group {
                let place = place(file, kind, text("/metadata/name").unwrap_or("without a name"));
                let violations = check(version, kind, &document);
                if violations.is_empty() {
                    self.keep(file, kind, &document, &place);
                }
                let problem = |violation| Problem { place: place.clone(), violation };
                self.problems.extend(violations.into_iter().map(problem));
            }
        }
        Ok(())
    }

    fn keep(&mut self, file: &str, kind: &str, document: &Value, place: &str) {
        let kept = match kind {
            "BillingProvider" => keep(&mut self.providers, file, document),
            "ClusterBillingProvider" => keep(&mut self.cluster_providers, file, document),
            "ContractPackage" => keep(&mut self.packages, file, document),
            _ => keep(&mut self.contracts, file, document),
        };
        if let Err(error) = kept {
            let violation = Violation::new("spec", format!("cannot be read: {error}"));
            self.problems.push(Problem { place: place.to_owned(), violation });
        }
    }
}

fn keep<K: DeserializeOwned>(
    list: &mut Vec<Found<K>>,
    file: &str,
    document: &Value,
) -> serde_json::Result<()> {
    list.push(Found { file: file.to_owned(), resource: K::deserialize(document)? });
    Ok(())
}

/// What the API server would not take.
fn check(version: &str, kind: &str, document: &Value) -> Vec<Violation> {
    let mut violations = Vec::new();
    if version != "v1alpha1" {
        violations
            .push(Violation::new("apiVersion", format!("must be {GROUP}/v1alpha1, not {GROUP}/{version}")));
    }
    let Some(schema) = SCHEMAS.get(kind) else {
        let kinds: Vec<_> = SCHEMAS.keys().map(String::as_str).collect();
        violations.push(Violation::new("kind", format!("must be one of {}, not {kind:?}", kinds.join(", "))));
        return violations;
    };
    if document.pointer("/metadata/name").and_then(Value::as_str).is_none_or(str::is_empty) {
        violations.push(Violation::new("metadata.name", "is required, as text"));
    }
    for name in document.as_object().into_iter().flatten().map(|(name, _)| name) {
        if !["apiVersion", "kind", "metadata", "spec", "status"].contains(&name.as_str()) {
            violations.push(Violation::new(name, "is no field of a resource; terms stand below `spec`"));
        }
    }
    violations.extend(schema::check(schema, "spec", document.get("spec").unwrap_or(&Value::Null)));
    violations
}

fn place(file: &str, kind: &str, name: &str) -> String {
    format!("{file}: {kind} {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let mut files = Files::default();
        files.add("acme.yaml", text).unwrap();
        files.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_api_server_would_not_take_is_named_with_file_and_path() {
        let text = "apiVersion: billing.countersign.dev/v1alpha1\nkind: BillingContract\nmetadata: {name: acme}\n\
                    spec:\n  providerRef: {}\n  zoo: {organisationId: x, effectiveAt: 2026-01-01T00:00:00Z}\n";
        assert_eq!(
            problems(text),
            [
                "acme.yaml: BillingContract acme: `spec.providerRef.name` is required",
                "acme.yaml: BillingContract acme: `spec.zoo.organizationId` is required",
                "acme.yaml: BillingContract acme: `spec.zoo.organisationId` is no field; did you mean `organizationId`?",
            ]
        );
    }

    #[test]
    fn a_resource_must_be_of_a_kind_and_version_that_there_is() {
        let text = "apiVersion: billing.countersign.dev/v1\nkind: Contract\nmetadata: {}\nspec: {}\n";
        let found = problems(text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("`apiVersion` must be billing.countersign.dev/v1alpha1"), "{found:?}");
        assert!(found[1].contains("`kind` must be one of BillingContract, "), "{found:?}");
        let text = "apiVersion: billing.countersign.dev/v1alpha1\nkind: BillingContract\nspecs: {}\n";
        let found = problems(text);
        assert!(found.iter().any(|problem| problem.contains("`metadata.name` is required")), "{found:?}");
        assert!(found.iter().any(|problem| problem.contains("`specs` is no field")), "{found:?}");
        assert!(found.iter().any(|problem| problem.contains("`spec` must be a mapping")), "{found:?}");
    }

    #[test]
    fn resources_of_other_groups_are_left_alone() {
        let mut files = Files::default();
        files
            .add("kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n")
            .unwrap();
        files.add("secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: token}\n").unwrap();
        assert!(files.problems.is_empty() && files.contracts.is_empty());
    }

    #[test]
    fn text_that_is_no_yaml_is_an_error_with_its_file() {
        let error = Files::default().add("acme.yaml", "a: [").unwrap_err().to_string();
        assert!(error.starts_with("acme.yaml: "), "{error}");
    }
}
