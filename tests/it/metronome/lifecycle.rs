//! The end of contracts, renewals, and what cannot be changed.

use serde_json::{Value, json};

use crate::support::{
    World, kstatus,
    metronome::{CREATE, CUSTOMER, EDIT, GET, OTHER_PRODUCT, START, acme, bare, plus, traffic, writes},
    terms::with,
};

const ARCHIVE: &str = "/v1/contracts/archive";
const END_DATE: &str = "/v1/contracts/updateEndDate";

fn deleted_by(policy: &str) -> Value {
    with(acme(), "/spec/deletionPolicy", json!(policy))
}

#[tokio::test]
async fn deleting_with_orphan_leaves_the_contract_alone() {
    let mut world = World::metronome().await;
    world.apply(&deleted_by("Orphan")).await;
    world.until_ready("acme").await;
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    world.stop_operator().await;
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1)]));
    assert_eq!(world.sim.only(CUSTOMER).await["state"], "active");
}

#[tokio::test]
async fn deleting_with_end_sets_the_end_date_once_although_the_reply_is_lost() {
    let world = World::metronome().await;
    world.apply(&deleted_by("End")).await;
    world.until_ready("acme").await;
    world.sim.fault(json!({"kind": "drop_reply", "path": END_DATE, "count": 1})).await;
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    let end = world.sim.terms(CUSTOMER).await["ending_before"].as_str().unwrap().to_owned();
    assert!(end.ends_with(":00:00+00:00") && !end.starts_with("2036"), "at a full hour: {end}");
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1), (END_DATE, 1)]));
}

#[tokio::test]
async fn a_contract_that_ends_later_ends_when_the_spec_says() {
    let world = World::metronome().await;
    world.apply(&with(deleted_by("End"), "/spec/endAt", json!("2034-05-01T06:00:00Z"))).await;
    world.until_ready("acme").await;
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    assert_eq!(world.sim.terms(CUSTOMER).await["ending_before"], "2034-05-01T06:00:00+00:00");
}

