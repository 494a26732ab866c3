//! Whose a contract is: found again by its key, by its stamp, taken over by `adopt`, refused where it is somebody else's.

use super::*;
use crate::api::contract::{Adopt, AdoptMode, DeletionPolicy};

fn view_of(bench: &Bench) -> ObservedContract {
    ObservedContract::read(&bench.api.contract, now()).unwrap()
}

/// What a list of these contracts has for the resource, in one word and an id.
fn find_in(listed: &[ObservedContract], bench: &Bench) -> (&'static str, String) {
    match find(&desired(&fixture::plain()), listed, &bench.recorded, &bench.policy) {
        Found::Own(observed) => ("own", observed.contract_id.clone()),
        Found::Adoptable(observed) => ("adoptable", observed.contract_id.clone()),
        Found::Nothing => ("nothing", String::new()),
        Found::Refused(refusal) => (refusal.reason.as_str(), refusal.message),
    }
}

fn adopt(bench: &mut Bench, mode: AdoptMode) {
    bench.policy.adopt = Some(Adopt { contract_id: "contract-1".into(), mode });
}

/// A contract that somebody else made, without a key.
fn foreign() -> Bench {
    let mut bench = Bench::created(&fixture::plain());
    bench.api.contract.as_object_mut().unwrap().remove("uniqueness_key");
    bench.forget();
    bench
}

fn stamped(spec: &Value, owner: &str, revision: &str) -> Desired {
    let stamp = Stamp { fields: map([("owner", owner)]), notes: map([("revision", revision)]) };
    desired_as(spec, Resolved { stamp: Some(stamp), ..resolved() })
}

#[test]
fn a_cluster_that_was_rebuilt_finds_every_contract_and_writes_nothing() {
    for spec in fixture::all() {
        let (mut bench, desired) = (Bench::default(), fields::meant(&spec).unwrap());
        bench.settle_for(&desired);
        bench.forget();
        assert_eq!(bench.decide_for(&desired), Decision::InSync, "{spec}");
        let listed = [bench.seen(&desired).unwrap()];
        let found = find(&desired, &listed, &bench.recorded, &bench.policy);
        assert!(matches!(found, Found::Own(_)), "{found:?}");
    }
}

#[test]
fn a_contract_is_found_by_its_key_plain_or_prefixed() {
    let mut bench = Bench::created(&fixture::plain());
    bench.forget();
    for key in ["test/billing/acme", "contract:test/billing/acme"] {
        bench.api.contract["uniqueness_key"] = json!(key);
        assert_eq!(find_in(&[view_of(&bench)], &bench), ("own", "contract-1".into()));
    }
    for key in ["test/billing/acme-2", "other/test/billing/acme"] {
        bench.api.contract["uniqueness_key"] = json!(key);
        assert_eq!(find_in(&[view_of(&bench)], &bench).0, "nothing", "{key}");
    }
}

#[test]
fn a_contract_is_found_by_its_record_whatever_became_of_its_key() {
    let mut bench = Bench::created(&fixture::plain());
    bench.api.contract["uniqueness_key"] = json!("another");
    assert_eq!(find_in(&[view_of(&bench)], &bench).0, "own");
}

#[test]
fn a_key_that_an_archived_contract_holds_is_taken_for_good() {
    let mut bench = Bench::created(&fixture::plain());
    bench.forget();
    bench.api.contract["archived_at"] = json!("2026-05-01T00:00:00Z");
    let (reason, message) = find_in(&[view_of(&bench)], &bench);
    assert_eq!(reason, crate::api::reasons::KEY_TAKEN.as_str());
    assert!(
        message.contains("contract-1") && message.contains("`spec.metronome.uniquenessKey`"),
        "{message}"
    );
}

#[test]
fn a_new_key_makes_a_new_contract_in_place_of_an_archived_one() {
    let mut bench = Bench::created(&fixture::plain());
    bench.api.contract["archived_at"] = json!("2026-05-01T00:00:00Z");
    bench.api.contract["uniqueness_key"] = json!("the key before");
    assert_eq!(find_in(&[view_of(&bench)], &bench).0, "nothing");
}

