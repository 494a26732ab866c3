//! Reads that are behind, and records that are lost: nothing is added twice, and nothing stays in force unsaid.

use super::{
    billed::RECURRING,
    planner::{Fault, World, set_terms},
    *,
};
use crate::{
    api::{BillingContractStatus, contract::ManagementPolicy},
    protocol::{Goal, Outcome},
};

/// Items that are in force.
fn live(world: &World, list: &str) -> usize {
    let items = world.api.contract[list].as_array().cloned().unwrap_or_default();
    items.iter().filter(|item| item["archived_at"].is_null() && item["ending_before"].is_null()).count()
}

/// What can be added, one of each list: its name, the terms with it, and its name on the wire.
fn additions() -> Vec<(&'static str, Value, &'static str)> {
    let open_ended = |list: &str| {
        let mut item = fixture::recurring()[list][0].clone();
        for name in ["subscriptionConfig", "endingBefore", "temporaryId"] {
            item.as_object_mut().unwrap().remove(name);
        }
        item["startingAt"] = json!("2026-07-01T00:00:00Z");
        item
    };
    let keyed = |list: &str| {
        let mut item = fixture::plain()[list][0].clone();
        item["key"] = json!("more");
        for schedule in ["accessSchedule", "invoiceSchedule", "schedule"] {
            for part in item[schedule]["scheduleItems"].as_array_mut().into_iter().flatten() {
                for time in ["startingAt", "timestamp"] {
                    if part[time].is_string() {
                        part[time] = json!("2026-08-01T00:00:00Z");
                    }
                }
            }
        }
        item
    };
    let mut override_ = fixture::plain()["overrides"][0].clone();
    override_["productId"] = json!(fixture::OTHER);
    let items = [
        ("commits", keyed("commits"), "commits"),
        ("credits", keyed("credits"), "credits"),
        ("scheduledCharges", keyed("scheduledCharges"), "scheduled_charges"),
        ("recurringCommits", open_ended("recurringCommits"), "recurring_commits"),
        ("recurringCredits", open_ended("recurringCredits"), "recurring_credits"),
        ("subscriptions", open_ended("subscriptions"), "subscriptions"),
        ("overrides", override_, "overrides"),
    ];
    let with = |list: &str, item: Value| {
        let mut terms = fixture::plain();
        match terms[list].as_array_mut() {
            Some(items) => items.push(item),
            None => terms[list] = json!([item]),
        }
        terms
    };
    items.map(|(list, item, wire)| (list, with(list, item), wire)).into()
}

/// A world in which an item was added and the status write after it was lost: the contract as it was before, and the
/// status that is left.
fn unrecorded(terms: &Value) -> (World, Value, Option<BillingContractStatus>) {
    let mut world = World::new(&fixture::plain(), None, None);
    world.settle();
    let (contract, status) = (world.api.contract.clone(), world.contract.status.clone());
    world.takes = TimeDelta::seconds(5);
    set_terms(&mut world, terms);
    let result = world.pass(Goal::InForce);
    assert!(matches!(result.outcome, Outcome::InSync { .. }), "{:?}", result.outcome);
    world.contract.status.clone_from(&status);
    (world, contract, status)
}

#[test]
fn what_an_edit_has_just_added_is_waited_for_while_a_read_does_not_show_it() {
    for (list, terms, wire) in additions() {
        let (mut world, before, _) = unrecorded(&terms);
        let (expected, sends) = (live(&world, wire), world.sends);
        world.behind = Some(before);
        set_terms(&mut world, &with(&terms, "/name", json!("Acme 2027")));
        for _ in 0..3 {
            let Outcome::Waiting { reason, message } = world.pass(Goal::InForce).outcome else {
                panic!("{list}")
            };
            let added = &world.api.history[0][format!("add_{wire}")][0]["id"];
            assert_eq!(reason, "NotYetInForce", "{list}");
            assert!(message.contains(added.as_str().unwrap()), "{list}: {message}");
            assert_eq!(world.sends, sends, "{list}");
        }
        world.behind = None;
        world.settle();
        assert_eq!((live(&world, wire), world.api.edits.len()), (expected, 2), "{list}");
        assert_eq!(world.api.contract["name"], "Acme 2027");
    }
}

#[test]
fn of_all_that_is_planned_after_one_edit_one_is_taken_though_every_read_is_behind() {
    for (list, terms, wire) in additions() {
        let (mut world, before, _) = unrecorded(&terms);
        let expected = live(&world, wire);
        (world.behind, world.history_behind) = (Some(before), Some(json!([])));
        set_terms(&mut world, &with(&terms, "/name", json!("Acme 2027")));
        for _ in 0..5 {
            let outcome = world.pass(Goal::InForce).outcome;
            assert!(matches!(outcome, Outcome::NotInForce { .. }), "{list}: {outcome:?}");
        }
        (world.behind, world.history_behind) = (None, None);
        world.takes = TimeDelta::minutes(1);
        world.settle();
        assert_eq!((live(&world, wire), world.api.edits.len()), (expected, 2), "{list}");
    }
}

