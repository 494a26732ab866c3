//! What was found, with file, line and column, in the form that every format is made from.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::{
    files::{Files, Resource, Values},
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
    /// The line as it stands in the file; of a long one, such as the whole of a minified JSON, what is around the column.
    pub source: String,
    /// How many characters stand before the column in what is shown of the line.
    #[serde(skip)]
    pub indent: usize,
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

/// Most characters of a line that are shown.
const WIDTH: usize = 120;

/// Where parts of resources stand. What is looked up of one document is kept until another one is asked for: of all
/// together it would be many times their text.
struct Places<'f> {
    files: &'f Files,
    values: Values<'f>,
    document: Option<((usize, Part), BTreeMap<String, Place>)>,
    lines: Lines<'f>,
}

/// The lines of sources, those of one at a time.
struct Lines<'f> {
    files: &'f Files,
    source: Option<(usize, Vec<&'f str>)>,
}

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
        let mut lines = Lines { files, source: None };
        for (index, error) in &files.broken {
            let Some(source) = files.sources.get(*index) else { continue };
            let place = error.place;
            let (shown, indent) = lines.around(*index, place);
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
                    source: shown,
                    indent,
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
        let mut places =
            Places { files, values: Values::of(files), document: None, lines: Lines { files, source: None } };
        let entry = |(index, finding): (usize, Finding)| {
            let resource = files.resources.get(index)?;
            let source = files.sources.get(resource.source)?;
            let place = places.of(resource, &finding.violation.path);
            let (shown, indent) = places.lines.around(resource.source, place);
            let entry = Entry {
                file: source.name.clone(),
                line: place.line,
                column: place.column,
                rule: finding.rule,
                severity: finding.severity,
                resource: resource.label(),
                message: finding.violation.to_string(),
                path: finding.violation.path,
                source: shown,
                indent,
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
        let nouns = ["contract", "package", "provider", "approval"];
        let found = self.counts.into_iter().zip(nouns).filter(|(number, _)| *number > 0);
        let found: Vec<_> = found.map(|(number, noun)| out::count(number, noun)).collect();
        match found.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            _ => found.concat(),
        }
    }
}

impl Places<'_> {
    /// The place of a part of a resource, or of the nearest one above it that is written.
    fn of(&mut self, resource: &Resource, path: &str) -> Place {
        let pointer = format!("{}{}", resource.pointer, path::pointer(self.values.get(resource), path));
        let key = (resource.source, resource.part);
        if self.document.as_ref().is_none_or(|(known, _)| *known != key) {
            let source = self.files.sources.get(resource.source);
            let places = source.map(|source| resource.part.places(&source.text)).unwrap_or_default();
            self.document = Some((key, places));
        }
        let mut pointer = pointer.as_str();
        loop {
            if let Some(place) = self.document.as_ref().and_then(|(_, places)| places.get(pointer)) {
                return *place;
            }
            match pointer.rsplit_once('/') {
                Some((above, _)) => pointer = above,
                None => return Place { line: resource.part.line(), column: 1 },
            }
        }
    }
}

impl Lines<'_> {
    /// A line as it stands in a source, or what of it is around the column; and how many characters of that are before it.
    fn around(&mut self, source: usize, place: Place) -> (String, usize) {
        if self.source.as_ref().is_none_or(|(known, _)| *known != source) {
            let text = self.files.sources.get(source).map(|source| source.text.lines().collect());
            self.source = Some((source, text.unwrap_or_default()));
        }
        let lines = self.source.as_ref().map(|(_, lines)| lines.as_slice()).unwrap_or_default();
        around(lines.get(place.line.saturating_sub(1)).copied().unwrap_or_default(), place.column)
    }
}

/// What of a line is around a column: at most [`WIDTH`] characters, with `…` where some are left out.
fn around(line: &str, column: usize) -> (String, usize) {
    let before = column.saturating_sub(1);
    if line.chars().nth(WIDTH).is_none() {
        return (line.to_owned(), before);
    }
    // A column that is shown anyway leaves the line at its beginning.
    let first = if before < WIDTH - 1 { 0 } else { before - WIDTH / 2 };
    let mut rest = line.chars().skip(first);
    let mut shown: String = if first > 0 { "…" } else { "" }.to_owned();
    let indent = before - first + shown.chars().count();
    shown.extend(rest.by_ref().take(WIDTH - 1 - shown.chars().count()));
    if rest.next().is_some() {
        shown.push('…');
    }
    (shown, indent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_line_what_is_around_the_column_is_shown() {
        assert_eq!(around("a: [b]", 4), ("a: [b]".to_owned(), 3));
        let long: String = (0..10_000).map(|number| number.to_string() + ",").collect();
        for column in [1, 119, 120, 121, 5000, long.chars().count()] {
            let (shown, indent) = around(&long, column);
            assert!(shown.chars().count() <= WIDTH, "{shown}");
            assert_eq!(shown.chars().nth(indent), long.chars().nth(column - 1), "{column}: {shown}");
            assert_eq!(shown.starts_with('…'), column >= WIDTH);
            assert_eq!(shown.ends_with('…'), column < 40_000, "{column}: {shown}");
        }
        let (shown, indent) = around(&"é".repeat(500), 900);
        assert!(shown.starts_with('…') && indent <= WIDTH, "{shown} {indent}");
    }
}
