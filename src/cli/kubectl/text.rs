//! The tree in words. Nothing that a billing API or a resource says can break a line or drive the terminal.

use super::{
    super::{
        out::count,
        paint::{Colour, Paint},
    },
    branch::Branch,
};
use crate::{
    api::contract::{ManagementPolicy, PlanStatus},
    overview::{
        Mark, Standing,
        customers::After,
        place,
        tree::{ContractNode, PackageNode, ProviderNode, Tree},
    },
    plan::render::plain,
};

/// How much of a plan is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// That there is one.
    Mentioned,
    /// All of it.
    Whole,
}

/// The whole tree, and a line that counts.
pub(super) fn tree(tree: &Tree, detail: Detail, paint: Paint) -> String {
    let mut parts: Vec<String> =
        tree.providers.iter().map(|node| provider(node, detail, paint).draw()).collect();
    if !tree.packages.is_empty() {
        let children = tree.packages.iter().map(|node| package(node, detail, paint)).collect();
        let head = paint.text(Colour::Bold, "Packages that no contract uses");
        parts.push(Branch { head, notes: Vec::new(), children }.draw());
    }
    for node in &tree.unreadable {
        let head = line(&node.kind, &node.name, &node.standing, paint, &[]);
        parts.push(Branch { head, notes: why(&node.standing, paint), children: Vec::new() }.draw());
    }
    if parts.is_empty() {
        parts.push("There are no contracts, packages or providers here.\n".to_owned());
    } else {
        parts.push(summary(tree) + "\n");
    }
    for unseen in &tree.unseen {
        parts
            .push(format!("{}\n", paint.text(Colour::Yellow, &format!("Not looked at: {}.", plain(unseen)))));
    }
    parts.join("\n")
}

fn provider(node: &ProviderNode, detail: Detail, paint: Paint) -> Branch {
    let name = place(node.namespace.as_deref(), &node.name);
    let head = line(node.kind, &name, &node.standing, paint, node.address.as_slice());
    let packages = node.packages.iter().map(|node| package(node, detail, paint));
    let contracts = node.contracts.iter().map(|node| contract(node, detail, paint));
    Branch { head, notes: why(&node.standing, paint), children: packages.chain(contracts).collect() }
}

fn package(node: &PackageNode, detail: Detail, paint: Paint) -> Branch {
    let name = place(node.namespace.as_deref(), &node.name);
    let lifecycle = format!("{:?}", node.lifecycle);
    let head = line("ContractPackage", &name, &node.standing, paint, &[lifecycle]);
    let children = node.contracts.iter().map(|node| contract(node, detail, paint)).collect();
    Branch { head, notes: why(&node.standing, paint), children }
}

fn contract(node: &ContractNode, detail: Detail, paint: Paint) -> Branch {
    let mut facts: Vec<String> = node.state.iter().cloned().collect();
    if let Some(term) = &node.term {
        facts.push(match &term.end_date {
            Some(end) => format!("{} to {end}", term.start_date),
            None => format!("from {}", term.start_date),
        });
    }
    facts.extend(node.committed_value.iter().map(|amount| plain(&amount.to_string())));
    match node.management_policy {
        ManagementPolicy::Apply => {}
        ManagementPolicy::Plan => facts.push("policy Plan".to_owned()),
        ManagementPolicy::Observe => facts.push("policy Observe".to_owned()),
    }
    let name = place(node.namespace.as_deref(), &node.name);
    let head = line("BillingContract", &name, &node.standing, paint, &facts);
    let mut notes = why(&node.standing, paint);
    if node.is_deleted {
        notes.push(paint.text(Colour::Yellow, "being deleted"));
    }
    if let Some(time) = node.last_change {
        notes.push(paint.text(Colour::Dim, &format!("last change {}", time.0.format("%Y-%m-%d %H:%M UTC"))));
    }
    if let Some(time) = node.unconfirmed_since {
        let text = format!(
            "a write of {} is not confirmed yet; it is looked up",
            time.0.format("%Y-%m-%d %H:%M UTC")
        );
        notes.push(paint.text(Colour::Yellow, &text));
    }
    notes.extend(
        node.drift.iter().map(|drift| paint.text(Colour::Yellow, &format!("drift: {}", plain(drift)))),
    );
    if let Some(plan) = &node.plan {
        notes.extend(plan_notes(plan, node, detail, paint));
    }
    if let Some(approval) = &node.last_approval {
        let who = approval.approved_by.as_deref().unwrap_or("an annotation");
        let remark = approval.note.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
        notes.push(paint.text(Colour::Dim, &plain(&format!("last approved by {who}{remark}"))));
    }
    notes.extend(after(&node.after, paint));
    Branch { head, notes, children: Vec::new() }
}

