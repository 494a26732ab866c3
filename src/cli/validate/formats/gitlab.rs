//! A code quality report of GitLab, which a merge request shows beside the lines.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{super::Report, sentence};
use crate::{review::Severity, terms::Digest};

pub(super) fn write(report: &Report) -> serde_json::Result<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let entries = report.entries.iter().map(|entry| {
        let message = sentence(entry);
        // The line is no part of it: a finding that moves is still the same.
        let times = seen.entry(format!("{}\n{message}", entry.file)).or_default();
        *times += 1;
        let fingerprint = Digest::of(&json!([entry.file, entry.rule.word(), message, *times]));
        let severity = if entry.severity == Severity::Error { "blocker" } else { "minor" };
        json!({
            "description": message,
            "check_name": format!("countersign-{}", entry.rule.word()),
            "fingerprint": fingerprint.as_str(),
            "severity": severity,
            "location": {"path": entry.file.trim_start_matches("./"), "lines": {"begin": entry.line}},
        })
    });
    Ok(serde_json::to_string_pretty(&entries.collect::<Vec<Value>>())? + "\n")
}