#[test]
fn a_contract_that_was_edited_since_it_was_read_is_read_again() {
    let mut world = World::new(&fixture::plain(), None, None);
    world.settle();
    let at = world.now + TimeDelta::seconds(1);
    world.api.history.push(json!({"id": "by hand", "timestamp": at.to_rfc3339()}));
    set_terms(&mut world, &with(&fixture::plain(), "/name", json!("Acme 2027")));
    let Outcome::Waiting { message, .. } = world.pass(Goal::InForce).outcome else { panic!() };
    assert!(message.contains("edited after it was read"), "{message}");
    world.settle();
    assert_eq!(world.api.contract["name"], "Acme 2027");
}

#[test]
fn a_part_is_not_added_to_a_schedule_twice_by_a_read_that_is_behind() {
    let part = json!({"timestamp": "2026-08-01T00:00:00Z", "amount": "77"});
    let mut terms = fixture::plain();
    terms["scheduledCharges"][0]["schedule"]["scheduleItems"].as_array_mut().unwrap().push(part);
    let (mut world, before, _) = unrecorded(&terms);
    world.behind = Some(before);
    set_terms(&mut world, &with(&terms, "/name", json!("Acme 2027")));
    let outcome = world.pass(Goal::InForce).outcome;
    assert!(matches!(outcome, Outcome::Waiting { .. }), "{outcome:?}");
    world.behind = None;
    world.takes = TimeDelta::minutes(1);
    world.settle();
    let parts = &world.api.contract["scheduled_charges"][0]["schedule"]["schedule_items"];
    assert_eq!(parts.as_array().unwrap().len(), 2, "{parts}");
}

#[test]
fn a_history_that_does_not_show_an_edit_delays_the_next_and_does_not_stop_it() {
    let mut world = World::new(&fixture::plain(), None, None);
    world.history_behind = Some(json!([]));
    world.settle();
    world.takes = TimeDelta::seconds(10);
    for name in ["Acme 2027", "Acme 2028", "Acme 2029"] {
        set_terms(&mut world, &with(&fixture::plain(), "/name", json!(name)));
        let last = (0..12).map(|_| world.pass(Goal::InForce).outcome).last().unwrap();
        assert!(matches!(last, Outcome::InSync { .. }), "{name}: {last:?}");
        assert_eq!(world.api.contract["name"], name);
    }
    assert_eq!(world.api.edits.len(), 3);
}

#[test]
fn what_an_edit_added_and_billing_never_shows_is_named_and_added_again_only_when_somebody_says_so() {
    let (_, terms, _) = additions().swap_remove(3);
    let (mut world, ..) = unrecorded(&terms);
    let hidden = world.api.contract.as_object_mut().unwrap().remove("recurring_commits").unwrap();
    let id = hidden[0]["id"].as_str().unwrap();
    world.now += TimeDelta::minutes(5);
    for _ in 0..2 {
        let Outcome::Refused { refusal, .. } = world.pass(Goal::InForce).outcome else { panic!() };
        assert_eq!(refusal.reason, "AmbiguousItem");
        assert!(refusal.message.contains(id) && refusal.message.contains("Plan"), "{}", refusal.message);
    }
    assert_eq!(world.api.edits.len(), 1);
    world.contract.spec.management_policy = ManagementPolicy::Plan;
    assert!(matches!(world.pass(Goal::InForce).outcome, Outcome::AwaitingApproval(_)));
    // What the history says to be archived is no riddle.
    world.contract.spec.management_policy = ManagementPolicy::Apply;
    world.api.history.push(json!({"id": "by hand", "archive_commits": [{"id": id}]}));
    world.settle();
    assert_eq!(live(&world, "recurring_commits"), 1);
}

#[test]
fn what_an_edit_added_and_left_the_spec_before_it_was_recorded_is_taken_out() {
    for (list, terms, wire) in additions() {
        let (mut world, ..) = unrecorded(&terms);
        let expected = live(&world, wire) - 1;
        world.takes = TimeDelta::minutes(1);
        if RECURRING.contains(&list) {
            // It has begun by then, so that it can be ended.
            world.now = "2026-07-02T10:30:00Z".parse().unwrap();
        }
        set_terms(&mut world, &fixture::plain());
        world.settle();
        assert_eq!(live(&world, wire), expected, "{list}");
    }
}

