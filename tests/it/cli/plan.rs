//! `countersign plan`, as people run it.

use std::{fs, os::unix::fs::symlink};

use super::{PROVIDER, contract, countersign, example, git, plan_of, repository, write};

#[test]
fn what_a_change_does_is_planned_without_a_token_or_a_cluster() {
    let [acme, globex, initech] =
        [("acme", "1000"), ("globex", "5"), ("initech", "7")].map(|(name, fee)| contract(name, fee));
    let repository = repository(&[
        ("zoo.yaml", PROVIDER),
        ("contracts/acme.yaml", &acme),
        ("contracts/globex.yaml", &globex),
        ("contracts/initech.yaml", &initech),
    ]);
    let root = repository.path();
    let same = countersign(root, &["plan", "--base", "before"]);
    assert_eq!(
        (same.code, same.out.as_str()),
        (0, "Nothing changes in billing (3 contracts).\n"),
        "{}",
        same.said
    );

    write(root, "contracts/acme.yaml", &contract("acme", "1200.50"));
    fs::remove_file(root.join("contracts/globex.yaml")).unwrap();
    write(root, "contracts/hooli.yaml", &contract("hooli", "3"));
    let ran = countersign(root, &["plan", "--base", "before", "."]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.said);
    for part in [
        "BillingContract acme (./contracts/acme.yaml): changed",
        "BillingContract hooli",
        "contract globex: active -> closed",
        "3 resources change.",
    ] {
        assert!(ran.out.contains(part), "{part}\n{}", ran.out);
    }
    assert!(!ran.out.contains("initech"), "{}", ran.out);

    git(root, &["add", "--all"]);
    git(root, &["commit", "--quiet", "--message", "After"]);
    fs::remove_dir_all(root.join("contracts")).unwrap();
    let json = countersign(
        root,
        &["plan", "--base", "before", "--head", "HEAD", "--output", "json", "contracts", "zoo.yaml"],
    );
    assert_eq!(json.code, 3, "{}", json.said);
    let plan = plan_of(&json);
    assert_eq!((&plan["version"], &plan["counts"]["does"]), (&1.into(), &3.into()));
    let acme = plan["resources"].as_array().unwrap().iter().find(|row| row["name"] == "acme").unwrap();
    assert_eq!(acme["changes"][0]["path"], "/items/fde/fixedFeeAmount");
    assert!(json.out.contains("\"1200.5"), "{}", json.out);
    let markdown = countersign(root, &["plan", "--base", "before", "--head", "HEAD", "-o", "markdown", "."]);
    assert!(
        markdown.out.starts_with("<!-- countersign-plan -->\n### 💰 Billing: 3 resources change\n"),
        "{}",
        markdown.out
    );
    assert!(
        markdown.out.contains("<details><summary>BillingContract acme: changed</summary>"),
        "{}",
        markdown.out
    );
}

