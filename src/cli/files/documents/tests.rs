//! What is taken for a resource, and what is left out.

use super::*;
use crate::{cli::files::Values, yaml::Place};

fn read(all: &[(&str, &str)]) -> Files {
    let source = |(name, text): &(&str, &str)| Source {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
        unread: None,
    };
    Files::of(all.iter().map(source).collect())
}

fn told(text: &str) -> Vec<String> {
    read(&[("acme.yaml", text)]).findings.iter().map(|(_, finding)| finding.to_string()).collect()
}

fn skipped(all: &[(&str, &str)]) -> Vec<String> {
    let files = read(all);
    assert!(files.findings.is_empty() && files.broken.is_empty(), "{files:#?}");
    files.skipped.iter().map(|skipped| format!("{}: {}", skipped.file, skipped.reason)).collect()
}

const PROVIDER: &str = "apiVersion: billing.countersign.dev/v1alpha1\nkind: BillingProvider\nmetadata: {name: zoo}\n\
                        spec: {zoo: {}, tokenSecretRef: {name: token}}\n";

#[test]
fn what_the_api_server_would_not_take_is_named_with_its_path() {
    let text = "apiVersion: billing.countersign.dev/v1alpha1\nkind: BillingContract\nmetadata: {name: acme}\n\
                spec:\n  providerRef: {}\n  zoo: {organisationId: x, effectiveAt: 2026-01-01T00:00:00Z}\n";
    assert_eq!(
        told(text),
        [
            "`spec.providerRef.name` is required",
            "`spec.zoo.organizationId` is required",
            "`spec.zoo.organisationId` is no field; did you mean `organizationId`?",
        ]
    );
}

#[test]
fn a_resource_must_be_of_a_kind_and_version_that_there_is() {
    let found = told("apiVersion: billing.countersign.dev/v1\nkind: Contract\nmetadata: {}\nspec: {}\n");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("`apiVersion` must be billing.countersign.dev/v1alpha1"), "{found:?}");
    assert!(found[1].contains("`kind` must be one of BillingContract, "), "{found:?}");
    let found = told("apiVersion: billing.countersign.dev/v1alpha1\nkind: BillingContract\nspecs: {}\n");
    for part in ["`metadata.name` is required", "`specs` is no field", "`spec` must be a mapping"] {
        assert!(found.iter().any(|problem| problem.contains(part)), "{found:?}");
    }
}

#[test]
fn a_group_that_is_nearly_ours_is_never_left_out_in_silence() {
    for version in [
        "billing.countersign.io/v1alpha1",
        "countersign.dev/v1alpha1",
        "billing.countersing.dev/v1alpha1",
        "billing.countersign.dev",
        "v1alpha1",
        "v1",
        "billing.acme.com/v1",
    ] {
        let found = told(&format!("apiVersion: {version}\nkind: BillingContract\nmetadata: {{name: a}}\n"));
        assert_eq!(
            found,
            [format!("`apiVersion` must be billing.countersign.dev/v1alpha1, not {version}")],
            "{version}"
        );
    }
    assert_eq!(
        told("kind: billingcontract\nmetadata: {name: a}\n"),
        ["`apiVersion` is required: write billing.countersign.dev/v1alpha1"]
    );
    assert_eq!(told("spec: {zoo: {organizationId: a}}\n").len(), 1);
}

#[test]
fn what_is_no_resource_of_ours_is_left_out_with_its_reason() {
    assert_eq!(
        skipped(&[
            ("secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: token}\n"),
            ("kustomization.yaml", "resources: [a.yaml]\n"),
            ("values.yaml", "replicas: 1\n"),
            ("package.json", "{\"name\": [\"site\""),
            ("list.yaml", "- op: replace\n"),
        ]),
        [
            "secret.yaml: Secret of v1: of another API group",
            "kustomization.yaml: a kustomization",
            "values.yaml: no resource: it has neither `apiVersion` nor `kind`",
            "package.json: no JSON",
            "list.yaml: no resource, but a list of something",
        ]
    );
}

#[test]
fn patches_of_a_kustomization_are_not_taken_for_resources() {
    let kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\npatches: [{path: patch.yaml}]\n\
                         patchesStrategicMerge: [../more/other.yaml]\n";
    let patch = "apiVersion: billing.countersign.dev/v1alpha1\nkind: BillingContract\nmetadata: {name: a}\nspec: {}\n";
    let found = skipped(&[
        ("x/y/patch.yaml", patch),
        ("x/y/kustomization.yaml", kustomization),
        ("x/more/other.yaml", patch),
    ]);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(
        found[0].starts_with("x/y/patch.yaml: a patch or settings of x/y/kustomization.yaml"),
        "{found:#?}"
    );
    assert_eq!(
        skipped(&[("a.yaml", &format!("{patch}$patch: delete\n"))]),
        ["a.yaml: a patch: it says `$patch`"]
    );
}

