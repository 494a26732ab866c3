//! The walk of `docs/pull-requests.md`: from a clone of the examples to a contract that was reviewed, approved and billed, with
//! the commands that stand on the page and no others.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use serde_json::json;

use super::{git, write};
use crate::support::{World, plane::Plane, root, run};

const ACME: &str = "8d1f5b1e-3c5a-4e0e-9a54-2f6f2f0e6b01";
const OCEANIC: &str = "8d1f5b1e-3c5a-4e0e-9a54-2f6f2f0e6b02";

/// The commands of a section of a page, in their order.
fn commands(page: &str, heading: &str) -> Vec<String> {
    let page = fs::read_to_string(root().join("docs").join(page)).unwrap();
    let section = page.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let blocks = section.split("\n```sh\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

/// A shell's script of commands, each of which has to succeed; a plan that says that something changes has.
fn script(commands: &[String]) -> String {
    let mut script = "set -u\n".to_owned();
    for command in commands {
        let allowed = if command.contains("countersign plan") { "[ $code -eq 3 ]" } else { "false" };
        let quoted = command.replace('\'', r"'\''");
        script.extend([format!(
            "echo '$ {quoted}'\n{command}\ncode=$?; [ $code -eq 0 ] || {allowed} || {{ echo \"exit status $code\"; exit 1; }}\n"
        )]);
    }
    script
}

/// Puts an executable file into a folder.
fn executable(folder: &Path, name: &str, text: &str) {
    write(folder, name, text);
    run(Command::new("chmod").arg("+x").arg(folder.join(name)));
}

/// The examples as a repository that can be cloned.
fn published(at: &Path) {
    fs::create_dir_all(at).unwrap();
    run(Command::new("cp").arg("-r").arg(root().join("examples")).arg(at));
    git(at, &["init", "--quiet"]);
    git(at, &["add", "--all"]);
    git(at, &["commit", "--quiet", "--message", "Examples"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_walk_of_the_page_ends_with_a_contract_that_was_approved_and_is_billed() {
    let world = World::start().await;
    world.sim.register(ACME).await;
    world.sim.register(OCEANIC).await;
    let at = world.folder().join("walk");
    published(&at.join("published"));

    // A context of the name that the page has, in the world's namespace.
    let kubeconfig = at.join("kubeconfig");
    fs::copy(&Plane::shared().kubeconfig, &kubeconfig).unwrap();
    let kubectl = |arguments: &[&str]| {
        let program = Plane::shared().kubectl_command();
        let program = program.split_whitespace().next().unwrap();
        run(Command::new(program).arg("--kubeconfig").arg(&kubeconfig).args(arguments))
    };
    let context = kubectl(&["config", "current-context"]);
    kubectl(&["config", "rename-context", context.trim(), "production"]);
    kubectl(&["config", "set-context", "production", "--namespace", &world.namespace]);

    // The programs that the page calls. Only the simulator's address is another one than a billing API's.
    let bin = at.join("bin");
    let program = env!("CARGO_BIN_EXE_countersign");
    executable(
        &bin,
        "countersign",
        &format!(
            "#!/usr/bin/env bash\ncase \"$*\" in plan*--context*) set -- \"$@\" --allowed-hosts 127.0.0.1 ;; esac\nexec {program} \"$@\"\n"
        ),
    );
    symlink(program, bin.join("kubectl-countersign")).unwrap();
    let real = Plane::shared().kubectl_command();
    executable(
        &bin,
        "kubectl",
        &format!("#!/usr/bin/env bash\nexec {} \"$@\"\n", real.split_whitespace().next().unwrap()),
    );

    let commands = commands("pull-requests.md", "The walk");
    assert!(commands.len() > 20, "{commands:#?}");
    let output = Command::new("bash")
        .args(["-c", &script(&commands)])
        .current_dir(&at)
        .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()))
        .env("KUBECONFIG", &kubeconfig)
        .env("HOME", &at)
        .envs([
            ("GIT_CONFIG_COUNT", "3"),
            ("GIT_CONFIG_KEY_0", "user.name"),
            ("GIT_CONFIG_VALUE_0", "Finance"),
            ("GIT_CONFIG_KEY_1", "user.email"),
            ("GIT_CONFIG_VALUE_1", "finance@example.com"),
            ("GIT_CONFIG_VALUE_2", "https://git.example.com/billing/countersign"),
        ])
        .env("GIT_CONFIG_KEY_2", format!("url.{}.insteadOf", at.join("published").display()))
        .output()
        .unwrap();
    let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{said}");

    // What finance read before it was merged, and what was approved by that.
    for told in [
        "+ commitmentAmount 120000 USD",
        "1 resource changes",
        "waits for approval",
        "+# Written by `countersign plan --approvals`: merging it approves this plan of BillingContract",
        "+  note: pull request 7",
    ] {
        assert!(out.contains(told), "{told}\n{out}\n{said}");
    }
    let contract = world.until_ready("oceanic-2026").await;
    assert_eq!(contract["status"]["lastApproval"]["note"], "pull request 7");
    assert_eq!(world.get("acme-2026").await["status"]["lastApproval"]["note"], "order form 2025-118");
    let billed = world.sim.contract(OCEANIC).await;
    assert_eq!(
        (&billed["name"], &billed["items"][1]["fixed_fee_amount"]),
        (&json!("Oceanic 2026"), &json!(24000))
    );
    for customer in [ACME, OCEANIC] {
        assert_eq!(world.sim.calls(customer).await.puts, 1, "{customer}");
    }
}
