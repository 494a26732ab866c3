//! Which fields each call takes, and of what type: the tables in `fields/`, and the check of a body against them.
//!
//! A line is `name type`, indented under what it belongs to; `*` marks a required field, `?` after the type one that
//! may be null, `[type]` an array, `{type}` a map, `A|B` a choice of words, and `?name` a query parameter. A `hour` is
//! a time that must be on a full hour. What a table does not name is left out of what the call sees, as the service
//! seems to do, and reported, so that a test finds a misspelt field. Knows no meaning.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};

use super::time;
use super::value::{Fields, Json};

const TABLES: [&str; 4] = [
    include_str!("fields/calls.txt"),
    include_str!("fields/contract_create.txt"),
    concat!(include_str!("fields/contract_edit.txt"), include_str!("fields/contract_edit_add.txt")),
    include_str!("fields/package_create.txt"),
];

static CALLS: LazyLock<BTreeMap<&'static str, Table>> =
    LazyLock::new(|| TABLES.into_iter().flat_map(calls).collect());

/// What one call takes.
#[derive(Debug, Default)]
pub(super) struct Table {
    body: Shape,
    query: Vec<&'static str>,
}

type Shape = BTreeMap<&'static str, Field>;

#[derive(Debug)]
struct Field {
    required: bool,
    nullable: bool,
    is: Type,
}

#[derive(Debug)]
enum Type {
    Text,
    Number,
    Integer,
    Flag,
    Time { hour: bool },
    Word(Vec<&'static str>),
    TextMap,
    AnyMap,
    Object(Shape),
    List(Box<Type>),
}

/// A body that fits its table: only known fields, words in their own spelling, times as the API writes them.
pub(super) struct Checked {
    /// The known fields.
    pub(super) body: Fields,
    /// The paths of the others.
    pub(super) unknown: Vec<String>,
}

/// The table of a call such as `POST /v1/contracts/get`.
pub(super) fn table(call: &str) -> Option<&'static Table> {
    CALLS.get(call)
}

impl Table {
    /// Checks a body; `hours` says whether times must be on the hour where the table says so.
    ///
    /// # Errors
    /// A sentence for each thing wrong, with its path, after the unknown fields.
    pub(super) fn check(&self, body: Fields, hours: bool) -> (Checked, Vec<String>) {
        let mut check = Check { hours, unknown: Vec::new(), wrong: Vec::new() };
        let body = check.fields(&self.body, body, "");
        (Checked { body, unknown: check.unknown }, check.wrong)
    }

    /// Those of the query parameters that the call does not take, marked with a `?`.
    pub(super) fn unknown_parameters<'a>(&self, names: impl Iterator<Item = &'a str>) -> Vec<String> {
        names.filter(|name| !self.query.contains(name)).map(|name| format!("?{name}")).collect()
    }
}

struct Check {
    hours: bool,
    unknown: Vec<String>,
    wrong: Vec<String>,
}

impl Check {
    fn fields(&mut self, shape: &Shape, sent: Fields, path: &str) -> Fields {
        for (name, field) in shape {
            if field.required && sent.get(name).is_none() {
                self.wrong.push(format!("{}: is required", join(path, name)));
            }
        }
        let mut known = Fields::default();
        for (name, value) in sent {
            let path = join(path, &name);
            match shape.get(name.as_str()) {
                None => self.unknown.push(path),
                Some(field) if value == Json::Null => {
                    if !field.nullable {
                        self.wrong.push(format!("{path}: must not be null"));
                    }
                    known.set(&name, Json::Null);
                }
                Some(field) => {
                    let value = self.value(&field.is, value, &path);
                    known.set(&name, value);
                }
            }
        }
        known
    }

