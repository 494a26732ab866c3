//! `JUnit` XML: a suite a file, a case a resource, a failure what must change.

use std::{collections::BTreeMap, fmt::Write};

use super::super::{Report, report::Entry};
use crate::review::Severity;

pub(super) fn write(report: &Report) -> String {
    let mut suites: BTreeMap<&str, BTreeMap<&str, Vec<&Entry>>> = BTreeMap::new();
    for checked in &report.checked {
        suites.entry(&checked.file).or_default().entry(&checked.resource).or_default();
    }
    for entry in &report.entries {
        let case = if entry.resource.is_empty() { "YAML" } else { &*entry.resource };
        suites.entry(&entry.file).or_default().entry(case).or_default().push(entry);
    }
    let failed = |entries: &Vec<&Entry>| entries.iter().any(|entry| entry.severity == Severity::Error);
    let (cases, failures) = suites
        .values()
        .flat_map(BTreeMap::values)
        .fold((0, 0), |(cases, failures), entries| (cases + 1, failures + usize::from(failed(entries))));
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    // Writing to a text cannot fail.
    let _ =
        writeln!(xml, "<testsuites name=\"countersign validate\" tests=\"{cases}\" failures=\"{failures}\">");
    for (file, cases) in suites {
        let failures = cases.values().filter(|entries| failed(entries)).count();
        let name = escaped(file);
        let _ =
            writeln!(xml, "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\">", cases.len());
        for (case, entries) in cases {
            let _ =
                write!(xml, "    <testcase classname=\"{name}\" name=\"{}\" file=\"{name}\">", escaped(case));
            for entry in entries {
                let tag = if entry.severity == Severity::Error { "failure" } else { "system-out" };
                let text =
                    escaped(&format!("{}:{}:{}: {}", entry.file, entry.line, entry.column, entry.message));
                let _ = match tag {
                    "failure" => {
                        let (rule, message) = (entry.rule.word(), escaped(&entry.message));
                        write!(xml, "\n      <failure type=\"{rule}\" message=\"{message}\">{text}</failure>")
                    }
                    _ => write!(xml, "\n      <system-out>warning: {text}</system-out>"),
                };
            }
            xml.push_str("</testcase>\n");
        }
        xml.push_str("  </testsuite>\n");
    }
    xml + "</testsuites>\n"
}

/// Text as XML has it; characters that XML cannot say become spaces.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            character if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => {
                escaped.push(' ');
            }
            character => escaped.push(character),
        }
    }
    escaped
}
