//! What of a text is a resource of ours, and what is left out and why.
//!
//! Nothing that may be meant as one of our resources is left out in silence: a misspelt group would otherwise be called
//! sound, and never billed.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::Arc,
};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Files, Packed, Resource, Skipped, Source, Typed, check, kustomize::Kustomizations};
use crate::{
    api::GROUP,
    cli::many,
    review::{Finding, Rule},
    terms::Digest,
    validate::Violation,
    yaml::{self, Part, SyntaxError},
};

/// Words of an API group that somebody wrote and ours was meant.
const MAX_MISSPELT: usize = 4;
/// Slips of the pen in a kind of ours.
const MAX_MISSPELT_KIND: usize = 2;
/// Group of kustomizations.
const KUSTOMIZE: &str = "kustomize.config.k8s.io/";

impl Files {
    /// Sorts every document of every source; a source that says the same in others has what it has there. Each thread reads
    /// one at a time: what all of them say takes a multiple of their text. With `packs`, contracts of which others have
    /// another version are packed.
    pub(super) fn sort(&mut self, sources: Vec<Source>, others: &Self, packs: bool) {
        let (kustomizations, known) = (kustomizations(&sources), Known::of(others));
        let numbered: Vec<(usize, &Source)> = sources.iter().enumerate().collect();
        let sorted = many::map(
            &numbered,
            || (),
            |(), (index, source)| {
                let mut files = Self::default();
                if !files.take_known(*index, source, &known, &kustomizations) {
                    files.sort_source(*index, source, &kustomizations);
                }
                if packs {
                    files.pack(&known);
                }
                files
            },
        );
        for files in sorted {
            let before = self.resources.len();
            self.resources.extend(files.resources);
            self.skipped.extend(files.skipped);
            self.broken.extend(files.broken);
            self.findings
                .extend(files.findings.into_iter().map(|(index, finding)| (before + index, finding)));
        }
        self.sources = sources;
    }

    /// Packs contracts that the others have too, and other ones.
    fn pack(&mut self, others: &Known<'_>) {
        for resource in &mut self.resources {
            if let Some(Typed::Contract(contract)) = &resource.typed
                && Arc::strong_count(contract) == 1
                && others.contracts.contains(&(resource.namespace.as_deref(), &*resource.name))
                && let Some(packed) = Packed::of(contract)
            {
                resource.typed = Some(Typed::Packed(packed));
            }
        }
    }

    /// Takes over what a source has elsewhere, if it says the same there and has nothing but resources.
    fn take_known(
        &mut self,
        index: usize,
        source: &Source,
        known: &Known<'_>,
        kustomizations: &Kustomizations,
    ) -> bool {
        let Some((resources, findings)) = known.resources(source) else { return false };
        if kustomizations.user(&source.name).is_some() {
            return false;
        }
        let scope = kustomizations.scope(&source.name);
        let own = |resource: &Resource| Resource { source: index, scope: scope.clone(), ..resource.clone() };
        self.resources = resources.iter().map(own).collect();
        self.findings = findings;
        true
    }

