//! What was answered stays, however the process ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{CONTRACT, ORG, Simulator, TOKEN, contract_path, contract_with, send};

const WRITERS: u64 = 4;
const ROUNDS: u64 = 5;

fn org(writer: u64) -> String {
    format!("00000000-0000-4000-8000-{writer:012}")
}

/// PUTs ever higher numbers until the server is gone; answers the number tried last and the numbers answered.
async fn write(
    client: reqwest::Client,
    url: String,
    writer: u64,
    first: u64,
    started: Arc<AtomicBool>,
) -> (u64, Vec<u64>) {
    let mut answered = Vec::new();
    for number in first.. {
        let put = client.put(format!("{url}{}", contract_path(&org(writer)))).bearer_auth(TOKEN);
        let body = contract_with("notes", &format!("\"{number}\""));
        match send(put.body(body)).await {
            Ok(answer) => {
                answer.expect(200);
                answered.push(number);
                started.store(true, Ordering::Relaxed);
            }
            Err(_) => return (number, answered),
        }
    }
    unreachable!("numbers do not end")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answered_write_survives_kill_9() {
    let mut simulator = Simulator::start_with(&[]);
    let ids: Vec<String> = (0..WRITERS).map(org).collect();
    simulator.control(Method::POST, "/zoo/orgs", &json!({"ids": ids}).to_string()).await.expect(204);
    let mut tried = (0..WRITERS).map(|writer| (writer, 0)).collect::<BTreeMap<_, _>>();
    let mut all_answered = 0;

    for round in 0..ROUNDS {
        let started = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = tried
            .iter()
            .map(|(&writer, &tried)| {
                let client = simulator.client.clone();
                let task = write(client, simulator.url.clone(), writer, tried + 1, Arc::clone(&started));
                (writer, tokio::spawn(task))
            })
            .collect();
        while !started.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(70 + 37 * round)).await;
        simulator.kill_and_restart();

        let stored: BTreeMap<String, u64> = simulator
            .contracts()
            .await
            .iter()
            .map(|contract| {
                let text = |field: &str| contract[field].as_str().unwrap().to_owned();
                (text("organization_id"), text("notes").parse().unwrap())
            })
            .collect();
        for (writer, task) in writers {
            let (last, answered) = task.await.unwrap();
            let stored = stored.get(&org(writer)).copied().unwrap_or(0);
            let acknowledged = answered.last().copied().unwrap_or(0);
            assert!((acknowledged..=last).contains(&stored), "{stored} is not from {acknowledged} to {last}");
            all_answered += answered.len();
            tried.insert(writer, last);
        }
    }

    // The journal and the documents are written together: each PUT in the one is a write in the other.
    let journaled = simulator.journal("method=PUT").await.len();
    let written: u64 =
        simulator.contracts().await.iter().map(|contract| contract["writes"].as_u64().unwrap()).sum();
    assert_eq!(u64::try_from(journaled).unwrap(), written);
    assert!(journaled >= all_answered, "{journaled} of {all_answered}");
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let mut simulator = Simulator::start().await;
    simulator.put(ORG, CONTRACT).await.unwrap().expect(200);
    simulator.control(Method::POST, "/tokens", r#"{"token":"t","role":"member"}"#).await.expect(204);
    simulator.control(Method::PUT, "/settings", r#"{"zoo_replace":"new_id"}"#).await.expect(200);
    simulator.control(Method::PUT, "/clock", r#"{"now":"2027-01-01T00:00:00Z"}"#).await.expect(200);
    simulator.fault(r#"{"kind":"status","status":503,"method":"DELETE"}"#).await;
    let everything = async |simulator: &Simulator| {
        let mut everything = Vec::new();
        for path in ["/zoo/contracts", "/settings", "/clock", "/faults", "/journal"] {
            everything.push(simulator.control(Method::GET, path, "").await.expect(200).text);
        }
        everything
    };
    let before = everything(&simulator).await;

    assert!(simulator.terminate_and_restart().success());
    assert_eq!(everything(&simulator).await, before);
    simulator.kill_and_restart();
    assert_eq!(everything(&simulator).await, before);

    let request = simulator.request(Method::GET, &contract_path(ORG)).bearer_auth("t");
    send(request).await.unwrap().expect(403);
}

#[tokio::test]
async fn the_end_of_stdin_stops_it_when_so_asked() {
    let simulator = Simulator::start_with(&["--stop-with-stdin"]);
    simulator.control(Method::GET, "/settings", "").await.expect(200);
    assert!(simulator.close_stdin().success());
}

#[tokio::test]
async fn two_simulators_do_not_share_a_folder() {
    let simulator = Simulator::start().await;
    let second = simulator.another().wait_with_output().unwrap();
    assert!(!second.status.success());
    assert_eq!(second.stdout, b"");
    assert!(String::from_utf8_lossy(&second.stderr).contains("another billing-sim"));
    assert_eq!(simulator.contracts().await, Vec::<Value>::new());
}
