//! What was found, with file, line and column, in the form that every format is made from.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::{
    files::{Files, Resource, Source},
    out,
};
use crate::{
    review::{Finding, Rule, Severity},
    validate::path,
    yaml::{Part, Place},
};

/// Everything that was found.
#[derive(Debug)]
pub struct Report {
    /// What was found, in the order of the files.
    pub entries: Vec<Entry>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
    /// Resources that were checked, by their place in the sources.
    pub checked: Vec<Checked>,
    /// How many of each there are: contracts, packages, providers, approvals.
    pub counts: [usize; 4],
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What kind of thing it is.
    pub rule: Rule,
    /// Whether it must change.
    pub severity: Severity,
    /// The resource, for people; empty where there is none.
    pub resource: String,
    /// Where in the resource; empty where there is none.
    pub path: String,
    /// What is wrong, as a whole sentence with the place in the resource.
    pub message: String,
    /// The line as it stands in the file.
    pub source: String,
}

impl Entry {
    /// Whether it must change.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Something that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The file.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// A resource that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The file.
    pub file: String,
    /// The resource, for people.
    pub resource: String,
}

/// The places of the parts of documents, looked up when something is found in one.
#[derive(Default)]
struct Places(BTreeMap<(usize, Part), BTreeMap<String, Place>>);

impl Report {
    /// The report of what was found in files; with `strict`, warnings are errors.
    #[must_use]
    pub fn new(files: &Files, findings: Vec<(usize, Finding)>, strict: bool) -> Self {
        let of_each = Self::of_each(files, findings).into_iter().filter_map(|(index, mut entry)| {
            if strict {
                entry.severity = Severity::Error;
            }
            Some((files.resources.get(index)?.source, entry))
        });
        let mut entries: Vec<(usize, Entry)> = of_each.collect();
        for (index, error) in &files.broken {
            let Some(source) = files.sources.get(*index) else { continue };
            let place = error.place;
            entries.push((
                *index,
                Entry {
                    file: source.name.clone(),
                    line: place.line,
                    column: place.column,
                    rule: Rule::Syntax,
                    severity: Severity::Error,
                    resource: String::new(),
                    path: String::new(),
                    message: error.message.clone(),
                    source: line(source, place),
                },
            ));
        }
        entries.sort_by_key(|(source, entry)| (*source, entry.line, entry.column));
        let skipped = files
            .skipped
            .iter()
            .map(|skipped| Skipped { file: skipped.file.clone(), reason: skipped.reason.clone() });
        let checked = files.resources.iter().filter_map(|resource| {
            Some(Checked {
                file: files.sources.get(resource.source)?.name.clone(),
                resource: resource.label(),
            })
        });
        let of_kind = |kinds: &[&str]| {
            files.resources.iter().filter(|resource| kinds.contains(&&*resource.kind)).count()
        };
        Self {
            entries: entries.into_iter().map(|(_, entry)| entry).collect(),
            skipped: skipped.collect(),
            checked: checked.collect(),
            counts: [
                of_kind(&["BillingContract"]),
                of_kind(&["ContractPackage"]),
                of_kind(&["BillingProvider", "ClusterBillingProvider"]),
                of_kind(&["ContractApproval"]),
            ],
        }
    }

    /// What was found in each resource: its index among the files, and what.
    #[must_use]
    pub fn of_each(files: &Files, findings: Vec<(usize, Finding)>) -> Vec<(usize, Entry)> {
        let mut places = Places::default();
        let entry = |(index, finding): (usize, Finding)| {
            let resource = files.resources.get(index)?;
            let source = files.sources.get(resource.source)?;
            let place = places.of(resource, source, &finding.violation.path);
            let entry = Entry {
                file: source.name.clone(),
                line: place.line,
                column: place.column,
                rule: finding.rule,
                severity: finding.severity,
                resource: resource.label(),
                message: finding.violation.to_string(),
                path: finding.violation.path,
                source: line(source, place),
            };
            Some((index, entry))
        };
        findings.into_iter().filter_map(entry).collect()
    }

    /// Whether nothing was there to be checked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.checked.is_empty() && self.entries.is_empty()
    }

    /// How many things must change.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.entries.iter().filter(|entry| entry.severity == Severity::Error).count()
    }

    /// How many things somebody should look at.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.entries.len() - self.errors()
    }

    /// Leaves out what nobody refuses.
    pub fn leave_out_warnings(&mut self) {
        self.entries.retain(|entry| entry.severity == Severity::Error);
    }

    /// What is there, for people: `5 contracts, 2 packages and 1 provider`.
    #[must_use]
    pub fn what(&self) -> String {
        let [contracts, packages, providers, approvals] = self.counts;
        let count = out::count;
        let (contracts, packages) = (count(contracts, "contract"), count(packages, "package"));
        let providers = count(providers, "provider");
        match approvals {
            0 => format!("{contracts}, {packages} and {providers}"),
            some => format!("{contracts}, {packages}, {providers} and {}", count(some, "approval")),
        }
    }
}

impl Places {
    /// The place of a part of a resource, or of the nearest one above it that is written.
    fn of(&mut self, resource: &Resource, source: &Source, path: &str) -> Place {
        let key = (resource.source, resource.part);
        let places = self.0.entry(key).or_insert_with(|| resource.part.places(&source.text));
        let pointer = format!("{}{}", resource.pointer, path::pointer(&resource.value, path));
        let mut pointer = pointer.as_str();
        loop {
            if let Some(place) = places.get(pointer) {
                return *place;
            }
            match pointer.rsplit_once('/') {
                Some((above, _)) => pointer = above,
                None => return Place { line: resource.part.line(), column: 1 },
            }
        }
    }
}

/// A line of a source, as it stands there.
fn line(source: &Source, place: Place) -> String {
    source.text.lines().nth(place.line.saturating_sub(1)).unwrap_or_default().to_owned()
}
