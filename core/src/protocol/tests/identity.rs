//! Whose a contract is: what another resource of the cluster holds or claims is left alone, however it was found.

use std::sync::{Arc, Mutex};

use super::{metronome::*, *};
use crate::{
    plan::{Departed, Holder, Holders, MAY_SHOW_LATER, Others, Sought, metronome::ContractPlanner},
    protocol::claims::{self, Asking},
};

const ARCHIVE: &str = "Other v1/contracts/archive";
const DUPLICATE: &str = "refused DuplicateClaim";
const WAITS: &str = "waiting OtherContractHeld";

/// What a cluster has besides one resource.
#[derive(Clone, Default)]
struct Cluster(Arc<Mutex<Objects>>);

#[derive(Default)]
struct Objects {
    others: Vec<BillingContract>,
    departed: Vec<Departed>,
    /// The resource itself has gone.
    has_gone: bool,
}

/// The cluster, as one resource sees it.
struct Seen(Cluster, Asking);

impl Others for Seen {
    fn holder(&self, sought: Sought<'_>) -> Holder {
        let objects = self.0.0.lock().unwrap();
        let keeper = claims::keeper(&self.1, &sought, objects.others.iter());
        keeper.map_or(Holder::Nobody, |keeper| {
            let metadata = &keeper.metadata;
            let (namespace, name) = (metadata.namespace.as_deref(), metadata.name.as_deref());
            Holder::Resource(format!("{}/{}", namespace.unwrap(), name.unwrap()))
        })
    }

    fn is_there(&self) -> bool {
        !self.0.0.lock().unwrap().has_gone
    }

    fn departed(&self, customer: &[&str]) -> Vec<Departed> {
        assert_eq!(customer, ["customer-1"]);
        self.0.0.lock().unwrap().departed.clone()
    }
}

impl Cluster {
    fn of(others: &[BillingContract]) -> Self {
        let cluster = Self::default();
        cluster.0.lock().unwrap().others = others.to_vec();
        cluster
    }

    fn change(&self, change: impl FnOnce(&mut Objects)) {
        change(&mut self.0.lock().unwrap());
    }

    /// A resource among them, which asks them at each step.
    fn around(&self, mut bench: Bench<ContractPlanner>) -> Bench<ContractPlanner> {
        bench.contract.metadata.creation_timestamp = Some(created_at("2026-05-01T00:00:00Z"));
        let cluster = self.clone();
        bench.holders = Box::new(move |contract| Holders::new(Seen(cluster.clone(), Asking::of(contract))));
        bench
    }
}

fn created_at(time: &str) -> k8s_openapi::apimachinery::pkg::apis::meta::v1::Time {
    serde_json::from_value(json!(time)).unwrap()
}

/// Another resource, made at that time, with this in its spec and on record.
fn other(name: &str, created: &str, adopts: Option<&str>, holds: Option<&str>) -> BillingContract {
    let mut contract = bench(json!({})).contract;
    contract.metadata.name = Some(name.to_owned());
    contract.metadata.namespace = Some("sales".to_owned());
    contract.metadata.uid = Some(name.to_owned());
    contract.metadata.creation_timestamp = Some(created_at(created));
    contract.spec.adopt = adopts.map(|id| serde_json::from_value(json!({"contractId": id})).unwrap());
    contract.status = Some(serde_json::from_value(json!({"contractId": holds})).unwrap());
    contract
}

const OLDER: &str = "2026-04-01T00:00:00Z";
const YOUNGER: &str = "2026-05-02T00:00:00Z";

fn going(mut contract: BillingContract) -> BillingContract {
    contract.metadata.deletion_timestamp = Some(created_at("2026-05-30T00:00:00Z"));
    contract
}

fn adopting(id: &str) -> Bench<ContractPlanner> {
    let mut bench = bench(json!({}));
    bench.contract.spec.adopt =
        Some(serde_json::from_value(json!({"contractId": id, "mode": "Override"})).unwrap());
    bench
}