/// A resource in one line: its name, how it stands, and facts.
fn line(kind: &str, name: &str, standing: &Standing, paint: Paint, facts: &[String]) -> String {
    let mark = paint.text(colour(standing.mark), standing.mark.word());
    let mut parts =
        vec![format!("{} {}", paint.text(Colour::Dim, kind), paint.text(Colour::Bold, &plain(name))), mark];
    parts.extend(facts.iter().map(|fact| plain(fact)));
    parts.join("  ")
}

/// Why something is not as it should be, and what to do: two lines, or none.
fn why(standing: &Standing, paint: Paint) -> Vec<String> {
    if standing.is_fine() {
        return Vec::new();
    }
    let reason = if standing.reason.is_empty() { String::new() } else { format!("{}: ", standing.reason) };
    let mut lines = vec![format!(
        "why: {}{}",
        paint.text(colour(standing.mark), &plain(&reason)),
        plain(&standing.message)
    )];
    lines.extend(standing.cure.as_ref().map(|cure| format!("cure: {}", plain(cure))));
    lines
}

fn plan_notes(plan: &PlanStatus, node: &ContractNode, detail: Detail, paint: Paint) -> Vec<String> {
    let changes = count(usize::try_from(plan.changes).unwrap_or_default(), "change");
    let mut lines = vec![format!("plan {} ({changes})", paint.text(Colour::Bold, &plan.digest.to_string()))];
    if detail == Detail::Whole {
        lines.extend(plan_lines(plan).into_iter().map(|line| format!("  {line}")));
    }
    if node.standing.mark == Mark::Approval {
        let namespace =
            node.namespace.as_ref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
        lines.push(format!(
            "  to see it all and decide: kubectl countersign approve {}{namespace}",
            plain(&node.name)
        ));
    }
    lines
}

/// A plan line by line, as far as the status has it.
pub(super) fn plan_lines(plan: &PlanStatus) -> Vec<String> {
    if plan.lines.is_empty() {
        // Of an operator that wrote one line only.
        return plan.summary.split("; ").map(plain).collect();
    }
    plan.lines.iter().map(|line| plain(line)).collect()
}

fn after(after: &After, paint: Paint) -> Option<String> {
    let days = |days: i64| count(usize::try_from(days).unwrap_or_default(), "day");
    match after {
        After::RenewalDue { days: left } => Some(
            paint.text(Colour::Yellow, &format!("renewal due: ends in {}, and nothing follows", days(*left))),
        ),
        After::Lapsed { days: since } => Some(
            paint.text(Colour::Red, &format!("lapsed: ended {} ago, and nothing followed", days(*since))),
        ),
        After::Renewed { by } => Some(paint.text(Colour::Dim, &format!("followed by {}", plain(by)))),
        After::OpenEnded | After::NotYet | After::NotBilled | After::Unknown => None,
    }
}

const fn colour(mark: Mark) -> Colour {
    match mark {
        Mark::Refused => Colour::Red,
        Mark::Approval | Mark::Waiting => Colour::Yellow,
        Mark::Unseen | Mark::Suspended => Colour::Dim,
        Mark::Ready => Colour::Green,
    }
}

/// How many contracts there are, and what of them deserves a look.
fn summary(tree: &Tree) -> String {
    let all: Vec<&ContractNode> = tree.contracts().collect();
    let of = |is: &dyn Fn(&ContractNode) -> bool| all.iter().filter(|node| is(node)).count();
    let marks = Mark::ALL.iter().map(|mark| (of(&|node| node.standing.mark == *mark), mark.word()));
    let more = [
        (of(&|node| !node.drift.is_empty()), "drifted"),
        (of(&|node| matches!(node.after, After::RenewalDue { .. })), "due to be renewed"),
        (of(&|node| matches!(node.after, After::Lapsed { .. })), "lapsed"),
    ];
    let told: Vec<_> = marks
        .chain(more)
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    match &*told {
        [] => "No contracts.".to_owned(),
        told => format!("{}: {}.", count(all.len(), "contract"), told.join(", ")),
    }
}