#[test]
fn a_field_that_a_lost_edit_has_set_is_cleared_when_it_leaves_the_spec() {
    let without = with(&fixture::plain(), "/netPaymentTermsDays", Value::Null);
    for theirs in [false, true] {
        let mut world = World::new(&without, None, None);
        world.settle();
        world.fault = Some((1, Fault::Reply));
        set_terms(&mut world, &fixture::plain());
        assert!(matches!(world.pass(Goal::InForce).outcome, Outcome::Unconfirmed { .. }));
        if theirs {
            world.api.contract["net_payment_terms_days"] = json!(45);
        }
        set_terms(&mut world, &without);
        world.settle();
        let left = if theirs { json!(45) } else { Value::Null };
        assert_eq!(world.api.contract["net_payment_terms_days"], left);
    }
}

/// Members of the contract itself, each as a contract may have it, and its name on the wire.
fn members() -> Vec<(&'static str, Value, &'static str)> {
    let threshold = |name: &str| {
        let mut threshold = fixture::gated()[name].clone();
        threshold["isEnabled"] = json!(true);
        threshold
    };
    let (spend, prepaid) = ("spendThresholdConfiguration", "prepaidBalanceThresholdConfiguration");
    vec![
        ("name", json!("Acme 2027"), "name"),
        ("netPaymentTermsDays", json!("45"), "net_payment_terms_days"),
        ("endingBefore", json!("2026-12-01T00:00:00Z"), "ending_before"),
        (spend, threshold(spend), "spend_threshold_configuration"),
        (prepaid, threshold(prepaid), "prepaid_balance_threshold_configuration"),
        ("usageFilter", json!({"groupKey": "project", "groupValues": ["b", "a"]}), "usage_filter"),
        (
            "billingProviderConfiguration",
            json!({"billingProvider": "stripe", "deliveryMethod": "direct_to_billing_provider"}),
            "billing_provider_configuration_schedule",
        ),
        (
            "revenueSystemConfiguration",
            json!({"revenueSystemConfigurationId": "revenue-1"}),
            "revenue_system_configuration_schedule",
        ),
    ]
}

/// A world whose next write says so: by the create, or by an edit of a contract without.
fn about_to_say(said: &Value, creates: bool, without: &Value) -> World {
    let mut world = World::new(if creates { said } else { without }, None, None);
    if !creates {
        world.settle();
        set_terms(&mut world, said);
    }
    world
}

#[test]
fn what_a_write_of_unknown_outcome_has_set_of_the_contract_is_taken_out_or_named_when_git_goes_back() {
    for (name, value, wire) in members() {
        let without = with(&fixture::plain(), &format!("/{name}"), Value::Null);
        let said = with(&without, &format!("/{name}"), value);
        for (creates, fault) in [true, false]
            .into_iter()
            .flat_map(|creates| [Fault::Reply, Fault::Killed].map(|fault| (creates, fault)))
        {
            let mut world = about_to_say(&said, creates, &without);
            world.fault = Some((world.sends, fault));
            let outcome = world.pass(Goal::InForce).outcome;
            assert!(matches!(outcome, Outcome::Unconfirmed { .. }), "{name}: {outcome:?}");
            set_terms(&mut world, &without);
            world.now += TimeDelta::minutes(5);
            let told = |world: &World| world.api.contract[wire].clone();
            if name.ends_with("Configuration") && !name.contains("Threshold") || name == "usageFilter" {
                for _ in 0..2 {
                    let outcome = world.pass(Goal::InForce).outcome;
                    let Outcome::Refused { refusal, .. } = outcome else { panic!("{name}: {outcome:?}") };
                    assert_eq!(refusal.reason, "ImmutableField", "{name}, {fault:?}");
                    assert!(refusal.message.contains(&format!("/{name}")), "{}", refusal.message);
                }
                continue;
            }
            world.settle();
            if name.contains("Threshold") {
                assert_eq!(told(&world)["is_enabled"], json!(false), "{name}, {creates}, {fault:?}");
            } else {
                assert_eq!(told(&world), Value::Null, "{name}, {creates}, {fault:?}");
            }
        }
    }
}

#[test]
fn what_was_found_while_the_history_was_behind_is_looked_for_again() {
    let (_, terms, wire) = additions().swap_remove(0);
    let (mut world, ..) = unrecorded(&terms);
    world.history_behind = Some(json!([]));
    set_terms(&mut world, &fixture::plain());
    let outcome = world.pass(Goal::InForce).outcome;
    assert!(matches!(outcome, Outcome::Drifted { .. }), "somebody's, as far as is known: {outcome:?}");
    world.history_behind = None;
    world.takes = TimeDelta::minutes(1);
    world.settle();
    assert_eq!(live(&world, wire), 1);
}

