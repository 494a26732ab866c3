//! What the bytes of a file say, as kubectl reads them.

use std::path::Path;

use super::Source;
use crate::{
    cli::out,
    yaml::{Place, SyntaxError},
};

impl Source {
    /// The text that bytes say: UTF-8, or UTF-16 where its mark is there (as Windows PowerShell writes files). What is neither
    /// is kept as unread.
    pub(in crate::cli) fn of_bytes(name: &Path, bytes: Vec<u8>) -> Self {
        let name = out::line(&name.display().to_string());
        match decoded(bytes) {
            Ok(text) => Self { name, text, unread: None },
            Err(error) => Self { name, text: String::new(), unread: Some(error) },
        }
    }

    /// A file that is there and cannot be read.
    pub(super) fn unread(name: &Path, message: String) -> Self {
        let name = out::line(&name.display().to_string());
        let unread = Some(SyntaxError { message, place: Place { line: 1, column: 1 } });
        Self { name, text: String::new(), unread }
    }
}

fn decoded(bytes: Vec<u8>) -> Result<String, SyntaxError> {
    let pairs = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let units = bytes.chunks(2).map(|pair| match *pair {
            [first, second] => read([first, second]),
            // Half a character: no text, like half of a pair.
            _ => 0xd800,
        });
        String::from_utf16(&units.collect::<Vec<_>>()).ok()
    };
    let wide = match *bytes {
        [0xff, 0xfe, ref rest @ ..] => Some(pairs(rest, u16::from_le_bytes)),
        [0xfe, 0xff, ref rest @ ..] => Some(pairs(rest, u16::from_be_bytes)),
        _ => None,
    };
    let no_text = |before: &[u8]| {
        let line = before.split(|byte| *byte == b'\n').count();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let column = String::from_utf8_lossy(before.get(start..).unwrap_or_default()).chars().count() + 1;
        let message = "is no text in UTF-8: save the file in that encoding".to_owned();
        SyntaxError { message, place: Place { line, column } }
    };
    match wide {
        Some(text) => text.ok_or_else(|| no_text(&[])),
        None => String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            no_text(error.as_bytes().get(..valid).unwrap_or_default())
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_utf_8_or_utf_16_with_its_mark_and_all_else_has_its_place() {
        let read = |bytes: &[u8]| Source::of_bytes(Path::new("a.yaml"), bytes.to_vec());
        assert_eq!(read("a: é\n".as_bytes()).text, "a: é\n");
        assert_eq!(read(b"\xff\xfea\0:\0 \0\xe9\0").text, "a: é");
        assert_eq!(read(b"\xfe\xff\0a\0:\0 \0\xe9").text, "a: é");
        for (bytes, line, column) in
            [(&b"a: 1\nb: \xe9\n"[..], 2, 4), (b"\x1f\x8b\x08", 1, 2), (b"\xff\xfea", 1, 1)]
        {
            let unread = read(bytes).unread.unwrap();
            assert_eq!(unread.place, Place { line, column }, "{unread}");
        }
    }
}
