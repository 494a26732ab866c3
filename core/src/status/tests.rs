//! What statuses say after each finding, and that kstatus reads them rightly.

mod approval;

use serde_json::json;

use super::{
    contract::{ContractResult, event, status},
    *,
};
use crate::{
    api::{
        BillingContract, BillingContractStatus, ContractPackage,
        contract::{Amount, ItemId, Term, UnconfirmedWrite},
        requested_at,
    },
    plan::{Change, Consent, ContractSnapshot, MoneyEffect, Plan, Recorded, Refusal},
    protocol::{Outcome, ReconcileResult, Requeue},
    terms::{Digest, Timestamp},
    validate::Violation,
};

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

fn after(before: &BillingContractStatus, result: &ContractResult) -> BillingContractStatus {
    status(&object(before), result, None, now())
}

fn snapshot() -> ContractSnapshot {
    ContractSnapshot {
        contract_id: "contract-1".into(),
        account_id: Some("account-1".into()),
        items: Vec::new(),
        set_fields: Vec::new(),
        renews: None,
        renewed_by: None,
        state: "active".into(),
        is_shown: true,
        term: Some(Term { start_date: "2026-01-01".into(), end_date: Some("2027-01-01".into()) }),
        committed_value: vec![Amount { amount: Some("100.5".parse().unwrap()), currency: "USD".into() }],
        digest: Digest::of(&json!("observed")),
    }
}

fn result(outcome: Outcome) -> ContractResult {
    let customer_id = Some("org-1".to_owned());
    ReconcileResult { customer_id, ..ReconcileResult::new(outcome, Requeue::AfterSyncPeriod) }
}

fn plan() -> Plan {
    Plan {
        digest: Digest::of(&json!(2)),
        changes: vec![Change::new("/name", Some(json!("a")), Some(json!("b")))],
        effect: MoneyEffect::default(),
        calls: vec![],
        consent: Consent::default(),
        invoiced: Box::default(),
    }
}

fn in_sync(applied: Vec<Plan>) -> ContractResult {
    let spec_digest = Some(Digest::of(&json!(1)));
    ReconcileResult { snapshot: Some(snapshot()), ..result(Outcome::InSync { spec_digest, applied }) }
}

fn drifted() -> ContractResult {
    let change = Change::new("/name", Some(json!("a")), Some(json!("b")));
    ReconcileResult { snapshot: Some(snapshot()), ..result(Outcome::Drifted { changes: vec![change] }) }
}

fn refused(reason: Reason, message: &str) -> ContractResult {
    ReconcileResult::refused(Refusal { reason, message: message.into() }, Requeue::AfterSyncPeriod)
}

fn waiting(reason: Reason) -> ContractResult {
    ReconcileResult::waiting(reason, "wait", Requeue::AfterSyncPeriod)
}

fn lost() -> ContractResult {
    let outcome = Outcome::Unconfirmed { message: "lost".into() };
    ReconcileResult { write: Some(write(Digest::of(&json!(3)))), ..result(outcome) }
}