#[test]
fn items_of_a_list_are_resources() {
    let list = |kind: &str, version: &str| {
        let items = PROVIDER.lines().flat_map(|line| ["    ", line, "\n"]).collect::<String>();
        format!(
            "apiVersion: {version}\nkind: {kind}\nitems:\n  -\n{items}  -\n{}",
            items.replace("{name: zoo}", "{name: b}")
        )
    };
    for (kind, version) in [("List", "v1"), ("BillingProviderList", "billing.countersign.dev/v1alpha1")] {
        let files = read(&[("list.yaml", &list(kind, version))]);
        let names: Vec<_> = files
            .resources
            .iter()
            .map(|resource| (resource.name.as_str(), resource.pointer.as_str()))
            .collect();
        assert_eq!(names, [("zoo", "/items/0"), ("b", "/items/1")]);
        assert!(files.findings.is_empty() && files.resources.iter().all(|resource| resource.typed.is_some()));
    }
    assert_eq!(told("apiVersion: v1\nkind: List\n"), ["`items` is required in a list of resources"]);
}

#[test]
fn json_is_read_as_yaml_is() {
    let json = "{\"apiVersion\": \"billing.countersign.dev/v1alpha1\", \"kind\": \"BillingProvider\",\n\t\"metadata\": {\"name\": \"zoo\"},\n\
                \t\"spec\": {\"zoo\": {}, \"tokenSecretRef\": {\"name\": \"token\"}}}";
    let files = read(&[("zoo.json", json)]);
    assert!(files.findings.is_empty() && files.resources.len() == 1, "{files:#?}");
    let broken = read(&[("zoo.json", "{\"apiVersion\": \"billing.countersign.dev/v1alpha1\",")]);
    assert_eq!(broken.broken.len(), 1);
}

#[test]
fn text_that_is_no_yaml_is_told_with_its_place_and_hides_nothing() {
    let files = read(&[("acme.yaml", &format!("a: [\n---\n{PROVIDER}---\nb: }}\n"))]);
    assert_eq!(files.resources.len(), 1);
    let places: Vec<_> = files.broken.iter().map(|(_, error)| error.place).collect();
    assert!(matches!(&*places, [Place { line: 1..=2, .. }, Place { line: 8, .. }]), "{:#?}", files.broken);
}

#[test]
fn metadata_is_checked_as_the_api_server_does() {
    let with = |metadata: &str| told(&PROVIDER.replace("{name: zoo}", metadata));
    assert_eq!(with("{name: zoo, labels: {a: b}, annotations: {x/y: 'any text'}}"), [""; 0]);
    for (metadata, path) in [
        ("{name: Zoo_1}", "metadata.name"),
        ("{name: zoo, namespace: a.b}", "metadata.namespace"),
        ("{name: zoo, labels: {year: 2026}}", "metadata.labels.year"),
        ("{name: zoo, labels: {year: 'a b'}}", "metadata.labels.year"),
        ("{name: zoo, annotations: [a]}", "metadata.annotations"),
        ("{name: no}", "metadata.name"),
        ("{name: zoo, label: {a: b}}", "metadata.label"),
    ] {
        let found = with(metadata);
        assert!(found.len() == 1 && found[0].contains(&format!("`{path}`")), "{metadata}: {found:#?}");
    }
}

#[test]
fn rules_of_the_definitions_are_asked() {
    let both = "apiVersion: billing.countersign.dev/v1alpha1\nkind: BillingProvider\nmetadata: {name: zoo}\n\
                spec: {zoo: {}, metronome: {}, tokenSecretRef: {name: token}}\n";
    let rules = |text: &str| {
        let files = read(&[("a.yaml", text)]);
        let resource = &files.resources[0];
        let found = check::rules(&resource.kind, Values::of(&files).get(resource), None);
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        rules(both),
        ["`spec` is refused: exactly one of `spec.zoo` and `spec.metronome` must be set"]
    );
    let package = "apiVersion: billing.countersign.dev/v1alpha1\nkind: ContractPackage\nmetadata: {name: a}\nspec:\n  \
                   deletionPolicy: Archive\n  zoo: {periods: []}\n";
    assert!(
        rules(package).iter().any(|found| found.contains("`spec.deletionPolicy` must be `Orphan`")),
        "{:?}",
        rules(package)
    );
    assert_eq!(rules(PROVIDER), [""; 0]);
}