/// How one resource stands, in a sentence.
pub(super) fn sentence(kind: &str, name: &str, standing: &Standing, paint: Paint) -> String {
    let head = line(kind, name, standing, paint, &[]);
    Branch { head, notes: why(standing, paint), children: Vec::new() }.draw()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::overview::Resources;

    fn conditions(ready: &str, reason: &str, message: &str, is_stalled: bool) -> Value {
        let condition = |type_: &str, status: &str| {
            json!({"type": type_, "status": status, "reason": reason, "message": message,
                   "lastTransitionTime": "2026-02-03T04:05:06Z"})
        };
        let mut all = vec![condition("Ready", ready)];
        all.extend(is_stalled.then(|| condition("Stalled", "True")));
        all.into()
    }

    fn contract(name: &str, customer: u32, end: &str, status: Value) -> Value {
        let start = "2026-01-01T00:00:00Z";
        let mut contract = json!({
            "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract",
            "metadata": {"name": name, "namespace": "billing", "generation": 1},
            "spec": {"providerRef": {"name": "zoo"}, "zoo": {
                "organizationId": format!("00000000-0000-4000-8000-{customer:012}"), "name": name, "status": "active",
                "provider": "stripe", "billingCadence": "annual", "commitmentScope": "pooled", "rolloverPolicy": "none",
                "currency": "USD", "effectiveAt": start, "termEndAt": end, "items": [],
                "periods": [{"periodIndex": 0, "periodStartAt": start, "periodEndAt": end, "commitmentAmount": "120000"}],
            }},
        });
        contract["status"] = status;
        contract["status"]["observedGeneration"] = 1.into();
        contract
    }

    fn resources() -> Resources {
        fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
            serde_json::from_value(value).unwrap()
        }
        let ready = json!({"conditions": conditions("True", "InSync", "ok", false), "state": "active",
            "lastApplied": {"specDigest": "a", "observedDigest": "a", "time": "2026-03-01T10:20:30Z"}});
        let wrong = json!({"conditions": conditions("False", "InvalidSpec", "`spec.zoo.name` must\nnot \u{1b}[31mbe", true)});
        let waits = json!({"conditions": conditions("False", "AwaitingApproval", "A plan waits.", false),
            "plan": {"digest": "00112233445566778899aabbccddeeff", "changes": 2,
                     "summary": "/name: A -> B; /items/fde/fixedFeeAmount: 1 -> 2 USD (fees: 1 -> 2 USD, +1)"}});
        let drifted = json!({"conditions": conditions("True", "DriftReported", "differs", false),
            "drift": ["/name: billing says A, Git says B"]});
        Resources {
            providers: vec![read(json!({
                "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingProvider",
                "metadata": {"name": "zoo", "namespace": "billing", "generation": 1},
                "spec": {"zoo": {}, "tokenSecretRef": {"name": "zoo-token"}},
                "status": {"observedGeneration": 1, "conditions": conditions("True", "Ready", "ok", false)},
            }))],
            contracts: vec![
                read(contract("acme", 1, "2027-01-01T00:00:00Z", ready)),
                read(contract("globex", 2, "2026-06-20T00:00:00Z", wrong)),
                read(contract("hooli", 3, "2028-01-01T00:00:00Z", waits)),
                read(contract("initech", 4, "2026-05-01T00:00:00Z", drifted)),
            ],
            unseen: vec!["ClusterBillingProviders: you may not list them".to_owned()],
            ..Resources::default()
        }
    }

    fn told(detail: Detail, paint: bool) -> String {
        let now = "2026-06-01T00:00:00Z".parse().unwrap();
        tree(&Tree::of(&resources(), now, 90), detail, Paint::with(paint))
    }

    #[test]
    fn a_tree_says_how_everything_stands_and_why_and_what_to_do() {
        insta::assert_snapshot!(told(Detail::Mentioned, false));
    }

    #[test]
    fn a_plan_that_waits_is_shown_whole_where_it_is_asked_for() {
        let text = told(Detail::Whole, false);
        assert!(
            text.contains("/name: A -> B\n") && text.contains("/items/fde/fixedFeeAmount: 1 -> 2 USD (fees"),
            "{text}"
        );
    }

    #[test]
    fn colours_add_nothing_but_themselves_and_others_are_taken_out() {
        let mut plain = told(Detail::Whole, true);
        assert!(
            plain.contains("\u{1b}[32mready\u{1b}[0m") && plain.contains("\u{1b}[31mrefused\u{1b}[0m"),
            "{plain}"
        );
        for code in ["[32m", "[33m", "[31m", "[2m", "[1m", "[0m"] {
            plain = plain.replace(&format!("\u{1b}{code}"), "");
        }
        assert_eq!(plain, told(Detail::Whole, false));
        assert!(!plain.contains('\u{1b}'), "{plain}");
    }

    #[test]
    fn where_there_is_nothing_that_is_said() {
        let now = "2026-06-01T00:00:00Z".parse().unwrap();
        let text = tree(&Tree::of(&Resources::default(), now, 90), Detail::Mentioned, Paint::with(false));
        assert_eq!(text, "There are no contracts, packages or providers here.\n");
    }
}
