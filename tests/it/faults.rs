//! A billing API that loses replies, answers late, wrongly, or not what was written.

use serde_json::{Value, json};

use crate::support::{
    World,
    kstatus::{self, Standing},
    rounding,
    sim::{Calls, TOKEN},
    terms::{ORG, PRICE, acme, contract, organization, provider, secret, wire, with},
    world::{message, reason},
};

#[tokio::test]
async fn a_lost_reply_does_not_create_a_second_contract_or_write() {
    let world = World::start().await;
    world.sim.fault(json!({"kind": "drop_reply", "method": "PUT", "count": 1})).await;
    world.apply(&acme()).await;
    let contract = world.until_ready("acme").await;
    assert_eq!(contract["status"]["contractId"], world.sim.contract(ORG).await["contract_id"]);
    assert!(contract["status"]["unconfirmedWrite"].is_null());
    assert_eq!(world.sim.calls(ORG).await, Calls { gets: 2, puts: 1 });

    world.sim.fault(json!({"kind": "drop_reply", "method": "PUT", "count": 1})).await;
    world.apply(&with(acme(), PRICE, json!("0.49"))).await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await, Calls { gets: 4, puts: 2 });
}

#[tokio::test]
async fn a_write_whose_reply_was_lost_is_known_again_after_the_spec_has_moved_on() {
    let mut world = World::start().await;
    world.sim.set(json!({"zoo_view": "retold"})).await;
    world.sim.fault(json!({"kind": "drop_reply", "method": "PUT", "count": 1})).await;
    world.apply(&acme()).await;
    world.until_waiting("acme", "WriteUnconfirmed").await;
    world.take_operator().kill();
    world.apply(&with(acme(), PRICE, json!("0.49"))).await;
    world.start_operator().await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 2);
}

#[tokio::test]
async fn a_request_that_was_lost_on_its_way_is_sent_again() {
    let world = World::start().await;
    world.sim.fault(json!({"kind": "drop_request", "method": "PUT", "count": 2})).await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.contract(ORG).await["writes"], 1);
}

#[tokio::test]
async fn an_answer_after_the_timeout_counts_as_unknown_and_is_looked_up() {
    let mut world = World::bare().await;
    world.apply(&secret(TOKEN)).await;
    world.apply(&with(provider(&world.sim.url), "/spec/requestTimeoutSeconds", json!(1))).await;
    world.start_operator().await;
    world.sim.fault(json!({"kind": "delay_reply", "method": "PUT", "delay_ms": 5000, "count": 1})).await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await, Calls { gets: 2, puts: 1 });
}

#[tokio::test]
async fn a_write_that_arrives_behind_a_newer_one_is_noticed_as_soon_as_none_can_arrive_any_more() {
    let world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.sim.fault(json!({"kind": "late", "method": "PUT", "delay_ms": 9000, "count": 1})).await;
    world.apply(&with(acme(), PRICE, json!("0.49"))).await;
    world.until_waiting("acme", "WriteUnconfirmed").await;
    world.apply(&with(acme(), PRICE, json!("0.48"))).await;
    let ready = world.until_ready("acme").await;
    assert_eq!(ready["status"]["unconfirmedWrite"]["lost"].as_array().map(Vec::len), Some(1), "{ready:#}");
    // The sync period is ten minutes.
    for price in ["0.49", "0.48"] {
        let is_billed = async || {
            let billed = world.sim.contract(ORG).await["items"].to_string();
            billed.contains(&format!("\"unit_price\":{price}"))
        };
        let give_up = std::time::Instant::now() + std::time::Duration::from_secs(90);
        while !is_billed().await {
            assert!(std::time::Instant::now() < give_up, "{price} is not billed");
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }
    world.until("acme", |contract| contract["status"]["unconfirmedWrite"].is_null()).await;
}

#[tokio::test]
async fn the_first_of_two_lost_writes_is_known_again() {
    let world = World::start().await;
    world.sim.fault(json!({"kind": "drop_reply", "method": "PUT", "count": 1})).await;
    world.apply(&acme()).await;
    world.until_waiting("acme", "WriteUnconfirmed").await;
    world.sim.fault(json!({"kind": "status", "status": 500, "method": "PUT", "count": 1})).await;
    world.apply(&with(acme(), PRICE, json!("0.49"))).await;
    world.apply(&with(acme(), PRICE, json!("0.48"))).await;
    world.until_ready("acme").await;
}

#[tokio::test]
async fn errors_of_the_server_pass() {
    let world = World::start().await;
    world.sim.fault(json!({"kind": "status", "status": 500, "method": "GET", "path": format!("/orgs/{ORG}"), "count": 2})).await;
    world.sim.fault(json!({"kind": "status", "status": 503, "method": "PUT", "count": 2})).await;
    world.apply(&acme()).await;
    world.until_waiting("acme", "BillingUnreachable").await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.contract(ORG).await["writes"], 1);
}

