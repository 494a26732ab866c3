//! A billing API that answers as none should: the process lives, what was written is looked up and made once, and what is
//! said to people fits.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::support::{
    World, kstatus, metronome,
    sim::TOKEN,
    terms::{ORG, acme, contract, organization, provider, secret, wire, with},
    world::{message, reason},
};

/// Answers that no API means to give, of which none is what was asked for.
fn answers() -> Vec<Value> {
    vec![
        json!({"kind": "html"}),
        json!({"kind": "html", "status": 200}),
        json!({"kind": "html", "status": 502}),
        json!({"kind": "endless_body"}),
        json!({"kind": "endless_body", "status": 400}),
        json!({"kind": "stalled_body"}),
        json!({"kind": "cut_body"}),
        json!({"kind": "deep_json", "depth": 10_000}),
        json!({"kind": "deep_json", "depth": 1_000_000, "status": 404}),
        json!({"kind": "huge_headers"}),
    ]
}

/// A fault that meets one request.
fn once(answer: &Value, more: &Value) -> Value {
    let mut fault = answer.clone();
    let members = fault.as_object_mut().unwrap();
    members.insert("count".to_owned(), json!(1));
    members.extend(more.as_object().unwrap().clone());
    fault
}

/// A provider that waits for an answer two seconds at most.
fn impatient(provider: Value) -> Value {
    with(provider, "/spec/requestTimeoutSeconds", json!(2))
}

#[tokio::test]
async fn whatever_zoo_answers_the_operator_lives_and_each_contract_is_written_once() {
    let mut world = World::bare().await;
    world.apply(&secret(TOKEN)).await;
    world.apply(&impatient(provider(&world.sim.url))).await;
    world.start_operator().await;
    world.until_provider(|provider| kstatus::compute(provider) == kstatus::Standing::Current).await;
    let mut cases = Vec::new();
    for answer in answers() {
        for more in [
            json!({"method": "GET"}),
            json!({"method": "PUT", "carry_out": false}),
            json!({"method": "PUT", "carry_out": true}),
        ] {
            let (n, mut more) = (cases.len(), more);
            more["path"] = json!(format!("/orgs/{}", organization(n)));
            world.sim.register(&organization(n)).await;
            world.sim.fault(once(&answer, &more)).await;
            world.apply(&contract(&format!("c{n}"), &organization(n))).await;
            cases.push((answer.clone(), more));
        }
    }
    for (n, case) in cases.iter().enumerate() {
        world.until_ready(&format!("c{n}")).await;
        assert_eq!(world.sim.contract(&organization(n)).await["writes"], 1, "{case:?}");
    }
    assert!(world.operator().runs());
    let memory = world.operator().peak_memory();
    assert!(memory.is_none_or(|kib| kib < 400 << 10), "{memory:?} KiB: replies are read within bounds");
}

#[tokio::test]
async fn whatever_metronome_answers_the_operator_lives_and_each_contract_is_made_once() {
    let mut world = World::metronome_bare().await;
    world.apply(&metronome::secret(TOKEN)).await;
    world.apply(&impatient(metronome::provider(&world.sim.url))).await;
    world.start_operator().await;
    for (n, answer) in answers().iter().enumerate() {
        let (name, customer) = (format!("c{n}"), metronome::customer(n));
        world.sim.seed_customers(std::slice::from_ref(&customer)).await;
        for path in [metronome::LIST, metronome::CREATE, metronome::GET] {
            let more = json!({"path": path, "carry_out": n % 2 == 0});
            world.sim.fault(once(answer, &more)).await;
        }
        world.apply(&metronome::contract(&name, &customer)).await;
        world.until_ready(&name).await;
        world.sim.fault(once(answer, &json!({"path": metronome::EDIT, "carry_out": n % 2 == 1}))).await;
        let renamed = metronome::contract(&name, &customer);
        world.apply(&with(renamed, "/spec/metronome/name", json!("Another"))).await;
        world.until_ready(&name).await;
        let held = world.sim.only(&customer).await;
        assert_eq!((&held["contract"]["name"], &held["edits"]), (&json!("Another"), &json!(1)), "{answer}");
        world.sim.heal().await;
    }
    assert!(world.operator().runs());
}

