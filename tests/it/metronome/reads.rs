//! Reads that prove it: what use costs after all overrides, and what is invoiced already of what a plan changes. Neither is
//! read where nobody asks and nothing of the past is touched.

use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    World, kstatus,
    metronome::{CUSTOMER, EDIT, OTHER_PRODUCT, PRODUCT, RATE_CARD, START, USD, acme, traffic, writes},
    sim::Request,
    terms::with,
    world,
};

const RATES: &str = "/v1/contracts/getContractRateSchedule";
const INVOICED: &str = "/spec/metronome/commits/0/invoiceSchedule/scheduleItems/0/amount";

/// What was asked of a path.
async fn asked(world: &World, path: &str) -> Vec<Request> {
    world.sim.requests().await.into_iter().filter(|request| request.path.contains(path)).collect()
}

/// Runs the program with the operator's rights.
fn run(world: &World, arguments: &[&str]) -> (i32, String) {
    let ran = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(arguments)
        .args(["--context", "operator", "--namespace", &world.namespace, "--own-namespace", &world.namespace])
        .args(["--allowed-hosts", "127.0.0.1"])
        .env("KUBECONFIG", &world.options.kubeconfig)
        .output()
        .unwrap();
    let text = String::from_utf8(ran.stdout).unwrap() + &String::from_utf8(ran.stderr).unwrap();
    (ran.status.code().unwrap(), text)
}