#[test]
fn what_another_resource_has_on_record_is_not_taken_by_its_key_whoever_is_older_and_even_while_that_one_goes()
{
    for created in [OLDER, YOUNGER] {
        let holder = other("new", created, Some("c-1"), Some("c-1"));
        for holder in [holder.clone(), going(holder)] {
            let result =
                Cluster::of(&[holder]).around(bench(json!({}))).pass(&[listed(json!({})), done(DUPLICATE)]);
            let Outcome::Refused { refusal, .. } = result.outcome else { panic!() };
            assert!(
                refusal.message.contains("c-1") && refusal.message.contains("sales/new"),
                "{}",
                refusal.message
            );
            assert_eq!(result.requeue, Requeue::After(std::time::Duration::from_secs(30)));
        }
    }
}

#[test]
fn what_an_older_resource_says_it_adopts_is_left_to_it_and_a_younger_one_is_in_nobody_s_way() {
    let claims = |created| Cluster::of(&[other("new", created, Some("c-1"), None)]).around(bench(json!({})));
    claims(OLDER).pass(&[listed(json!({})), done(DUPLICATE)]);
    claims(YOUNGER).pass(&[listed(json!({})), found(json!({})), done("in_sync")]);
    // One that goes without having it on record claims nothing any more.
    let gone = going(other("new", OLDER, Some("c-1"), None));
    Cluster::of(&[gone]).around(bench(json!({}))).pass(&[
        listed(json!({})),
        found(json!({})),
        done("in_sync"),
    ]);
    // One that has another contract on record does not act on `adopt` any more.
    let elsewhere = other("new", OLDER, Some("c-1"), Some("c-9"));
    Cluster::of(&[elsewhere]).around(bench(json!({}))).pass(&[
        listed(json!({})),
        found(json!({})),
        done("in_sync"),
    ]);
}

#[test]
fn a_contract_is_not_adopted_from_the_resource_whose_key_it_has_and_that_finds_it_again() {
    let key = || json!({"uniqueness_key": "contract:test/sales/maker"});
    let maker = |created| Cluster::of(&[other("maker", created, None, None)]).around(adopting("c-1"));
    maker(OLDER).pass(&[listed(key()), done(DUPLICATE)]);
    maker(YOUNGER).pass(&[listed(key()), found(key()), done("in_sync")]);
    // It has another contract by now, and so does not mean this one.
    let other = other("maker", OLDER, None, Some("c-9"));
    Cluster::of(&[other]).around(adopting("c-1")).pass(&[listed(key()), found(key()), done("in_sync")]);
}

#[test]
fn what_was_lost_and_found_again_by_its_key_is_asked_for_as_well() {
    let cluster = Cluster::default();
    let mut bench = cluster.around(bench(json!({})));
    bench.pass(&[none(), failed(CREATE, unknown()), done("unconfirmed")]);
    cluster.change(|objects| objects.others = vec![other("new", YOUNGER, Some("c-1"), Some("c-1"))]);
    bench.pass(&[listed(json!({})), done(DUPLICATE)]);
    // The other one goes, and leaves it.
    cluster.change(|objects| objects.others.clear());
    bench.pass(&[listed(json!({})), found(json!({})), done("in_sync")]);
}

#[test]
fn a_key_that_was_used_leads_to_nothing_that_another_resource_holds() {
    let holder = other("new", OLDER, Some("c-1"), Some("c-1"));
    Cluster::of(&[holder]).around(bench(json!({}))).pass(&[
        none(),
        failed(CREATE, key_used()),
        listed(json!({})),
        done(DUPLICATE),
    ]);
}

#[test]
fn what_is_on_record_is_gone_on_with_though_another_resource_has_it_on_record_too() {
    // Which of the two goes on is for the claims of both to say.
    let holder = other("new", YOUNGER, Some("c-1"), Some("c-1"));
    Cluster::of(&[holder]).around(holding()).pass(&[found(json!({})), done("in_sync")]);
}