/// Every kind of result, with the verdict of kstatus on it.
fn results() -> Vec<(ContractResult, &'static str)> {
    vec![
        (in_sync(vec![plan()]), "Current"),
        (drifted(), "Current"),
        (result(Outcome::AwaitingApproval(plan())), "InProgress"),
        (lost(), "InProgress"),
        (waiting(reasons::PROVIDER_NOT_READY), "InProgress"),
        (refused(reasons::INVALID_SPEC, "wrong"), "Failed"),
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
    UnconfirmedWrite {
        digest,
        time: Timestamp(now()),
        after_edit: None,
        taken: false,
        difference: None,
        rounds: 0,
        lost: Vec::new(),
    }
}

#[test]
fn kstatus_reads_every_result_rightly_whatever_came_before() {
    for (before, _) in results() {
        for (result, verdict) in results() {
            let status = after(&after(&BillingContractStatus::default(), &before), &result);
            assert_eq!(kstatus(&object(&status)), verdict, "{result:?} after {before:?}");
            assert_eq!(status.observed_generation, Some(3));
            let abnormal = ["Reconciling", "Stalled"].map(|type_| condition(&status, type_));
            assert!(abnormal.iter().flatten().all(|found| found.status == "True"));
            assert!(abnormal.iter().flatten().count() <= 1, "{result:?}");
        }
    }
}

#[test]
fn the_same_result_twice_changes_nothing() {
    for (result, _) in results() {
        let once = after(&BillingContractStatus::default(), &result);
        let later = now() + chrono::TimeDelta::hours(1);
        assert_eq!(status(&object(&once), &result, None, later), once, "{result:?}");
    }
}

#[test]
fn a_contract_in_sync_shows_what_is_in_force() {
    let status = after(&BillingContractStatus::default(), &in_sync(vec![plan()]));
    assert_eq!(status.contract_id.as_deref(), Some("contract-1"));
    assert_eq!(status.customer_id.as_deref(), Some("org-1"));
    assert_eq!(status.committed_value, snapshot().committed_value);
    assert_eq!(status.committed.as_deref(), Some("100.5 USD"));
    let term = status.term.unwrap();
    assert_eq!((term.start_date.as_str(), term.end_date.as_deref()), ("2026-01-01", Some("2027-01-01")));
    assert_eq!(status.last_handled_reconcile_at.as_deref(), Some("now"));
}

#[test]
fn a_column_shows_each_currency_that_a_contract_commits_to_and_says_where_there_are_more() {
    let shown = |sums: &[(Option<&str>, &str)]| {
        let sum = |(amount, currency): &(Option<&str>, &str)| Amount {
            amount: amount.map(|amount| amount.parse().unwrap()),
            currency: (*currency).to_owned(),
        };
        let snapshot = ContractSnapshot { committed_value: sums.iter().map(sum).collect(), ..snapshot() };
        let result = ContractResult { snapshot: Some(snapshot), ..in_sync(vec![]) };
        after(&BillingContractStatus::default(), &result).committed
    };
    let (usd, eur) = ((Some("50000.00"), "USD"), (Some("20000"), "EUR"));
    assert_eq!(shown(&[]), None);
    assert_eq!(shown(&[usd, eur]).as_deref(), Some("50000.00 USD, 20000 EUR"));
    let many = [usd, (None, "tokens"), eur, (Some("1"), "GBP"), (Some("2"), "CHF")];
    assert_eq!(
        shown(&many).as_deref(),
        Some("50000.00 USD, more than 28 digits of tokens, 20000 EUR and 2 more")
    );
}

#[test]
fn an_error_never_takes_the_contract_s_id_away() {
    let known = after(&BillingContractStatus::default(), &in_sync(vec![]));
    for (result, _) in results() {
        assert_eq!(after(&known, &result).contract_id, known.contract_id, "{result:?}");
    }
}

#[test]
fn ids_that_a_reply_told_are_on_record_though_nothing_could_be_read_after_it() {
    let item = |key: &str| ItemId { key: key.into(), id: "id".into() };
    let known = after(&BillingContractStatus::default(), &in_sync(vec![]));
    for (result, _) in results() {
        let told = vec![item("commits/launch"), item("commits/more")];
        let recorded =
            after(&known, &ContractResult { items: told.clone(), snapshot: None, ..result.clone() });
        if result.outcome != Outcome::Suspended {
            assert_eq!(recorded.items, told, "{result:?}");
        }
        let nothing =
            after(&recorded, &ContractResult { items: Vec::new(), snapshot: None, ..result.clone() });
        assert_eq!(nothing.items, recorded.items, "{result:?}");
    }
}

#[test]
fn a_contract_that_was_created_is_on_record_whatever_came_after() {
    for (result, _) in results() {
        let result = ReconcileResult { created_id: Some("contract-1".into()), ..result };
        let status = after(&BillingContractStatus::default(), &result);
        assert_eq!(status.contract_id.as_deref(), Some("contract-1"), "{result:?}");
    }
}

#[test]
fn what_is_known_of_one_account_means_nothing_in_another() {
    let known = ReconcileResult { account: Some("https://one".into()), ..in_sync(vec![]) };
    let known = after(&BillingContractStatus::default(), &known);
    let moved = ReconcileResult { account: Some("https://two".into()), ..lost() };
    let moved = after(&known, &moved);
    assert_eq!((moved.contract_id, moved.last_applied), (None, None));
    assert_eq!(moved.account.as_deref(), Some("https://two"));
}

#[test]
fn a_contract_whose_account_is_another_one_says_so_whatever_it_comes_to() {
    let at = |account: &str, result| ReconcileResult { account: Some(account.to_owned()), ..result };
    let known = after(&BillingContractStatus::default(), &at("https://one", in_sync(vec![])));
    for (result, reason) in [
        (in_sync(vec![]), "Found"),
        (in_sync(vec![plan()]), "Applied"),
        (result(Outcome::AwaitingApproval(plan())), "AwaitingApproval"),
        (refused(reasons::CONTRACT_EXISTS, "differs"), "ContractExists"),
        (waiting(reasons::BILLING_UNREACHABLE), "AccountChanged"),
    ] {
        let moved = at("https://two", result);
        let event = event(&object(&known), &moved).unwrap();
        assert_eq!(event.reason.as_str(), reason);
        assert!(event.message.contains("https://two now and was https://one"), "{}", event.message);
        assert!(!super::contract::is_tolerated(&object(&known), &moved, 0));
        // Once.
        let again = super::contract::event(&object(&after(&known, &moved)), &moved);
        assert!(again.is_none_or(|again| !again.message.contains("https://one")));
    }
}

#[test]
fn a_lost_write_is_remembered_until_the_contract_is_seen_again() {
    let fingerprint = Digest::of(&json!(3));
    let status = after(&after(&BillingContractStatus::default(), &lost()), &waiting(reasons::THROTTLED));
    assert_eq!(status.unconfirmed_write.as_ref().map(|write| &write.digest), Some(&fingerprint));
    assert_eq!(after(&status, &in_sync(vec![])).unconfirmed_write, None);
}

#[test]
fn a_suspended_contract_is_not_ready_while_its_spec_was_not_compared() {
    let suspended = || ReconcileResult::new(Outcome::Suspended, Requeue::OnChange);
    let known = after(&BillingContractStatus::default(), &in_sync(vec![]));
    assert_eq!(condition(&after(&known, &suspended()), "Ready"), condition(&known, "Ready"));
    let mut changed = object(&known);
    changed.metadata.generation = Some(4);
    let status = super::contract::status(&changed, &suspended(), None, now());
    let ready = condition(&status, "Ready").unwrap();
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("Unknown", "Suspended"));
    assert_eq!((status.observed_generation, &status.contract_id), (Some(4), &known.contract_id));
    changed.status = Some(status.clone());
    assert_eq!(super::contract::status(&changed, &suspended(), None, now()), status, "said once");
    let stalled = after(&BillingContractStatus::default(), &refused(reasons::INVALID_SPEC, "wrong"));
    assert!(condition(&after(&stalled, &suspended()), "Stalled").is_none());
    let fresh = after(&BillingContractStatus::default(), &suspended());
    assert_eq!(condition(&fresh, "Ready").map(|ready| ready.status.as_str()), Some("Unknown"));
}

