//! What commands print.

use std::{
    ffi::OsString,
    fs,
    io::{self, ErrorKind, Write},
    path::Path,
};

use serde::Serialize;

use super::Failure;
use crate::terms::text::is_unseen;

/// Writes to the standard output. Whoever reads it may stop reading (`| head`): that is no error.
///
/// # Errors
/// When it cannot be written for another reason.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    print_by(|out| out.write_all(text.as_bytes()))
}

/// Writes one value as JSON for people and programs, as it goes: all of its text may be more than there is memory for.
///
/// # Errors
/// As [`print`].
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    print_by(|out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        out.write_all(b"\n")
    })
}

/// Writes what `write` writes, as [`print`] does.
///
/// # Errors
/// As [`print`].
pub(super) fn print_by(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result.map_err(|error| format!("cannot write what was asked for: {error}"))?),
    }
}

/// Says a line beside what was asked for, on the standard error. Nobody may be reading it any more (`2>&1 | head`): then it
/// is not said.
pub(super) fn say(line: &str) {
    ask(&format!("{line}\n"));
}

/// Says something that does not end its line, as [`say`] does.
pub(super) fn ask(text: &str) {
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

/// Writes a file that is there as a whole or not at all, also when the program is stopped.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write_whole(path: &Path, text: &str) -> Result<(), Failure> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".part");
    let unfinished = path.with_file_name(name);
    fs::write(&unfinished, text)
        .and_then(|()| fs::rename(&unfinished, path))
        .map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}

/// A number of things: `1 contract`, `2 contracts`.
pub(super) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// Text from outside, as a part of one line: what nobody sees is written as an escape.
pub(super) fn line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unseen(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_from_outside_cannot_leave_its_line() {
        assert_eq!(
            super::line("a\n::error::b\u{202e}\u{1b}[1m é 😀"),
            "a\\n::error::b\\u{202e}\\u{1b}[1m é 😀"
        );
        assert_eq!(super::line("Ac\u{200b}me 👩\u{200d}💻"), "Ac\\u{200b}me 👩\u{200d}💻");
    }

    #[test]
    fn one_thing_is_not_several() {
        assert_eq!(
            [0, 1, 2].map(|number| super::count(number, "contract")),
            ["0 contracts", "1 contract", "2 contracts"]
        );
    }
}
