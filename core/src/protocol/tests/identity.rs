//! Whose a contract is: what another resource of the cluster holds or claims is left alone, however it was found.

use std::sync::{Arc, Mutex};

use super::{metronome::*, *};
use crate::{
    plan::{Departed, Holder, Holders, MAY_SHOW_LATER, Others, Sibling, Sought, metronome::ContractPlanner},
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
    unseen_until: Option<DateTime<Utc>>,
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

    fn siblings(&self, customer: &[&str]) -> Vec<Sibling> {
        assert_eq!(customer, ["customer-1"]);
        let objects = self.0.0.lock().unwrap();
        objects.others.iter().map(|other| claims::sibling(&self.1, other)).collect()
    }

    fn unseen_until(&self) -> Option<DateTime<Utc>> {
        self.0.0.lock().unwrap().unseen_until
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
    let cluster = Cluster::default();
    let mut bench = cluster.around(bench(json!({})));
    bench.pass(&[none(), failed(CREATE, key_used()), none(), done("unconfirmed")]);
    cluster.change(|objects| objects.others = vec![other("new", OLDER, Some("c-1"), Some("c-1"))]);
    bench.pass(&[listed(json!({})), done(DUPLICATE)]);
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

/// Terms with a charge of a product at a time.
fn charging(product: &str, at: &str) -> Value {
    let schedule = json!({"scheduleItems": [{"timestamp": at, "amount": "100"}]});
    json!({"scheduledCharges": [{"key": product, "productId": product, "name": "Setup", "schedule": schedule}]})
}

/// The same, as Metronome tells it.
fn charged(product: &str, at: &str) -> Value {
    let schedule = json!({"schedule_items": [{"id": "s-1", "timestamp": at, "amount": 100}]});
    let product = json!({"id": product, "name": "Setup"});
    json!([{"id": "x-1", "product": product, "name": "Setup", "schedule": schedule}])
}

const JULY: &str = "2026-07-01T00:00:00Z";
const AUGUST: &str = "2026-08-01T00:00:00Z";

#[test]
fn what_a_held_contract_bills_is_billed_by_no_second_one_unless_a_key_says_that_it_is_meant() {
    let key = "test/sales/old";
    let shown = |product, at| {
        let charges = charged(product, at);
        listed(json!({"id": "c-0", "uniqueness_key": key, "name": "Other", "scheduled_charges": charges}))
    };
    let bench_of =
        |members: Value| Cluster::of(&[other("old", OLDER, None, Some("c-0"))]).around(bench(members));
    let result = bench_of(charging("setup", JULY)).pass(&[shown("setup", JULY), done(DUPLICATE)]);
    let Outcome::Refused { refusal, .. } = result.outcome else { panic!() };
    for part in ["c-0", "sales/old", "`scheduledCharges/setup`", "spec.metronome.uniquenessKey"] {
        assert!(refusal.message.contains(part), "{}", refusal.message);
    }
    for (product, at) in [("setup", AUGUST), ("support", JULY)] {
        let mine = found(json!({"scheduled_charges": charged("setup", JULY)}));
        bench_of(charging("setup", JULY)).pass(&[shown(product, at), created(), mine, done("applied")]);
    }
    let mut keyed = charging("setup", JULY);
    keyed["uniquenessKey"] = json!("acme-extension");
    let mine = json!({"uniqueness_key": "acme-extension", "scheduled_charges": charged("setup", JULY)});
    bench_of(keyed).pass(&[shown("setup", JULY), created(), found(mine), done("applied")]);
}

#[test]
fn what_a_held_contract_bills_of_all_use_from_a_moment_on_is_billed_by_no_second_one() {
    let shown = |members: Value| {
        let mut shown =
            json!({"id": "c-0", "uniqueness_key": "test/sales/old", "name": "Other", "rate_card_id": "card"});
        shown.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        listed(shown)
    };
    let beside = |members| Cluster::of(&[other("old", OLDER, None, Some("c-0"))]).around(bench(members));
    let result = beside(json!({"rateCardId": "card"})).pass(&[shown(json!({})), done(DUPLICATE)]);
    let Outcome::Refused { refusal, .. } = result.outcome else { panic!() };
    assert!(refusal.message.contains("`rateCardId`"), "{}", refusal.message);
    let mine = |members| [created(), found(members), done("applied")];
    for (wanted, members) in [
        (json!({"rateCardId": "other"}), json!({})),
        (json!({"rateCardId": "card"}), json!({"starting_at": "2025-12-01T00:00:00Z"})),
    ] {
        let card = wanted["rateCardId"].clone();
        let rows = [&[shown(members)][..], &mine(json!({"rate_card_id": card}))].concat();
        beside(wanted).pass(&rows);
    }
}

#[test]
fn what_an_older_resource_of_the_customer_may_just_be_making_is_not_made_by_a_younger_one() {
    let making = |created, members: Value| {
        let mut sibling = other("old", created, None, None);
        sibling.spec.metronome = bench(members).contract.spec.metronome;
        Cluster::of(&[sibling])
    };
    let like = |created| making(created, charging("setup", JULY));
    let mine =
        || [none(), created(), found(json!({"scheduled_charges": charged("setup", JULY)})), done("applied")];
    let result = like(OLDER).around(bench(charging("setup", JULY))).pass(&[none(), done(DUPLICATE)]);
    let Outcome::Refused { refusal, .. } = result.outcome else { panic!() };
    assert!(refusal.message.contains("sales/old is older"), "{}", refusal.message);
    // The older of the two goes on, and so does one that means something else.
    like(YOUNGER).around(bench(charging("setup", JULY))).pass(&mine());
    making(OLDER, charging("setup", AUGUST)).around(bench(charging("setup", JULY))).pass(&mine());
    // Terms without a charge are the like where they are the same.
    making(OLDER, json!({})).around(bench(json!({}))).pass(&[none(), done(DUPLICATE)]);
    making(OLDER, json!({"name": "Other"})).around(bench(json!({}))).pass(&[
        none(),
        created(),
        found(json!({})),
        done("applied"),
    ]);
}

#[test]
fn a_younger_resource_that_calls_the_customer_otherwise_is_waited_for_while_it_may_just_be_making_the_like() {
    let charged_for = |month| charging("setup", month);
    let making = |name: &str, month, status: Value| {
        let mut sibling = other("young", YOUNGER, None, None);
        let mut terms = charged_for(month);
        if name == "customerAlias" {
            terms["customerId"] = Value::Null;
            terms["customerAlias"] = json!("team@acme");
        }
        sibling.spec.metronome = bench(terms).contract.spec.metronome;
        sibling.metadata.generation = Some(2);
        sibling.status = Some(serde_json::from_value(status).unwrap());
        sibling
    };
    let mine =
        || [none(), created(), found(json!({"scheduled_charges": charged("setup", JULY)})), done("applied")];
    let around = |sibling: &BillingContract| {
        Cluster::of(std::slice::from_ref(sibling)).around(bench(charged_for(JULY)))
    };
    for nothing_said in [json!({"observedGeneration": -1}), json!({"observedGeneration": 1}), json!({})] {
        let young = making("customerAlias", JULY, nothing_said.clone());
        around(&young).pass(&[none(), done(WAITS)]);
        // One that calls it the same knew of this one from the start, and one that means something else is no matter.
        around(&making("customerId", JULY, nothing_said.clone())).pass(&mine());
        around(&making("customerAlias", AUGUST, nothing_said)).pass(&mine());
        // What is never written is not waited for.
        let mut suspended = young.clone();
        suspended.spec.suspend = true;
        around(&suspended).pass(&mine());
        around(&going(young)).pass(&mine());
    }
    // Once something was said of it, it has a contract on record or makes none.
    around(&making("customerAlias", JULY, json!({"observedGeneration": 2}))).pass(&mine());
}

#[test]
fn a_list_without_what_another_resource_of_the_customer_holds_is_behind_and_read_again() {
    let cluster = Cluster::of(&[other("old", OLDER, None, Some("c-0"))]);
    let mut bench = cluster.around(bench(json!({})));
    bench.pass(&[none(), done(WAITS)]);
    let shown = json!({"id": "c-0", "uniqueness_key": "test/sales/old", "name": "Other"});
    bench.pass(&[listed(shown), created(), found(json!({})), done("applied")]);
}

#[test]
fn what_an_operator_that_stopped_in_the_middle_may_have_made_is_looked_for_before_anything_is_made() {
    let cluster = Cluster::default();
    let until = now() + MAY_SHOW_LATER;
    cluster.change(|objects| objects.unseen_until = Some(until));
    let mut bench = cluster.around(bench(json!({})));
    bench.pass(&[none(), done(WAITS)]);
    bench.later(MAY_SHOW_LATER.num_seconds() - 1);
    let left = json!({"id": "c-0", "uniqueness_key": "test/billing/acme-2025"});
    bench.pass(&[none(), done(WAITS)]);
    bench.pass(&[listed(left), done(WAITS)]);
    bench.later(1);
    bench.pass(&[none(), created(), found(json!({})), done("applied")]);
    // What is its own by its key is no matter.
    cluster.change(|objects| objects.unseen_until = Some(until + MAY_SHOW_LATER));
    cluster.around(super::metronome::bench(json!({}))).pass(&[
        listed(json!({})),
        found(json!({})),
        done("in_sync"),
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