#[test]
fn a_resource_that_is_deleted_ends_nothing_that_it_only_finds_and_another_holds_or_claims() {
    let deleted = |other| {
        let mut bench = Cluster::of(&[other]).around(bench(json!({})));
        bench.goal = ending(DeletionPolicy::Cancel);
        bench
    };
    for (adopts, holds) in [(Some("c-1"), Some("c-1")), (None, Some("c-1")), (Some("c-1"), None)] {
        for created in [OLDER, YOUNGER] {
            deleted(other("new", created, adopts, holds)).pass(&[listed(json!({})), done("ended")]);
        }
    }
    let archived = || listed(json!({"archived_at": "2026-06-01T10:30:00Z"}));
    deleted(going(other("new", OLDER, Some("c-1"), None))).pass(&[
        listed(json!({})),
        read("Invoices", json!([])),
        taken(ARCHIVE, json!({})),
        archived(),
        done("ended"),
    ]);
}

#[test]
fn a_resource_that_has_gone_makes_nothing() {
    let cluster = Cluster::default();
    cluster.change(|objects| objects.has_gone = true);
    cluster.around(bench(json!({}))).pass(&[none(), done("ended")]);
    cluster.around(bench(json!({"uniquenessKey": "mine"}))).pass(&[none(), done("ended")]);
    // What is in force and is not to be changed is no matter.
    cluster.around(holding()).pass(&[found(json!({})), done("in_sync")]);
}

fn departed(contract_id: Option<&str>) -> Departed {
    Departed { resource: "billing/acme-2025".into(), at: now(), contract_id: contract_id.map(str::to_owned) }
}

#[test]
fn what_a_resource_that_has_just_gone_may_have_made_is_looked_for_before_another_is_made() {
    let wait = MAY_SHOW_LATER.num_seconds();
    for contract_id in [None, Some("c-0")] {
        let cluster = Cluster::default();
        cluster.change(|objects| objects.departed = vec![departed(contract_id)]);
        let mut bench = cluster.around(bench(json!({})));
        let result = bench.pass(&[none(), done(WAITS)]);
        let Outcome::Waiting { message, .. } = result.outcome else { panic!() };
        assert!(message.contains("billing/acme-2025"), "{message}");
        bench.later(wait - 1);
        bench.pass(&[none(), done(WAITS)]);
        bench.later(1);
        bench.pass(&[none(), created(), found(json!({})), done("applied")]);
    }
}

#[test]
fn what_a_resource_that_has_gone_is_known_to_have_made_is_not_waited_for() {
    let cluster = Cluster::default();
    cluster.change(|objects| objects.departed = vec![departed(Some("c-0"))]);
    let shown = || listed(json!({"id": "c-0", "uniqueness_key": "test/billing/acme-2025"}));
    let mut bench_of = cluster.around(bench(json!({})));
    bench_of.pass(&[shown(), done("refused ContractUnclaimed")]);
    // Who gives a key means another contract.
    let mine = json!({"uniqueness_key": "acme-extension"});
    cluster.change(|objects| objects.departed = vec![departed(None)]);
    cluster.around(bench(json!({"uniquenessKey": "acme-extension"}))).pass(&[
        none(),
        created(),
        found(mine),
        done("applied"),
    ]);
}

#[test]
fn adopt_is_needed_once_and_can_be_taken_out_of_the_spec_again() {
    let cluster = Cluster::default();
    let mut bench = cluster.around(adopting("c-1"));
    let key = || json!({"uniqueness_key": "contract:test/billing/acme-2025"});
    bench.pass(&[listed(key()), found(key()), done("in_sync")]);
    bench.contract.spec.adopt = None;
    bench.change();
    bench.pass(&[found(key()), done("in_sync")]);
    // Restored from a backup without its status, it finds nothing of its own, and says whose contract it may be.
    bench.contract.status = None;
    bench.pass(&[listed(key()), done("refused ContractUnclaimed")]);
}

#[test]
fn another_prefix_of_keys_makes_no_second_contract_while_the_first_is_on_record() {
    let mut bench = Cluster::default().around(holding());
    bench.planner = Box::new(|contract| {
        let settings =
            crate::plan::metronome::AccountSettings { key_prefix: "prod".into(), stamp_cluster: None };
        ContractPlanner::new(contract, None, None, &settings).unwrap()
    });
    bench.pass(&[found(json!({})), done("in_sync")]);
}