#[tokio::test]
async fn a_contract_that_is_ready_stays_ready_through_a_short_failure() {
    let mut world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.sim.fault(json!({"kind": "status", "status": 500, "method": "GET", "path": format!("/orgs/{ORG}"), "count": 1})).await;
    world.reconcile("acme").await;
    world.stop_operator().await;
    let versions = world.versions("acme").await;
    let never_unready =
        versions.iter().skip(1).all(|contract| kstatus::status_of(contract, "Ready") == Some("True"));
    assert!(never_unready, "{versions:#?}");
    assert_eq!(world.sim.calls(ORG).await, Calls { gets: 3, puts: 1 });
}

#[tokio::test]
async fn a_refusal_of_the_billing_api_is_passed_on_and_not_sent_again() {
    let mut world = World::start().await;
    world.sim.fault(json!({"kind": "status", "status": 422, "method": "PUT"})).await;
    world.apply(&acme()).await;
    let why = world.until_stalled("acme", "Rejected").await;
    assert!(why.contains("HTTP 422"), "{why}");
    world.second_look(1).await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
    assert_eq!(world.events("acme").await.len(), 1);
}

#[tokio::test]
async fn a_pause_that_the_billing_api_asks_for_holds_its_provider_and_no_other() {
    let mut world = World::start().await;
    world.until_provider(|provider| kstatus::compute(provider) == Standing::Current).await;
    world.sim.fault(json!({"kind": "status", "status": 429, "retry_after_seconds": 3600, "path": "/orgs/", "count": 1})).await;
    world.apply(&acme()).await;
    world.until_waiting("acme", "Throttled").await;
    let before = world.sim.requests().await.len();

    // More contracts than are worked on at once, and all of them say what they wait for.
    for n in 0..40 {
        world.apply(&contract(&format!("c{n}"), &organization(n))).await;
    }
    // Another account is not held up by them.
    let other = World::bare().await;
    let mut other_provider = with(provider(&other.sim.url), "/metadata/name", json!("other"));
    other_provider["spec"]["zoo"]["baseUrl"] = json!(other.sim.url);
    world.apply(&other_provider).await;
    let elsewhere = organization(1000);
    other.sim.register(&elsewhere).await;
    world
        .apply(&with(contract("elsewhere", &elsewhere), "/spec/providerRef", json!({"name": "other"})))
        .await;
    world.until_ready("elsewhere").await;
    for n in 0..40 {
        world.until_waiting(&format!("c{n}"), "Throttled").await;
    }
    world.stop_operator().await;
    assert_eq!(world.sim.requests().await.len(), before, "nothing is asked of it meanwhile");
}

#[tokio::test]
async fn a_short_pause_ends_by_itself() {
    let world = World::start().await;
    world
        .sim
        .fault(
            json!({"kind": "status", "status": 429, "retry_after_seconds": 1, "path": "/orgs/", "count": 3}),
        )
        .await;
    for n in 0..5 {
        world.sim.register(&organization(n)).await;
        world.apply(&contract(&format!("c{n}"), &organization(n))).await;
    }
    for n in 0..5 {
        world.until_ready(&format!("c{n}")).await;
        assert_eq!(world.sim.contract(&organization(n)).await["writes"], 1);
    }
}