#[test]
fn what_others_have_put_into_a_list_that_the_spec_lacks_is_reported_and_left() {
    for (list, terms, wire) in additions() {
        // It was made by a create whose record was lost, or by somebody: no edit of this resource has added it.
        let mut world = World::new(&terms, None, None);
        world.pass(Goal::InForce);
        world.contract.status = None;
        let left = with(&terms, &format!("/{list}"), Value::Null);
        set_terms(&mut world, &left);
        for round in 0..3 {
            let Outcome::Drifted { changes } = world.pass(Goal::InForce).outcome else {
                panic!("{list}, {round}")
            };
            assert!(
                changes.iter().all(|change| change.path.starts_with(&format!("/{list}/"))),
                "{changes:?}"
            );
            let status = json!(world.contract.status.as_ref().unwrap().conditions).to_string();
            assert!(status.contains("kept by writing it into the spec"), "{list}: {status}");
        }
        assert!(live(&world, wire) > 0 && world.api.edits.is_empty(), "{list}");
        world.contract.spec.ignore_drift = vec![format!("/{list}")];
        assert!(matches!(world.pass(Goal::InForce).outcome, Outcome::InSync { .. }), "{list}");
    }
}

#[test]
fn a_threshold_that_was_set_and_not_recorded_is_turned_off_when_git_goes_back_and_that_of_others_stays() {
    for (name, value, wire) in members().into_iter().filter(|(name, ..)| name.contains("Threshold")) {
        let without = with(&fixture::plain(), &format!("/{name}"), Value::Null);
        let said = with(&without, &format!("/{name}"), value);
        for creates in [true, false] {
            let mut world = about_to_say(&said, creates, &without);
            let before = world.contract.status.clone();
            world.pass(Goal::InForce);
            assert_eq!(world.api.contract[wire]["is_enabled"], true, "{name}");
            // The operator is killed before it writes the status, and Git takes the threshold out.
            world.contract.status = before;
            set_terms(&mut world, &without);
            world.now += TimeDelta::minutes(5);
            world.settle();
            assert_eq!(world.api.contract[wire]["is_enabled"], false, "{name}, created along: {creates}");
            // Somebody turns it on.
            world.api.contract[wire]["is_enabled"] = json!(true);
            let verb = format!("update_{wire}");
            world
                .api
                .history
                .push(json!({"id": "by-hand", "timestamp": world.now, verb: {"is_enabled": true}}));
            world.now += TimeDelta::minutes(5);
            world.settle();
            assert_eq!(world.api.contract[wire]["is_enabled"], true, "{name} of others");
        }
    }
}

#[test]
fn what_a_lost_edit_has_added_and_has_no_id_is_taken_out_or_refused_by_name_when_git_goes_back() {
    let (plain, watched) = (fixture::plain(), fixture::watched());
    let with_list = |list: &str| with(&plain, &format!("/{list}"), watched[list].clone());
    let lost = |list: &str| {
        let mut world = World::new(&plain, None, None);
        world.settle();
        world.fault = Some((1, Fault::Reply));
        set_terms(&mut world, &with_list(list));
        assert!(matches!(world.pass(Goal::InForce).outcome, Outcome::Unconfirmed { .. }));
        world
    };
    let mut world = lost("spendTrackers");
    let theirs = json!({"alias": "theirs", "credit_type_id": "x", "reset_frequency": "BILLING_PERIOD"});
    world.api.contract["spend_trackers"].as_array_mut().unwrap().push(theirs);
    set_terms(&mut world, &plain);
    (0..3).for_each(|_| drop(world.pass(Goal::InForce)));
    let left = world.api.contract["spend_trackers"].as_array().unwrap();
    assert_eq!(left.iter().map(|tracker| &tracker["alias"]).collect::<Vec<_>>(), ["theirs"]);
    // What is written again in between is one of that name all the same.
    let mut world = lost("spendTrackers");
    world.settle();
    assert_eq!(world.api.contract["spend_trackers"].as_array().map(Vec::len), Some(2));
    for forgets in [false, true] {
        let mut world = lost("resellerRoyalties");
        if forgets {
            // The history of edits tells whose it is.
            world.contract.status = None;
        }
        set_terms(&mut world, &plain);
        for _ in 0..3 {
            let outcome = world.pass(Goal::InForce).outcome;
            let Outcome::Refused { refusal, .. } = outcome else { panic!("{forgets}: {outcome:?}") };
            assert!(refusal.message.contains("/resellerRoyalties"), "{}", refusal.message);
        }
        set_terms(&mut world, &with_list("resellerRoyalties"));
        world.settle();
        assert_eq!(world.api.contract["reseller_royalties"].as_array().map(Vec::len), Some(1));
    }
    // Those of a create whose reply was lost are its own as well.
    let mut world = World::new(&with_list("spendTrackers"), None, Some((0, Fault::Reply)));
    world.pass(Goal::InForce);
    set_terms(&mut world, &plain);
    (0..3).for_each(|_| drop(world.pass(Goal::InForce)));
    assert_eq!(world.api.contract["spend_trackers"].as_array().map(Vec::len), Some(0));
}
