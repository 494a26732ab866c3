//! What statuses say after each finding, and that kstatus reads them rightly.

use serde_json::json;

use super::*;
use crate::plan::MoneyEffect;

fn now() -> DateTime<Utc> {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn object(status: &BillingContractStatus) -> BillingContract {
    let mut contract: BillingContract = serde_json::from_value(json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract",
        "metadata": {"name": "acme", "namespace": "billing", "uid": "1", "generation": 3,
                     "annotations": {"reconcile.fluxcd.io/requestedAt": "now"}},
        "spec": {"providerRef": {"name": "zoo"}},
    }))
    .unwrap();
    contract.status = Some(status.clone());
    contract
}

fn after(status: &BillingContractStatus, finding: &Finding) -> BillingContractStatus {
    contract(&object(status), finding, None, now())
}

fn held() -> Held {
    let terms = json!({
        "effectiveAt": "2026-01-01T00:00:00Z", "termEndAt": "2027-01-01T00:00:00Z", "currency": "USD",
        "periods": [{"commitmentAmount": "100.5"}],
    });
    let (contract_id, account_id, state) = ("contract-1".into(), "account-1".into(), "active".into());
    Held::zoo(&zoo::View { contract_id, account_id, state, terms })
}

fn settled(applied: Option<&str>) -> Finding {
    Finding::Settled {
        held: Some(held()),
        customer_id: "org-1".into(),
        spec_digest: Digest::of(&json!(1)),
        applied: applied.map(str::to_owned),
    }
}

fn drifted() -> Finding {
    let change = Change::new("/name", Some(json!("a")), Some(json!("b")));
    Finding::Drifted { held: Some(held()), customer_id: "org-1".into(), changes: vec![change] }
}

/// Every kind of finding, with the verdict of kstatus on it.
fn findings() -> Vec<(Finding, &'static str)> {
    let change = Change::new("/name", Some(json!("a")), Some(json!("b")));
    let (digest, effect) = (Digest::of(&json!(2)), MoneyEffect::default());
    let plan = Plan { digest, changes: vec![change], effect, calls: vec![] };
    vec![
        (settled(Some("change")), "Current"),
        (drifted(), "Current"),
        (Finding::AwaitingApproval(plan), "InProgress"),
        (Finding::Unconfirmed { write: write(Digest::of(&json!(3))), message: "lost".into() }, "InProgress"),
        (Finding::waiting("ProviderNotReady", "wait"), "InProgress"),
        (Finding::refused("InvalidSpec", "wrong"), "Failed"),
    ]
}

/// The rules of kstatus for an object that is not being deleted.
fn kstatus(object: &BillingContract) -> &'static str {
    let status = object.status.as_ref().unwrap();
    if status.observed_generation != object.metadata.generation {
        return "InProgress";
    }
    for condition in status.conditions.iter().filter(|condition| condition.status == "True") {
        match condition.type_.as_str() {
            "Reconciling" => return "InProgress",
            "Stalled" => return "Failed",
            _ => {}
        }
    }
    match status.conditions.iter().find(|condition| condition.type_ == "Ready") {
        Some(ready) if ready.status != "True" => "InProgress",
        _ => "Current",
    }
}

fn condition<'a>(status: &'a BillingContractStatus, type_: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == type_)
}

fn write(digest: Digest) -> UnconfirmedWrite {
    UnconfirmedWrite { digest, time: Timestamp(now()), after_edit: None }
}

#[test]
fn kstatus_reads_every_finding_rightly_whatever_came_before() {
    for (before, _) in findings() {
        for (finding, verdict) in findings() {
            let status = after(&after(&BillingContractStatus::default(), &before), &finding);
            assert_eq!(kstatus(&object(&status)), verdict, "{finding:?} after {before:?}");
            assert_eq!(status.observed_generation, Some(3));
            let gates = ["Reconciling", "Stalled"].map(|type_| condition(&status, type_));
            assert!(gates.iter().flatten().all(|gate| gate.status == "True"));
            assert!(gates.iter().flatten().count() <= 1, "{finding:?}");
        }
    }
}

#[test]
fn the_same_finding_twice_changes_nothing() {
    for (finding, _) in findings() {
        let once = after(&BillingContractStatus::default(), &finding);
        let later = now() + chrono::TimeDelta::hours(1);
        assert_eq!(contract(&object(&once), &finding, None, later), once, "{finding:?}");
    }
}

