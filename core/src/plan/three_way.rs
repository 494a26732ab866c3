//! What the spec has set and was in force, so that what leaves it is decided and not forgotten.
//!
//! What the spec never said is the billing API's. What it said once, and no longer says, is cleared, set to what it means
//! when it is left out, or refused: a comparison of the spec with billing alone cannot tell the two apart.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::diff::diff;
use crate::{
    api::contract::SetFields,
    terms::{
        Digest, Shape,
        shape::{Place, Spelling},
    },
};

/// Characters of a digest of a value.
const SHORT: usize = 12;

/// Paths of fields below the thing that has them, without a leading slash: `accessSchedule/creditTypeId`.
pub(super) type Fields = BTreeSet<String>;

/// Optional fields that the spec has set and that were in force, by the path of what has them: `commits/launch`; empty
/// for the contract itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetTerms(BTreeMap<String, Fields>);

impl SetTerms {
    /// What a status has on record.
    #[must_use]
    pub fn of(status: &[SetFields]) -> Self {
        let mut set = Self::default();
        for group in status {
            let fields: Fields = group.fields.iter().cloned().collect();
            match &group.list {
                Some(list) => {
                    for item in &group.items {
                        set.insert(format!("{list}/{item}"), fields.clone());
                    }
                }
                None => set.insert(String::new(), fields),
            }
        }
        set
    }

    /// The same as a status has it: items of a list that have the same fields are named together.
    #[must_use]
    pub fn to_status(&self) -> Vec<SetFields> {
        let mut groups: BTreeMap<(Option<&str>, &Fields), Vec<String>> = BTreeMap::new();
        for (path, fields) in &self.0 {
            match path.split_once('/') {
                Some((list, item)) => {
                    groups.entry((Some(list), fields)).or_default().push(item.to_owned());
                }
                None => drop(groups.entry((None, fields)).or_default()),
            }
        }
        let group = |((list, fields), items): ((Option<&str>, &Fields), Vec<String>)| SetFields {
            list: list.map(str::to_owned),
            items,
            fields: fields.iter().cloned().collect(),
        };
        groups.into_iter().map(group).collect()
    }

    /// The fields of a thing.
    pub(super) fn get(&self, path: &str) -> Option<&Fields> {
        self.0.get(path)
    }

    /// Whether a field of the contract itself, or of an item of a list, is on record.
    pub(super) fn has(&self, list: &str, field: &str) -> bool {
        let is_of_list = |path: &str| path.split_once('/').map_or("", |(list, _)| list) == list;
        self.0.iter().any(|(path, fields)| is_of_list(path) && fields.contains(field))
    }

    /// Puts more fields of a thing on record.
    pub(super) fn add(&mut self, path: &str, fields: Fields) {
        if !fields.is_empty() {
            self.0.entry(path.to_owned()).or_default().extend(fields);
        }
    }

    /// Puts the fields of a thing on record.
    pub(super) fn insert(&mut self, path: String, fields: Fields) {
        if !fields.is_empty() {
            self.0.insert(path, fields);
        }
    }
}

/// The value at a path, if it says something: an empty text, list or object says the same as none.
pub(super) fn said<'v>(value: &'v Value, field: &str) -> Option<&'v Value> {
    value.pointer(&format!("/{field}")).filter(|value| !is_nothing(value))
}

/// Whether a value says the same as none.
pub(super) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(is_nothing),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Optional fields that a value in spec spelling sets. Lists are not looked into; what is `apart` is left out with all
/// that is below it.
pub(super) fn fields(shape: &Shape, value: &Value, apart: &dyn Fn(&str) -> bool) -> Fields {
    let mut found = Fields::new();
    collect(shape, value, "", apart, &mut found);
    found
}

fn collect(shape: &Shape, value: &Value, path: &str, apart: &dyn Fn(&str) -> bool, found: &mut Fields) {
    let (Shape::Object(members), Value::Object(values)) = (shape, value) else { return };
    for (name, value) in values {
        let Some(member) = members.get(name).filter(|member| member.place == Place::Body) else { continue };
        let field = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        if is_nothing(value) || apart(&field) {
            continue;
        }
        collect(&member.shape, value, &field, apart, found);
        if member.optional {
            found.insert(field);
        }
    }
}

/// Fields that a value sets and that what is observed does not say, each with a digest of its value.
pub(super) fn to_set(
    shape: &Shape,
    wanted: &Value,
    observed: Option<&Value>,
    apart: &dyn Fn(&str) -> bool,
) -> Vec<String> {
    let set = fields(shape, wanted, apart).into_iter();
    set.filter_map(|field| {
        let value = said(wanted, &field)?;
        let is_there = observed.and_then(|observed| said(observed, &field)) == Some(value);
        (!is_there).then(|| with_digest(&field, value))
    })
    .collect()
}