    fn sort_source(&mut self, index: usize, source: &Source, kustomizations: &Kustomizations) {
        let Source { name, text, unread } = source;
        if let Some(error) = unread {
            return self.broken.push((index, error.clone()));
        }
        if let Some(kustomization) = kustomizations.user(name) {
            let reason = format!(
                "a patch or settings of {kustomization}; check what `kustomize build` prints instead"
            );
            return self.skipped.push(Skipped { file: name.clone(), reason });
        }
        let scope = kustomizations.scope(name);
        let mut is_empty = true;
        for part in yaml::parts(text) {
            let said = source.says(part);
            is_empty &= said == Ok(Value::Null);
            match said {
                Ok(Value::Null) => {}
                Ok(value) => {
                    let at = At { source: index, part, pointer: String::new(), scope: scope.clone() };
                    self.sort_value(name, at, value);
                }
                Err(_) if is_json(name) && !text.contains(GROUP) => {
                    self.skipped.push(Skipped { file: name.clone(), reason: "no JSON".to_owned() });
                }
                Err(error) => self.broken.push((index, error)),
            }
        }
        if is_empty {
            let reason = if text.trim().is_empty() { "empty" } else { "nothing but comments" };
            self.skipped.push(Skipped { file: name.clone(), reason: reason.to_owned() });
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
            return self.sort_list(file, &at, value);
        }
        if ["/$patch", "/spec/$patch", "/metadata/$patch"]
            .iter()
            .any(|pointer| value.pointer(pointer).is_some())
        {
            return self.skipped.push(skip("a patch: it says `$patch`".to_owned()));
        }
        let is_our_kind = check::kinds().any(|known| is_near(known, &kind, MAX_MISSPELT_KIND));
        if group == GROUP {
            self.keep(at, &value);
        } else if is_our_kind || is_misspelt(group) || is_misspelt(&version) || has_our_terms(&value) {
            let message = match &*version {
                "" => format!("is required: write {GROUP}/v1alpha1"),
                found => format!("must be {GROUP}/v1alpha1, not {found}"),
            };
            self.refuse(at, &value, "apiVersion", &message);
        } else if let Value::Array(_) = value
            && let Some(held) = held(&value)
        {
            let message = format!(
                "must begin a resource, not a list: the API server takes no list without a kind, and so not {held}"
            );
            self.refuse(at, &value, "apiVersion", &message);
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
    fn sort_list(&mut self, file: &str, at: &At, mut value: Value) {
        let (version, kind) = (text(&value, "/apiVersion"), text(&value, "/kind").to_owned());
        let own = kind.strip_suffix("List").filter(|kind| !kind.is_empty());
        let wanted = if own.is_some() { format!("{GROUP}/v1alpha1") } else { "v1".to_owned() };
        if version != wanted {
            let Some(held) = held(&value) else {
                let reason = "a list without anything of ours".to_owned();
                return self.skipped.push(Skipped { file: file.to_owned(), reason });
            };
            let message = format!("must be {wanted} in a list of resources, or nobody reads {held} in it");
            return self.refuse(at.clone(), &value, "apiVersion", &message);
        }
        let Some(items) = value.get_mut("items").and_then(Value::as_array_mut).map(mem::take) else {
            return self.refuse(at.clone(), &value, "items", "is required in a list of resources");
        };
        if items.is_empty() {
            self.skipped.push(Skipped { file: file.to_owned(), reason: "an empty list".to_owned() });
        }
        for (index, item) in items.into_iter().enumerate() {
            let at = At { pointer: format!("{}/items/{index}", at.pointer), ..at.clone() };
            if !item.is_object() {
                self.refuse(
                    at,
                    &item,
                    &format!("items[{index}]"),
                    &format!("must be a resource, not {item}"),
                );
            } else if let Some(own) = own.filter(|own| text(&item, "/kind") != *own) {
                self.refuse(at, &item, "kind", &format!("must be {own} in a list of them"));
            } else {
                self.sort_value(file, at, item);
            }
        }
    }

    /// Keeps something that was meant as a resource of ours and is none.
    fn refuse(&mut self, at: At, value: &Value, path: &str, message: &str) {
        let mut resource = at.resource(value);
        resource.untyped = Some(spec_digest(value));
        let finding = Finding::error(Rule::Kind, Violation::new(path, message));
        self.findings.push((self.resources.len(), finding));
        self.resources.push(resource);
    }

    fn keep(&mut self, at: At, value: &Value) {
        let mut resource = at.resource(value);
        let mut findings = check::check(value);
        if findings.is_empty() {
            match typed(&resource.kind, &check::without_nulls(value)) {
                Ok(typed) => resource.typed = Some(typed),
                Err(error) => {
                    let violation = Violation::new("spec", format!("cannot be read: {error}"));
                    findings.push(Finding::error(Rule::Schema, violation));
                }
            }
        }
        if resource.typed.is_none() {
            resource.untyped = Some(spec_digest(value));
        }
        let index = self.resources.len();
        self.findings.extend(findings.into_iter().map(|finding| (index, finding)));
        self.resources.push(resource);
    }
}

/// The resources of a source, and what was found in them: the index among these, and what.
type Found<'f> = (&'f [Resource], Vec<(usize, Finding)>);

/// What is known of sources that were read before.
struct Known<'f> {
    files: &'f Files,
    sources: BTreeMap<&'f str, usize>,
    /// Namespaces and names of the contracts.
    contracts: BTreeSet<(Option<&'f str>, &'f str)>,
}