#[tokio::test]
async fn whatever_a_look_at_a_held_contract_is_answered_nothing_is_written_and_nothing_forgotten() {
    let mut world = World::bare().await;
    world.apply(&secret(TOKEN)).await;
    world.apply(&impatient(provider(&world.sim.url))).await;
    world.start_operator().await;
    let planned = with(contract("planned", &organization(0)), "/spec/managementPolicy", json!("Plan"));
    world.sim.register(&organization(0)).await;
    world.sim.seed(&organization(0), "8b7a6958-4736-4251-9e4d-3c2b1a0f9aaa", &wire(&planned)).await;
    for (name, id, spec) in [("acme", ORG.to_owned(), acme()), ("planned", organization(0), planned)] {
        world.apply(&spec).await;
        let held = world.until_ready(name).await["status"]["contractId"].clone();
        world
            .sim
            .change(&id, |body| {
                body["notes"] = json!("theirs");
                body["periods"][0]["rollover_in_amount"] = json!(5000);
                body["periods"][0]["status"] = json!("closed");
            })
            .await;
        let (before, puts) = (world.sim.contract(&id).await, world.sim.calls(&id).await.puts);
        let not_found = [
            json!({"kind": "status", "status": 404}),
            json!({"kind": "body", "body": "null", "status": 404}),
        ];
        for answer in answers().iter().chain(&not_found) {
            world.sim.fault(once(answer, &json!({"method": "GET", "path": format!("/orgs/{id}")}))).await;
            world.ask(name).await;
            world.until_ready(name).await;
            let contract = world.reconcile(name).await;
            assert_eq!(contract["status"]["contractId"], held, "{answer}");
        }
        assert_eq!(world.sim.calls(&id).await.puts, puts, "{name}");
        let after = world.sim.contract(&id).await;
        for member in ["notes", "periods", "status", "writes"] {
            assert_eq!(after[member], before[member], "{name}: {member}");
        }
    }
}

#[tokio::test]
async fn a_probe_that_is_answered_by_nonsense_makes_no_provider_ready_and_ends_nothing() {
    let mut world = World::bare().await;
    world.apply(&secret(TOKEN)).await;
    world.start_operator().await;
    for answer in answers() {
        world.sim.fault(answer.clone()).await;
        for api in ["zoo", "metronome"] {
            let mut asked = impatient(provider(&world.sim.url));
            let spec = asked["spec"].as_object_mut().unwrap();
            spec.remove("zoo");
            spec.insert(api.to_owned(), json!({"baseUrl": world.sim.url}));
            let uid = world.apply(&asked).await["metadata"]["uid"].clone();
            let looked_at = |provider: &Value| {
                provider["metadata"]["uid"] == uid && provider["status"]["observedGeneration"] == 1
            };
            let told = world.until_provider(looked_at).await;
            assert_ne!(
                kstatus::status_of(&told, "Ready"),
                Some("True"),
                "{api}, {answer}: {}",
                message(&told)
            );
            assert!(!message(&told).is_empty() && message(&told).len() < 4096, "{}", message(&told));
            world.delete_object("BillingProvider", "zoo").await;
        }
        world.sim.heal().await;
    }
    assert!(world.operator().runs());
    world.connect().await;
    world.until_provider(|provider| kstatus::compute(provider) == kstatus::Standing::Current).await;
}

#[tokio::test]
async fn a_pause_beyond_all_bounds_ends_no_process_and_holds_its_account_alone() {
    let endless = "18446744073709551615";
    let mut world = World::start().await;
    world.until_provider(|provider| kstatus::compute(provider) == kstatus::Standing::Current).await;
    let path = format!("/orgs/{ORG}");
    world
        .sim
        .fault(json!({"kind": "status", "status": 429, "retry_after": endless, "path": path, "count": 1}))
        .await;
    world.apply(&acme()).await;
    let why = world.until_waiting("acme", "Throttled").await;
    assert!(why.len() < 4096, "{why}");
    // So it is when the first call of all is answered so.
    let other = World::bare().await;
    other.sim.fault(json!({"kind": "status", "status": 429, "retry_after": endless, "count": 1})).await;
    world.apply(&with(provider(&other.sim.url), "/metadata/name", json!("paused"))).await;
    let third = World::bare().await;
    world.apply(&with(provider(&third.sim.url), "/metadata/name", json!("third"))).await;
    let elsewhere = with(contract("elsewhere", ORG), "/spec/providerRef", json!({"name": "third"}));
    world.apply(&elsewhere).await;
    world.until_ready("elsewhere").await;
    let paused = with(contract("paused", ORG), "/spec/providerRef", json!({"name": "paused"}));
    world.apply(&paused).await;
    world.until_waiting("paused", "ProviderNotReady").await;
    assert!(world.operator().runs());
    assert_eq!((world.sim.calls(ORG).await.puts, other.sim.calls(ORG).await.puts), (0, 0));
}

#[tokio::test]
async fn a_pause_is_as_long_as_it_is_told_in_whatever_form() {
    let world = World::start().await;
    world.until_provider(|provider| kstatus::compute(provider) == kstatus::Standing::Current).await;
    // A date has whole seconds, so that up to one is lost.
    let date = || (Utc::now() + TimeDelta::seconds(10)).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let forms: [&dyn Fn() -> String; 2] = [&|| "8.5".to_owned(), &date];
    for (n, form) in forms.into_iter().enumerate() {
        let id = organization(n);
        world.sim.register(&id).await;
        let path = format!("/orgs/{id}");
        world
            .sim
            .fault(json!({"kind": "status", "status": 429, "retry_after": form(), "path": path, "count": 1}))
            .await;
        let started = Instant::now();
        world.apply(&contract(&format!("c{n}"), &id)).await;
        world.until_ready(&format!("c{n}")).await;
        let waited = started.elapsed();
        assert!(waited > Duration::from_secs(8) && waited < Duration::from_mins(1), "{}: {waited:?}", form());
    }
}

