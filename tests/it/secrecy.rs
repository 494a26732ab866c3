//! The token is nowhere to be read.

use serde_json::json;

use crate::support::{
    World,
    sim::TOKEN,
    terms::{ORG, PRICE, acme, secret, with},
};

#[tokio::test]
async fn the_token_is_in_no_log_line_status_event_or_metric() {
    let mut world = World::bare().await;
    world.options.verbosity = "trace".to_owned();
    world.connect().await;
    world.start_operator().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;

    // Through every kind of failure that could quote a request.
    for fault in [
        json!({"kind": "drop_reply", "method": "PUT", "count": 1}),
        json!({"kind": "status", "status": 500, "method": "PUT", "count": 1}),
        json!({"kind": "drop_request", "method": "PUT", "count": 1}),
    ] {
        world.sim.fault(fault).await;
    }
    world.apply(&with(acme(), PRICE, json!("0.49"))).await;
    world.until_ready("acme").await;
    world.sim.fault(json!({"kind": "status", "status": 422, "method": "PUT", "count": 1})).await;
    world.apply(&with(acme(), PRICE, json!("0.48"))).await;
    world.until_stalled("acme", "Rejected").await;
    world.sim.revoke(TOKEN).await;
    world.ask("acme").await;
    world.until_waiting("acme", "ProviderNotReady").await;
    let broken = format!("{TOKEN}\nin two lines");
    world.apply(&secret(&broken)).await;
    world.until_provider(|provider| crate::support::world::message(provider).contains("printable")).await;

    let (_, metrics) = world.operator().get("/metrics").await;
    world.stop_operator().await;
    let everything = format!("{}{metrics}", world.everything_readable().await);
    assert!(everything.contains(ORG) && everything.contains("\"level\":\"TRACE\""), "it was looked at");
    let hidden = [
        TOKEN.to_owned(),
        TOKEN.chars().rev().collect(),
        base64(TOKEN.as_bytes()),
        base64(format!("Bearer {TOKEN}").as_bytes()),
    ];
    for form in hidden {
        let found = everything.find(&form);
        assert!(found.is_none(), "…{}…", &everything[found.unwrap().saturating_sub(300)..][..600]);
    }
}

/// Base64 without its last digits, which depend on what follows.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = bytes.chunks_exact(3).flat_map(|three| {
        let bits = three.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(DIGITS[bits >> shift & 63]))
    });
    digits.collect()
}
