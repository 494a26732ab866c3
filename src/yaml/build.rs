//! One document: from the events of the parser to a JSON value, with the places of its parts.

use std::{borrow::Cow, collections::BTreeMap};

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use serde_json::{Map, Value};

use super::{Place, SyntaxError, scalar};
use crate::terms::json::to_segment;

/// Most values that aliases may stand for in one document; a text of a few lines could otherwise fill the memory.
const MAX_REPEATED: usize = 1_000_000;
/// The key whose mapping gives members that are not written beside it.
const MERGE: &str = "<<";

/// A value that an alias can stand for, and how many values are in it.
struct Anchored {
    value: Value,
    size: usize,
}

/// Builds the value of one document.
pub(super) struct Builder<'t> {
    parser: Parser<'t, StrInput<'t>>,
    /// Lines before the document.
    lines: usize,
    anchors: BTreeMap<usize, Anchored>,
    /// Values that were built.
    built: usize,
    pointer: String,
    places: Option<BTreeMap<String, Place>>,
}

impl<'t> Builder<'t> {
    pub(super) fn new(text: &'t str, lines: usize) -> Self {
        // What comments say is of no use here.
        let parser =
            Parser::new_from_str_with_options(text, granit_parser::options! { emit_comments: false });
        Self { parser, lines, anchors: BTreeMap::new(), built: 0, pointer: String::new(), places: None }
    }

    pub(super) fn with_places(self) -> Self {
        Self { places: Some(BTreeMap::new()), ..self }
    }

    pub(super) fn into_places(self) -> BTreeMap<String, Place> {
        self.places.unwrap_or_default()
    }

    /// The one document of the text; null when there is none.
    pub(super) fn document(&mut self) -> Result<Value, SyntaxError> {
        let mut value = Value::Null;
        let mut documents = 0;
        loop {
            let Some((event, span)) = self.next()? else { return Ok(value) };
            match event {
                Event::StreamEnd => return Ok(value),
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(..) if documents == 0 => documents = 1,
                // What follows would be read by nobody: kubectl and the API server stop at the first `...`.
                Event::DocumentStart(..) => {
                    return Err(self.error(
                        span.start,
                        "follows the end of the document; begin the next one with `---`",
                    ));
                }
                event => value = self.node(event, span)?,
            }
        }
    }

    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, SyntaxError> {
        self.parser.next_event().transpose().map_err(|error| self.scan_error(&error))
    }

    fn expect(&mut self) -> Result<(Event<'t>, Span), SyntaxError> {
        match self.next()? {
            Some(next) => Ok(next),
            None => Err(self.error(Marker::new(0, 1, 0), "ends too early")),
        }
    }

    fn place(&self, marker: Marker) -> Place {
        Place { line: self.lines + marker.line().max(1), column: marker.col() + 1 }
    }

    fn error(&self, marker: Marker, message: impl Into<String>) -> SyntaxError {
        SyntaxError { message: message.into(), place: self.place(marker) }
    }

    fn scan_error(&self, error: &ScanError) -> SyntaxError {
        self.error(*error.marker(), format!("is no YAML: {}", error.info()))
    }

