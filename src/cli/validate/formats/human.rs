//! For people: each finding with its place and its line, as compilers do.

use std::fmt::Write;

use super::{super::Report, sentence};
use crate::{
    cli::out::{self, count},
    review::Severity,
};

/// Most characters of a line that are shown.
const WIDTH: usize = 120;
/// Characters that are shown before the place, in a line that is longer than that.
const BEFORE: usize = 60;

pub(super) fn write(report: &Report) -> String {
    let mut text = String::new();
    for entry in &report.entries {
        let mark = if entry.severity == Severity::Warning { "warning: " } else { "" };
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{}:{}:{}: {mark}{}", entry.file, entry.line, entry.column, sentence(entry));
        let (shown, column) = excerpt(&entry.source, entry.column);
        if !shown.trim().is_empty() {
            let (line, before) = (entry.line.to_string(), " ".repeat(column));
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

/// The part of a line that a place is in, and how far from its start the place is.
fn excerpt(source: &str, column: usize) -> (String, usize) {
    let column = column.saturating_sub(1);
    let length = source.trim_end().chars().count();
    let start =
        if length <= WIDTH { 0 } else { column.saturating_sub(BEFORE).min(length.saturating_sub(WIDTH)) };
    // One character of the text is one of what is shown, so that the mark below stands where it should.
    let shown = source.chars().skip(start).take(WIDTH).map(|c| if is_unseen(c) { ' ' } else { c });
    let mut shown: String = shown.collect();
    let mut column = column.saturating_sub(start).min(WIDTH);
    if start > 0 {
        shown.insert_str(0, "… ");
        column += 2;
    }
    if start + WIDTH < length {
        shown.push_str(" …");
    }
    (shown, column)
}

fn is_unseen(c: char) -> bool {
    out::line(c.encode_utf8(&mut [0; 4])).chars().nth(1).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_line_the_part_with_the_place_is_shown() {
        assert_eq!(excerpt("  a: 1", 3), ("  a: 1".to_owned(), 2));
        let long = format!("{}HERE{}", "a".repeat(200), "b".repeat(200));
        let (shown, column) = excerpt(&long, 201);
        assert_eq!(shown.chars().skip(column).take(4).collect::<String>(), "HERE");
        assert!(shown.starts_with("… ") && shown.ends_with(" …") && shown.chars().count() <= WIDTH + 4);
        let (shown, column) = excerpt(&long, 405);
        assert_eq!((shown.chars().count(), column), (WIDTH + 2, WIDTH + 2));
        assert_eq!(excerpt("\tname: \u{202e}x", 2), (" name:  x".to_owned(), 1));
    }
}