/// The fields among those that [`to_set`] named which what is observed says so. An object is one of them where a part of it
/// is: it may be told with more than was said.
pub(super) fn as_set<'s>(sets: impl Iterator<Item = &'s String>, observed: &Value) -> Fields {
    let named: Vec<_> = sets.filter_map(|set| Some((set, set.rsplit_once('=')?.0))).collect();
    let is_as_named = |(set, field): &&(&String, &str)| {
        said(observed, field).is_some_and(|found| with_digest(field, found) == **set)
    };
    let mut fields: Fields = named.iter().filter(is_as_named).map(|(_, field)| (*field).to_owned()).collect();
    let is_part = |field: &str, of: &str| field.strip_prefix(of).is_some_and(|rest| rest.starts_with('/'));
    let whole = named.iter().map(|(_, field)| *field);
    let whole: Vec<_> =
        whole.filter(|whole| fields.iter().any(|field| is_part(field, whole))).map(str::to_owned).collect();
    fields.extend(whole);
    fields
}

/// Between a thing and a field of it. No path of a member of a contract has it, and no key.
pub(super) const OF: char = ':';

/// How a write notes that it sets a field of a single thing, such as an item.
pub(super) fn note(thing: &str, field: &str, value: &Value) -> String {
    with_digest(&format!("{thing}{OF}{field}"), value)
}

/// A field with a digest of its value, as [`to_set`] names it.
pub(super) fn with_digest(field: &str, value: &Value) -> String {
    let digest: String = Digest::of(value).as_str().chars().take(SHORT).collect();
    format!("{field}={digest}")
}

/// What is to be on record of a thing: fields that the spec sets, once what they say is in force, and those that it no
/// longer sets, for as long as what they said `remains`.
///
/// A field that is recorded too early, of a spec that never came into force, would have somebody else's value cleared
/// when it leaves.
pub(super) fn in_force(
    shape: &Shape,
    written: &Value,
    observed: &Value,
    before: Option<&Fields>,
    apart: &dyn Fn(&str) -> bool,
    remains: &dyn Fn(&str, &Value) -> bool,
) -> Fields {
    let was_set = |field: &String| before.is_some_and(|before| before.contains(field));
    let holds = |field: &String| {
        let (Some(wanted), Some(found)) = (said(written, field), said(observed, field)) else { return false };
        was_set(field) || agrees(shape_at(shape, field), wanted, found)
    };
    let mut set = fields(shape, written, apart);
    let (mut left, mut gone) = (Fields::new(), Vec::new());
    // What has others below it comes first, and they are gone with it.
    for field in before.into_iter().flatten().filter(|field| !set.contains(*field)) {
        let is_gone = gone.iter().any(|above: &String| field.starts_with(above.as_str()));
        if !is_gone && said(observed, field).is_some_and(|found| remains(field, found)) {
            left.insert(field.clone());
        } else {
            gone.push(format!("{field}/"));
        }
    }
    set.retain(holds);
    set.extend(left);
    set
}

/// Whether a value is in force. The members of an object say so each for itself.
fn agrees(shape: &Shape, wanted: &Value, found: &Value) -> bool {
    if matches!(shape, Shape::Object(_)) {
        return true;
    }
    let canonical = shape.canonical(wanted, Spelling::Spec);
    canonical.is_ok_and(|wanted| diff(shape, &wanted, found).is_empty())
}

fn shape_at<'s>(shape: &'s Shape, field: &str) -> &'s Shape {
    field.split('/').fold(shape, |shape, name| shape.member(name).unwrap_or(&Shape::Any))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set<const N: usize>(things: [(&str, &[&str]); N]) -> SetTerms {
        let mut set = SetTerms::default();
        for (path, fields) in things {
            set.insert(path.to_owned(), fields.iter().map(|field| (*field).to_owned()).collect());
        }
        set
    }

    #[test]
    fn what_is_set_is_the_same_after_it_was_in_a_status() {
        let things = set([
            ("", &["name", "usageFilter", "usageFilter/startingAt"]),
            ("commits/a", &["name", "priority"]),
            ("commits/b", &["name"]),
            ("commits/c", &["name", "priority"]),
            ("overrides/0a1b-2", &["target"]),
        ]);
        let status = things.to_status();
        assert_eq!(status.len(), 4);
        let together = json!({"list": "commits", "items": ["a", "c"], "fields": ["name", "priority"]});
        assert!(status.iter().any(|group| json!(group) == together), "{status:?}");
        assert_eq!(SetTerms::of(&status), things);
        assert_eq!(SetTerms::of(&[]), SetTerms::default());
    }

    #[test]
    fn only_what_may_be_left_out_is_recorded_and_only_once_it_is_in_force() {
        let shape = &crate::terms::zoo::SHAPE;
        let written = json!({"name": "Acme", "notes": "ours", "discountDescription": "", "externalCustomerId": "cus_1"});
        let observed = json!({"name": "Acme", "notes": "theirs", "externalCustomerId": "cus_1"});
        let record = |written: &Value, before: &Fields| {
            let remains = |_: &str, _: &Value| true;
            in_force(shape, written, &observed, Some(before), &|field| field == "name", &remains)
        };
        let first = record(&written, &Fields::new());
        assert_eq!(first, Fields::from(["externalCustomerId".to_owned()]));
        let both = Fields::from(["externalCustomerId".to_owned(), "notes".to_owned()]);
        assert_eq!(
            record(&written, &both),
            both,
            "what was in force once stays on record when somebody changes it"
        );
        assert_eq!(record(&json!({}), &first), first, "what left the spec stays on record until it is gone");
    }
}
