//! A place in the cluster is no identity: a resource under another name does not make a second contract.

use super::{metronome::*, *};
use crate::{
    api::contract::ManagementPolicy,
    plan::{Before, Holder, Holders, Sought, metronome::ContractPlanner},
};

const DUPLICATE: &str = "refused DuplicateClaim";
const UNCLAIMED: &str = "refused ContractUnclaimed";

/// Another contract of the customer, made from `billing/acme-2025`, with these members otherwise.
fn other(members: Value) -> Row {
    let mut other = json!({"id": "c-0", "uniqueness_key": "test/billing/acme-2025", "name": "Acme 2025"});
    other.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    listed(other)
}

/// A resource made so long ago, in a cluster where this holds whatever is looked for.
fn among(holder: Holder, age: i64, members: Value) -> Bench<ContractPlanner> {
    let mut bench = bench(members);
    let created = now() - TimeDelta::seconds(age);
    bench.contract.metadata.creation_timestamp =
        Some(serde_json::from_value(json!(created.to_rfc3339())).unwrap());
    bench.holders = Box::new(move |_| {
        let holder = holder.clone();
        Holders::new(move |sought: Sought<'_>| {
            if sought.before != Before::Creating {
                return Holder::Nobody;
            }
            assert_eq!((sought.contract_id, sought.place), ("c-0", Some(("billing", "acme-2025"))));
            assert_eq!(sought.key, Some("test/billing/acme-2025"));
            holder.clone()
        })
    });
    bench
}

fn held() -> Holder {
    Holder::Resource("billing/acme-2025".into())
}

fn made() -> [Row; 3] {
    [created(), found(json!({})), done("applied")]
}

#[test]
fn a_contract_of_ours_that_nobody_holds_any_more_stops_a_create_and_is_named() {
    for key in ["test/billing/acme-2025", "contract:test/billing/acme-2025"] {
        let mut bench = among(Holder::Nobody, 3600, json!({}));
        let result = bench.pass(&[other(json!({"uniqueness_key": key})), done(UNCLAIMED)]);
        let Outcome::Refused { refusal, .. } = result.outcome else { panic!() };
        for part in ["c-0", "billing/acme-2025", "contractId: c-0", "spec.metronome.uniquenessKey"] {
            assert!(refusal.message.contains(part), "{}", refusal.message);
        }
    }
    let mut asking = among(Holder::Nobody, 3600, json!({}));
    asking.contract.spec.management_policy = ManagementPolicy::Plan;
    asking.pass(&[other(json!({})), done(UNCLAIMED)]);
}

#[test]
fn what_cannot_be_the_same_contract_stops_nothing() {
    for members in [
        json!({"archived_at": "2025-12-01T00:00:00Z"}),
        json!({"starting_at": "2025-01-01T00:00:00Z", "ending_before": "2026-01-01T00:00:00Z"}),
        json!({"starting_at": "2025-01-01T00:00:00Z", "archived_at": "2026-01-01T00:00:00Z"}),
        json!({"uniqueness_key": "another/billing/acme-2025"}),
        json!({"uniqueness_key": "test/acme-2025"}),
        json!({"uniqueness_key": null}),
    ] {
        let mut rows = vec![other(members)];
        rows.extend(made());
        among(Holder::Nobody, 3600, json!({})).pass(&rows);
    }
}

#[test]
fn what_has_ended_and_billed_the_same_time_stops_a_create_and_says_from_when_on_one_can_begin() {
    for members in [
        json!({"archived_at": "2026-05-01T00:00:00Z"}),
        json!({"starting_at": "2025-01-01T00:00:00Z", "ending_before": "2026-05-01T00:00:00Z"}),
    ] {
        let result = among(Holder::Nobody, 3600, json!({})).pass(&[other(members), done(UNCLAIMED)]);
        let Outcome::Refused { refusal, .. } = result.outcome else { panic!() };
        for part in ["c-0", "in force until 2026-05-01T00:00:00Z", "spec.metronome.uniquenessKey"] {
            assert!(refusal.message.contains(part), "{}", refusal.message);
        }
        assert!(!refusal.message.contains("spec.adopt"), "it is over: {}", refusal.message);
    }
}

#[test]
fn a_key_of_the_user_s_says_that_another_contract_is_meant() {
    let mut bench = among(Holder::Nobody, 3600, json!({"uniquenessKey": "acme-extension"}));
    let mine = found(json!({"uniqueness_key": "acme-extension"}));
    bench.pass(&[other(json!({})), created(), mine, done("applied")]);
}

#[test]
fn a_contract_of_a_namespace_out_of_sight_stops_nothing() {
    let mut rows = vec![other(json!({}))];
    rows.extend(made());
    among(Holder::OutOfSight, 3600, json!({})).pass(&rows);
}

#[test]
fn a_second_contract_beside_one_that_is_held_is_made_once_its_holder_had_time_to_go() {
    let mut bench = among(held(), 0, json!({}));
    let result = bench.pass(&[other(json!({})), done("waiting OtherContractHeld")]);
    assert_eq!(result.requeue, Requeue::After(std::time::Duration::from_secs(10)));
    bench.later(29);
    bench.pass(&[other(json!({})), done("waiting OtherContractHeld")]);
    bench.later(1);
    let mut rows = vec![other(json!({}))];
    rows.extend(made());
    bench.pass(&rows);
}

#[test]
fn a_second_contract_with_the_same_terms_is_not_made_while_the_first_is_held() {
    let same = || other(json!({"name": "Acme"}));
    let mut bench = among(held(), 3600, json!({}));
    let result = bench.pass(&[same(), done(DUPLICATE)]);
    assert_eq!(result.requeue, Requeue::After(std::time::Duration::from_secs(30)));
    // Its holder goes, and leaves it.
    let mut gone = among(Holder::Nobody, 3600, json!({}));
    gone.pass(&[same(), done(UNCLAIMED)]);
    gone.contract.spec.adopt = Some(serde_json::from_value(json!({"contractId": "c-0"})).unwrap());
    let taken_over = json!({"id": "c-0", "uniqueness_key": "test/billing/acme-2025"});
    gone.pass(&[same(), found(taken_over), done("in_sync")]);
    assert_eq!(gone.contract_id().as_deref(), Some("c-0"));
}
