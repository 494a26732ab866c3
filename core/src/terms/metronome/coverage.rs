//! The types have every field of the API's two create requests, and each survives the way to the wire and back.
//!
//! `fields/*.txt` list the requests, the contract's with what only an edit takes (`payment_gate_config`, `WEEKLY`) and with
//! the requests that make commits and credits of a customer: path, `*` if required, kind, and the words of an enum. A member that is one of
//! several variants has a line for each.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{CONTRACT, Contract, PACKAGE, Package};
use crate::terms::{
    Shape,
    json::parse_exact,
    sample::Sampler,
    shape::{Place, Spelling, is_type, schema_of},
};

const CONTRACT_FIELDS: &str = include_str!("fields/contract.txt");
const PACKAGE_FIELDS: &str = include_str!("fields/package.txt");

/// Required by the API, but the custom resource takes something else instead.
const REPLACEABLE: [&str; 2] = ["customer_id", "transition.from_contract_id"];
/// Words that the API takes only from some accounts and that the lists leave out.
const GATED_WORDS: [(&str, &str); 1] = [("transition.type", "SUPERSEDE")];

/// One field, as the list or the types have it.
#[derive(Debug, PartialEq, Eq)]
struct Field {
    kind: String,
    required: bool,
    words: BTreeSet<String>,
}

/// A path without the names of variants.
fn without_variant(path: &str) -> String {
    let mut parts = path.split(['(', ')']);
    let mut plain = parts.next().unwrap().to_owned();
    while let (Some(_), Some(rest)) = (parts.next(), parts.next()) {
        plain.push_str(rest);
    }
    plain
}

/// The lines of a list: path, whether required, kind, words.
fn lines(list: &str) -> impl Iterator<Item = (&str, bool, &str, Vec<&str>)> {
    list.lines().map(|line| {
        let mut parts = line.split(' ');
        let path = parts.next().unwrap();
        let kind = parts.next().unwrap();
        let words = parts.next().map(|words| words.split('|').collect()).unwrap_or_default();
        (path.trim_end_matches('*'), path.ends_with('*'), kind, words)
    })
}

fn listed(list: &str) -> BTreeMap<String, Field> {
    let mut fields = BTreeMap::new();
    for (path, required, kind, words) in lines(list) {
        let plain = without_variant(path);
        let kind = if kind == "oneOf" { "object" } else { kind };
        let field = fields.entry(plain.clone()).or_insert_with(|| Field {
            kind: kind.to_owned(),
            // What only some variants have is required by `validate`, where it belongs.
            required: required
                && !REPLACEABLE.contains(&plain.as_str())
                && !path.ends_with("(CONTRACT_IDS).contract_ids"),
            words: BTreeSet::new(),
        });
        assert_eq!(field.kind, kind, "{path}");
        field.words.extend(words.into_iter().map(str::to_owned));
        field.words.extend(
            GATED_WORDS.iter().filter(|(gated, _)| *gated == plain).map(|(_, word)| (*word).to_owned()),
        );
    }
    fields
}

fn typed(shape: &Shape, schema: &Value, prefix: &str, fields: &mut BTreeMap<String, Field>) {
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name));
    for (name, member) in shape.members().filter(|(_, member)| member.place == Place::Body) {
        let mut schema = &schema["properties"][name];
        if let Some(alternatives) = schema["anyOf"].as_array() {
            schema = alternatives.iter().find(|schema| !is_type(schema, "null")).unwrap();
        }
        let path = format!("{prefix}{}", member.wire);
        let words = |shape: &Shape| {
            if let Shape::Enum(words) = shape { words.iter().cloned().collect() } else { BTreeSet::new() }
        };
        let (kind, words) = match &member.shape {
            Shape::Object(_) => ("object", BTreeSet::new()),
            Shape::List { item, .. } if matches!(**item, Shape::Object(_)) => {
                ("array<object>", BTreeSet::new())
            }
            Shape::List { item, .. } => ("array<string>", words(item)),
            Shape::Map(_) => ("map<string,string>", BTreeSet::new()),
            Shape::Any => ("map<string,any>", BTreeSet::new()),
            Shape::Decimal => ("number", BTreeSet::new()),
            Shape::Time => ("date-time", BTreeSet::new()),
            Shape::Integer => ("integer", BTreeSet::new()),
            Shape::Plain if is_type(schema, "boolean") => ("boolean", BTreeSet::new()),
            Shape::Plain | Shape::Enum(_) => ("string", words(&member.shape)),
        };
        fields.insert(path.clone(), Field { kind: kind.to_owned(), required: required(name), words });
        match &member.shape {
            Shape::Object(_) => typed(&member.shape, schema, &format!("{path}."), fields),
            Shape::List { item, .. } => typed(item, &schema["items"], &format!("{path}[]."), fields),
            _ => {}
        }
    }
}

/// The types say exactly what the list says; returns the number of lines.
fn check_fields<T: JsonSchema>(shape: &Shape, list: &str) -> usize {
    let mut fields = BTreeMap::new();
    typed(shape, &schema_of::<T>(), "", &mut fields);
    let listed = listed(list);
    for (path, field) in &listed {
        assert_eq!(fields.get(path), Some(field), "`{path}` is not as the API has it");
    }
    for path in fields.keys() {
        assert!(listed.contains_key(path), "`{path}` is not in the API");
    }
    list.lines().count()
}

