//! One verdict: what `countersign validate` calls sound is what the API server and the operator take, and nothing else.
//!
//! Each file of the corpus is sent to a real API server as it stands (a create that is only tried) and, where that takes it,
//! validated as the operator does. Files are valid examples, examples with one part changed, and what people write by
//! mistake.

use std::{collections::BTreeMap, fs, path::Path};

use axum::http::Request;
use countersign::{
    api::{
        BillingContract, BillingProvider, ClusterBillingProvider, ContractPackage,
        provider::BillingProviderSpec,
    },
    billing::endpoint,
    cli::{
        files::{Files, Source},
        validate::findings,
    },
    review::{Rule, Severity},
    validate,
};
use serde_json::{Value, json};

use crate::support::{World, root};

/// Changed parts of each example: enough for every kind of part, few enough to be quick.
const PER_EXAMPLE: usize = 160;

#[tokio::test]
async fn validate_agrees_with_the_api_server_and_the_operator_on_every_file() {
    let world = World::bare().await;
    let mut corpus: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in examples() {
        for (what, changed) in changes(&value) {
            corpus.insert(format!("{name}: {what}"), serde_json::to_string_pretty(&changed).unwrap());
        }
        corpus.insert(name, serde_saphyr::to_string(&value).unwrap());
    }
    corpus.extend(hand_made());
    let (mut sound, mut refused, mut apart) = (0, 0, Vec::new());
    for (name, text) in &corpus {
        let cluster = verdict_of_the_cluster(&world, text).await;
        let ours = our_verdict(text);
        match (&cluster, &ours) {
            (Ok(()), Ok(())) => sound += 1,
            (Err(_), Err(_)) => refused += 1,
            _ => apart.push(format!("{name}\n  cluster: {cluster:?}\n  validate: {ours:?}")),
        }
    }
    println!(
        "corpus: {} files: {sound} sound, {refused} refused, {} told otherwise",
        corpus.len(),
        apart.len()
    );
    assert!(
        corpus.len() >= 500 && sound >= 50 && refused >= 200,
        "{} files, {sound} sound, {refused} refused",
        corpus.len()
    );
    assert!(
        apart.is_empty(),
        "{} of {} are told otherwise:\n{}",
        apart.len(),
        corpus.len(),
        apart.join("\n")
    );
}

/// What the API server and then the operator say.
async fn verdict_of_the_cluster(world: &World, text: &str) -> Result<(), String> {
    let kind = ["BillingContract", "ClusterBillingProvider", "BillingProvider", "ContractPackage"];
    let kind = kind.into_iter().find(|kind| {
        text.contains(&format!("kind: {kind}\n")) || text.contains(&format!("\"kind\": \"{kind}\""))
    });
    let (plural, scope) = match kind.unwrap_or("BillingContract") {
        "ClusterBillingProvider" => ("clusterbillingproviders", String::new()),
        "BillingProvider" => ("billingproviders", format!("namespaces/{}/", world.namespace)),
        "ContractPackage" => ("contractpackages", format!("namespaces/{}/", world.namespace)),
        _ => ("billingcontracts", format!("namespaces/{}/", world.namespace)),
    };
    let path =
        format!("/apis/billing.countersign.dev/v1alpha1/{scope}{plural}?dryRun=All&fieldValidation=Strict");
    let request = http_request(&path, text);
    let taken: Value = world.client.request(request).await.map_err(|error| format!("API server: {error}"))?;
    let of = |error: serde_json::Error| format!("operator: {error}");
    let told =
        |violations: Vec<validate::Violation>| Err(format!("operator: {}", validate::summary(&violations)));
    let provider = |spec: &BillingProviderSpec| {
        endpoint::base_url(spec.base_url().unwrap_or_default())
            .map(drop)
            .map_err(|error| format!("operator: {error}"))
    };
    match plural {
        "billingcontracts" => {
            let contract: BillingContract = serde_json::from_value(taken).map_err(of)?;
            validate::contract(&contract.spec, None).map(drop).or_else(told)
        }
        "contractpackages" => {
            let package: ContractPackage = serde_json::from_value(taken).map_err(of)?;
            validate::package(&package.spec).or_else(told)
        }
        "billingproviders" => provider(&serde_json::from_value::<BillingProvider>(taken).map_err(of)?.spec),
        _ => provider(&serde_json::from_value::<ClusterBillingProvider>(taken).map_err(of)?.spec.account),
    }
}

fn http_request(path: &str, text: &str) -> Request<Vec<u8>> {
    Request::post(path)
        .header("content-type", "application/yaml")
        .header("accept", "application/json")
        .body(text.as_bytes().to_vec())
        .unwrap()
}

