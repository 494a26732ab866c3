//! What of a text is a resource of ours, and what is left out and why.
//!
//! Nothing that may be meant as one of our resources is left out in silence: a misspelt group would otherwise be called
//! sound, and never billed.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Files, Resource, Skipped, Source, Typed, check, kustomize::Kustomizations};
use crate::{
    api::GROUP,
    review::{Finding, Rule},
    validate::Violation,
    yaml::{self, Document, Part},
};

/// Words of an API group that somebody wrote and ours was meant.
const MAX_MISSPELT: usize = 4;
/// Slips of the pen in a kind of ours.
const MAX_MISSPELT_KIND: usize = 2;
/// Group of kustomizations.
const KUSTOMIZE: &str = "kustomize.config.k8s.io/";

impl Files {
    /// Sorts every document of every source.
    pub(super) fn sort(&mut self) {
        let read: Vec<Vec<Document>> = self.sources.iter().map(documents).collect();
        let mut kustomizations = Kustomizations::default();
        for (source, documents) in self.sources.iter().zip(&read) {
            for value in documents.iter().filter_map(|document| document.value.as_ref().ok()) {
                if text(value, "/apiVersion").starts_with(KUSTOMIZE) || is_kustomization(&source.name) {
                    kustomizations.add(&source.name, value);
                }
            }
        }
        for (index, documents) in read.into_iter().enumerate() {
            let Some(Source { name, text, unread }) = self.sources.get(index).cloned() else { continue };
            if let Some(error) = unread {
                self.broken.push((index, error));
                continue;
            }
            if let Some(kustomization) = kustomizations.user(&name) {
                let reason = format!(
                    "a patch or settings of {kustomization}; check what `kustomize build` prints instead"
                );
                self.skipped.push(Skipped { file: name, reason });
                continue;
            }
            if documents.iter().all(|document| document.value == Ok(Value::Null)) {
                let reason = if text.trim().is_empty() { "empty" } else { "nothing but comments" };
                self.skipped.push(Skipped { file: name, reason: reason.to_owned() });
                continue;
            }
            for Document { part, value } in documents {
                match value {
                    Ok(Value::Null) => {}
                    Ok(value) => {
                        let at = At {
                            source: index,
                            part,
                            pointer: String::new(),
                            scope: kustomizations.scope(&name),
                        };
                        self.sort_value(&name, at, value);
                    }
                    Err(_) if is_json(&name) && !text.contains(GROUP) => {
                        self.skipped.push(Skipped { file: name.clone(), reason: "no JSON".to_owned() });
                    }
                    Err(error) => self.broken.push((index, error)),
                }
            }
        }
    }

    fn sort_value(&mut self, file: &str, at: At, value: Value) {
        let skip = |reason: String| Skipped { file: file.to_owned(), reason };
        let (version, kind) = (text(&value, "/apiVersion").to_owned(), text(&value, "/kind").to_owned());
        let group = version.split_once('/').map_or("", |(group, _)| group);
        if version.starts_with(KUSTOMIZE) || is_kustomization(file) {
            return self.skipped.push(skip("a kustomization".to_owned()));
        }
        if kind == "List" || (kind.ends_with("List") && group == GROUP) {
            return self.sort_list(file, at, value);
        }
        if ["/$patch", "/spec/$patch", "/metadata/$patch"]
            .iter()
            .any(|pointer| value.pointer(pointer).is_some())
        {
            return self.skipped.push(skip("a patch: it says `$patch`".to_owned()));
        }
        let is_our_kind = check::kinds().any(|known| is_near(known, &kind, MAX_MISSPELT_KIND));
        if group == GROUP {
            self.keep(at, value);
        } else if is_our_kind || is_misspelt(group) || is_misspelt(&version) || has_our_terms(&value) {
            let message = match &*version {
                "" => format!("is required: write {GROUP}/v1alpha1"),
                found => format!("must be {GROUP}/v1alpha1, not {found}"),
            };
            self.refuse(at, value, "apiVersion", &message);
        } else if let Value::Array(_) = value
            && let Some(held) = held(&value)
        {
            let message = format!(
                "must begin a resource, not a list: the API server takes no list without a kind, and so not {held}"
            );
            self.refuse(at, value, "apiVersion", &message);
        } else {
            let reason = match value {
                _ if !kind.is_empty() || !version.is_empty() => {
                    let version = if version.is_empty() { "no API version" } else { &version };
                    format!("{kind} of {version}: of another API group")
                }
                Value::Object(_) => "no resource: it has neither `apiVersion` nor `kind`".to_owned(),
                Value::Array(_) => "no resource, but a list of something".to_owned(),
                Value::Number(_) | Value::Bool(_) => "no resource, but a single value".to_owned(),
                _ => "no resource, but text".to_owned(),
            };
            let held = held(&value).map(|held| format!("; {held} in it is not checked"));
            self.skipped.push(skip(reason + held.as_deref().unwrap_or_default()));
        }
    }