impl<'f> Known<'f> {
    fn of(files: &'f Files) -> Self {
        let sources = files.sources.iter().enumerate().map(|(index, source)| (source.name.as_str(), index));
        let contracts =
            files.resources.iter().filter(|resource| matches!(resource.typed, Some(Typed::Contract(_))));
        let contracts = contracts.map(|resource| (resource.namespace.as_deref(), resource.name.as_str()));
        Self { files, sources: sources.collect(), contracts: contracts.collect() }
    }

    /// The resources of a source that says the same, and what was found in each; nothing where it has none.
    fn resources(&self, source: &Source) -> Option<Found<'f>> {
        let index = *self.sources.get(source.name.as_str())?;
        let same = self.files.sources.get(index).filter(|same| same.text == source.text)?;
        let is_whole = !self.files.skipped.iter().any(|skipped| skipped.file == same.name)
            && !self.files.broken.iter().any(|(broken, _)| *broken == index);
        // Resources stand in the order of their sources, as do findings in that of their resources.
        let start = self.files.resources.partition_point(|resource| resource.source < index);
        let end = self.files.resources.partition_point(|resource| resource.source <= index);
        let resources = self.files.resources.get(start..end).filter(|found| is_whole && !found.is_empty())?;
        let first = self.files.findings.partition_point(|(at, _)| *at < start);
        let findings = self.files.findings.iter().skip(first).take_while(|(at, _)| *at < end);
        Some((resources, findings.map(|(at, finding)| (at - start, finding.clone())).collect()))
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
    fn resource(self, value: &Value) -> Resource {
        let Self { source, part, pointer, scope } = self;
        let said = |pointer| text(value, pointer).to_owned();
        let (kind, name) = (said("/kind"), said("/metadata/name"));
        let namespace = Some(said("/metadata/namespace")).filter(|namespace| !namespace.is_empty());
        Resource { source, part, pointer, scope, kind, name, namespace, typed: None, untyped: None }
    }
}

fn spec_digest(value: &Value) -> Digest {
    Digest::of(value.get("spec").unwrap_or(&Value::Null))
}

fn typed(kind: &str, value: &Value) -> serde_json::Result<Typed> {
    fn of<K: DeserializeOwned>(value: &Value, typed: fn(Arc<K>) -> Typed) -> serde_json::Result<Typed> {
        K::deserialize(value).map(Arc::new).map(typed)
    }
    match kind {
        "BillingProvider" => of(value, Typed::Provider),
        "ClusterBillingProvider" => of(value, Typed::ClusterProvider),
        "ContractPackage" => of(value, Typed::Package),
        "ContractApproval" => of(value, Typed::Approval),
        _ => of(value, Typed::Contract),
    }
}

impl Source {
    /// What one of its documents says. JSON is YAML but for a few rarities, and so is read the same way, with places.
    pub(super) fn says(&self, part: Part) -> Result<Value, SyntaxError> {
        let read = part.value(&self.text);
        if read.as_ref().is_err_and(|error| error.message.starts_with("is no YAML"))
            && is_json(&self.name)
            && yaml::parts(&self.text).len() == 1
            && let Ok(parsed) = yaml::parse_json(&self.text)
        {
            return Ok(parsed);
        }
        read
    }
}

/// What the kustomizations among sources say of the others.
fn kustomizations(sources: &[Source]) -> Kustomizations {
    let mut kustomizations = Kustomizations::default();
    for source in
        sources.iter().filter(|source| is_kustomization(&source.name) || source.text.contains(KUSTOMIZE))
    {
        for value in yaml::parts(&source.text).into_iter().filter_map(|part| source.says(part).ok()) {
            if text(&value, "/apiVersion").starts_with(KUSTOMIZE) || is_kustomization(&source.name) {
                kustomizations.add(&source.name, &value);
            }
        }
    }
    kustomizations
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