#[tokio::test]
async fn what_may_pass_by_itself_is_tried_again_whatever_word_the_api_has_for_it() {
    let world = World::start().await;
    let cases = [(409, 3), (421, 1), (423, 1), (425, 1), (408, 1), (499, 1), (451, 1), (402, 1)];
    for (n, (status, count)) in cases.into_iter().enumerate() {
        let id = organization(n);
        world.sim.register(&id).await;
        let path = format!("/orgs/{id}");
        world
            .sim
            .fault(json!({"kind": "status", "status": status, "method": "PUT", "path": path, "count": count}))
            .await;
        world.apply(&contract(&format!("c{n}"), &id)).await;
    }
    for (n, case) in cases.into_iter().enumerate() {
        let ready = world.until_ready(&format!("c{n}")).await;
        assert_eq!(world.sim.contract(&organization(n)).await["writes"], 1, "{case:?}");
        let told = world.versions(&format!("c{n}")).await;
        let stalls = |version: &Value| kstatus::condition(version, "Stalled").is_some();
        assert!(!told.iter().any(stalls), "{case:?}: nothing was refused for good: {ready:#}");
    }
}

#[tokio::test]
async fn whatever_is_wrong_at_once_and_however_long_a_name_is_it_is_said_within_bounds() {
    let world = World::start().await;
    let mut wrong = acme();
    wrong["spec"]["zoo"]["periods"] = (0..200)
        .map(|index| {
            json!({"periodIndex": index, "periodStartAt": "2037-01-01T00:00:00Z",
                "periodEndAt": "2037-02-01T00:00:00Z", "commitmentAmount": "1"})
        })
        .collect();
    world.apply(&wrong).await;
    let why = world.until_stalled("acme", "InvalidSpec").await;
    assert!(why.len() > 10_000 && why.len() <= 32_768, "{} bytes: {why}", why.len());
    assert!(why.ends_with("more letters)"), "what is left out is counted: {why}");
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    // Letters of three bytes each, in changes that events tell.
    for (told, letter) in (1..).zip(["契", "約", "印"]) {
        world.apply(&with(acme(), "/spec/zoo/notes", json!(letter.repeat(350)))).await;
        world.until_ready("acme").await;
        let started = Instant::now();
        let of_notes =
            async || world.events("acme").await.iter().filter(|it| it.text.contains("/notes")).count();
        while of_notes().await < told {
            assert!(started.elapsed() < Duration::from_secs(20), "no event tells of {letter}");
            sleep(Duration::from_millis(100)).await;
        }
    }
    // Events are named after their object, which is cut at such a place.
    for (n, odd) in [".", "-"].iter().enumerate() {
        let name = format!("{}{odd}{}", "a".repeat(199), "b".repeat(40));
        let id = organization(n);
        world.sim.register(&id).await;
        world.apply(&contract(&name, &id)).await;
        world.until_ready(&name).await;
        world.until_event(&name, "").await;
    }
}

#[tokio::test]
async fn half_open_requests_to_the_port_of_metrics_keep_nobody_out_and_go() {
    let mut world = World::bare().await;
    world.start_operator().await;
    let address = world.operator().address();
    let mut half = Vec::new();
    for _ in 0..500 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ").await.unwrap();
        half.push(stream);
    }
    let asked = timeout(Duration::from_secs(5), world.operator().get("/healthz")).await;
    assert_eq!(asked.unwrap().0, 200, "whoever asks in full is answered meanwhile");
    let closed = Instant::now();
    for mut stream in half {
        let mut rest = Vec::new();
        // Closed or reset: it is over.
        timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await.unwrap().ok();
    }
    assert!(closed.elapsed() < Duration::from_secs(20), "{:?}", closed.elapsed());
    let started = Instant::now();
    world.stop_operator().await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test]
async fn what_a_create_refers_to_and_billing_does_not_know_is_told_in_its_words_and_not_taken_for_the_customer()
 {
    let world = World::metronome().await;
    let unknown = "00000000-0000-4000-8000-00000000abcd";
    let cases = [
        ("packageId", json!({"packageId": unknown})),
        (
            "productId",
            json!({"rateCardId": metronome::RATE_CARD, "scheduledCharges": [{"key": "x", "productId": unknown,
            "schedule": {"scheduleItems": [{"timestamp": metronome::START, "amount": "1"}]}}]}),
        ),
    ];
    for (field, terms) in cases {
        let spec = metronome::with_terms(
            "acme",
            json!({"customerId": metronome::CUSTOMER, "startingAt": metronome::START}),
        );
        world.apply(&metronome::plus(spec, &terms)).await;
        let contract =
            world.until("acme", |contract| kstatus::compute(contract) == kstatus::Standing::Failed).await;
        let why = message(&contract);
        assert_ne!(reason(&contract), "CustomerNotFound", "{field}: {why}");
        assert!(why.contains(unknown) && !why.contains("customerId"), "{field}: {why}");
        world.delete("acme").await;
        world.until_gone("acme", if field == "packageId" { 1 } else { 2 }).await;
    }
    assert_eq!(world.sim.held(metronome::CUSTOMER).await.len(), 0);
}