    /// Sorts the items of a list: of `List`, which has any, or of one of our own, which has those of its kind.
    fn sort_list(&mut self, file: &str, at: At, value: Value) {
        let (version, kind) = (text(&value, "/apiVersion"), text(&value, "/kind"));
        let own = kind.strip_suffix("List").filter(|kind| !kind.is_empty());
        let wanted = if own.is_some() { format!("{GROUP}/v1alpha1") } else { "v1".to_owned() };
        if version != wanted {
            let Some(held) = held(&value) else {
                let reason = "a list without anything of ours".to_owned();
                return self.skipped.push(Skipped { file: file.to_owned(), reason });
            };
            let message = format!("must be {wanted} in a list of resources, or nobody reads {held} in it");
            return self.refuse(at, value, "apiVersion", &message);
        }
        let Some(items) = value.get("items").and_then(Value::as_array) else {
            return self.refuse(at, value, "items", "is required in a list of resources");
        };
        if items.is_empty() {
            self.skipped.push(Skipped { file: file.to_owned(), reason: "an empty list".to_owned() });
        }
        for (index, item) in items.iter().enumerate() {
            let at = At { pointer: format!("{}/items/{index}", at.pointer), ..at.clone() };
            if !item.is_object() {
                self.refuse(
                    at,
                    item.clone(),
                    &format!("items[{index}]"),
                    &format!("must be a resource, not {item}"),
                );
            } else if let Some(own) = own.filter(|own| text(item, "/kind") != *own) {
                self.refuse(at, item.clone(), "kind", &format!("must be {own} in a list of them"));
            } else {
                self.sort_value(file, at, item.clone());
            }
        }
    }

    /// Keeps something that was meant as a resource of ours and is none.
    fn refuse(&mut self, at: At, value: Value, path: &str, message: &str) {
        let resource = at.resource(value);
        let finding = Finding::error(Rule::Kind, Violation::new(path, message));
        self.findings.push((self.resources.len(), finding));
        self.resources.push(resource);
    }

    fn keep(&mut self, at: At, value: Value) {
        let mut resource = at.resource(value);
        let mut findings = check::check(&resource.value);
        if findings.is_empty() {
            match typed(&resource.kind, &check::without_nulls(&resource.value)) {
                Ok(typed) => resource.typed = Some(typed),
                Err(error) => {
                    let violation = Violation::new("spec", format!("cannot be read: {error}"));
                    findings.push(Finding::error(Rule::Schema, violation));
                }
            }
        }
        let index = self.resources.len();
        self.findings.extend(findings.into_iter().map(|finding| (index, finding)));
        self.resources.push(resource);
    }
}

/// Where a value stands.
#[derive(Clone)]
struct At {
    source: usize,
    part: Part,
    pointer: String,
    scope: String,
}

impl At {
    fn resource(self, value: Value) -> Resource {
        let Self { source, part, pointer, scope } = self;
        let said = |pointer| text(&value, pointer).to_owned();
        let (kind, name) = (said("/kind"), said("/metadata/name"));
        let namespace = Some(said("/metadata/namespace")).filter(|namespace| !namespace.is_empty());
        Resource { source, part, pointer, scope, kind, name, namespace, value, typed: None }
    }
}

fn typed(kind: &str, value: &Value) -> serde_json::Result<Typed> {
    fn of<K: DeserializeOwned>(value: &Value, typed: fn(Box<K>) -> Typed) -> serde_json::Result<Typed> {
        K::deserialize(value).map(Box::new).map(typed)
    }
    match kind {
        "BillingProvider" => of(value, Typed::Provider),
        "ClusterBillingProvider" => of(value, Typed::ClusterProvider),
        "ContractPackage" => of(value, Typed::Package),
        "ContractApproval" => of(value, Typed::Approval),
        _ => of(value, Typed::Contract),
    }
}

/// The documents of a source. JSON is YAML but for a few rarities, and so is read the same way, with places.
fn documents(source: &Source) -> Vec<Document> {
    let mut read = yaml::documents(&source.text);
    if is_json(&source.name)
        && let [Document { value, .. }] = &mut *read
        && value.as_ref().is_err_and(|error| error.message.starts_with("is no YAML"))
        && let Ok(parsed) = yaml::parse_json(&source.text)
    {
        *value = Ok(parsed);
    }
    read
}

fn is_json(file: &str) -> bool {
    file.to_ascii_lowercase().ends_with(".json")
}

/// Whether a file has a name that only kustomizations have; they need no `apiVersion` and no `kind`.
fn is_kustomization(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or_default();
    super::kustomize::NAMES.contains(&name)
}

/// Whether ours was meant by an API group.
fn is_misspelt(group: &str) -> bool {
    group.contains("countersign") || (!group.is_empty() && is_near(GROUP, group, MAX_MISSPELT))
}

/// Whether a word was meant by another, with so many slips of the pen at most.
fn is_near(word: &str, written: &str, slips: usize) -> bool {
    strsim::damerau_levenshtein(&written.to_ascii_lowercase(), &word.to_ascii_lowercase()) <= slips
}

/// Whether something says what only our resources say.
fn has_our_terms(value: &Value) -> bool {
    let has = |pointer: &&str| value.pointer(pointer).is_some();
    let is_without_kind = text(value, "/apiVersion").is_empty() && text(value, "/kind").is_empty();
    let is_contract = has(&"/spec/providerRef") || is_without_kind;
    is_contract && ["/spec/zoo", "/spec/metronome"].iter().any(has)
}

/// The first resource of ours that stands in something else, and so is neither checked nor applied as it stands.
fn held(value: &Value) -> Option<String> {
    let inside: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Object(members) => Box::new(members.values()),
        Value::Array(items) => Box::new(items.iter()),
        Value::String(text) if text.contains(&format!("apiVersion: {GROUP}/")) => {
            return Some(format!("a resource of {GROUP}"));
        }
        _ => return None,
    };
    for value in inside {
        let kind = text(value, "/kind");
        if text(value, "/apiVersion").starts_with(&format!("{GROUP}/")) && !kind.is_empty() {
            return Some(format!("{kind} {}", text(value, "/metadata/name")).trim_end().to_owned());
        }
        if let Some(found) = held(value) {
            return Some(found);
        }
    }
    None
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests;