    fn value(&mut self, is: &Type, value: Json, path: &str) -> Json {
        let expected = match (is, value) {
            (Type::Text, value @ Json::Text(_))
            | (Type::Number, value @ Json::Number(_))
            | (Type::Flag, value @ Json::Bool(_))
            | (Type::AnyMap, value @ Json::Object(_)) => return value,
            (Type::Integer, Json::Number(digits)) => {
                if digits.parse::<i64>().is_err() {
                    self.wrong.push(format!("{path}: {digits} is not an integer"));
                }
                return Json::Number(digits);
            }
            (Type::Time { hour }, Json::Text(text)) => return self.time(*hour, text, path),
            (Type::Word(words), Json::Text(text)) => return self.word(words, text, path),
            (Type::TextMap, Json::Object(map)) => {
                for (key, value) in map.iter().filter(|(_, value)| value.text().is_none()) {
                    self.wrong.push(format!("{path}.{key}: must be a string, not {}", value.kind()));
                }
                return Json::Object(map);
            }
            (Type::Object(shape), Json::Object(fields)) => return self.fields(shape, fields, path).into(),
            (Type::List(of), Json::List(values)) => {
                let values = values.into_iter().enumerate();
                return values
                    .map(|(index, value)| self.value(of, value, &format!("{path}[{index}]")))
                    .collect::<Vec<_>>()
                    .into();
            }
            (is, value) => (is.name(), value.kind()),
        };
        let (expected, found) = expected;
        self.wrong.push(format!("{path}: must be {expected}, not {found}"));
        Json::Null
    }

    fn time(&mut self, hour: bool, text: String, path: &str) -> Json {
        let Ok(at) = DateTime::parse_from_rfc3339(&text) else {
            self.wrong.push(format!("{path}: `{text}` is not an RFC 3339 time"));
            return Json::Text(text);
        };
        let at = at.with_timezone(&Utc);
        if hour && self.hours && !time::is_hour(at) {
            self.wrong.push(format!("{path}: {text} must be on an hour boundary"));
        }
        time::json(at)
    }

    fn word(&mut self, words: &[&'static str], text: String, path: &str) -> Json {
        if let Some(word) = words.iter().find(|word| word.eq_ignore_ascii_case(&text)) {
            return Json::from(*word);
        }
        self.wrong.push(format!("{path}: `{text}` must be one of {}", words.join(", ")));
        Json::Text(text)
    }
}

impl Type {
    fn name(&self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Number => "a number",
            Self::Integer => "an integer",
            Self::Flag => "a boolean",
            Self::Time { .. } => "a time as a string",
            Self::Word(_) => "a word as a string",
            Self::TextMap | Self::AnyMap | Self::Object(_) => "an object",
            Self::List(_) => "an array",
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The calls that a text describes.
fn calls(text: &'static str) -> Vec<(&'static str, Table)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut calls = Vec::new();
    let mut rest = lines.as_slice();
    while let Some((call, below)) = rest.split_first() {
        let end = below.iter().position(|line| indent(line) == 0).unwrap_or(below.len());
        let (lines, others) = below.split_at(end);
        let query = lines.iter().filter_map(|line| line.trim().strip_prefix('?')).collect();
        let mut fields = lines.iter().copied().filter(|line| !line.trim().starts_with('?')).peekable();
        calls.push((*call, Table { body: shape(&mut fields, 1), query }));
        rest = others;
    }
    calls
}

/// The fields in the lines that are indented by `level`, with what is below them.
fn shape<I: Iterator<Item = &'static str>>(lines: &mut std::iter::Peekable<I>, level: usize) -> Shape {
    let mut fields = Shape::new();
    while let Some(line) = lines.next_if(|line| indent(line) == level) {
        let (name, is) = line.trim().split_once(' ').unwrap_or((line.trim(), "string"));
        let (is, nullable) = is.strip_suffix('?').map_or((is, false), |is| (is, true));
        let below = shape(lines, level + 1);
        let (name, required) = name.strip_suffix('*').map_or((name, false), |name| (name, true));
        fields.insert(name, Field { required, nullable, is: of(is, below) });
    }
    fields
}

fn of(is: &'static str, below: Shape) -> Type {
    if let Some(of_what) = is.strip_prefix('[').and_then(|is| is.strip_suffix(']')) {
        return Type::List(Box::new(of(of_what, below)));
    }
    match is {
        "string" => Type::Text,
        "number" => Type::Number,
        "integer" => Type::Integer,
        "boolean" => Type::Flag,
        "time" => Type::Time { hour: false },
        "hour" => Type::Time { hour: true },
        "{string}" => Type::TextMap,
        "{any}" => Type::AnyMap,
        "object" => Type::Object(below),
        words => Type::Word(words.split('|').collect()),
    }
}

fn indent(line: &str) -> usize {
    line.bytes().take_while(|byte| *byte == b' ').count() / 2
}
