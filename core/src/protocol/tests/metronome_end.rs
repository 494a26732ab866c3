//! The end of Metronome contracts: only the one that is held, or shown to be the resource's own.

use super::{metronome::*, *};
use crate::plan::metronome::ContractPlanner;

const ARCHIVE: &str = "Other v1/contracts/archive";
const END_DATE: &str = "Other v1/contracts/updateEndDate";

fn archived() -> Value {
    json!({"archived_at": "2026-06-01T00:00:00Z"})
}

/// No invoice of the contract is final.
fn no_invoices() -> Row {
    read("Invoices", json!([]))
}

fn deleted(mut bench: Bench<ContractPlanner>, policy: DeletionPolicy) -> Bench<ContractPlanner> {
    bench.goal = ending(policy);
    bench
}

#[test]
fn the_contract_on_record_is_archived_or_ended_and_read_again() {
    let archive = taken(ARCHIVE, json!({"id": "c-1"}));
    deleted(holding(), DeletionPolicy::Cancel).pass(&[
        found(json!({})),
        no_invoices(),
        archive,
        found(archived()),
        done("ended"),
    ]);
    let ends = || found(json!({"ending_before": "2026-06-01T11:00:00Z"}));
    let mut bench = deleted(holding(), DeletionPolicy::End);
    bench.pass(&[found(json!({})), taken(END_DATE, json!({})), ends(), done("ended")]);
    bench.pass(&[ends(), done("ended")]);
    deleted(holding(), DeletionPolicy::Orphan).pass(&[found(json!({})), done("ended")]);
}

#[test]
fn a_contract_on_record_that_cannot_be_read_has_ended_only_if_it_is_listed_as_archived() {
    deleted(holding(), DeletionPolicy::Cancel).pass(&[absent(BY_ID), listed(archived()), done("ended")]);
    deleted(holding(), DeletionPolicy::Cancel).pass(&[
        found(json!({})),
        no_invoices(),
        failed(ARCHIVE, not_found()),
        absent(BY_ID),
        listed(archived()),
        done("ended"),
    ]);
}

#[test]
fn what_a_lost_create_made_is_found_by_its_key_and_ended() {
    let mut bench = bench(json!({}));
    bench.pass(&[none(), failed(CREATE, unknown()), done("unconfirmed")]);
    let mut bench = deleted(bench, DeletionPolicy::Cancel);
    bench.pass(&[
        listed(json!({})),
        no_invoices(),
        taken(ARCHIVE, json!({})),
        listed(archived()),
        done("ended"),
    ]);
}

#[test]
fn what_a_lost_create_made_ends_with_its_resource_though_the_key_is_another_one_by_then() {
    let mut bench = bench(json!({}));
    bench.pass(&[none(), failed(CREATE, unknown()), done("unconfirmed")]);
    bench.contract.spec.metronome.as_mut().unwrap().uniqueness_key = Some("another".into());
    bench.change();
    let mut bench = deleted(bench, DeletionPolicy::Cancel);
    bench.pass(&[
        listed(json!({})),
        nothing_beside(),
        nothing_beside(),
        no_invoices(),
        taken(ARCHIVE, json!({})),
        listed(archived()),
        done("ended"),
    ]);
}

#[test]
fn a_contract_that_is_not_shown_to_be_ours_is_left_alone() {
    let foreign = || listed(json!({"uniqueness_key": "another"}));
    deleted(bench(json!({})), DeletionPolicy::Cancel).pass(&[foreign(), done("ended")]);
    deleted(bench(json!({})), DeletionPolicy::Cancel).pass(&[none(), done("ended")]);
    // Nor is one that it was only to adopt.
    let mut adopting = deleted(bench(json!({})), DeletionPolicy::Cancel);
    adopting.contract.spec.adopt = Some(serde_json::from_value(json!({"contractId": "c-1"})).unwrap());
    adopting.pass(&[foreign(), done("ended")]);
    // What its key shows to be its own is its own, whatever else it was to adopt.
    adopting.contract.status = None;
    adopting.contract.spec.adopt = Some(serde_json::from_value(json!({"contractId": "c-2"})).unwrap());
    adopting.pass(&[
        listed(json!({})),
        no_invoices(),
        taken(ARCHIVE, json!({})),
        listed(archived()),
        done("ended"),
    ]);
}

#[test]
fn a_contract_ends_where_it_is_though_the_spec_is_wrong_claimed_or_names_another_customer() {
    let mut bench = deleted(holding(), DeletionPolicy::Cancel);
    let terms = bench.contract.spec.metronome.as_mut().unwrap();
    terms.ending_before = Some("2025-01-01T00:00:00Z".parse().unwrap());
    terms.customer_id = Some("customer-2".to_owned().into());
    bench.claimed = Some(Refusal { reason: crate::api::reasons::DUPLICATE_CLAIM, message: "no".into() });
    bench.pass(&[
        found(json!({})),
        no_invoices(),
        taken(ARCHIVE, json!({})),
        found(archived()),
        done("ended"),
    ]);
    assert!(bench.sent[0].body.contains(r#""customer_id":"customer-1""#), "{}", bench.sent[0].body);
}

#[test]
fn a_spec_that_never_could_be_planned_holds_nothing() {
    let wrong = json!({"endingBefore": "2025-01-01T00:00:00Z"});
    deleted(bench(wrong), DeletionPolicy::Cancel).pass(&[done("ended")]);
    deleted(bench(json!({"customerId": null})), DeletionPolicy::Cancel).pass(&[done("ended")]);
    let by_alias = json!({"customerId": null, "customerAlias": "acme"});
    let alias = read("CustomerByAlias", json!("customer-1"));
    deleted(bench(by_alias), DeletionPolicy::Cancel).pass(&[alias, none(), done("ended")]);
}

#[test]
fn a_contract_on_record_that_cannot_be_read_is_looked_for_among_all_and_keeps_its_resource() {
    let mut bench = deleted(holding(), DeletionPolicy::Cancel);
    bench.pass(&[absent(BY_ID), listed(json!({})), done("waiting BillingUnreachable")]);
    bench.pass(&[absent(BY_ID), none(), done("refused ContractNotFound")]);
}
