//! What is written, and how often.

use serde_json::{Value, json};

use crate::support::{
    World, kstatus,
    metronome::{
        CREATE, CUSTOMER, EDIT, END, EUR, GET, HISTORY, LIST, PRODUCT, START, acme, traffic, writes,
    },
    plane::Plane,
    terms::{with, without},
};

const COMMITTED: &str = "/spec/metronome/commits/0/accessSchedule/scheduleItems/0/amount";

#[tokio::test]
async fn a_new_contract_costs_one_list_one_create_one_get_one_status_write_and_one_event() {
    let mut world = World::metronome().await;
    world.apply(&acme()).await;
    let contract = world.until_ready("acme").await;
    world.stop_operator().await;

    assert_eq!(world.sim.traffic(CUSTOMER).await, traffic([(LIST, 1), (CREATE, 1), (GET, 1)]));
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1)]));
    assert_eq!(world.versions("acme").await.len(), 2, "as created, and with its status");
    let events = world.events("acme").await;
    assert_eq!(events.len(), 1, "{events:?}");
    // Its terms are sound, and deserve a question.
    assert_eq!((events[0].type_.as_str(), events[0].reason.as_str()), ("Warning", "Applied"));
    assert!(events[0].text.contains("120000"), "committed, in dollars: {events:?}");

    let held = world.sim.only(CUSTOMER).await;
    let status = &contract["status"];
    assert_eq!(status["contractId"], held["id"]);
    assert_eq!(status["customerId"], CUSTOMER);
    assert_eq!(status["state"], "active");
    assert_eq!(status["term"], json!({"startDate": "2026-01-01", "endDate": "2036-01-01"}));
    assert_eq!(held["uniqueness_key"], format!("countersign/{}/acme", world.namespace));
    assert_eq!(held["edits"], 0);
    let recorded = |key: &str| {
        let items = status["items"].as_array().unwrap();
        items.iter().find(|item| item["key"] == key).map(|item| item["id"].clone())
    };
    assert_eq!(recorded("commits/launch"), Some(held["contract"]["commits"][0]["id"].clone()));
    assert!(contract["metadata"]["finalizers"].is_null(), "nothing can be stuck");
}

#[tokio::test]
async fn the_columns_of_kubectl_get_answer_what_is_billed() {
    let world = World::metronome().await;
    let mut acme = acme();
    let mut euros = acme["spec"]["metronome"]["commits"][0].clone();
    euros["key"] = json!("euros");
    euros["invoiceSchedule"] =
        json!({"creditTypeId": EUR, "scheduleItems": [{"timestamp": START, "amount": "7000"}]});
    acme["spec"]["metronome"]["commits"].as_array_mut().unwrap().push(euros);
    world.apply(&acme).await;
    world.until_ready("acme").await;
    let id = world.sim.only(CUSTOMER).await["id"].as_str().unwrap().to_owned();
    let table = Plane::shared().kubectl(&["-n", &world.namespace, "get", "bc", "-o", "wide"]);
    let columns = "NAME READY REASON STATE CONTRACT COMMITTED ENDS AGE CUSTOMER ID PROVIDER DRIFTED MESSAGE";
    let (heads, row) = table.split_once('\n').unwrap();
    assert_eq!(heads.split_whitespace().collect::<Vec<_>>().join(" "), columns);
    for cell in [
        "acme",
        "True",
        "active",
        "Acme 2026",
        "120000.00 USD, 7000 EUR",
        "2036-01-01",
        CUSTOMER,
        &id,
        "False",
        "metronome",
    ] {
        assert!(row.contains(cell), "{cell} in {table}");
    }
}

#[tokio::test]
async fn an_unchanged_contract_is_read_once_and_not_written_again() {
    let mut world = World::metronome().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let before = world.get("acme").await;
    world.sim.forget_journal().await;
    world.second_look(1).await;
    assert_eq!(world.sim.traffic(CUSTOMER).await, traffic([(GET, 1)]));
    assert_eq!(world.get("acme").await["status"], before["status"]);
    assert_eq!(world.versions("acme").await.len(), 2);
    assert_eq!(world.events("acme").await.len(), 1);
}