#[test]
fn a_deleted_contract_says_how_it_can_go_whatever_it_waits_for() {
    let mut deleted = object(&after(&BillingContractStatus::default(), &in_sync(vec![])));
    deleted.metadata.deletion_timestamp = Some(time(now()));
    deleted.metadata.finalizers = Some(vec![crate::api::FINALIZER.to_owned()]);
    for result in [
        ReconcileResult::new(Outcome::Suspended, Requeue::OnChange),
        result(Outcome::AwaitingApproval(plan())),
        result(Outcome::NotInForce { message: "not yet".into() }),
        waiting(reasons::PROVIDER_NOT_READY),
        refused(reasons::REJECTED, "no"),
        lost(),
    ] {
        let first = status(&deleted, &result, None, now());
        let message = condition(&first, "Ready").unwrap().message.clone();
        let command = "kubectl annotate billingcontract acme billing.countersign.dev/release=true";
        assert_eq!(message.matches(command).count(), 1, "{result:?}: {message}");
        let mut again = deleted.clone();
        again.status = Some(first.clone());
        assert_eq!(status(&again, &result, None, now()), first);
        assert_eq!(event(&again, &result).map(|event| event.message), None, "said once");
    }
}

#[test]
fn transition_times_move_only_with_the_status() {
    let hour = chrono::TimeDelta::hours(1);
    let first = after(&BillingContractStatus::default(), &in_sync(vec![]));
    let no = status(&object(&first), &refused(reasons::INVALID_SPEC, "wrong"), None, now() + hour);
    let again = status(&object(&no), &refused(reasons::REJECTED, "no"), None, now() + hour + hour);
    let time =
        |status: &BillingContractStatus| condition(status, "Ready").unwrap().last_transition_time.clone();
    assert_ne!(time(&first), time(&no));
    assert_eq!(time(&no), time(&again));
}

