//! For people: each finding with its place and its line, as compilers do.

use std::fmt::Write;

use super::{super::Report, sentence};
use crate::{
    cli::out::{self, count},
    review::Severity,
};

pub(super) fn write(report: &Report) -> String {
    let mut text = String::new();
    for entry in &report.entries {
        let mark = if entry.severity == Severity::Warning { "warning: " } else { "" };
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{}:{}:{}: {mark}{}", entry.file, entry.line, entry.column, sentence(entry));
        // One character of the line is one of what is shown, so that the mark below stands where it should.
        let shown: String = entry.source.chars().map(|c| if is_unseen(c) { ' ' } else { c }).collect();
        if !shown.trim().is_empty() {
            let (line, before) = (entry.line.to_string(), " ".repeat(entry.indent));
            let margin = " ".repeat(line.len());
            let _ = writeln!(text, "  {line} | {}\n  {margin} | {before}^", shown.trim_end());
        }
    }
    if report.errors() == 0 && !report.is_empty() {
        let warnings = match report.warnings() {
            0 => String::new(),
            warnings => format!(", with {}", count(warnings, "warning")),
        };
        let are = if report.checked.len() == 1 { "is" } else { "are" };
        let _ = writeln!(text, "{} {are} sound{warnings}", report.what());
    }
    text
}

fn is_unseen(c: char) -> bool {
    out::line(c.encode_utf8(&mut [0; 4])).chars().nth(1).is_some()
}