#[tokio::test]
async fn deleting_with_cancel_archives_once_although_replies_are_lost() {
    for void in [false, true] {
        let world = World::metronome().await;
        let spec = with(deleted_by("Cancel"), "/spec/voidInvoices", json!(void));
        world.apply(&spec).await;
        world.until_ready("acme").await;
        world.sim.fault(json!({"kind": "drop_reply", "path": ARCHIVE, "count": 1})).await;
        world.delete("acme").await;
        world.until_gone("acme", 1).await;
        assert_eq!(world.sim.only(CUSTOMER).await["state"], "archived");
        assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1), (ARCHIVE, 1)]));
        assert!(world.sim.sent(ARCHIVE).await[0].contains(&format!(r#""void_invoices":{void}"#)));
    }
}

#[tokio::test]
async fn a_contract_that_somebody_archived_is_reported_and_lets_its_resource_go() {
    let world = World::metronome().await;
    world.apply(&deleted_by("Cancel")).await;
    let id = world.until_ready("acme").await["status"]["contractId"].clone();
    let archive = json!({"customer_id": CUSTOMER, "contract_id": id, "void_invoices": false});
    world.sim.call(ARCHIVE, &archive).await;
    world.sim.forget_journal().await;
    world.ask("acme").await;
    let why = world.until_stalled("acme", "ContractArchived").await;
    assert!(why.contains(id.as_str().unwrap()), "{why}");
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    assert_eq!(world.sim.all_writes().await, traffic([]));
}

#[tokio::test]
async fn a_resource_that_never_held_a_contract_ends_none() {
    let world = World::metronome().await;
    world.sim.seed_terms(CUSTOMER, "theirs", &json!({"starting_at": START, "name": "Theirs"})).await;
    let spec = with(deleted_by("Cancel"), "/spec/adopt", json!({"contractId": "theirs", "mode": "Match"}));
    world.apply(&spec).await;
    world.until_stalled("acme", "AdoptionMismatch").await;
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    assert_eq!(world.sim.all_writes().await, traffic([]));
}

fn renewing() -> Value {
    let renewal = bare("renewal", CUSTOMER);
    plus(renewal, &json!({"transition": {"type": "RENEWAL", "fromContractRef": {"name": "acme"}}}))
}

#[tokio::test]
async fn a_renewal_waits_for_the_contract_that_it_renews_and_both_show_the_link() {
    let mut world = World::metronome().await;
    world.apply(&renewing()).await;
    let why = world.until_waiting("renewal", "RenewedContractNotReady").await;
    assert!(why.contains("acme"), "{why}");
    assert_eq!(world.sim.all_writes().await, traffic([]));

    world.apply(&acme()).await;
    let old = world.until_ready("acme").await["status"]["contractId"].clone();
    let new = world.until_ready("renewal").await;
    assert_eq!(new["status"]["renews"], old);
    let new = new["status"]["contractId"].clone();
    world.until("acme", |acme| acme["status"]["renewedBy"] == new).await;
    let held = world.sim.held(CUSTOMER).await;
    let renewal = held.iter().find(|held| held["id"] == new).unwrap();
    assert_eq!(renewal["contract"]["transitions"][0]["from_contract_id"], old);
    world.sim.forget_journal().await;
    world.second_look(2).await;
    assert_eq!(world.sim.all_writes().await, traffic([]));
}

#[tokio::test]
async fn what_cannot_be_changed_is_named_and_nothing_is_written() {
    let mut world = World::metronome().await;
    let spec = plus(
        acme(),
        &json!({
            "usageStatementSchedule": {"frequency": "QUARTERLY"}, "multiplierOverridePrioritization": "EXPLICIT",
            "totalContractValue": "500000", "netsuiteSalesOrderId": "SO-1", "salesforceOpportunityId": "OPP-1",
            "overrides": [],
        }),
    );
    world.apply(&spec).await;
    world.until_ready("acme").await;
    world.sim.forget_journal().await;
    let changes = [
        ("/startingAt", json!("2026-02-01T00:00:00Z")),
        ("/rateCardId", json!("7c1d2e3f-4a5b-4c6d-8e7f-9a0b1c2d3e99")),
        ("/usageStatementSchedule/frequency", json!("MONTHLY")),
        ("/multiplierOverridePrioritization", json!("LOWEST_MULTIPLIER")),
        ("/totalContractValue", json!("600000")),
        ("/netsuiteSalesOrderId", json!("SO-2")),
        ("/salesforceOpportunityId", json!("OPP-2")),
        ("/commits/0/type", json!("POSTPAID")),
    ];
    for (place, value) in changes {
        let field = place.rsplit('/').next().unwrap();
        match world.try_apply(&with(spec.clone(), &format!("/spec/metronome{place}"), value)).await {
            Ok(_) => {
                let why = world.until_stalled("acme", "ImmutableField").await;
                assert!(why.contains(field), "{place}: {why}");
            }
            Err(refusal) => assert!(refusal.contains(field), "{place}: {refusal}"),
        }
    }
    world.apply(&spec).await;
    world.until_ready("acme").await;
    world.second_look(1).await;
    assert_eq!(world.sim.all_writes().await, traffic([]));
}

#[tokio::test]
async fn an_account_that_may_not_edit_is_told_what_to_ask_for() {
    for switch in ["off403", "off400"] {
        let mut world = World::metronome().await;
        world.sim.set(json!({"metronome_editing": switch})).await;
        world.apply(&acme()).await;
        world.until_ready("acme").await;
        world.apply(&with(acme(), "/spec/metronome/name", json!("Acme 2027"))).await;
        let why = world.until_stalled("acme", "EditNotEnabled").await;
        assert!(why.contains("Ask Metronome"), "{why}");
        world.second_look(1).await;
        assert_eq!(world.sim.sent(EDIT).await.len(), 1, "{switch}");

        world.sim.set(json!({"metronome_editing": "enabled"})).await;
        world.start_operator().await;
        world.ask("acme").await;
        world.until("acme", |acme| kstatus::status_of(acme, "Ready") == Some("True")).await;
        assert_eq!(world.sim.terms(CUSTOMER).await["name"], "Acme 2027");
    }
}

#[tokio::test]
async fn what_is_on_a_final_invoice_is_refused_clearly_and_once() {
    let mut world = World::metronome().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.sim.act(CUSTOMER, "invoices", &json!({"state": "finalized"})).await;
    world.sim.forget_journal().await;
    let charge = "/spec/metronome/commits/0/invoiceSchedule/scheduleItems/0/amount";
    world.apply(&with(acme(), charge, json!("1"))).await;
    let why = world.until_stalled("acme", "Rejected").await;
    assert!(why.contains("invoice"), "{why}");
    world.second_look(1).await;
    assert_eq!(writes(world.sim.traffic(CUSTOMER).await), traffic([(EDIT, 1)]));
    assert!(world.sim.traffic(CUSTOMER).await.contains_key(GET));
}

#[tokio::test]
async fn a_product_is_changed_in_place_where_the_api_can() {
    let world = World::metronome().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let id = world.sim.terms(CUSTOMER).await["commits"][0]["id"].clone();
    world.sim.forget_journal().await;
    world.apply(&with(acme(), "/spec/metronome/commits/0/productId", json!(OTHER_PRODUCT))).await;
    world.until_ready("acme").await;
    let terms = world.sim.terms(CUSTOMER).await;
    assert_eq!(
        (&terms["commits"][0]["id"], &terms["commits"][0]["product"]["id"]),
        (&id, &json!(OTHER_PRODUCT))
    );
    assert_eq!(writes(world.sim.traffic(CUSTOMER).await), traffic([(EDIT, 1)]));
}
