//! `countersign validate`, as people run it.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::symlink,
    process::{Command, Stdio},
};

use super::{PROVIDER, Ran, contract, countersign, folder, git, repository, write};

fn validate(files: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let folder = folder(files);
    countersign(folder.path(), &[&["validate"], arguments].concat())
}

fn piped(text: &str, arguments: &[&str]) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .arg("validate")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let text = text.to_owned();
    let writer = std::thread::spawn(move || drop(input.write_all(text.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output.into()
}

#[test]
fn what_is_sound_is_counted_and_exits_with_zero() {
    let ran = validate(&[("zoo.yaml", PROVIDER), ("acme.yaml", &contract("acme", "1000"))], &["."]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "1 contract and 1 provider are sound\n"), "{}", ran.said);
}

#[test]
fn an_approval_is_checked_as_any_resource_and_against_the_contracts_beside_it() {
    const APPROVAL: &str = "apiVersion: billing.countersign.dev/v1alpha1\nkind: ContractApproval\nmetadata: {name: first}\nspec:\n  \
        contractRef: {name: acme}\n  planDigest: 0123456789abcdef0123456789abcdef\n  decision: Approve\n  approvedBy: ann\n";
    let acme = contract("acme", "1000");
    let with = |approval: &str| {
        validate(&[("zoo.yaml", PROVIDER), ("acme.yaml", &acme), ("approval.yaml", approval)], &["."])
    };
    let ran = with(APPROVAL);
    let sound = "1 contract, 1 provider and 1 approval are sound\n";
    assert_eq!((ran.code, ran.out.as_str()), (0, sound), "{}", ran.said);
    let ran = with(&APPROVAL.replace("name: acme", "name: acne"));
    assert!(
        ran.code == 0 && ran.out.contains("names BillingContract acne, which is not in these files"),
        "{}",
        ran.out
    );
    let ran = with(&APPROVAL.replace("Approve", "Approved").replace("0123456789abcdef0", "0"));
    assert_eq!(ran.code, 2);
    assert!(ran.out.contains("spec.decision") && ran.out.contains("spec.planDigest"), "{}", ran.out);
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_exits_with_two() {
    let wrong = contract("acme", "1000").replace("\"1000\"", "1000").replace("currency", "curency");
    let ran = validate(&[("zoo.yaml", PROVIDER), ("acme.yaml", &wrong)], &["."]);
    assert_eq!(ran.code, 2);
    for part in [
        "acme.yaml:17:5: BillingContract acme: `spec.zoo.curency` is no field; did you mean `currency`?\n  17 |     curency: USD\n     |     ^\n",
        "acme.yaml:25:9: BillingContract acme: `spec.zoo.items[fde].fixedFeeAmount` must be in quotes, \"1000\": a bare number may lose digits\n",
    ] {
        assert!(ran.out.contains(part), "{part}\n{}", ran.out);
    }
    assert_eq!(ran.said.trim(), "countersign: 2 violations");
}

#[test]
fn nothing_that_was_read_is_never_sound() {
    for (files, arguments) in [
        (&[("readme.txt", "")][..], &["."][..]),
        (&[("secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n")], &["."]),
        (&[("empty.yaml", "# nothing\n")], &["empty.yaml"]),
        (&[], &["missing.yaml"]),
        (&[("a.txt", "")], &["*.yaml"]),
    ] {
        let ran = validate(files, arguments);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{arguments:?}: {}", ran.said);
        assert!(!ran.said.is_empty());
    }
}

#[test]
fn what_is_left_out_is_told_with_its_reason() {
    let kustomization = "resources: [zoo.yaml]\npatches: [{path: patch.yaml}]\n";
    let patch = "apiVersion: billing.countersign.dev/v1alpha1\nkind: BillingProvider\nmetadata: {name: zoo}\nspec: {requestsPerSecond: 5}\n";
    let files = [("zoo.yaml", PROVIDER), ("kustomization.yaml", kustomization), ("patch.yaml", patch)];
    let ran = validate(&files, &["."]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(
        ran.said.contains("skipped ./patch.yaml: a patch or settings of ./kustomization.yaml"),
        "{}",
        ran.said
    );
    let alone = validate(&files, &["patch.yaml"]);
    assert_eq!(alone.code, 1, "{}{}", alone.out, alone.said);
}

#[test]
fn a_file_that_cannot_be_read_is_a_violation_and_hides_no_other() {
    let wrong = contract("acme", "1000").replace("currency: USD", "currency: usd");
    let folder = folder(&[("zoo.yaml", PROVIDER), ("acme.yaml", &wrong)]);
    fs::write(folder.path().join("latin.yaml"), b"kind: Secret\nname: Caf\xe9\n").unwrap();
    symlink("nowhere.yaml", folder.path().join("link.yaml")).unwrap();
    symlink(".", folder.path().join("loop")).unwrap();
    let ran = countersign(folder.path(), &["validate", "."]);
    assert_eq!((ran.code, ran.said.as_str()), (2, "countersign: 3 violations\n"), "{}", ran.out);
    for part in
        ["latin.yaml:2:10: is no text in UTF-8", "link.yaml:1:1: cannot be read: ", "acme.yaml:17:5: "]
    {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
}

#[test]
fn what_lies_in_a_folder_and_is_not_read_is_told() {
    let folder = folder(&[
        ("zoo.yaml", PROVIDER),
        (".acme.yaml", &contract("acme", "1")),
        ("acme.yaml.bak", &contract("acme", "1")),
        ("notes.txt", ""),
    ]);
    assert!(Command::new("mkfifo").arg(folder.path().join("pipe.yaml")).status().unwrap().success());
    let ran = countersign(folder.path(), &["validate", "."]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.said);
    let skipped: Vec<_> = ran.said.lines().collect();
    assert_eq!(
        skipped,
        [
            "skipped ./.acme.yaml: hidden: its name begins with a dot",
            "skipped ./acme.yaml.bak: its name does not end in .yaml, .yml or .json",
            "skipped ./pipe.yaml: neither a file nor a folder",
        ]
    );
}

#[test]
fn text_of_windows_is_read_and_several_json_values_in_a_row() {
    let folder = folder(&[]);
    let wide =
        |text: &str| [vec![0xff, 0xfe], text.encode_utf16().flat_map(u16::to_le_bytes).collect()].concat();
    fs::write(folder.path().join("zoo.yaml"), wide(&PROVIDER.replace('\n', "\r\n"))).unwrap();
    let ran = countersign(folder.path(), &["validate", "."]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.said);
    let line = format!("{} validate <(cat zoo.yaml)", env!("CARGO_BIN_EXE_countersign"));
    let piped_in = Command::new("bash").args(["-c", &line]).current_dir(folder.path()).output().unwrap();
    assert_eq!(Ran::from(piped_in).out, "1 provider is sound\n");
    let json = |name: &str| {
        let text = PROVIDER.replace("name: zoo\n", &format!("name: {name}\n"));
        serde_saphyr::from_str::<serde_json::Value>(&text).unwrap().to_string()
    };
    let ran = piped(&format!("{}\n{}\n", json("one"), json("two")), &["-"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "2 providers are sound\n"));
}

#[test]
fn a_name_with_line_breaks_cannot_write_lines_of_its_own() {
    let evil = PROVIDER.replace("name: zoo\n", "name: \"a\\n::error::b\"\n");
    let ran = validate(&[("a\n::error::c.yaml", &evil)], &["."]);
    assert_eq!(ran.code, 2);
    assert!(!ran.out.lines().chain(ran.said.lines()).any(|line| line.starts_with("::")), "{}", ran.out);
}

#[test]
fn what_is_to_be_replaced_and_what_the_cluster_writes_deserve_a_question() {
    let text = contract("acme", "1000")
        .replace("name: acme 2026", "name: ${NAME} 2026")
        .replace("  name: acme\n", "  name: acme\n  uid: abc\n  resourceVersion: \"5\"\n");
    let ran = validate(&[("zoo.yaml", PROVIDER), ("acme.yaml", &text)], &["."]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.said);
    for part in [
        "`spec.zoo.name` has ${NAME}, which seems to stand for something else",
        "`metadata.uid` is the cluster's to write: take `metadata.uid`, `metadata.resourceVersion` out",
    ] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
}

#[test]
fn what_nobody_sees_and_what_does_nothing_deserves_a_question() {
    let hidden = contract("acme", "1000").replace("name: acme 2026", "name: \"acme \\u202e6202\"");
    let hidden = hidden.replace("displayName: Engineer", "displayName: 'Engineer '");
    let hidden = hidden.replace(
        "metadata:\n",
        "metadata:\n  annotations: {billing.countersign.dev/aproved-plan: x, example.com/note: x}\n",
    );
    let hidden =
        hidden.replace("    items:\n", "    notes: |\n      one line\n      \tand another\n    items:\n");
    let ran = validate(&[("zoo.yaml", PROVIDER), ("acme.yaml", &hidden)], &["."]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    for part in [
        "`spec.zoo.name` has a character that nobody sees, U+202E",
        "`spec.zoo.items[0].displayName` begins or ends with a space",
        "does nothing here: the operator reads no such annotation; did you mean `billing.countersign.dev/approved-plan`?",
    ] {
        assert!(ran.out.contains(part), "{part}\n{}", ran.out);
    }
    assert!(ran.out.ends_with("are sound, with 3 warnings\n"), "{}", ran.out);
}

#[test]
fn what_is_there_and_wrong_is_not_said_to_be_missing() {
    let package = "apiVersion: billing.countersign.dev/v1alpha1\nkind: ContractPackage\nmetadata: {name: standard}\n\
                   spec: {lifecycle: Retired}\n";
    let made =
        contract("acme", "1000").replace("  deletionPolicy: End\n", "  packageRef: {name: standard}\n");
    let files =
        [("zoo.yaml", &*PROVIDER.replace("zoo: {}", "zoo: {baseUrl: api.zoo.dev}")), ("acme.yaml", &made)];
    let ran = validate(&[&files[..], &[("package.yaml", package)]].concat(), &["."]);
    assert!(ran.out.contains("`spec.zoo.baseUrl` must be an address without a path"), "{}", ran.out);
    assert!(ran.out.contains("`spec.lifecycle` must be one of "), "{}", ran.out);
    assert!(
        !ran.out.contains("not in these files") && !ran.out.contains("packageRef` must lead"),
        "{}",
        ran.out
    );
    let without = validate(&files, &["."]);
    assert!(without.out.contains("`spec.packageRef` must lead to a package"), "{}", without.out);
}

#[test]
fn an_account_that_could_not_be_reached_is_refused_before_it_is_applied() {
    let told = |terms: &str| {
        let ran = validate(&[("zoo.yaml", &PROVIDER.replace("zoo: {}", terms))], &["."]);
        assert_eq!(ran.code, 2, "{}", ran.said);
        ran.out
    };
    let clear = told("zoo: {baseUrl: 'http://api.zoo.dev'}");
    assert!(
        clear.contains(
            "`spec.zoo.baseUrl` \"http://api.zoo.dev\" would send the token in clear text; use https"
        ),
        "{clear}"
    );
    let roots = told("zoo: {}\n  caBundle: none");
    assert!(roots.contains("`spec.caBundle` has no certificate: write it as"), "{roots}");
}

#[test]
fn patterns_lists_and_json_are_read() {
    let json =
        serde_json::to_string(&serde_saphyr::from_str::<serde_json::Value>(PROVIDER).unwrap()).unwrap();
    let list = format!("{{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{json}]}}");
    let ran = validate(
        &[("a/b/zoo.json", &list), ("a/acme.yaml", &contract("acme", "1"))],
        &["a/**/*.json", "a/*.yaml"],
    );
    assert_eq!((ran.code, ran.out.as_str()), (0, "1 contract and 1 provider are sound\n"), "{}", ran.said);
}

#[test]
fn the_standard_input_has_any_number_of_documents() {
    let names: Vec<_> = (0..1500).map(|number| format!("c{number}")).collect();
    let one = |name: &String| PROVIDER.replace("name: zoo\n", &format!("name: {name}\n"));
    let text = names.iter().map(one).collect::<Vec<_>>().join("---\n");
    let ran = piped(&text, &["-"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "1500 providers are sound\n"), "{}", ran.said);
}

#[test]
fn a_syntax_error_hides_nothing_else() {
    let text = format!("a: [\n---\n{}---\nb: {{\n", PROVIDER.replace("zoo: {}", "zoo: {url: x}"));
    let ran = piped(&text, &["-", "--output", "github"]);
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.out.lines().filter(|line| line.starts_with("::error file=standard input,line=")).count(),
        3,
        "{}",
        ran.out
    );
}

#[test]
fn duplicates_across_files_are_refused() {
    let again = contract("acme", "2").replace("name: acme\n", "name: other\n");
    let ran =
        validate(&[("zoo.yaml", PROVIDER), ("a.yaml", &contract("acme", "1")), ("b.yaml", &again)], &["."]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.out.contains(
            "b.yaml:10:5: BillingContract other: `spec.zoo.organizationId` is that of another contract too"
        ),
        "{}",
        ran.out
    );
    let ran = validate(
        &[("zoo.yaml", PROVIDER), ("a.yaml", &contract("acme", "1")), ("b.yaml", &contract("acme", "2"))],
        &["."],
    );
    assert!(
        ran.out.contains("`metadata.name` is that of another BillingContract too, in ./a.yaml"),
        "{}",
        ran.out
    );
}

#[test]
fn questions_are_warnings_and_under_strict_errors() {
    let free = contract("acme", "0");
    let files = [("zoo.yaml", PROVIDER), ("acme.yaml", free.as_str())];
    let ran = validate(&files, &["."]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert!(
        ran.out.contains(
            "acme.yaml:25:9: warning: BillingContract acme: `spec.zoo.items[fde].fixedFeeAmount` is 0"
        ),
        "{}",
        ran.out
    );
    assert!(ran.out.ends_with("1 contract and 1 provider are sound, with 1 warning\n"), "{}", ran.out);
    assert_eq!(validate(&files, &["--strict", "."]).code, 2);
}

#[test]
fn against_a_revision_what_must_not_change_is_refused_and_an_extra_zero_is_asked_about() {
    let repository =
        repository(&[("zoo.yaml", PROVIDER), ("contracts/acme.yaml", &contract("acme", "1000"))]);
    let moved = contract("acme", "10000").replace("organizationId: 6", "organizationId: 7");
    write(repository.path(), "contracts/acme.yaml", &moved);
    let ran = countersign(repository.path(), &["validate", "--base", "before", "."]);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.said);
    assert!(
        ran.out.contains("`spec.zoo.organizationId` is refused: `organizationId` must not change"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains(
            "warning: BillingContract acme: `spec.zoo.items[fde].fixedFeeAmount` is ten times what it was"
        ),
        "{}",
        ran.out
    );
    git(repository.path(), &["tag", "after"]);
    let unknown = countersign(repository.path(), &["validate", "--base", "nowhere", "."]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.said.contains("there is no revision nowhere"), "{}", unknown.said);
}

#[test]
fn whoever_reads_neither_output_any_more_still_gets_the_exit_status() {
    let wrong = contract("acme", "1000").replace("currency", "curency");
    let folder = folder(&[("zoo.yaml", PROVIDER), ("acme.yaml", &wrong), ("a.yaml.bak", "")]);
    for (arguments, code) in [
        (&["validate", "--output", "json", "."][..], 2),
        (&["validate", "nowhere"], 1),
        (&["validate", "--help"], 0),
        (&["plan", "."], 1),
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(arguments)
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn whoever_stops_reading_ends_it_quietly() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .arg("crds")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn a_command_that_is_no_command_is_an_error_of_whoever_runs_it_and_no_refusal() {
    let folder = folder(&[]);
    for arguments in
        [&["validat"][..], &["validate"], &["plan", "--bas", "x"], &["plan", "--price-alert", "x"], &[]]
    {
        let ran = countersign(folder.path(), arguments);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{arguments:?}: {}", ran.said);
        assert!(!ran.said.is_empty());
    }
    assert_eq!(countersign(folder.path(), &["plan", "--help"]).code, 0);
    assert_eq!(countersign(folder.path(), &["--version"]).code, 0);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = folder(&[("file", "")]);
    let ran = countersign(folder.path(), &["crds", "--dir", "file/crds"]);
    assert_eq!(ran.code, 1);
    assert!(ran.said.contains("cannot write file/crds/billingproviders"), "{}", ran.said);
}