#[tokio::test]
async fn the_same_contract_in_other_words_is_no_drift() {
    let mut world = World::metronome().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let before = world.get("acme").await;
    world.sim.forget_journal().await;
    world.sim.set(json!({"metronome_view": "retold"})).await;
    world.second_look(1).await;
    assert_eq!(world.sim.traffic(CUSTOMER).await, traffic([(GET, 1)]));
    assert_eq!(world.get("acme").await["status"], before["status"]);
    assert_eq!(world.versions("acme").await.len(), 2);
}

#[tokio::test]
async fn a_change_is_one_edit_and_the_billing_api_holds_the_new_value() {
    let mut world = World::metronome().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let changes: [(&str, Value, &str, Value); 4] = [
        ("/spec/metronome/name", json!("Acme 2027"), "/name", json!("Acme 2027")),
        (
            COMMITTED,
            json!("13000000.50"),
            "/commits/0/access_schedule/schedule_items/0/amount",
            json!(13_000_000.50),
        ),
        (
            "/spec/metronome/endingBefore",
            json!("2035-01-01T00:00:00Z"),
            "/ending_before",
            json!("2035-01-01T00:00:00+00:00"),
        ),
        ("/spec/metronome/netPaymentTermsDays", json!("45"), "/net_payment_terms_days", json!(45)),
    ];
    let mut spec = acme();
    for (pointer, value, place, expected) in changes {
        world.sim.forget_journal().await;
        spec = with(spec, pointer, value);
        world.apply(&spec).await;
        world.until_ready("acme").await;
        let traffic_now = world.sim.traffic(CUSTOMER).await;
        assert_eq!(writes(traffic_now.clone()), traffic([(EDIT, 1)]), "{pointer}");
        assert!(traffic_now.get(GET).is_some_and(|gets| *gets <= 2), "{traffic_now:?}");
        assert!(traffic_now.get(HISTORY).is_none_or(|reads| *reads == 1), "{traffic_now:?}");
        assert_eq!(world.sim.terms(CUSTOMER).await.pointer(place), Some(&expected), "{pointer}");
    }
    world.sim.forget_journal().await;
    world.second_look(1).await;
    assert_eq!(world.sim.traffic(CUSTOMER).await, traffic([(GET, 1)]));
    let sent = world.sim.only(CUSTOMER).await;
    assert_eq!(sent["edits"], 4);
    assert_eq!(world.events("acme").await.len(), 5);
}

#[tokio::test]
async fn several_changes_at_once_are_one_edit() {
    let world = World::metronome().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.sim.forget_journal().await;
    let spec = with(with(acme(), "/spec/metronome/name", json!("Acme 2027")), COMMITTED, json!("13000000"));
    let spec = with(spec, "/spec/metronome/overrides/0/multiplier", json!("0.75"));
    let mut spec = without(spec, "/spec/metronome/endingBefore");
    let another = with(spec["spec"]["metronome"]["credits"][0].clone(), "/key", json!("second"));
    spec["spec"]["metronome"]["credits"].as_array_mut().unwrap().push(another);
    spec["spec"]["metronome"]["scheduledCharges"] = json!([]);
    world.apply(&spec).await;
    world.until_ready("acme").await;

    assert_eq!(writes(world.sim.traffic(CUSTOMER).await), traffic([(EDIT, 1)]));
    let terms = world.sim.terms(CUSTOMER).await;
    assert_eq!(terms["name"], "Acme 2027");
    assert_eq!(terms["commits"][0]["access_schedule"]["schedule_items"][0]["amount"], 13_000_000);
    assert_eq!(terms["overrides"].as_array().unwrap().len(), 1, "{terms:#}");
    assert_eq!(terms["overrides"][0]["multiplier"], 0.75);
    assert!(terms["ending_before"].is_null(), "{terms:#}");
    assert_eq!(terms["credits"].as_array().unwrap().len(), 2);
    assert!(terms["scheduled_charges"][0]["archived_at"].is_string(), "{terms:#}");
}