#[test]
fn nothing_that_seems_to_be_meant_as_ours_is_left_out_as_another_kind() {
    let wrong = "`apiVersion` must be billing.countersign.dev/v1alpha1, not ";
    for (version, kind, spec) in [
        ("v1", "BilingContract", "{}"),
        ("v1", "BillingContracts", "{}"),
        ("acme.com/v1", "Agreement", "{providerRef: {name: zoo}, zoo: {}}"),
    ] {
        let text = format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\nspec: {spec}\n");
        assert_eq!(told(&text), [format!("{wrong}{version}")], "{kind}");
    }
    let item =
        "apiVersion: billing.countersign.dev/v1alpha1\n  kind: BillingContract\n  metadata: {name: a}\n";
    for (text, part) in [
        (format!("- {item}"), "`apiVersion` must begin a resource, not a list"),
        (format!("kind: List\nitems:\n- {item}"), "`apiVersion` must be v1 in a list of resources"),
        (
            format!(
                "apiVersion: billing.countersign.dev/v1alpha1\nkind: ContractPackageList\nitems:\n- {item}"
            ),
            "`kind` must be ContractPackage in a list of them",
        ),
        ("apiVersion: v1\nkind: List\nitems: [null]\n".to_owned(), "`items[0]` must be a resource, not null"),
    ] {
        let found = told(&text);
        assert!(found.len() == 1 && found[0].starts_with(part), "{part}: {found:#?}");
    }
}

#[test]
fn what_has_nothing_in_it_or_holds_a_resource_in_something_else_is_told() {
    let held = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  acme.yaml: |\n    \
                apiVersion: billing.countersign.dev/v1alpha1\n    kind: BillingContract\n";
    assert_eq!(
        skipped(&[
            ("empty.yaml", " \n"),
            ("comments.yaml", "# kind: BillingContract\n---\n# more\n"),
            ("list.yaml", "apiVersion: v1\nkind: List\nitems: []\n"),
            ("map.yaml", held),
        ]),
        [
            "empty.yaml: empty",
            "comments.yaml: nothing but comments",
            "list.yaml: an empty list",
            "map.yaml: ConfigMap of v1: of another API group; a resource of billing.countersign.dev in it is not checked",
        ]
    );
}

#[test]
fn a_name_that_is_none_is_refused_with_what_to_write() {
    let named = |metadata: &str| told(&PROVIDER.replace("name: zoo", metadata));
    assert_eq!(named("name: 2026"), ["`metadata.name` must be text, in quotes: without them, it means 2026"]);
    assert!(named("generateName: zoo-")[0].contains("`generateName` cannot make it up"));
    let long = "a".repeat(254);
    assert_eq!(
        named(&format!("name: {long}")),
        ["`metadata.name` must have at most 253 characters, not 254"]
    );
    let placed = |namespace: &str| named(&format!("name: zoo, namespace: {namespace}"));
    assert_eq!(placed(&"b".repeat(64)), ["`metadata.namespace` must have at most 63 characters, not 64"]);
    assert_eq!(placed("007"), ["`metadata.namespace` must be text, in quotes: without them, it means 7"]);
    let labelled = named("name: zoo, labels: {order: 010}");
    assert_eq!(labelled, ["`metadata.labels.order` must be text, in quotes: without them, it means 8"]);
}

#[test]
fn a_key_that_json_says_twice_is_refused_as_in_yaml() {
    let text = "{\n\t\"apiVersion\": \"billing.countersign.dev/v1alpha1\", \"kind\": \"BillingProvider\",\n\t\"kind\": \"BillingContract\"}";
    let files = read(&[("acme.json", text)]);
    assert!(files.resources.is_empty() && files.broken.len() == 1, "{files:#?}");
}

#[test]
fn a_contract_that_was_another_one_is_packed_and_is_read_as_it_was() {
    let contract = |name: &str, end: &str| {
        let text = format!(
            "apiVersion: billing.countersign.dev/v1alpha1\nkind: BillingContract\n\
             metadata: {{name: {name}, labels: {{team: sales}}}}\nspec:\n  providerRef: {{name: zoo}}\n  zoo:\n    \
             organizationId: 6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11\n    effectiveAt: 2026-01-01T00:00:00Z\n    \
             termEndAt: {end}\n    items: [{{code: fde, displayName: Engineer, kind: fixed_fee, unit: year, \
             fixedFeeAmount: '1000.50'}}]\n    periods: []\n"
        );
        Source { name: format!("{name}.yaml"), text, unread: None }
    };
    let (long, short) = ("2028-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
    let after = Files::of(vec![contract("acme", long), contract("globex", long)]);
    let was = vec![contract("acme", short), contract("globex", long), contract("gone", long)];
    let (mut before, mut plain) = (Files::before(was.clone(), &after), Files::beside(was, &after));
    let is_packed: Vec<_> =
        before.resources.iter().map(|found| matches!(found.typed, Some(Typed::Packed(_)))).collect();
    assert_eq!(is_packed, [true, false, false]);
    for files in [&mut before, &mut plain] {
        files.put_into("billing");
    }
    for (packed, plain) in before.resources.iter().zip(&plain.resources) {
        let (packed, plain) = (packed.contract().unwrap(), plain.contract().unwrap());
        assert_eq!((&packed.spec, &packed.metadata), (&plain.spec, &plain.metadata));
        assert_eq!(packed.metadata.namespace.as_deref(), Some("billing"));
    }
}
