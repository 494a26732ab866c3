use kube::runtime::reflector;
use serde_json::{Value, json};

use super::*;
use crate::{
    controller::decoded,
    plan::{Policy, Said},
};

const DIGEST: &str = "0123456789abcdef0123456789abcdef";

fn approval(name: &str, contract: &str, more: &Value) -> Guarded<ContractApproval> {
    let mut object = json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "ContractApproval",
        "metadata": {"name": name, "namespace": "billing", "uid": format!("uid-of-{name}")},
        "spec": {"contractRef": {"name": contract}, "planDigest": DIGEST, "decision": "Approve", "approvedBy": "ann"},
    });
    for (member, value) in more.as_object().into_iter().flatten() {
        object["spec"][member] = value.clone();
    }
    serde_json::from_value(object).unwrap()
}

fn contract(name: &str) -> Guarded<BillingContract> {
    serde_json::from_value(json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract",
        "metadata": {"name": name, "namespace": "billing", "uid": name},
        "spec": {"providerRef": {"name": "zoo"}},
    }))
    .unwrap()
}

struct Bench {
    approvals: Approvals,
    writer: reflector::store::Writer<Guarded<ContractApproval>>,
    named: UnboundedReceiver<Reference>,
}

impl Bench {
    fn of(contracts: &[&str]) -> Self {
        let (store, writer) = reflector::store();
        let (contract_store, mut contract_writer) = reflector::store();
        for name in contracts {
            contract_writer.apply_watcher_event(&Event::Apply(contract(name)));
        }
        let (approvals, named) = Approvals::new(store, contract_store);
        Self { approvals, writer, named }
    }

    fn hear(&mut self, event: &Event<Guarded<ContractApproval>>) {
        self.writer.apply_watcher_event(event);
        self.approvals.hear(event);
    }

    /// Names of the contracts that are to be looked at since this was last asked.
    fn named(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.named.try_recv().ok()).map(|reference| reference.name).collect()
    }

    fn said(&self, name: &str) -> Said {
        let contract = contract(name);
        let sayings = self.approvals.of(decoded(&contract).unwrap());
        let policy = Policy { sayings, ..Policy::default() };
        policy.said_of(&serde_json::from_value(json!(DIGEST)).unwrap())
    }
}

#[test]
fn what_is_said_reaches_the_contract_that_it_names_and_no_other() {
    let mut bench = Bench::of(&["acme", "globex"]);
    bench.hear(&Event::Apply(approval("yes", "acme", &json!({}))));
    assert_eq!(bench.named(), ["acme"]);
    assert!(matches!(bench.said("acme"), Said::Approved(by) if by.approved_by.as_deref() == Some("ann")));
    assert_eq!(bench.said("globex"), Said::Nothing);
    bench.hear(&Event::Delete(approval("yes", "acme", &json!({}))));
    assert_eq!(bench.named(), ["acme"], "what is said no more matters as well");
    assert_eq!(bench.said("acme"), Said::Nothing);
}

#[test]
fn of_an_approval_that_is_understood_in_part_only_a_denial_is_believed() {
    let mut bench = Bench::of(&["acme"]);
    bench.hear(&Event::Apply(approval("yes", "acme", &json!({"onlyBelow": "100"}))));
    assert_eq!(bench.said("acme"), Said::Nothing);
    let no = json!({"onlyBelow": "100", "decision": "Deny"});
    bench.hear(&Event::Apply(approval("no", "acme", &no)));
    assert!(matches!(bench.said("acme"), Said::Denied(_)));
}

#[test]
fn after_a_gap_in_the_watch_every_contract_is_looked_at() {
    let mut bench = Bench::of(&["acme", "globex"]);
    for event in [Event::Init, Event::InitApply(approval("yes", "acme", &json!({}))), Event::InitDone] {
        bench.hear(&event);
    }
    assert_eq!(bench.named(), ["acme"]);
    for event in [Event::Init, Event::InitDone] {
        bench.hear(&event);
    }
    let mut named = bench.named();
    named.sort();
    assert_eq!(named, ["acme", "globex"]);
    assert_eq!(bench.said("acme"), Said::Nothing);
}

#[test]
fn that_an_approval_is_spent_is_no_reason_to_look_again() {
    let mut bench = Bench::of(&["acme"]);
    bench.hear(&Event::Apply(approval("yes", "acme", &json!({}))));
    let acme = contract("acme");
    let version = |bench: &Bench| bench.approvals.version(decoded(&acme).unwrap());
    let before = version(&bench);
    let mut spent = serde_json::to_value(decoded(&approval("yes", "acme", &json!({}))).unwrap()).unwrap();
    spent["status"] = json!({"spentAt": "2026-06-01T00:00:00Z"});
    bench.hear(&Event::Apply(serde_json::from_value(spent).unwrap()));
    assert_eq!(version(&bench), before);
    assert_eq!(bench.said("acme"), Said::Nothing);
    bench.hear(&Event::Apply(approval("no", "acme", &json!({"decision": "Deny"}))));
    assert_ne!(version(&bench), before);
}
