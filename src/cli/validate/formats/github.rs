//! Annotations of GitHub Actions, which stand beside the line in a pull request.

use std::fmt::Write;

use super::{super::Report, sentence};

pub(super) fn write(report: &Report) -> String {
    let mut text = String::new();
    for entry in &report.entries {
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "::{} file={},line={},col={},title={}::{}",
            entry.severity.word(),
            property(entry.file.trim_start_matches("./")),
            entry.line,
            entry.column,
            property(&format!("countersign: {}", entry.rule.word())),
            data(&sentence(entry)),
        );
    }
    text
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