#[test]
fn an_event_is_written_once_a_change() {
    let fresh = BillingContractStatus::default();
    let reason = |status: &BillingContractStatus, result: &ContractResult| {
        event(&object(status), result).map(|event| event.reason.as_str())
    };
    assert_eq!(reason(&fresh, &in_sync(vec![plan()])), Some("Applied"));
    assert_eq!(reason(&fresh, &in_sync(vec![])), Some("Found"));
    let known = after(&fresh, &in_sync(vec![]));
    assert_eq!(reason(&known, &in_sync(vec![])), None);
    for (result, expected) in
        [(refused(reasons::INVALID_SPEC, "wrong"), "InvalidSpec"), (drifted(), "Drifted")]
    {
        assert_eq!(reason(&known, &result), Some(expected));
        assert_eq!(reason(&after(&known, &result), &result), None);
    }
    assert_eq!(reason(&known, &waiting(reasons::THROTTLED)), None);
    assert_eq!(reason(&known, &result(Outcome::Ended { applied: vec![plan()] })), Some("Ended"));
}

#[test]
fn drift_is_bounded() {
    let change = Change::new("/n".repeat(2000), None, Some(json!("x")));
    let status =
        after(&BillingContractStatus::default(), &result(Outcome::Drifted { changes: vec![change; 100] }));
    assert_eq!(status.drift.len(), 20);
    assert!(status.drift.iter().all(|line| line.len() <= 1024));
}

#[test]
fn whatever_is_said_fits_the_bounds_of_the_api_server_in_bytes() {
    let long = "契約".repeat(40_000);
    let refused = refused(reasons::INVALID_SPEC, &long);
    let status = after(&BillingContractStatus::default(), &refused);
    let message = &condition(&status, "Ready").unwrap().message;
    assert!(message.len() <= 32_768 && message.ends_with("more letters)"), "{}", message.len());
    let note = event(&object(&BillingContractStatus::default()), &refused).unwrap().message;
    assert!(note.len() <= 1024, "{}", note.len());
}

#[test]
fn an_event_with_a_question_is_a_warning_that_begins_with_it_and_still_says_what_was_done() {
    let event = || event(&object(&BillingContractStatus::default()), &in_sync(vec![plan()])).unwrap();
    assert_eq!(event().asking(&[]), event(), "nothing is asked for nothing");
    let question =
        |n: usize| Violation::new(format!("spec.zoo.items[{n}]"), "is 0, and was 契約: is that meant?");
    for many in [1, 200] {
        let asked = event().asking(&(0..many).map(question).collect::<Vec<_>>());
        assert!(asked.warning && asked.reason == event().reason);
        let begin = "To be looked at: `spec.zoo.items[0]` is 0, and was 契約: is that meant?";
        assert!(
            asked.message.starts_with(begin) && asked.message.contains("/name: a -> b"),
            "{}",
            asked.message
        );
        assert!(asked.message.len() <= 1024 && asked.logged.len() <= 1024);
        assert!(
            asked.logged.contains("spec.zoo.items[0]") && !asked.logged.contains("契約"),
            "{}",
            asked.logged
        );
    }
}