/// The members of the terms on the way to a wire path, by their names in the custom resource.
fn spec_path(shape: &Shape, path: &str) -> Vec<String> {
    let mut shape = shape;
    let mut names = Vec::new();
    for part in path.split('.') {
        if let Shape::List { item, .. } = shape {
            shape = item;
        }
        let wire = part.trim_end_matches("[]");
        let (name, member) = shape.members().find(|(_, member)| member.wire == wire).unwrap();
        names.push(name.to_owned());
        shape = &member.shape;
    }
    names
}

fn without_spec_only(shape: &Shape, value: &Value) -> Value {
    match (shape, value) {
        (Shape::Object(members), Value::Object(value)) => value
            .iter()
            .filter(|(name, _)| members[*name].place == Place::Body)
            .map(|(name, value)| (name.clone(), without_spec_only(&members[name].shape, value)))
            .collect(),
        (Shape::List { item, .. }, Value::Array(items)) => {
            items.iter().map(|value| without_spec_only(item, value)).collect()
        }
        _ => value.clone(),
    }
}

/// Reads a spec, writes it for the wire, reads that, and compares; returns what is on the wire.
fn there_and_back<T: Serialize + DeserializeOwned>(shape: &Shape, spec: &Value) -> Value {
    let typed: T = serde_json::from_value(spec.clone()).unwrap_or_else(|error| panic!("{error}: {spec}"));
    assert_eq!(serde_json::to_value(&typed).unwrap(), *spec, "the types lose something");
    let wire = serde_json::to_string(&shape.wire(spec)).unwrap();
    let read = shape.canonical(&parse_exact(&wire).unwrap(), Spelling::Wire).unwrap();
    let expected = shape.canonical(&without_spec_only(shape, spec), Spelling::Spec).unwrap();
    assert_eq!(read, expected, "the wire loses something: {wire}");
    serde_json::from_str(&wire).unwrap()
}

/// Every field of a list reaches the wire as the kind that it should be, and comes back; returns their number.
fn check_round_trips<T: JsonSchema + Serialize + DeserializeOwned>(shape: &Shape, list: &str) -> usize {
    let sampler = Sampler::of::<T>();
    for (path, _, kind, words) in lines(list) {
        let plain = without_variant(path);
        let names = spec_path(shape, &plain);
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let leaves: Vec<_> = if kind == "array<string>" && !words.is_empty() {
            vec![Some(json!(words))]
        } else if words.is_empty() {
            vec![None]
        } else {
            words.iter().map(|word| Some(json!(word))).collect()
        };
        for leaf in leaves {
            let wire = there_and_back::<T>(shape, &sampler.with(&names, leaf.as_ref()));
            let found = wire
                .pointer(&format!("/{}", plain.replace("[]", "/0").replace('.', "/")))
                .unwrap_or(&Value::Null);
            let is_kind = match kind {
                "object" | "oneOf" | "map<string,string>" | "map<string,any>" => found.is_object(),
                "array<object>" | "array<string>" => found.is_array(),
                "number" => found.is_number(),
                "integer" => found.is_i64(),
                "boolean" => found.is_boolean(),
                _ => found.is_string(),
            };
            assert!(is_kind, "`{path}` must be {kind} on the wire, not {found}");
        }
    }
    there_and_back::<T>(shape, &sampler.full());
    list.lines().count()
}

#[test]
fn a_contract_has_every_field_of_the_create_request_and_no_other() {
    assert_eq!(check_fields::<Contract>(&CONTRACT, CONTRACT_FIELDS), 491);
    println!("contract: 491 of 491 fields");
}

#[test]
fn a_package_has_every_field_of_the_create_request_and_no_other() {
    assert_eq!(check_fields::<Package>(&PACKAGE, PACKAGE_FIELDS), 319);
    println!("package: 319 of 319 fields");
}

#[test]
fn every_field_of_a_contract_reaches_the_wire_and_comes_back() {
    assert_eq!(check_round_trips::<Contract>(&CONTRACT, CONTRACT_FIELDS), 491);
    println!("contract: 491 of 491 fields survive the wire");
}

#[test]
fn every_field_of_a_package_reaches_the_wire_and_comes_back() {
    assert_eq!(check_round_trips::<Package>(&PACKAGE, PACKAGE_FIELDS), 319);
    println!("package: 319 of 319 fields survive the wire");
}

#[test]
fn what_only_the_resource_has_stays_off_the_wire() {
    let spec = Sampler::of::<Contract>().full();
    let wire = serde_json::to_string(&CONTRACT.wire(&spec)).unwrap();
    for name in ["\"key\"", "customer_alias", "customerAlias", "from_contract_ref"] {
        let custom_field_filters = wire.matches("\"custom_field_filters\":[{\"entity\"").count();
        let allowed = if name == "\"key\"" { custom_field_filters } else { 0 };
        assert_eq!(wire.matches(name).count(), allowed, "{name}");
    }
}

#[test]
fn extra_fields_stand_beside_the_others_and_overrule_none() {
    let spec = json!({"name": "Pro", "extraFields": {"billing_anchor_date": "contract_start_date", "name": "Other"}});
    let wire: Value = serde_json::to_value(PACKAGE.wire(&spec)).unwrap();
    assert_eq!(wire, json!({"name": "Pro", "billing_anchor_date": "contract_start_date"}));
}