#[test]
fn a_contract_of_others_that_says_the_same_is_taken_over_and_one_that_differs_is_not() {
    let bench = foreign();
    assert_eq!(find_in(&[view_of(&bench)], &bench).0, "nothing");
    assert_eq!(bench.decide(&fixture::plain()), Decision::InSync);
    let refusal = refused(bench.decide(&with(&fixture::plain(), "/name", json!("b"))));
    assert_eq!(refusal.reason, "ContractExists");
    assert!(refusal.message.contains("/name: Acme 2026 -> b"), "{}", refusal.message);
}

#[test]
fn a_contract_is_adopted_as_it_is_or_not_at_all() {
    let mut bench = foreign();
    adopt(&mut bench, AdoptMode::Match);
    assert_eq!(find_in(&[view_of(&bench)], &bench), ("adoptable", "contract-1".into()));
    assert_eq!(bench.decide(&fixture::plain()), Decision::InSync);
    let refusal = refused(bench.decide(&with(&fixture::plain(), "/name", json!("b"))));
    assert_eq!(refusal.reason, "AdoptionMismatch");
}

#[test]
fn a_contract_is_adopted_and_made_what_the_spec_says() {
    let mut bench = foreign();
    adopt(&mut bench, AdoptMode::Override);
    let amount = "/commits/0/accessSchedule/scheduleItems/0/amount";
    let spec = with(&with(&fixture::plain(), "/name", json!("b")), amount, json!("130000"));
    let plans = bench.settle(&spec);
    assert_eq!(plans.len(), 1);
    let edit = edit_of(&plans[0]);
    assert_eq!(edit["update_contract_name"], "b");
    assert_eq!(edit["update_commits"].as_array().unwrap().len(), 1);
    assert_eq!(bench.api.contract["commits"].as_array().unwrap().len(), 1, "no second commit");
}

#[test]
fn only_a_takeover_that_overrides_switches_on_what_nobody_remembers_to_have_been_on() {
    let spec = fixture::watched();
    let mut bench = Bench::created(&spec);
    bench.forget();
    bench.api.contract["spend_threshold_configuration"]["is_enabled"] = json!(false);
    let difference = ["/spendThresholdConfiguration/isEnabled: false -> true"];
    assert_eq!(reported(bench.decide(&spec)), difference, "the API may have turned it off");
    adopt(&mut bench, AdoptMode::Match);
    assert_eq!(reported(bench.decide(&spec)), difference);
    adopt(&mut bench, AdoptMode::Override);
    let on = json!({"update_spend_threshold_configuration": {"is_enabled": true}});
    assert_eq!(edit_of(&written(bench.decide(&spec))), on);
}

#[test]
fn a_contract_to_adopt_that_is_not_there_is_no_reason_to_create_one() {
    let mut bench = Bench::default();
    adopt(&mut bench, AdoptMode::Override);
    assert_eq!(refused(bench.decide(&fixture::plain())).reason, "AdoptionTargetNotFound");
}

#[test]
fn a_contract_with_the_stamp_of_another_owner_is_refused_even_with_the_key() {
    let mut bench = Bench::default();
    bench.settle_for(&stamped(&fixture::plain(), "prod/billing/acme", "1"));
    bench.forget();
    let ours = stamped(&fixture::plain(), "stage/billing/acme", "1");
    let refusal = refused(bench.decide_for(&ours));
    assert_eq!(refusal.reason, "OwnedElsewhere");
    assert!(refusal.message.contains("prod/billing/acme"), "{}", refusal.message);
    adopt(&mut bench, AdoptMode::Override);
    bench.settle_for(&ours);
    assert_eq!(bench.api.contract["custom_fields"]["owner"], "stage/billing/acme");
}

#[test]
fn a_contract_is_found_by_its_stamp_where_nothing_else_is_left() {
    let ours = stamped(&fixture::plain(), "prod/billing/acme", "1");
    let mut bench = Bench::default();
    bench.settle_for(&ours);
    bench.forget();
    bench.api.contract.as_object_mut().unwrap().remove("uniqueness_key");
    let found = |listed: &[ObservedContract]| {
        matches!(find(&ours, listed, &bench.recorded, &bench.policy), Found::Own(_))
    };
    assert!(found(&[view_of(&bench)]));
    assert!(!found(&[view_of(&bench), view_of(&bench)]), "which of the two cannot be told");
}