#[test]
fn a_settled_contract_shows_what_is_in_force() {
    let status = after(&BillingContractStatus::default(), &settled(Some("change")));
    assert_eq!(status.contract_id.as_deref(), Some("contract-1"));
    assert_eq!(status.customer_id.as_deref(), Some("org-1"));
    let committed = Amount { amount: "100.5".parse().ok(), currency: "USD".into() };
    assert_eq!(status.committed_value, [committed]);
    let term = status.term.unwrap();
    assert_eq!((term.start_date.as_str(), term.end_date.as_deref()), ("2026-01-01", Some("2027-01-01")));
    assert_eq!(status.last_handled_reconcile_at.as_deref(), Some("now"));
}

#[test]
fn an_error_never_takes_the_contract_s_id_away() {
    let known = after(&BillingContractStatus::default(), &settled(None));
    for (finding, _) in findings() {
        assert_eq!(after(&known, &finding).contract_id, known.contract_id, "{finding:?}");
    }
}

#[test]
fn a_lost_write_is_remembered_until_the_contract_is_seen_again() {
    let fingerprint = Digest::of(&json!(3));
    let lost = Finding::Unconfirmed { write: write(fingerprint.clone()), message: "lost".into() };
    let status =
        after(&after(&BillingContractStatus::default(), &lost), &Finding::waiting("Throttled", "wait"));
    assert_eq!(status.unconfirmed_write.as_ref().map(|write| &write.digest), Some(&fingerprint));
    assert_eq!(after(&status, &settled(None)).unconfirmed_write, None);
}

#[test]
fn a_suspended_contract_keeps_its_last_word_and_holds_nobody_up() {
    let known = after(&BillingContractStatus::default(), &settled(None));
    let suspended = after(&known, &Finding::Suspended);
    assert_eq!(condition(&suspended, "Ready"), condition(&known, "Ready"));
    let stalled = after(&BillingContractStatus::default(), &Finding::refused("InvalidSpec", "wrong"));
    assert!(condition(&after(&stalled, &Finding::Suspended), "Stalled").is_none());
    let fresh = after(&BillingContractStatus::default(), &Finding::Suspended);
    assert_eq!(condition(&fresh, "Ready").map(|ready| ready.status.as_str()), Some("Unknown"));
}

#[test]
fn transition_times_move_only_with_the_status() {
    let first = after(&BillingContractStatus::default(), &settled(None));
    let later = now() + chrono::TimeDelta::hours(1);
    let refused = contract(&object(&first), &Finding::refused("InvalidSpec", "wrong"), None, later);
    let again = contract(
        &object(&refused),
        &Finding::refused("Rejected", "no"),
        None,
        later + chrono::TimeDelta::hours(1),
    );
    let time =
        |status: &BillingContractStatus| condition(status, "Ready").unwrap().last_transition_time.clone();
    assert_ne!(time(&first), time(&refused));
    assert_eq!(time(&refused), time(&again));
}

#[test]
fn an_event_is_written_once_a_change() {
    let fresh = BillingContractStatus::default();
    let reason = |status: &BillingContractStatus, finding: &Finding| {
        note(&object(status), finding).map(|note| note.reason)
    };
    assert_eq!(reason(&fresh, &settled(Some("change"))), Some("Applied"));
    assert_eq!(reason(&fresh, &settled(None)), Some("Found"));
    let known = after(&fresh, &settled(None));
    assert_eq!(reason(&known, &settled(None)), None);
    for (finding, expected) in
        [(Finding::refused("InvalidSpec", "wrong"), "InvalidSpec"), (drifted(), "Drifted")]
    {
        assert_eq!(reason(&known, &finding), Some(expected));
        assert_eq!(reason(&after(&known, &finding), &finding), None);
    }
    assert_eq!(reason(&known, &Finding::waiting("Throttled", "wait")), None);
}

#[test]
fn drift_is_bounded() {
    let change = Change::new("/n".repeat(2000), None, Some(json!("x")));
    let finding = Finding::Drifted { held: None, customer_id: "org".into(), changes: vec![change; 100] };
    let status = after(&BillingContractStatus::default(), &finding);
    assert_eq!(status.drift.len(), 20);
    assert!(status.drift.iter().all(|line| line.len() <= 1024));
}
