//! What likeness shows when nothing is on record, and what it does not.

use super::*;
use crate::{api::contract::UnconfirmedWrite, terms::Timestamp};

fn commit(key: &str, amount: &str) -> Value {
    let mut commit = fixture::plain()["commits"][0].clone();
    commit["key"] = json!(key);
    commit["accessSchedule"]["scheduleItems"][0]["amount"] = json!(amount);
    commit
}

fn spec(commits: &[Value]) -> Value {
    with(&fixture::plain(), "/commits", json!(commits))
}

/// A contract of one commit, to which somebody else added another of the same product, and whose record is lost.
fn lost() -> Bench {
    let mut bench = Bench::created(&spec(&[commit("a", "100000")]));
    let mut theirs = bench.api.contract["commits"][0].clone();
    theirs["id"] = json!("commit-of-others");
    theirs["access_schedule"]["schedule_items"][0]["amount"] = json!(5_000_000);
    bench.api.contract["commits"].as_array_mut().unwrap().push(theirs);
    bench.forget();
    bench
}

#[test]
fn an_item_of_others_is_not_adopted_by_likeness_when_the_record_is_lost() {
    let (mut bench, both) = (lost(), spec(&[commit("a", "100000"), commit("b", "2000")]));
    let refusal = refused(bench.decide(&both));
    assert_eq!(refusal.reason, "AmbiguousItem");
    let question = "`commits[b]` could be the commit commit-of-others or a new one";
    assert!(refusal.message.contains(question), "{}", refusal.message);
    assert!(!refusal.message.contains("commits[a]"), "{}", refusal.message);
    // What is told of a contract that is refused must not turn the question into an answer.
    bench.recorded.contract_id = Some("contract-1".into());
    let observed = bench.seen(&desired(&both)).unwrap();
    assert_eq!(record(&desired(&both), &observed, &bench.recorded, now()).items, []);
    assert_eq!(refused(bench.decide(&both)).reason, "AmbiguousItem");
}

#[test]
fn what_differs_only_in_what_it_is_for_is_asked_about_and_not_added_again_when_the_record_is_lost() {
    for (list, wire) in
        [("commits", "commits"), ("credits", "credits"), ("scheduledCharges", "scheduled_charges")]
    {
        let mut bench = Bench::created(&fixture::plain());
        bench.api.contract[wire][0]["product"]["id"] = json!(fixture::OTHER);
        bench.forget();
        let refusal = refused(bench.decide(&fixture::plain()));
        assert_eq!(refusal.reason, "AmbiguousItem", "{}", refusal.message);
        assert!(refusal.message.contains(&format!("`{list}[")), "{}", refusal.message);
    }
    // One that shares no more than its dates is another.
    let mut bench = Bench::created(&fixture::plain());
    let other = commit("b", "2000");
    let other = with(&with(&other, "/productId", json!(fixture::OTHER)), "/name", json!("Other"));
    bench.forget();
    let plan = written(bench.decide(&spec(&[commit("launch", "120000"), other])));
    assert_eq!(edit_of(&plan)["add_commits"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_new_item_is_added_once_the_others_are_on_record() {
    let (mut bench, first) = (lost(), spec(&[commit("a", "100000")]));
    assert!(matches!(bench.decide(&first), Decision::Report(_)), "the other commit is reported");
    bench.remember(&desired(&first));
    let plan = written(bench.decide(&spec(&[commit("a", "100000"), commit("b", "2000")])));
    assert_eq!(edit_of(&plan)["add_commits"].as_array().unwrap().len(), 1);
}

#[test]
fn an_override_of_others_is_not_removed_by_likeness_when_the_record_is_lost() {
    let mut bench = Bench::created(&fixture::plain());
    bench.forget();
    let refusal = refused(bench.decide(&with(&fixture::plain(), "/overrides/0/multiplier", json!("0.7"))));
    assert_eq!(refusal.reason, "AmbiguousItem");
    assert!(refusal.message.contains("or a new one"), "{}", refusal.message);
}

#[test]
fn what_a_create_made_is_the_specs_however_it_reads_back() {
    let mut bench = Bench::default();
    let spec = fixture::plain();
    let plan = written(bench.decide(&spec));
    bench.carry_out(&plan);
    bench.api.contract["commits"][0]["name"] = json!("Launched");
    let digest = plan.calls[0].fingerprint.clone();
    bench.recorded.unconfirmed = Some(UnconfirmedWrite {
        digest,
        time: Timestamp(now()),
        after_edit: None,
        taken: false,
        difference: None,
        rounds: 0,
        lost: Vec::new(),
    });
    let edit = edit_of(&written(bench.decide(&spec)));
    let id = &bench.api.contract["commits"][0]["id"];
    assert_eq!(edit, json!({"update_commits": [{"commit_id": id, "name": "Launch"}]}));
}

#[test]
fn a_question_names_a_few_candidates_and_counts_the_rest() {
    let ids = ["1", "2", "3", "4", "5", "6", "7"].into_iter();
    assert_eq!(
        super::super::likeness::question("commits[a]", "commit", ids, true),
        "`commits[a]` could be the commit 1 or 2 or 3 or 4 or 5 or one of 2 others or a new one"
    );
}