fn our_verdict(text: &str) -> Result<(), String> {
    let files = Files::of(vec![Source { name: "file.yaml".to_owned(), text: text.to_owned(), unread: None }]);
    let broken = files.broken.iter().map(|(_, error)| error.to_string());
    let found = findings(&files, None);
    // What only other files can tell is not the cluster's to say of this one.
    let errors =
        found.iter().filter(|(_, found)| found.severity == Severity::Error && found.rule != Rule::Reference);
    let all: Vec<_> = broken.chain(errors.map(|(_, finding)| finding.to_string())).collect();
    match (all.is_empty(), files.resources.len()) {
        (true, 0) => Err(format!("nothing was read: {:?}", files.skipped)),
        (true, _) => Ok(()),
        (false, _) => Err(all.join("; ")),
    }
}

/// The examples that depend on no package, without their namespace.
fn examples() -> Vec<(String, Value)> {
    fn read(folder: &Path, found: &mut Vec<(String, Value)>) {
        let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                read(&path, found);
            } else if path.extension().is_some_and(|name| name == "yaml") {
                for (index, value) in
                    serde_saphyr::from_multiple::<Value>(&fs::read_to_string(&path).unwrap())
                        .unwrap()
                        .into_iter()
                        .enumerate()
                {
                    found.push((format!("{} {index}", path.strip_prefix(root()).unwrap().display()), value));
                }
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["zoo", "metronome", "packages"] {
        read(&root().join("examples").join(folder), &mut found);
    }
    let is_ours = |value: &Value| {
        value["apiVersion"].as_str().is_some_and(|version| version.starts_with("billing.countersign.dev/"))
    };
    found.retain(|(_, value)| is_ours(value) && value.pointer("/spec/packageRef").is_none());
    for (_, value) in &mut found {
        value["metadata"].as_object_mut().unwrap().remove("namespace");
    }
    found
}

/// A resource with one part changed, each in every way that fits the part.
fn changes(resource: &Value) -> Vec<(String, Value)> {
    let mut places = Vec::new();
    collect(&resource["spec"], "/spec".to_owned(), &mut places);
    let step = places.len().div_ceil(PER_EXAMPLE / 4).max(1);
    let mut changed = Vec::new();
    for (position, pointer) in places.iter().enumerate().filter(|(position, _)| position % step == 0) {
        let value = resource.pointer(pointer).unwrap();
        let others = [
            json!(null),
            json!(5),
            json!(-1),
            json!(0.5),
            json!("x"),
            json!(""),
            json!(true),
            json!([]),
            json!({}),
            json!("2026-01-01T00:00:00Z"),
        ];
        for other in others.iter().skip(position % 3).step_by(3).filter(|other| *other != value) {
            let mut resource = resource.clone();
            *resource.pointer_mut(pointer).unwrap() = other.clone();
            changed.push((format!("{pointer} = {other}"), resource));
        }
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        let mut resource = resource.clone();
        match resource.pointer_mut(parent).unwrap() {
            Value::Object(members) if position % 2 == 0 => drop(members.remove(member)),
            Value::Object(members) => drop(members.insert(format!("{member}x"), value.clone())),
            Value::Array(items) => items.push(value.clone()),
            _ => continue,
        }
        changed.push((format!("{pointer} gone, misspelt or again"), resource));
    }
    changed
}

fn collect(value: &Value, pointer: String, places: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                collect(value, format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), places);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                collect(value, format!("{pointer}/{index}"), places);
            }
        }
        _ => {}
    }
    places.push(pointer);
}

