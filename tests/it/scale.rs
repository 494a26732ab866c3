//! Many contracts at once.

use std::time::Instant;

use serde_json::Value;

use crate::support::{
    World,
    kstatus::{self, Standing},
    terms::{contract, organization},
};

const CONTRACTS: usize = 500;

#[tokio::test]
async fn five_hundred_contracts_applied_at_once_cost_one_get_one_put_and_one_status_write_each() {
    let mut world = World::start().await;
    let organizations: Vec<_> = (0..CONTRACTS).map(organization).collect();
    world.sim.register_all(&organizations).await;
    let started = Instant::now();
    let items: Vec<Value> = organizations
        .iter()
        .enumerate()
        .map(|(n, organization)| contract(&format!("c{n}"), organization))
        .collect();
    world.create_all(&items).await;
    let applied = started.elapsed();
    for n in 0..CONTRACTS {
        world.until(&format!("c{n}"), |contract| kstatus::compute(contract) == Standing::Current).await;
    }
    let ready = started.elapsed();
    let memory = world.operator().peak_memory();
    // A write is counted once it is answered, which may be after everybody has seen it.
    let expected = CONTRACTS.try_into().unwrap();
    let status_writes = world.until_counted("countersign_status_writes_total", expected).await;
    let record_writes = world.operator().metric("countersign_record_writes_total", "").await;
    world.stop_operator().await;

    let (mut gets, mut puts) = (0, 0);
    for request in world.sim.requests().await {
        let is_about_a_contract =
            organizations.iter().any(|organization| request.path.contains(organization));
        match request.method.as_str() {
            "GET" if is_about_a_contract => gets += 1,
            "PUT" => puts += 1,
            _ => {}
        }
    }
    println!(
        "{CONTRACTS} contracts: applied after {applied:.1?}, all ready after {ready:.1?}; {gets} GET, {puts} PUT, \
         {status_writes} status writes, {record_writes} of the record; the operator used at most {} MiB",
        memory.map_or_else(|| "?".to_owned(), |kib| (kib / 1024).to_string())
    );
    assert_eq!((gets, puts), (CONTRACTS, CONTRACTS));
    assert_eq!(status_writes, expected);
    assert!(record_writes < expected, "what waits at one moment is put on record by one request");
    for n in (0..CONTRACTS).step_by(50) {
        assert_eq!(world.versions(&format!("c{n}")).await.len(), 2);
        assert_eq!(world.events(&format!("c{n}")).await.len(), 1);
    }
}