#[test]
fn what_nobody_sees_in_what_is_said_is_a_space() {
    let refused = refused(reasons::INVALID_SPEC, "no\u{1b}[2J, \u{202e}sey\u{200b}\nnever");
    let status = after(&BillingContractStatus::default(), &refused);
    let said = "no [2J,  sey \nnever";
    for type_ in ["Ready", "Stalled"] {
        assert_eq!(condition(&status, type_).unwrap().message, said);
    }
    let event = event(&object(&BillingContractStatus::default()), &refused).unwrap();
    assert_eq!((event.message.as_str(), event.logged.as_str()), (said, said));
}

fn package(status: &serde_json::Value) -> ContractPackage {
    serde_json::from_value(json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "ContractPackage",
        "metadata": {"name": "pro", "namespace": "billing", "generation": 1},
        "spec": {"lifecycle": "Published", "metronome": {"name": "Pro"}}, "status": status,
    }))
    .unwrap()
}

#[test]
fn what_is_on_record_of_a_package_in_one_account_is_not_known_in_another() {
    let held = json!({"account": "https://one", "packageId": "p-1", "plan": "0".repeat(32)});
    let after = |held: &serde_json::Value, account: &str, created: Option<&str>| {
        let outcome = Outcome::Waiting { reason: reasons::BILLING_UNREACHABLE, message: "no answer".into() };
        let result = package::PackageResult {
            account: Some(account.to_owned()),
            created_id: created.map(str::to_owned),
            ..ReconcileResult::new(outcome, Requeue::OnChange)
        };
        let package = self::package(held);
        let summary = package::summary(&package, &result);
        let status = package::status(&package, Some(&summary), Some(&result), 0, now());
        (status.account, status.package_id, status.plan)
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(after(&held, "https://one", None), (text("https://one"), text("p-1"), None));
    assert_eq!(after(&held, "https://two", None), (None, None, None));
    assert_eq!(after(&held, "https://two", Some("p-2")), (text("https://two"), text("p-2"), None));
    // What is on record from before there were accounts is of the one that is asked.
    let old = json!({"packageId": "p-1"});
    assert_eq!(after(&old, "https://one", None), (None, text("p-1"), None));
    assert_eq!(after(&old, "https://one", Some("p-1")), (text("https://one"), text("p-1"), None));
    let asked = |package: &ContractPackage, account: &str| {
        crate::plan::package::in_account(package, account).status.clone().and_then(|status| status.package_id)
    };
    assert_eq!(asked(&package(&held), "https://one"), text("p-1"));
    assert_eq!(asked(&package(&held), "https://two"), None);
    assert_eq!(asked(&package(&old), "https://two"), text("p-1"));
}

#[test]
fn what_was_asked_for_is_remembered_as_far_as_a_status_has_room_and_is_not_new_for_that() {
    let annotations = json!({"reconcile.fluxcd.io/requestedAt": "\u{3042}".repeat(5000)});
    let metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta =
        serde_json::from_value(json!({"name": "acme", "generation": 3, "annotations": annotations})).unwrap();
    let remembered = requested_at(&metadata).unwrap();
    assert_eq!(remembered.chars().count(), 1024);
    let mut contract = object(&BillingContractStatus::default());
    contract.metadata = metadata.clone();
    let waiting = result(Outcome::Waiting { reason: reasons::BILLING_UNREACHABLE, message: String::new() });
    let said = status(&contract, &waiting, None, now());
    assert_eq!(said.last_handled_reconcile_at.as_ref(), Some(&remembered));
    let mut package = package(&json!({}));
    package.metadata = metadata;
    let summary = Summary::stalled(reasons::DRAFT, "");
    let said = package::status(&package, Some(&summary), None, 0, now());
    assert_eq!(said.last_handled_reconcile_at, Some(remembered));
    // A write that stopped is not tried anew at every look.
    let stopped = json!({"observedGeneration": 3, "lastHandledReconcileAt": requested_at(&package.metadata),
        "unconfirmedWrite": {"digest": "0".repeat(32), "time": "2026-01-01T00:00:00Z", "rounds": 2}});
    contract.status = Some(serde_json::from_value(stopped).unwrap());
    assert_eq!(Recorded::of(&contract, "https://one").unconfirmed.map(|write| write.rounds), Some(2));
}