#[tokio::test]
async fn stale_reads_do_not_undo_a_change() {
    let world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.apply(&with(acme(), PRICE, json!("0.49"))).await;
    world.until_ready("acme").await;
    world
        .sim
        .fault(json!({"kind": "stale_read", "method": "GET", "path": format!("/orgs/{ORG}"), "count": 1}))
        .await;
    world.reconcile("acme").await;
    world.reconcile("acme").await;
    world.until_ready("acme").await;
    assert!(world.sim.written(ORG).await.iter().skip(1).all(|body| body.contains(r#""unit_price":0.49}"#)));
}

#[tokio::test]
async fn an_api_that_never_says_what_was_written_stops_being_written_also_after_a_restart() {
    let api = rounding::Api::start().await;
    let mut world = World::bare().await;
    world.apply(&secret(TOKEN)).await;
    world.apply(&provider(&api.url)).await;
    world.start_operator().await;
    world.apply(&with(acme(), PRICE, json!("0.4567"))).await;
    let why = world.until_stalled("acme", "NonConverging").await;
    assert!(why.contains("unitPrice: 0.46 -> 0.4567") && why.contains("ignoreDrift"), "{why}");
    let puts = api.puts();
    assert!(puts <= 4, "{puts}");
    world.second_look(1).await;
    assert_eq!(api.puts(), puts);
    assert_eq!(kstatus::compute(&world.get("acme").await), Standing::Failed);

    // What the message advises helps.
    world.start_operator().await;
    world.apply(&with(acme(), PRICE, json!("0.46"))).await;
    world.until_ready("acme").await;
    assert_eq!(api.puts(), puts);
}

#[tokio::test]
async fn nonsense_is_not_taken_for_a_contract() {
    let api = rounding::Api::start().await;
    let mut world = World::bare().await;
    world.apply(&secret(TOKEN)).await;
    world.apply(&provider(&api.url)).await;
    world.start_operator().await;
    world.until_provider(|provider| kstatus::compute(provider) == Standing::Current).await;
    api.answer_with(json!({"hello": "world"}));
    world.apply(&acme()).await;
    let why = world.until_waiting("acme", "BillingUnreachable").await;
    assert!(why.contains("not a contract"), "{why}");
    api.answer_with(Value::Null);
    world.until_ready("acme").await;
}

/// The only contract of an organization as a read tells it, but for this.
async fn told_otherwise(world: &World, member: &str, value: Value) -> Value {
    let mut told = world.sim.contract(ORG).await;
    for ours in ["organization_id", "updated_at", "writes"] {
        told.as_object_mut().unwrap().remove(ours);
    }
    told[member] = value;
    json!({"kind": "body", "method": "GET", "path": format!("/orgs/{ORG}"), "body": told.to_string()})
}

#[tokio::test]
async fn a_state_that_this_version_does_not_know_is_named_and_not_written_over() {
    let mut world = World::start().await;
    world.apply(&with(acme(), "/spec/deletionPolicy", json!("Cancel"))).await;
    world.until_ready("acme").await;
    world.sim.fault(told_otherwise(&world, "status", json!("paused")).await).await;
    world.ask("acme").await;
    let why = world.until_stalled("acme", "UnknownState").await;
    assert!(why.contains("is paused in billing") && why.contains("approved-plan="), "{why}");
    world.second_look(1).await;
    world.start_operator().await;
    world.delete("acme").await;
    let is_asked = |contract: &Value| {
        let said = message(contract);
        said.contains("paused") && said.contains("billing.countersign.dev/release=true")
    };
    world.until("acme", is_asked).await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
    // It ends once it is in a state again that is known.
    world.sim.heal().await;
    world.ask("acme").await;
    world.until_gone("acme", 1).await;
    assert_eq!(world.sim.contract(ORG).await["status"], "canceled");
}

#[tokio::test]
async fn a_reply_of_which_a_status_could_not_tell_is_waited_out_and_said() {
    let world = World::start().await;
    world.sim.seed(ORG, "8b7a6958-4736-4251-9e4d-3c2b1a0f9aaa", &wire(&acme())).await;
    let mut gone = 0;
    for (member, odd) in
        [("contract_id", "i".repeat(300)), ("account_id", "あ".repeat(300)), ("status", "s".repeat(5000))]
    {
        world.sim.fault(told_otherwise(&world, member, json!(odd)).await).await;
        world.apply(&acme()).await;
        let said = |contract: &Value| message(contract).contains(&format!("`{member}` of the reply has"));
        let contract = world.until("acme", said).await;
        assert_eq!(reason(&contract), "BillingUnreachable");
        world.sim.heal().await;
        world.delete("acme").await;
        gone += 1;
        world.until_gone("acme", gone).await;
    }
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 0);
}

/// What no billing API means to answer.
fn nonsense() -> Vec<(u16, &'static str, &'static str)> {
    let json = "application/json";
    vec![
        (200, json, "null"),
        (200, json, "{}"),
        (200, json, "[]"),
        (200, json, "true"),
        (200, json, r#"{"contract_id":""}"#),
        (200, json, r#"{"contract_id":7,"contract_id":null}"#),
        (200, json, "{\"contract_id\": NaN}"),
        (200, json, "\u{feff}{}"),
        (200, json, ""),
        (204, json, ""),
        (206, json, "{"),
        (200, "", "{}"),
        (200, "text/html", "<html>welcome</html>"),
        (302, "text/html", "moved"),
        (304, json, ""),
    ]
}

#[tokio::test]
async fn a_write_that_is_answered_by_nonsense_is_looked_up_and_made_once() {
    let world = World::start().await;
    let cases: Vec<_> =
        nonsense().into_iter().flat_map(|odd| [(odd, true), (odd, false)]).enumerate().collect();
    for (n, ((status, type_, body), carry_out)) in &cases {
        let id = organization(*n);
        world.sim.register(&id).await;
        let fault = json!({
            "kind": "body", "status": status, "content_type": type_, "body": body, "carry_out": carry_out,
            "method": "PUT", "path": format!("/orgs/{id}"), "count": 1,
        });
        world.sim.fault(fault).await;
        world.apply(&contract(&format!("c{n}"), &id)).await;
    }
    for (n, case) in cases {
        world.until_ready(&format!("c{n}")).await;
        assert_eq!(world.sim.contract(&organization(n)).await["writes"], 1, "{case:?}");
    }
}
