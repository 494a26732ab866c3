//! One report in every format.

use super::{super::findings, *};
use crate::cli::files::{Files, Source};

fn report(strict: bool) -> Report {
    let text = "apiVersion: billing.countersign.dev/v1alpha1\nkind: BillingProvider\nmetadata:\n  name: zoo\nspec:\n  zoo: {}\n  \
                tokenSecretRef: {name: token}\n  requestsPerSeconds: 5 # <&\">\n---\nb: [\n";
    let contract = "apiVersion: billing.countersign.dev/v1alpha1\nkind: BillingContract\nmetadata:\n  name: acme\nspec:\n  \
                    providerRef: {name: zo}\n  ignoreDrift:\n    - /note\n  metronome:\n    customerId: c\n    \
                    startingAt: 2026-01-01T00:00:00Z\n    rateCardId: r\n";
    let source =
        |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned(), unread: None };
    let files = Files::of(vec![source("zoo, prod.yaml", text), source("contracts/acme.yaml", contract)]);
    Report::new(&files, findings(&files, None), strict)
}

#[test]
fn every_format_has_every_finding_with_its_place() {
    let report = report(false);
    assert_eq!((report.errors(), report.warnings()), (2, 2), "{report:#?}");
    let formats = [Output::Human, Output::Json, Output::Junit, Output::Sarif, Output::Github, Output::Gitlab];
    let told = |output: &Output| format!("== {output:?}\n{}\n", write(&report, *output).unwrap());
    let all = formats.iter().map(told).collect::<Vec<_>>().concat();
    insta::assert_snapshot!(all);
}

#[test]
fn under_strict_what_deserves_a_question_is_an_error() {
    assert_eq!(report(true).errors(), 4);
}