#[test]
fn what_is_refused_exits_with_two() {
    let repository = repository(&[("zoo.yaml", PROVIDER), ("acme.yaml", &contract("acme", "1000"))]);
    let root = repository.path();
    write(root, "acme.yaml", &contract("acme", "1000").replace("status: active", "status: draft"));
    let ran = countersign(root, &["plan", "--base", "before"]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(ran.out.contains("ActiveNotReplaced: Nothing was written"), "{}", ran.out);
    write(root, "acme.yaml", &contract("acme", "-5"));
    let ran = countersign(root, &["plan", "--base", "before"]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(
        ran.out.contains("./acme.yaml:25:9: `spec.zoo.items[fde].fixedFeeAmount` must be"),
        "{}",
        ran.out
    );
    let none = countersign(root, &["plan", "--base", "nowhere"]);
    assert_eq!(none.code, 1);
}

#[test]
fn what_is_left_is_told_apart() {
    let orphan = contract("acme", "1000").replace("deletionPolicy: End", "deletionPolicy: Orphan");
    let repository = repository(&[("zoo.yaml", PROVIDER), ("acme.yaml", &orphan)]);
    fs::remove_file(repository.path().join("acme.yaml")).unwrap();
    let ran = countersign(repository.path(), &["plan", "--base", "before"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(
        ran.out.contains("Will be left as it is:\n\nBillingContract acme (./acme.yaml): gone"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("committed: 50000 USD"), "{}", ran.out);
}

#[test]
fn a_package_changes_the_contracts_that_refer_to_it() {
    let folder = "packages/zoo";
    let names = |below: &str| -> Vec<String> {
        let path = crate::support::root().join("examples").join(folder).join(below);
        let files = fs::read_dir(path).unwrap();
        files.map(|file| format!("{below}/{}", file.unwrap().file_name().into_string().unwrap())).collect()
    };
    let files: Vec<(String, String)> = ["contracts", "packages", "providers"]
        .iter()
        .flat_map(|below| names(below))
        .map(|name| (name.clone(), example(&format!("{folder}/{name}"))))
        .collect();
    let all: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let repository = repository(&all);
    let root = repository.path();
    assert_eq!(countersign(root, &["plan", "--base", "before"]).code, 0);
    // Terms that are published never change: each contract of the package would be refused.
    let (name, text) = files
        .iter()
        .find(|(name, text)| name.starts_with("packages/") && text.contains("displayName: "))
        .unwrap();
    write(root, name, &text.replacen("displayName: ", "displayName: New ", 1));
    let ran = countersign(root, &["plan", "--base", "before"]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(ran.out.contains("its terms have changed since they were published"), "{}", ran.out);
}

#[test]
fn every_example_of_both_apis_plans_to_nothing_against_itself_and_to_a_create_when_new() {
    for (folder, count) in [("zoo", 11), ("metronome", 6), ("packages/zoo", 5), ("packages/metronome", 4)] {
        let path = crate::support::root().join("examples").join(folder);
        let repository = repository(&[("README", "")]);
        let copied =
            std::process::Command::new("cp").arg("-r").arg(&path).arg(repository.path().join("all")).status();
        assert!(copied.unwrap().success());
        let new = countersign(repository.path(), &["plan", "--base", "before", "all", "--output", "json"]);
        let plan = plan_of(&new);
        let counts = &plan["counts"];
        let told = |part: &str| counts[part].as_u64().unwrap();
        assert_eq!(told("refused"), 0, "{folder}: {}", new.out);
        assert!(told("does") + told("open") + told("left") >= count, "{folder}: {counts}");
        git(repository.path(), &["add", "--all"]);
        git(repository.path(), &["commit", "--quiet", "--message", "All"]);
        let same = countersign(repository.path(), &["plan", "--base", "HEAD", "all"]);
        assert!(same.out.starts_with("Nothing changes in billing"), "{folder}: {}", same.out);
    }
}

#[test]
fn resources_that_a_command_builds_are_planned_before_and_after() {
    let repository =
        repository(&[("prod/zoo.yaml", PROVIDER), ("prod/acme.yaml", &contract("acme", "1000"))]);
    let root = repository.path();
    write(root, "prod/acme.yaml", &contract("acme", "1001"));
    let build = "for file in *.yaml; do echo ---; cat $file; done";
    let ran = countersign(root, &["plan", "--base", "before", "--build", build, "prod"]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.said);
    assert!(ran.out.contains("BillingContract acme (prod (built)): changed"), "{}", ran.out);
    let ran = countersign(root, &["plan", "--base", "before", "--build", "exit 5", "prod"]);
    assert_eq!(ran.code, 1);
    assert!(ran.said.contains("`exit 5` failed in prod"), "{}", ran.said);
}

#[test]
fn what_deserves_a_question_is_asked_with_the_plan_that_brings_it_and_with_no_other() {
    let globex = contract("globex", "5").replace("currency: USD", "currency: XYZ");
    let repository = repository(&[
        ("zoo.yaml", PROVIDER),
        ("acme.yaml", &contract("acme", "1000")),
        ("globex.yaml", &globex),
    ]);
    let root = repository.path();
    write(root, "acme.yaml", &contract("acme", "10000"));
    let ran = |form: &str| countersign(root, &["plan", "--base", "before", "--output", form]);
    let question = "`spec.zoo.items[fde].fixedFeeAmount` is ten times what it was (1000 -> 10000)";
    for form in ["text", "markdown"] {
        let ran = ran(form);
        assert_eq!(ran.code, 3, "{}{}", ran.out, ran.said);
        // In a comment it is code, and has no marks of its own.
        let plain = |text: &str| text.replace(['`', '\''], "");
        assert!(plain(&ran.out).contains(&plain(question)), "{form}: {}", ran.out);
        assert!(!ran.out.contains("XYZ"), "what was there before is not asked again: {}", ran.out);
    }
    assert!(ran("html").out.contains("is ten times what it was"));
    let plan = plan_of(&ran("json"));
    let asked = &plan["resources"][0]["questions"];
    assert_eq!(
        (&asked[0]["rule"], &asked[0]["severity"]),
        (&"question".into(), &"warning".into()),
        "{plan:#}"
    );
    assert_eq!(asked[0]["path"], "spec.zoo.items[fde].fixedFeeAmount");

    write(root, "globex.yaml", &globex.replace("commitmentAmount: \"50000\"", "commitmentAmount: \"60000\""));
    assert!(ran("text").out.contains("`spec.zoo.currency`"), "{}", ran("text").out);
}

#[test]
fn prices_that_move_far_are_called_out_and_expected_use_has_a_sum() {
    let priced = |price: &str| {
        contract("acme", "1000").replace(
            "    periods:\n",
            &format!(
                "      - code: licensed_api_credits\n        displayName: API\n        kind: usage_tiered\n        unit: minute\n        \
                 rateTiers:\n          - {{tierStartInclusive: 0, unitPrice: \"{price}\"}}\n    periods:\n"
            ),
        )
    };
    let repository = repository(&[("zoo.yaml", PROVIDER), ("acme.yaml", &priced("0.50"))]);
    let root = repository.path();
    write(root, "acme.yaml", &priced("0.40"));
    let files = ["plan", "--base", "before", "zoo.yaml", "acme.yaml"];
    let offline = countersign(root, &files);
    assert!(
        offline.out.contains("without a sum:") && !offline.out.contains("look at:"),
        "{}{}",
        offline.out,
        offline.said
    );
    write(root, "volumes.txt", "acme: {licensed_api_credits: 1000, api_credits: 5}\nglobex: {fde: 1}\n");
    let ran =
        countersign(root, &[&files[..], &["--volumes", "volumes.txt", "--price-alert", "19.9"]].concat());
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.said);
    for part in [
        "with 1000 of licensed_api_credits: 500 USD -> 400 USD, -100 (-20 %)",
        "/items/licensed_api_credits/rateTiers/0/unitPrice moves by -20 %: 0.5 -> 0.4 USD",
    ] {
        assert!(ran.out.contains(part), "{part}\n{}", ran.out);
    }
    assert!(!ran.out.contains("without a sum:"), "{}", ran.out);
    assert!(ran.said.contains("--volumes names globex"), "{}", ran.said);
    assert!(
        ran.said.contains("--volumes names api_credits of acme, which has no such item\n"),
        "{}",
        ran.said
    );
    let json = countersign(root, &[&files[..], &["--volumes", "volumes.txt", "-o", "json"]].concat());
    let plan = plan_of(&json);
    assert_eq!(plan["resources"][0]["estimates"][0]["after"], "400");
    assert_eq!(plan["resources"][0]["calls"].as_array().unwrap().len(), 0, "nobody was asked");
    write(root, "volumes.txt", "acme: {licensed_api_credits: -1}\n");
    let wrong = countersign(root, &[&files[..], &["--volumes", "volumes.txt"]].concat());
    assert_eq!(wrong.code, 1);
    assert!(wrong.said.contains("`acme.licensed_api_credits` must be a number of units"), "{}", wrong.said);
}

#[test]
fn a_page_has_everything_and_runs_nothing() {
    let hostile = contract("acme", "1000").replace("name: acme 2026", "name: '<script>alert(1)</script>'");
    let repository = repository(&[("zoo.yaml", PROVIDER), ("acme.yaml", &hostile)]);
    let root = repository.path();
    write(root, "acme.yaml", &contract("acme", "900").replace("2027-01-01", "2028-01-01"));
    write(root, "hooli.yaml", &contract("hooli", "3"));
    let ran = countersign(root, &["plan", "--base", "before", "--output", "html"]);
    assert_eq!(ran.code, 3, "{}", ran.said);
    let page = ran.out;
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"), "{page}");
    assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("url("), "{page}");
    for part in [
        "&#60;script&#62;alert(1)&#60;/script&#62;",
        "<h2>All together</h2>",
        "Terms of 2 contracts",
        "Committed by month, in USD",
        "id=\"BillingContract-hooli-Does\"",
        "prefers-color-scheme: dark",
        "@media print",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let comment = countersign(root, &["plan", "--base", "before", "--output", "markdown"]).out;
    for part in
        ["```mermaid\ngantt\n", "section acme\n  before :done, 2026-01-01, 2027-01-01\n", "xychart-beta\n"]
    {
        assert!(comment.contains(part), "{part}\n{comment}");
    }
}

#[test]
fn a_plan_without_anything_to_compare_with_says_what_to_name() {
    let repository = repository(&[("zoo.yaml", PROVIDER)]);
    let ran = countersign(repository.path(), &["plan", "zoo.yaml"]);
    assert_eq!(ran.code, 1);
    assert!(ran.said.contains("a Git revision by --base, an account by --provider"), "{}", ran.said);
}

#[test]
fn a_pattern_means_the_same_files_before_and_after() {
    let repository = repository(&[("zoo.yaml", PROVIDER), ("a b/é.yaml", &contract("acme", "1000"))]);
    let plan = |arguments: &[&str]| {
        countersign(repository.path(), &[&["plan", "--base", "before"], arguments].concat())
    };
    assert_eq!(plan(&["a*/*.yaml", "*.yaml"]).code, 0);
    write(repository.path(), "a b/é.yaml", &contract("acme", "1200"));
    let ran = plan(&["a*/*.yaml", "*.yaml"]);
    assert!(ran.code == 3 && ran.out.contains("1000 -> 1200 USD"), "{}{}", ran.out, ran.said);
    // Within a folder: what lies deeper is on neither side.
    let ran = plan(&["*.yaml"]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "Nothing changes in billing (0 contracts).\n"),
        "{}",
        ran.said
    );
}

#[test]
fn a_path_that_is_on_neither_side_is_an_error_and_so_is_nothing_of_ours() {
    let repository = repository(&[("zoo.yaml", PROVIDER), ("other/note.yaml", "a: 1\n")]);
    for (arguments, part) in [
        (&["zoo.yaml", "contrcts"][..], "there are no files in contrcts, before or after the change"),
        (&["nothing/*.yaml"], "there are no files in nothing/*.yaml"),
        (&["other"], "there is no resource of billing.countersign.dev in other"),
        (&["-"], "what `-` said before cannot be known"),
    ] {
        let ran = countersign(repository.path(), &[&["plan", "--base", "before"], arguments].concat());
        assert!(ran.code == 1 && ran.said.contains(part), "{part}: {}{}", ran.out, ran.said);
    }
    let ran = countersign(repository.path(), &["plan", "--base", "", "."]);
    assert!(ran.code == 1 && ran.said.contains("the revision is empty"), "{}", ran.said);
}

#[test]
fn links_and_submodules_say_before_what_they_say_after() {
    let inner = repository(&[("globex.yaml", &contract("globex", "1000"))]);
    let outer =
        repository(&[("contracts/zoo.yaml", PROVIDER), ("common/acme.yaml", &contract("acme", "1000"))]);
    symlink("../common/acme.yaml", outer.path().join("contracts/acme.yaml")).unwrap();
    symlink("../common", outer.path().join("contracts/more")).unwrap();
    let inner_path = inner.path().to_str().unwrap();
    git(
        outer.path(),
        &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner_path, "contracts/sub"],
    );
    git(outer.path(), &["add", "--all"]);
    git(outer.path(), &["commit", "--quiet", "--message", "Links"]);
    let plan = || countersign(outer.path(), &["plan", "--base", "HEAD", "contracts"]);
    let ran = plan();
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "Nothing changes in billing (2 contracts).\n"),
        "{}",
        ran.said
    );
    write(outer.path(), "common/acme.yaml", &contract("acme", "1200"));
    write(outer.path(), "contracts/sub/globex.yaml", &contract("globex", "1300"));
    let ran = plan();
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.said);
    assert!(ran.out.contains("1000 -> 1200 USD") && ran.out.contains("1000 -> 1300 USD"), "{}", ran.out);
    assert!(ran.out.ends_with("2 resources change.\n"), "{}", ran.out);
}

#[test]
fn a_resource_under_a_new_name_takes_up_what_the_former_one_held_and_makes_no_second_contract() {
    let acme = contract("acme", "1000");
    let repository = repository(&[("zoo.yaml", PROVIDER), ("acme.yaml", &acme)]);
    let plan = |text: &str| {
        write(repository.path(), "acme.yaml", text);
        countersign(repository.path(), &["plan", "--base", "before"])
    };
    let renamed = acme.replace("  name: acme\n", "  name: acme-inc\n");
    let ran = plan(&renamed);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.said);
    assert!(ran.out.contains("BillingContract acme (./acme.yaml): gone; the resource is gone, and what it holds is left to a new one"), "{}", ran.out);
    assert!(!ran.out.contains("new contract") && !ran.out.contains("committed"), "{}", ran.out);
    // As the operator has it: what differs is not shown to be its own, and is not overwritten.
    let ran = plan(&renamed.replace("\"1000\"", "\"1200\""));
    assert!(ran.code == 2 && ran.out.contains("Refused:"), "{}{}", ran.out, ran.said);
}