#[tokio::test]
async fn amounts_arrive_digit_by_digit_and_are_not_written_twice() {
    let mut world = World::metronome().await;
    let digits = "1.234567890123456789012345678";
    world.apply(&with(acme(), COMMITTED, json!(digits))).await;
    world.until_ready("acme").await;
    let changed = "9999999999999999999999999.999";
    world.apply(&with(acme(), COMMITTED, json!(changed))).await;
    world.until_ready("acme").await;
    assert!(world.sim.sent(CREATE).await[0].contains(&format!(r#""amount":{digits},"#)));
    assert!(world.sim.sent(EDIT).await[0].contains(&format!(r#""amount":{changed}"#)));
    world.second_look(1).await;
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1), (EDIT, 1)]));
}

#[tokio::test]
async fn drift_is_corrected() {
    let world = World::metronome().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.sim.edit(CUSTOMER, json!({"update_contract_name": "Typed by hand"})).await;
    let contract = world.reconcile("acme").await;
    assert_eq!(kstatus::status_of(&contract, "Ready"), Some("True"));
    assert_eq!(world.sim.terms(CUSTOMER).await["name"], "Acme 2026");
    assert_eq!(writes(world.sim.traffic(CUSTOMER).await), traffic([(EDIT, 1)]));
}

#[tokio::test]
async fn the_same_correction_is_made_as_often_as_the_same_drift_comes_back() {
    let world = World::metronome().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    for _ in 0..3 {
        world.sim.edit(CUSTOMER, json!({"update_contract_end_date": "2030-01-01T00:00:00Z"})).await;
        world.reconcile("acme").await;
        assert_eq!(world.sim.terms(CUSTOMER).await["ending_before"], END.replace('Z', "+00:00"));
    }
    assert_eq!(world.sim.only(CUSTOMER).await["edits"], 6);
}

#[tokio::test]
async fn drift_is_only_reported_when_the_policy_says_so() {
    let world = World::metronome().await;
    let reporting = with(acme(), "/spec/driftPolicy", json!("Report"));
    world.apply(&reporting).await;
    world.until_ready("acme").await;
    world.sim.edit(CUSTOMER, json!({"update_contract_name": "Typed by hand"})).await;
    let contract = world.reconcile("acme").await;
    assert_eq!(kstatus::status_of(&contract, "Drifted"), Some("True"));
    assert_eq!(contract["status"]["drift"], json!(["/name: billing says Typed by hand, Git says Acme 2026"]));
    assert_eq!(writes(world.sim.traffic(CUSTOMER).await), traffic([]));

    // A change of the spec is no drift: it is carried out.
    world.apply(&with(reporting, "/spec/metronome/netPaymentTermsDays", json!("45"))).await;
    let contract = world.until("acme", |contract| contract["status"]["drift"].is_null()).await;
    assert_eq!(kstatus::status_of(&contract, "Drifted"), Some("False"));
    assert_eq!(world.sim.terms(CUSTOMER).await["name"], "Acme 2026");
}

#[tokio::test]
async fn what_somebody_added_in_the_billing_api_is_reported_and_left_alone() {
    let world = World::metronome().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let credit = json!({
        "product_id": PRODUCT, "name": "Goodwill",
        "access_schedule": {"schedule_items":
            [{"amount": 5, "starting_at": "2026-02-01T00:00:00Z", "ending_before": "2026-03-01T00:00:00Z"}]},
    });
    world.sim.edit(CUSTOMER, json!({"add_credits": [credit]})).await;
    let contract = world.reconcile("acme").await;
    assert_eq!(writes(world.sim.traffic(CUSTOMER).await), traffic([]));
    assert_eq!(kstatus::status_of(&contract, "Drifted"), Some("True"), "{contract:#}");
    assert!(contract["status"]["drift"][0].as_str().unwrap().contains("Goodwill"), "{contract:#}");
}