#[test]
fn notes_are_written_along_with_changes_and_never_by_themselves() {
    let mut bench = Bench::default();
    bench.settle_for(&stamped(&fixture::plain(), "a", "1"));
    assert_eq!(bench.decide_for(&stamped(&fixture::plain(), "a", "2")), Decision::InSync);
    let spec = with(&fixture::plain(), "/name", json!("b"));
    let plans = bench.settle_for(&stamped(&spec, "a", "2"));
    assert_eq!(paths(&plans[0]), [EDIT_CONTRACT, "v1/customFields/setValues"]);
    assert_eq!(bench.api.contract["custom_fields"]["revision"], "2");
}

#[test]
fn a_contract_ends_at_the_next_full_hour_once() {
    let mut bench = Bench::created(&fixture::plain());
    let end = |bench: &Bench, policy| {
        super::end::end(&view_of(bench), &bench.recorded, policy, None, false, now()).unwrap()
    };
    assert_eq!(end(&bench, DeletionPolicy::Orphan), None);
    let call = end(&bench, DeletionPolicy::End).unwrap();
    assert_eq!(body(&call)["ending_before"], "2026-06-01T11:00:00Z");
    bench.api.call(&call);
    assert_eq!(end(&bench, DeletionPolicy::End), None);
    let call = end(&bench, DeletionPolicy::Cancel).unwrap();
    assert_eq!((call.path.as_str(), &body(&call)["void_invoices"]), ("v1/contracts/archive", &json!(false)));
    bench.api.call(&call);
    assert_eq!(end(&bench, DeletionPolicy::Cancel), None);
}

#[test]
fn a_contract_that_has_not_begun_is_archived_instead_of_ended() {
    let mut bench = Bench::created(&fixture::plain());
    bench.api.contract["starting_at"] = json!("2026-08-01T00:00:00Z");
    let observed = view_of(&bench);
    let end = super::end::end(&observed, &bench.recorded, DeletionPolicy::End, None, false, now()).unwrap();
    assert_eq!(end.unwrap().path, "v1/contracts/archive");
    bench.recorded.contract_id = Some("contract-of-ours".into());
    assert_eq!(
        super::end::end(&observed, &bench.recorded, DeletionPolicy::End, None, false, now()),
        Ok(None)
    );
}

#[test]
fn a_contract_that_is_not_listed_at_all_is_not_made_anew() {
    let bench = Bench::created(&fixture::plain());
    let (reason, message) = find_in(&[], &bench);
    assert_eq!(reason, "ContractNotFound");
    assert!(message.contains("contract-1") && message.contains("customer-1"), "{message}");
}

#[test]
fn what_others_put_into_a_contract_that_was_taken_over_is_reported_once_it_is_on_record() {
    let mut spec = fixture::plain();
    spec.as_object_mut().unwrap().remove("credits");
    let mut bench = foreign();
    adopt(&mut bench, AdoptMode::Match);
    assert_eq!(bench.decide(&spec), Decision::InSync, "it is not this resource's yet");
    bench.recorded.contract_id = Some("contract-1".into());
    let found = reported(bench.decide(&spec));
    assert!(found.len() == 1 && found[0].starts_with("/credits"), "{found:?}");
    bench.recorded.contract_id = Some("another".into());
    assert_eq!(bench.decide(&spec), Decision::InSync, "what is on record is another one");
}

#[test]
fn an_item_is_stamped_by_the_very_write_that_makes_it() {
    let desired = stamped(&fixture::plain(), "prod/billing/acme", "main");
    let mut bench = Bench::default();
    let made = written(bench.decide_for(&desired));
    let sent = body(&made.calls[0]);
    assert_eq!(sent["commits"][0]["custom_fields"][ITEM_KEY], "launch", "{sent}");
    assert_eq!(sent["scheduled_charges"][0]["custom_fields"][ITEM_KEY], "setup", "{sent}");
    bench.carry_out(&made);
    let mut more = fixture::plain()["commits"][0].clone();
    (more["key"], more["productId"]) = (json!("more"), json!(fixture::OTHER));
    let desired = stamped(&with(&fixture::plain(), "/commits/-", more), "prod/billing/acme", "main");
    let edit = edit_of(&written(bench.decide_for(&desired)));
    assert_eq!(edit["add_commits"][0]["custom_fields"][ITEM_KEY], "more", "{edit}");
}