/// What people write by mistake, and what looks like one and is none, in a contract that is sound.
#[allow(clippy::too_many_lines, reason = "a list")]
fn hand_made() -> Vec<(String, String)> {
    let sound = super::contract("acme", "1000.50");
    let replaced = |from: &str, to: &str| {
        assert!(sound.contains(from), "{from}");
        (format!("by hand: {from} -> {to}"), sound.replacen(from, to, 1))
    };
    let mut all: Vec<(String, String)> = [
        ("name: acme 2026", "name: no"),
        ("name: acme 2026", "name: 012"),
        ("name: acme 2026", "name: 08"),
        ("name: acme 2026", "name: 1_000"),
        ("name: acme 2026", "name: 2026"),
        ("name: acme 2026", "name: 2026-01-01"),
        ("name: acme 2026", "name: 0x1F"),
        ("name: acme 2026", "name: 12:30:45"),
        ("name: acme 2026", "name: ~"),
        ("name: acme 2026", "name: On"),
        ("name: acme 2026", "name: 'no'"),
        ("name: acme 2026", "name: !!str 5"),
        ("name: acme 2026", "name: |\n      several\n      lines"),
        ("name: acme 2026", "name: \"Caf\\u00e9 \u{1F600}\""),
        ("name: acme 2026", "name: acme # 2026"),
        ("name: acme 2026", "name: acme: 2026"),
        ("name: acme 2026", "name: acme 2026\n    name: again"),
        ("name: acme 2026", "name: .inf"),
        ("name: acme 2026", "name: &name acme\n    notes: *name"),
        ("name: acme 2026", "name: *nobody"),
        ("name: acme 2026", "name: [acme"),
        ("name: acme 2026", "name: \"acme"),
        ("name: acme 2026", "name:\tacme"),
        ("name: acme 2026", "\tname: acme"),
        ("name: acme 2026", "name: acme\n    notes: null"),
        ("name: acme 2026", "name: acme\n    note: null"),
        ("name: acme 2026", "name: acme\n    note: x"),
        ("name: acme 2026", "name: ' '"),
        ("effectiveAt: 2026-01-01T00:00:00Z", "effectiveAt: 2026-01-01"),
        ("effectiveAt: 2026-01-01T00:00:00Z", "effectiveAt: 2026-01-01 00:00:00Z"),
        ("effectiveAt: 2026-01-01T00:00:00Z", "effectiveAt: 2026-01-01t00:00:00z"),
        ("effectiveAt: 2026-01-01T00:00:00Z", "effectiveAt: 2026-01-01T00:00:00"),
        ("effectiveAt: 2026-01-01T00:00:00Z", "effectiveAt: 2026-13-01T00:00:00Z"),
        ("effectiveAt: 2026-01-01T00:00:00Z", "effectiveAt: 2026-02-30T00:00:00Z"),
        ("effectiveAt: 2026-01-01T00:00:00Z", "effectiveAt: 2026-01-01T00:00:00.000Z"),
        ("effectiveAt: 2026-01-01T00:00:00Z", "effectiveAt: 2026-01-01T01:00:00+01:00"),
        ("effectiveAt: 2026-01-01T00:00:00Z", "effectiveAt: 2026-01-01T01:00:00+24:00"),
        ("effectiveAt: 2026-01-01T00:00:00Z", "effectiveAt: 2026-01-01T00:00:60Z"),
        ("effectiveAt: 2026-01-01T00:00:00Z", "effectiveAt: 2026-01-01T24:00:00Z"),
        ("effectiveAt: 2026-01-01T00:00:00Z", "effectiveAt: 1767225600"),
        ("effectiveAt: 2026-01-01T00:00:00Z", "effectiveAt: ''"),
        ("termEndAt: 2027-01-01T00:00:00Z", "termEndAt: 2025-01-01T00:00:00Z"),
        ("termEndAt: 2027-01-01T00:00:00Z", "termEndAt: 2026-06-01T00:00:00Z"),
        ("termEndAt: 2027-01-01T00:00:00Z", "termEndAt: 2207-01-01T00:00:00Z"),
        ("currency: USD", "currency: usd"),
        ("currency: USD", "currency: XYZ"),
        ("currency: USD", "currency: US"),
        ("currency: USD", "currency: $"),
        ("status: active", "status: Active"),
        ("status: active", "status: actve"),
        ("status: active", "status: draft"),
        ("\"1000.50\"", "1000.50"),
        ("\"1000.50\"", "1000"),
        ("\"1000.50\"", "\"1,000.50\""),
        ("\"1000.50\"", "\"$1000.50\""),
        ("\"1000.50\"", "\"1000.50 \""),
        ("\"1000.50\"", "\"1e3\""),
        ("\"1000.50\"", "\"+1000\""),
        ("\"1000.50\"", "\"-0.01\""),
        ("\"1000.50\"", "\"-0\""),
        ("\"1000.50\"", "\".5\""),
        ("\"1000.50\"", "\"5.\""),
        ("\"1000.50\"", "\"0\""),
        ("\"1000.50\"", "\"00.5\""),
        ("\"1000.50\"", "\"0.12345678901234567890\""),
        ("\"1000.50\"", "\"79228162514264337593543950335\""),
        ("\"1000.50\"", "\"79228162514264337593543950336\""),
        ("\"1000.50\"", "\"١٠٠٠\""),
        ("\"1000.50\"", "\"1000.50\\n\""),
        ("periodIndex: 0", "periodIndex: 0.0"),
        ("periodIndex: 0", "periodIndex: 1"),
        ("periodIndex: 0", "periodIndex: \"0\""),
        ("periodIndex: 0", "periodIndex: -1"),
        ("periodIndex: 0", "periodIndex: 0x0"),
        ("periodIndex: 0", "periodIndex: 1e0"),
        ("kind: fixed_fee", "kind: usage_tiered"),
        ("unit: year", "unit: hour"),
        ("code: fde", "code: FDE"),
        ("providerRef:\n    name: zoo", "providerRef: zoo"),
        ("providerRef:\n    name: zoo", "providerRef: {}"),
        ("providerRef:\n    name: zoo", "providerRef: {name: zoo, kind: Provider}"),
        ("deletionPolicy: End", "deletionPolicy: Delete"),
        ("deletionPolicy: End", "deletionPolicy: End\n  suspend: yes"),
        ("deletionPolicy: End", "deletionPolicy: End\n  suspend: 'yes'"),
        ("deletionPolicy: End", "deletionPolicy: End\n  syncPeriodSeconds: 5"),
        ("deletionPolicy: End", "deletionPolicy: End\n  syncPeriodSeconds: 60.0"),
        ("deletionPolicy: End", "deletionPolicy: End\n  syncPeriodSeconds: 6e1"),
        ("deletionPolicy: End", "deletionPolicy: End\n  syncPeriodSeconds: 60.5"),
        ("deletionPolicy: End", "deletionPolicy: End\n  ignoreDrift: [notes]"),
        ("deletionPolicy: End", "deletionPolicy: End\n  ignoreDrift: [/notes, /notes]"),
        ("deletionPolicy: End", "deletionPolicy: End\n  ignoreDrift: [/nowhere]"),
        ("deletionPolicy: End", "deletionPolicy: End\n  ignoreDrift: [null]"),
        (
            "deletionPolicy: End",
            "deletionPolicy: End\n  metronome: {customerId: c, startingAt: 2026-01-01T00:00:00Z}",
        ),
        ("deletionPolicy: End", "deletionPolicy: End\n  metronome: null"),
        ("deletionPolicy: End", "deletionPolicy: ''"),
        ("deletionPolicy: End", "deletionPolicy: null"),
        ("organizationId: 6", "organizationId: F"),
        ("organizationId: 6", "organizationId: org-6"),
        ("metadata:\n  name: acme", "metadata:\n  name: Acme"),
        ("metadata:\n  name: acme", "metadata:\n  name: acme_2026"),
        ("metadata:\n  name: acme", "metadata:\n  name: 2026"),
        ("metadata:\n  name: acme", "metadata:\n  name: acme.2026"),
        ("metadata:\n  name: acme", "metadata:\n  name: acme\n  labels: {year: 2026}"),
        ("metadata:\n  name: acme", "metadata:\n  name: acme\n  labels: {year: '2026', team: a_b.c-d}"),
        ("metadata:\n  name: acme", "metadata:\n  name: acme\n  labels: {'a b': c}"),
        ("metadata:\n  name: acme", "metadata:\n  name: acme\n  labels: {a/b/c: d}"),
        ("metadata:\n  name: acme", "metadata:\n  name: acme\n  annotations: {note: any text}"),
        ("metadata:\n  name: acme", "metadata:\n  name: acme\n  annotations: {on: true}"),
        ("metadata:\n  name: acme", "metadata:\n  name: acme\n  label: {a: b}"),
        ("metadata:\n  name: acme", "metadata: {}"),
        ("metadata:\n  name: acme", "metadata: acme"),
        ("kind: BillingContract", "kind: billingcontract"),
        ("v1alpha1", "v1"),
        ("v1alpha1", "v1beta1"),
        ("spec:", "specs: {}\nspec:"),
        ("spec:", "status: {}\nspec:"),
        ("spec:", "<<: {}\nspec:"),
        ("apiVersion:", "---\napiVersion:"),
        ("apiVersion:", "# comment\n---\n# another\napiVersion:"),
        ("apiVersion:", "%YAML 1.1\n---\napiVersion:"),
        ("apiVersion:", "\u{feff}apiVersion:"),
    ]
    .iter()
    .map(|(from, to)| replaced(from, to))
    .collect();
    all.push(("by hand: as it is".to_owned(), sound.clone()));
    all.push(("by hand: Windows".to_owned(), sound.replace('\n', "\r\n")));
    all.push(("by hand: no end".to_owned(), sound.trim_end().to_owned()));
    all
}