async fn seed_rates(world: &World) {
    let rate = |product: &str, price: Value| json!({"product_id": product, "rate_type": "FLAT", "starting_at": START, "price": price, "credit_type_id": USD});
    let regions = (0..150).map(|n| {
        let mut rate = rate(OTHER_PRODUCT, json!(n));
        rate["pricing_group_values"] = json!({"region": format!("r{n:03}")});
        rate
    });
    let rates: Vec<Value> = std::iter::once(rate(PRODUCT, json!(50))).chain(regions).collect();
    let path = format!("/metronome/rate-cards/{RATE_CARD}/rates");
    world.sim.control(Method::PUT, &path, &rates.into()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_use_costs_is_shown_beside_what_the_spec_says_and_apart_where_it_does_not() {
    let world = World::metronome().await;
    seed_rates(&world).await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    assert!(asked(&world, RATES).await.is_empty(), "the operator asks for no rates");
    let foreign = json!({"starting_at": "2026-02-01T00:00:00Z", "type": "MULTIPLIER", "multiplier": 0.5,
        "override_specifiers": [{"product_id": OTHER_PRODUCT, "pricing_group_values": {"region": "r007"}}]});
    world.sim.edit(CUSTOMER, json!({"add_overrides": [foreign]})).await;
    world.sim.forget_journal().await;

    let (code, told) = run(&world, &["status", "acme", "--rates"]);
    assert_eq!(code, 0, "{told}");
    let place = format!("What use of BillingContract {}/acme costs now:", world.namespace);
    let (_, rates) = told.split_once(&place).unwrap_or_else(|| panic!("{told}"));
    for part in [
        "not explained by the spec:\n    GPU (region=r007): 0.035 USD instead of 0.07 USD from 2026-02-01\n",
        "      the spec says nothing of it\n",
        "API: 0.40 USD instead of 0.50 USD from 2026-01-01\n    the spec says x 0.8 (/overrides/0, 0.40 USD)\n",
        "GPU (region=r149): 1.49 USD, the list rate",
    ] {
        assert!(rates.contains(part), "{part}\n{told}");
    }
    let pages = asked(&world, RATES).await;
    assert_eq!(pages.len(), 2, "150 rates and one are two pages");
    assert!(pages[0].body.contains(CUSTOMER) && pages[1].path.contains("next_page="), "{pages:?}");

    let (_, told) = run(&world, &["status", "acme", "--rates", "-o", "json"]);
    let tree: Value = serde_json::from_str(&told).unwrap();
    let rates = &tree["rates"][0]["rates"]["rates"];
    let standing = |index: usize| rates[index]["standing"].clone();
    assert_eq!(
        (rates.as_array().unwrap().len(), standing(0), standing(1)),
        (151, json!("unexplained"), json!("asSigned"))
    );
    assert_eq!(rates[1]["effective"]["price"], "40");

    let context = ["plan", "--rates"];
    let (code, told) = run(&world, &context);
    assert!(code != 1 && told.contains(&place) && told.contains("GPU (region=r007): 0.035 USD"), "{told}");
    let (_, told) = run(&world, &[&context[..], &["-o", "json"]].concat());
    let plan: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(plan["rates"][0]["name"], format!("{}/acme", world.namespace));
    let (code, told) = run(&world, &[&context[..], &["-o", "markdown"]].concat());
    assert!(code == 1 && told.contains("--rates is told as text or JSON"), "{told}");
    assert_eq!(writes(world.sim.traffic(CUSTOMER).await), traffic([]), "all of it only reads");
    world.sim.fault(json!({"kind": "status", "path": RATES, "status": 403})).await;
    let (code, told) = run(&world, &["status", "acme", "--rates"]);
    assert!(code == 0 && told.contains("they could not be read"), "{told}");
}

#[tokio::test]
async fn a_plan_names_the_final_invoices_of_what_it_changes_and_asks_for_them_only_then() {
    let mut world = World::metronome().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.second_look(1).await;
    world.start_operator().await;
    world.apply(&with(acme(), "/spec/metronome/name", json!("Acme 2027"))).await;
    world.until_ready("acme").await;
    assert!(asked(&world, "/invoices").await.is_empty(), "nothing of the past was touched");

    world.sim.act(CUSTOMER, "invoices", &json!({"state": "finalized"})).await;
    let id = world.sim.only(CUSTOMER).await["id"].as_str().unwrap().to_owned();
    let paid =
        world.sim.invoices(&id).await.into_iter().find(|invoice| invoice["total"] == 12_000_000).unwrap();
    let paid = paid["id"].as_str().unwrap();
    let name = format!("invoice {paid} of 2026-01-01, 120000.00 USD");

    // What the API would refuse is known beforehand.
    let asks = with(acme(), "/spec/managementPolicy", json!("Plan"));
    world
        .apply(&with(with(asks, "/spec/metronome/name", json!("Acme 2027")), INVOICED, json!("13000000")))
        .await;
    let waits = world.until("acme", |contract| world::reason(contract) == "AwaitingApproval").await;
    let lines = waits["status"]["plan"]["lines"].to_string();
    assert!(lines.contains(&format!("{name} (/commits/launch): is final and stays as it is")), "{lines}");
    assert_eq!(asked(&world, "/invoices").await.len(), 1);

    // What is carried out says so in its event.
    let narrower = with(acme(), "/spec/metronome/name", json!("Acme 2027"));
    let narrower = with(narrower, "/spec/metronome/commits/0/applicableProductIds", json!([PRODUCT]));
    world.apply(&narrower).await;
    world.until_ready("acme").await;
    world.until_event("acme", &name).await;
    let reads = asked(&world, "/invoices").await;
    assert_eq!(reads.len(), 2, "once a plan, and not after it was carried out");
    assert!(
        reads[1].path.contains(&format!("contract_id={id}")) && reads[1].path.contains("status=FINALIZED")
    );

    // A token without the right to read invoices stops nothing.
    world.sim.fault(json!({"kind": "status", "path": "/v1/customers/*/invoices*", "status": 403})).await;
    world
        .apply(&with(
            narrower,
            "/spec/metronome/commits/0/applicableProductIds",
            json!([PRODUCT, OTHER_PRODUCT]),
        ))
        .await;
    world.until_ready("acme").await;
    world.until_event("acme", "what is invoiced already is not known").await;
    assert_eq!(writes(world.sim.traffic(CUSTOMER).await).get(EDIT), Some(&3));
    let provider = world.get_object("BillingProvider", "metronome").await;
    assert_eq!(kstatus::status_of(&provider, "Ready"), Some("True"), "the token is good");
}
