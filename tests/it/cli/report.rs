//! `countersign report` of files, as people run it.

use std::fs;

use super::{PROVIDER, contract, countersign, example, folder, write};

#[test]
fn every_example_of_both_apis_is_in_the_report() {
    let examples = crate::support::root().join("examples");
    for (name, customers) in [("zoo", 11), ("metronome", 6), ("packages/zoo", 5), ("packages/metronome", 4)] {
        let ran = countersign(&examples, &["report", name]);
        assert_eq!(ran.code, 0, "{name}: {}", ran.said);
        let count = ran.out.matches("<details class=\"customer\"").count();
        assert_eq!(count, customers, "{name}");
        assert!(ran.out.contains("Nothing is wrong with these files."), "{name}");
        assert!(!ran.out.contains("with wrong terms"), "{name}");
    }
    assert!(example("zoo/contracts/acme-2026.yaml").contains("kind: BillingContract"));
}

#[test]
fn a_contract_that_two_files_say_is_one_in_the_report() {
    let acme = contract("acme", "1000");
    let twice = folder(&[("zoo.yaml", PROVIDER), ("acme.yaml", &acme), ("again/acme.yaml", &acme)]);
    let once = folder(&[("zoo.yaml", PROVIDER), ("acme.yaml", &acme)]);
    let [twice, once] = [twice, once].map(|folder| countersign(folder.path(), &["report", "."]));
    let amounts = |html: &str| (html.matches("50,000").count(), html.matches("100,000").count());
    assert_eq!((twice.code, amounts(&twice.out)), (0, amounts(&once.out)), "{}", twice.said);
    assert!(amounts(&once.out).0 > 0 && amounts(&once.out).1 == 0, "{}", once.out);
}

#[test]
fn what_is_wrong_with_files_is_told_with_its_place() {
    let folder = folder(&[("zoo.yaml", PROVIDER), ("acme.yaml", &contract("acme", "-5"))]);
    let ran = countersign(folder.path(), &["report", ".", "--out", "report.html"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.said);
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(html.contains("acme.yaml:25") && html.contains("must be"), "{html}");
    let ran = countersign(folder.path(), &["report", ".", "-A"]);
    assert!(ran.code == 1 && ran.said.contains("of files or of a cluster"), "{}", ran.said);
    write(folder.path(), "none/other.yaml", "kind: ConfigMap\n");
    let ran = countersign(folder.path(), &["report", "none"]);
    assert!(ran.code == 1 && ran.said.contains("no contract is in these files"), "{}", ran.said);
}
