//! Cures for what a parser of YAML can only call an unexpected character.

use super::Place;

/// Characters that look like a space, or like nothing, and are none to YAML.
const UNSEEN: [(char, &str); 8] = [
    ('\u{a0}', "a no-break space"),
    ('\u{202f}', "a narrow no-break space"),
    ('\u{2007}', "a figure space"),
    ('\u{3000}', "a wide space"),
    ('\u{200b}', "a space without width"),
    ('\u{200d}', "a joiner without width"),
    ('\u{2060}', "a joiner without width"),
    ('\u{feff}', "a byte order mark"),
];
/// How the lines begin that a merge leaves in a file until somebody decides.
const CONFLICT: [&str; 3] = ["<<<<<<<", "=======", ">>>>>>>"];

/// What most likely made the text of a document no YAML, as the end of a sentence; nothing where that can't be told.
///
/// `lines` is how many lines stand before the document. A parser notices late, so the lines around the place count too.
pub(super) fn cure(text: &str, lines: usize, place: Place) -> Option<String> {
    let first = place.line.saturating_sub(lines + 2);
    let near: Vec<(usize, &str)> =
        text.lines().enumerate().skip(first).take(3).map(|(index, line)| (lines + index + 1, line)).collect();
    if let Some((line, _)) = near.iter().find(|(_, line)| indentation(line).contains('\t')) {
        return Some(format!("line {line} is indented by a tab: YAML takes spaces only"));
    }
    if text.lines().any(|line| CONFLICT.iter().any(|mark| line.starts_with(mark))) {
        return Some("a merge left its marks here: keep one of the two sides".to_owned());
    }
    if near.iter().any(|(_, line)| line.contains("{{")) {
        return Some("it seems to be a template: check what is made from it instead".to_owned());
    }
    if text.contains('\0') {
        return Some("it seems to be UTF-16 or UTF-32: save the file as UTF-8".to_owned());
    }
    near.iter().find_map(|(line, text)| {
        let (character, name) = UNSEEN.iter().find(|(character, _)| text.contains(*character))?;
        Some(format!("line {line} has {name} (U+{:04X}): write a plain one, or none", u32::from(*character)))
    })
}

fn indentation(line: &str) -> &str {
    line.get(..line.len() - line.trim_start().len()).unwrap_or_default()
}
