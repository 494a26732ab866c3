//! What resources say, as it is written. As data it takes a multiple of its text and of what it means, so it is read again
//! where somebody asks for it, one document at a time.

use serde_json::Value;

use super::{Files, Resource};
use crate::yaml::Part;

/// Reads what resources of some files say. Those of one document, such as a list, are best asked for one after the other.
pub struct Values<'f> {
    files: &'f Files,
    /// The document that was read last.
    last: Option<(usize, Part, Value)>,
}

impl<'f> Values<'f> {
    /// Reads resources of these files.
    #[must_use]
    pub const fn of(files: &'f Files) -> Self {
        Self { files, last: None }
    }

    /// All that a resource says; null where it is none of the files'.
    pub fn get(&mut self, resource: &Resource) -> &Value {
        let (source, part) = (resource.source, resource.part);
        let is_last = matches!(&self.last, Some((index, known, _)) if (*index, *known) == (source, part));
        if !is_last {
            let read = self.files.sources.get(source).and_then(|source| source.says(part).ok());
            self.last = Some((source, part, read.unwrap_or_default()));
        }
        let document = self.last.as_ref().map(|(.., document)| document);
        document.and_then(|document| document.pointer(&resource.pointer)).unwrap_or(&Value::Null)
    }

    /// The text of the document that a resource stands in.
    #[must_use]
    pub fn text(&self, resource: &Resource) -> &'f str {
        let source = self.files.sources.get(resource.source);
        source.map(|source| resource.part.of(&source.text)).unwrap_or_default()
    }
}