    fn keep_place(&mut self, marker: Marker) {
        let place = self.place(marker);
        if let Some(places) = &mut self.places {
            places.entry(self.pointer.clone()).or_insert(place);
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span) -> Result<Value, SyntaxError> {
        self.keep_place(span.start);
        let before = self.built;
        self.built += 1;
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (anchor, self.scalar(&text, style, tag.as_ref(), span.start)?)
            }
            Event::SequenceStart(_, anchor, _) => (anchor, self.sequence()?),
            Event::MappingStart(_, anchor, _) => (anchor, self.mapping()?),
            Event::Alias(anchor) => {
                let Some(Anchored { value, size }) = self.anchors.get(&anchor) else {
                    return Err(self.error(span.start, "stands for something that it is a part of itself"));
                };
                let (value, size) = (value.clone(), *size);
                self.built += size;
                if self.built > MAX_REPEATED {
                    return Err(self.error(
                        span.start,
                        "stands for too much: aliases repeat more than a million values",
                    ));
                }
                return Ok(value);
            }
            _ => return Err(self.error(span.start, "cannot stand here")),
        };
        if anchor > 0 {
            let size = self.built - before;
            self.anchors.insert(anchor, Anchored { value: value.clone(), size });
        }
        Ok(value)
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Cow<'_, Tag>>,
        at: Marker,
    ) -> Result<Value, SyntaxError> {
        let tag = match tag {
            None => None,
            Some(tag) => match tag.core_suffix() {
                Some(suffix) => Some(suffix.to_owned()),
                None if tag.suffix() == "binary" => return Err(self.error(at, "must not be `!!binary`")),
                // Whatever else it is tagged as, it is text.
                None => Some("str".to_owned()),
            },
        };
        let is_plain = style == ScalarStyle::Plain;
        let read = match tag.as_deref() {
            None if !is_plain => return Ok(text.into()),
            Some("str") => return Ok(text.into()),
            _ => scalar::resolve(text),
        };
        let fits = |value: &Value| match tag.as_deref() {
            Some("bool") => value.is_boolean(),
            Some("null") => value.is_null(),
            Some("int" | "float") => value.is_number(),
            _ => true,
        };
        match read {
            Some(value) if fits(&value) => Ok(value),
            Some(_) => Err(self.error(at, format!("is no {}: {text}", tag.unwrap_or_default()))),
            None => Err(self.error(at, format!("is no number that JSON can say: {text}"))),
        }
    }

    fn sequence(&mut self) -> Result<Value, SyntaxError> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.expect()?;
            if event == Event::SequenceEnd {
                return Ok(items.into());
            }
            let length = self.descend(&items.len().to_string());
            items.push(self.node(event, span)?);
            self.pointer.truncate(length);
        }
    }

    fn mapping(&mut self) -> Result<Value, SyntaxError> {
        let mut members = Map::new();
        let mut lines: BTreeMap<String, usize> = BTreeMap::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.expect()?;
            let (key, is_merge) = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, style, _, tag) => {
                    let is_merge = style == ScalarStyle::Plain && text == MERGE;
                    (scalar::key(self.scalar(&text, style, tag.as_ref(), span.start)?), is_merge)
                }
                _ => (None, false),
            };
            let Some(key) = key else {
                return Err(
                    self.error(span.start, "must be a name: only text, numbers and true or false can be one")
                );
            };
            let length = self.descend(&key);
            self.keep_place(span.start);
            if let Some(line) = lines.insert(key.clone(), self.place(span.start).line).filter(|_| !is_merge) {
                return Err(
                    self.error(span.start, format!("says `{key}` twice; the first is in line {line}"))
                );
            }
            let (event, value_span) = self.expect()?;
            let value = self.node(event, value_span)?;
            self.pointer.truncate(length);
            match (is_merge, value) {
                (false, value) => drop(members.insert(key, value)),
                (true, Value::Object(given)) => merged.push(given),
                (true, Value::Array(all)) if all.iter().all(Value::is_object) => {
                    merged.extend(all.into_iter().filter_map(|value| match value {
                        Value::Object(given) => Some(given),
                        _ => None,
                    }));
                }
                (true, _) => {
                    return Err(
                        self.error(value_span.start, "must be a mapping, or a list of mappings, to merge")
                    );
                }
            }
        }
        for (name, value) in merged.into_iter().flatten() {
            members.entry(name).or_insert(value);
        }
        Ok(members.into())
    }

    /// Goes one level down in the pointer, and gives its length to come back to.
    fn descend(&mut self, segment: &str) -> usize {
        let length = self.pointer.len();
        if self.places.is_some() {
            self.pointer.push('/');
            self.pointer.push_str(&to_segment(segment));
        }
        length
    }
}
