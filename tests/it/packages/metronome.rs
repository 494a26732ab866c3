//! Packages with Metronome: each is a native package there, and contracts are made from it.

use serde_json::{Value, json};

use crate::support::{
    World, kstatus,
    metronome::{
        CREATE, CUSTOMER, EDIT, PRODUCT, START, Traffic, customer, from_package, package, plus, provider,
        traffic, with_terms,
    },
    sim::{Sim, TOKEN},
    terms::with,
    world::{message, reason},
};

const CONTRACTS: usize = 100;
pub(super) const CREATE_PACKAGE: &str = "/v1/packages/create";
const ARCHIVE_PACKAGE: &str = "/v1/packages/archive";
const LIST_PACKAGES: &str = "/v1/packages/list?limit=100";
pub(super) const KIND: &str = "ContractPackage";

fn by_name(name: &str) -> Value {
    json!({"name": name})
}

/// Every package of the account, as the API tells it.
async fn packages(world: &World) -> Vec<Value> {
    let reply = world.sim.call(LIST_PACKAGES, &json!({"archive_filter": "ALL"})).await;
    reply["data"].as_array().unwrap().clone()
}

fn count(traffic: &Traffic, path: &str) -> usize {
    traffic.get(path).copied().unwrap_or_default()
}

#[tokio::test]
async fn a_hundred_contracts_from_one_package_cost_one_create_and_one_status_write_each() {
    let mut world = World::metronome().await;
    let customers: Vec<_> = (0..CONTRACTS).map(customer).collect();
    world.sim.seed_customers(&customers).await;
    let named = |(n, customer): (usize, &String)| from_package(&format!("c{n}"), customer, by_name("pro"));
    let contracts: Vec<_> = customers.iter().enumerate().map(named).collect();
    world.apply(&package("pro")).await;
    world.create_all(&contracts).await;
    for n in 0..CONTRACTS {
        world.until_ready(&format!("c{n}")).await;
    }
    let pro = world.until_package("pro", |package| package["status"]["contracts"] == json!(CONTRACTS)).await;
    let expected = u64::try_from(CONTRACTS).unwrap();
    let writes = world.until_counted("countersign_status_writes_total", expected).await;
    world.stop_operator().await;

    assert_eq!(world.sim.all_writes().await, traffic([(CREATE_PACKAGE, 1), (CREATE, CONTRACTS)]));
    assert_eq!(writes, expected);
    let made = packages(&world).await;
    assert_eq!(made.len(), 1);
    assert_eq!(pro["status"]["packageId"], made[0]["id"]);
    assert_eq!(made[0]["commits"][0]["access_schedule"]["schedule_items"][0]["amount"], 1_000_000.5);
    let used = &world.get("c7").await["status"]["package"];
    assert_eq!(*used, json!({"name": "pro", "id": made[0]["id"], "digest": pro["status"]["digest"]}));
    let held = world.sim.only(&customers[7]).await;
    assert_eq!(held["package_id"], made[0]["id"]);
    println!("{CONTRACTS} contracts from one package: 1 package create, 1 create and 1 status write each");

    world.sim.forget_journal().await;
    world.second_look(expected).await;
    assert_eq!(world.sim.all_writes().await, traffic([]));
    assert_eq!(world.versions("c7").await.len(), 2, "as created, and with its status");
}

/// How often each call about packages was made.
async fn calls(world: &World) -> Traffic {
    let mut calls = Traffic::new();
    for request in world.sim.requests().await.iter().filter(|request| request.path.contains("/v1/packages/"))
    {
        *calls.entry(request.path.clone()).or_default() += 1;
    }
    calls
}

#[tokio::test]
async fn a_new_package_costs_one_list_one_create_one_get_one_status_write_and_a_second_look_one_get() {
    let mut world = World::metronome().await;
    world.apply(&package("pro")).await;
    world.until_package_is("pro", "Published").await;
    world.stop_operator().await;
    let get = "/v1/packages/get";
    assert_eq!(calls(&world).await, traffic([(LIST_PACKAGES, 1), (CREATE_PACKAGE, 1), (get, 1)]));
    assert_eq!(world.versions_of(KIND, "pro").await.len(), 2, "as created, and with its status");

    let before = world.get_object(KIND, "pro").await;
    world.sim.forget_journal().await;
    world.start_operator().await;
    world.until_counted_of(KIND, "countersign_reconciles_total", 1).await;
    world.stop_operator().await;
    assert_eq!(calls(&world).await, traffic([(get, 1)]));
    assert_eq!(world.get_object(KIND, "pro").await, before, "in sync, nothing is written");
}

#[tokio::test]
async fn a_lost_reply_does_not_create_a_second_package() {
    let world = World::metronome().await;
    world.sim.fault(json!({"kind": "drop_reply", "path": CREATE_PACKAGE, "count": 1})).await;
    world.apply(&package("pro")).await;
    let pro = world.until_package_is("pro", "Published").await;
    let made = packages(&world).await;
    assert_eq!(made.len(), 1);
    assert_eq!(pro["status"]["packageId"], made[0]["id"]);
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE_PACKAGE, 1)]));
}

#[tokio::test]
async fn what_a_lost_create_made_is_the_packages_though_the_providers_prefix_has_changed() {
    let world = World::metronome().await;
    world.sim.fault(json!({"kind": "drop_reply", "path": CREATE_PACKAGE})).await;
    world.apply(&package("pro")).await;
    world.sim.until_faults_met(1).await;
    world.sim.heal().await;
    world.sim.fault(json!({"kind": "status", "status": 500, "path": "/v1/packages/list"})).await;
    world.until_package("pro", |pro| !pro["status"]["unconfirmedWrite"].is_null()).await;
    let prefix = "/spec/metronome/uniquenessKeyPrefix";
    world.apply(&with(provider(&world.sim.url), prefix, json!("another"))).await;
    while world.get_object("BillingProvider", "metronome").await["status"]["observedGeneration"] != 2 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    world.sim.heal().await;
    let pro = world.until_package_is("pro", "Published").await;
    let made = packages(&world).await;
    assert_eq!((made.len(), &pro["status"]["packageId"]), (1, &made[0]["id"]));
    assert_eq!(count(&world.sim.all_writes().await, CREATE_PACKAGE), 1);
}

#[tokio::test]
async fn a_package_that_is_not_listed_yet_is_looked_for_and_not_created_again() {
    let world = World::metronome().await;
    world.sim.fault(json!({"kind": "drop_reply", "path": CREATE_PACKAGE, "count": 1})).await;
    world.sim.fault(json!({"kind": "stale_read", "path": "/v1/packages/list", "count": 4})).await;
    world.apply(&package("pro")).await;
    world.until_package_is("pro", "Published").await;
    assert_eq!(packages(&world).await.len(), 1);
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE_PACKAGE, 2)]), "the second one is refused");
}

#[tokio::test]
async fn everything_deleted_and_applied_again_from_git_changes_nothing_in_billing() {
    let mut world = World::metronome().await;
    for keys in ["prefixed", "plain"] {
        world.sim.set(json!({"metronome_package_keys": keys, "metronome_offset_values": "text"})).await;
        world.apply(&package("pro")).await;
        world.apply(&from_package("acme", CUSTOMER, by_name("pro"))).await;
        world.until_ready("acme").await;
        world.stop_operator().await;
        assert_eq!(world.sim.all_writes().await, traffic([(CREATE_PACKAGE, 1), (CREATE, 1)]), "{keys}");
        let gone = if keys == "prefixed" { 1 } else { 2 };
        world.delete("acme").await;
        world.until_gone("acme", gone).await;
        world.delete_object(KIND, "pro").await;
        world.start_operator().await;
    }
    world.apply(&from_package("acme", CUSTOMER, by_name("pro"))).await;
    world.apply(&package("pro")).await;
    let acme = world.until_ready("acme").await;
    assert_eq!(acme["status"]["package"]["id"], packages(&world).await[0]["id"]);
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE_PACKAGE, 1), (CREATE, 1)]));
}

#[tokio::test]
async fn what_a_contract_says_beside_its_package_follows_as_one_edit_that_a_lost_reply_does_not_repeat() {
    let mut world = World::metronome().await;
    world.apply(&package("pro")).await;
    let extras = json!({
        "netPaymentTermsDays": "45",
        "credits": [{
            "key": "welcome", "productId": PRODUCT,
            "accessSchedule": {"scheduleItems": [
                {"amount": "500", "startingAt": START, "endingBefore": "2027-01-01T00:00:00Z"},
            ]},
        }],
    });
    world.sim.fault(json!({"kind": "drop_reply", "path": CREATE, "count": 1})).await;
    world.sim.fault(json!({"kind": "drop_reply", "path": EDIT, "count": 1})).await;
    let acme = plus(from_package("acme", CUSTOMER, by_name("pro")), &extras);
    world.apply(&acme).await;
    world.until_ready("acme").await;
    let held = world.sim.only(CUSTOMER).await;
    assert_eq!(held["contract"]["net_payment_terms_days"], 45);
    assert_eq!(held["contract"]["credits"].as_array().unwrap().len(), 1);
    assert_eq!(held["edits"], 1);
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE_PACKAGE, 1), (CREATE, 1), (EDIT, 1)]));
    world.second_look(1).await;
    assert_eq!(count(&world.sim.all_writes().await, EDIT), 1);
}

#[tokio::test]
async fn a_customer_that_is_not_billed_as_the_package_says_is_named_before_anything_is_sent() {
    let world = World::metronome().await;
    let billing = json!({"billingProvider": "stripe", "deliveryMethod": "direct_to_billing_provider"});
    let billed = plus(package("pro"), &billing);
    world.apply(&billed).await;
    world.apply(&from_package("acme", CUSTOMER, by_name("pro"))).await;
    let why = world.until_stalled("acme", "BillingConfigurationMismatch").await;
    assert!(why.contains("exactly one billing configuration for stripe"), "{why}");
    assert!(why.contains("It has: none"), "{why}");
    assert_eq!(count(&world.sim.all_writes().await, CREATE), 0);

    let configuration = json!({
        "customer_id": CUSTOMER, "billing_provider": "stripe", "delivery_method": "direct_to_billing_provider",
        "configuration": {},
    });
    world.sim.call("/v1/setCustomerBillingProviderConfigurations", &json!({"data": [configuration]})).await;
    let acme = world.reconcile("acme").await;
    assert_eq!(kstatus::status_of(&acme, "Ready"), Some("True"), "{}", message(&acme));
}

#[tokio::test]
async fn extra_fields_are_sent_as_they_are_written() {
    let world = World::metronome().await;
    let extra = json!({"extraFields": {"billing_anchor_date": "contract_start_date"}});
    world.apply(&plus(package("pro"), &extra)).await;
    world.until_package_is("pro", "Published").await;
    let sent: Value = serde_json::from_str(&world.sim.sent(CREATE_PACKAGE).await[0]).unwrap();
    assert_eq!(sent["billing_anchor_date"], "contract_start_date");
    assert_eq!(sent["uniqueness_key"], format!("countersign/{}/pro", world.namespace));
}

#[tokio::test]
async fn an_alias_is_taken_over_by_the_next_package() {
    let world = World::metronome().await;
    let later = customer(1);
    world.sim.seed_customers(std::slice::from_ref(&later)).await;
    let alias = |times: Value| {
        let mut alias = json!({"name": "pro"});
        alias.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
        json!([alias])
    };
    let old = with(package("pro-2026"), "/spec/aliases", alias(json!({})));
    world.apply(&old).await;
    world.apply(&from_package("acme", CUSTOMER, json!({"alias": "pro"}))).await;
    world.until_ready("acme").await;

    let new =
        with(package("pro-2027"), "/spec/aliases", alias(json!({"startingAt": "2027-01-01T00:00:00Z"})));
    let new = with(new, "/spec/metronome/name", json!("Pro 2027"));
    world.apply(&new).await;
    let refused = world.until_package_is("pro-2027", "AliasTaken").await;
    assert!(message(&refused).contains("ContractPackage"), "{}", message(&refused));
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE_PACKAGE, 1), (CREATE, 1)]));
    world.apply(&with(old, "/spec/aliases", alias(json!({"endingBefore": "2027-01-01T00:00:00Z"})))).await;
    let next = world.until_package_is("pro-2027", "Published").await;

    // The API has ended the alias of the older one, as its spec says by now.
    let made = packages(&world).await;
    let ends = made[0]["aliases"][0]["ending_before"].as_str().unwrap();
    assert!(ends.starts_with("2027-01-01T00:00:00"), "{ends}");
    let late = from_package("late", &later, json!({"alias": "pro"}));
    world.apply(&with(late, "/spec/metronome/startingAt", json!("2027-01-01T00:00:00Z"))).await;
    let late = world.until_ready("late").await;
    assert_eq!(late["status"]["package"]["id"], next["status"]["packageId"]);
    let acme = world.reconcile("acme").await;
    assert_eq!(acme["status"]["package"]["name"], "pro-2026");
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE_PACKAGE, 2), (CREATE, 2)]));
}

#[tokio::test]
async fn archiving_makes_no_new_contracts_and_leaves_those_that_there_are() {
    let mut world = World::metronome().await;
    let other = customer(1);
    world.sim.seed_customers(std::slice::from_ref(&other)).await;
    world.apply(&package("pro")).await;
    world.apply(&from_package("acme", CUSTOMER, by_name("pro"))).await;
    world.until_ready("acme").await;
    world.apply(&with(package("pro"), "/spec/lifecycle", json!("Archived"))).await;
    world.until_package_is("pro", "Archived").await;
    assert!(packages(&world).await[0]["archived_at"].is_string());

    world.apply(&from_package("late", &other, by_name("pro"))).await;
    let why = world.until_stalled("late", "PackageArchived").await;
    assert!(why.contains("name another package"), "{why}");
    let acme = world.reconcile("acme").await;
    assert_eq!(reason(&acme), "InSync");
    world.second_look(2).await;
    let expected = traffic([(CREATE_PACKAGE, 1), (CREATE, 1), (ARCHIVE_PACKAGE, 1)]);
    assert_eq!(world.sim.all_writes().await, expected);
}

#[tokio::test]
async fn a_lost_reply_does_not_archive_a_package_twice() {
    let world = World::metronome().await;
    let kept = with(package("kept"), "/spec/metronome/name", json!("Kept"));
    let deleted = with(package("deleted"), "/spec/deletionPolicy", json!("Archive"));
    for package in [&kept, &deleted] {
        world.apply(package).await;
        world.until_package_is(package["metadata"]["name"].as_str().unwrap(), "Published").await;
    }
    let lost = json!({"kind": "drop_reply", "path": ARCHIVE_PACKAGE, "count": 1});
    world.sim.fault(lost.clone()).await;
    world.apply(&with(kept, "/spec/lifecycle", json!("Archived"))).await;
    world.until_package_is("kept", "Archived").await;
    assert_eq!(count(&world.sim.all_writes().await, ARCHIVE_PACKAGE), 1);

    world.sim.fault(lost).await;
    world.delete_object(KIND, "deleted").await;
    world.until_object_gone(KIND, "deleted").await;
    assert_eq!(count(&world.sim.all_writes().await, ARCHIVE_PACKAGE), 2);
    assert!(packages(&world).await.iter().all(|package| package["archived_at"].is_string()));
}

#[tokio::test]
async fn contracts_from_a_package_that_was_made_elsewhere_name_it_in_their_terms() {
    let mut world = World::metronome().await;
    let later = customer(1);
    world.sim.seed_customers(std::slice::from_ref(&later)).await;
    let elsewhere = json!({"name": "Theirs", "contract_name": "Theirs", "aliases": [{"name": "theirs"}]});
    let id = world.sim.call(CREATE_PACKAGE, &elsewhere).await["data"]["id"].clone();
    world.sim.forget_journal().await;
    let from = |name: &str, customer: &str, member: &str, value: &Value| {
        with_terms(name, json!({"customerId": customer, "startingAt": START, member: value}))
    };
    world.apply(&from("by-id", CUSTOMER, "packageId", &id)).await;
    world.apply(&from("by-alias", &later, "packageAlias", &json!("theirs"))).await;
    for (name, customer) in [("by-id", CUSTOMER), ("by-alias", &later)] {
        world.until_ready(name).await;
        assert_eq!(world.sim.only(customer).await["package_id"], id, "{name}");
    }
    world.second_look(2).await;
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 2)]));
}

#[tokio::test]
async fn a_package_reference_beside_a_package_in_the_terms_is_refused_on_apply() {
    let world = World::metronome_bare().await;
    for member in ["packageId", "packageAlias"] {
        let both = plus(from_package("acme", CUSTOMER, by_name("pro")), &json!({member: "theirs"}));
        let refusal = world.try_apply(&both).await.unwrap_err();
        for part in ["spec.packageRef", "must be left out where", "and not both"] {
            assert!(refusal.contains(part), "{member}: nothing of {part:?} in {refusal}");
        }
    }
}

#[tokio::test]
async fn of_two_packages_with_one_uniqueness_key_the_younger_is_refused_until_the_older_is_gone() {
    let world = World::metronome().await;
    let keyed = |name| plus(package(name), &json!({"uniquenessKey": "pro"}));
    world.apply(&keyed("older")).await;
    let older = world.until_package_is("older", "Published").await;
    // Of two created in the same second, the name decides.
    world.apply(&keyed("younger")).await;
    let refused = world.until_package_is("younger", "DuplicateClaim").await;
    assert!(message(&refused).contains("/older has the same"), "{}", message(&refused));
    world.delete_object(KIND, "older").await;
    let younger = world.until_package_is("younger", "Published").await;
    assert_eq!(younger["status"]["packageId"], older["status"]["packageId"]);
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE_PACKAGE, 1)]));
}

#[tokio::test]
async fn a_package_is_not_archived_by_deletion_while_contracts_use_it() {
    let world = World::metronome().await;
    let archived = with(package("pro"), "/spec/deletionPolicy", json!("Archive"));
    world.apply(&archived).await;
    world.apply(&from_package("acme", CUSTOMER, by_name("pro"))).await;
    world.until_ready("acme").await;
    world.delete_object(KIND, "pro").await;
    let waits = world.until_package("pro", |package| reason(package) == "PackageInUse").await;
    assert!(message(&waits).contains("set `spec.archiveWhileInUse: true`"), "{}", message(&waits));
    assert_eq!(count(&world.sim.all_writes().await, ARCHIVE_PACKAGE), 0);

    world.patch(KIND, "pro", json!({"spec": {"archiveWhileInUse": true}})).await;
    world.until_object_gone(KIND, "pro").await;
    assert_eq!(count(&world.sim.all_writes().await, ARCHIVE_PACKAGE), 1);
    assert!(packages(&world).await[0]["archived_at"].is_string());
    assert!(world.sim.only(CUSTOMER).await["archived_at"].is_null());
}

#[tokio::test]
async fn a_package_with_the_key_and_other_terms_is_told_and_nothing_is_made_from_it() {
    let world = World::metronome().await;
    let key = format!("countersign/{}/pro", world.namespace);
    world.sim.call(CREATE_PACKAGE, &json!({"name": "Somebody's", "uniqueness_key": key})).await;
    world.sim.forget_journal().await;
    world.apply(&package("pro")).await;
    world.apply(&from_package("acme", CUSTOMER, by_name("pro"))).await;
    let refused = world.until_package_is("pro", "PackageDiffers").await;
    assert!(message(&refused).contains("/name: Somebody's -> Pro 2026"), "{}", message(&refused));
    let why = world.until_waiting("acme", "PackageNotReady").await;
    assert!(why.contains("has not been created in the billing API yet"), "{why}");
    assert_eq!(world.sim.all_writes().await, traffic([]));
}

#[tokio::test]
async fn a_create_that_the_api_refuses_is_sent_once() {
    let mut world = World::metronome().await;
    let wrong = with(package("pro"), "/spec/metronome/rateCardAlias", json!("no-such-card"));
    world.apply(&wrong).await;
    let refused = world.until_package_is("pro", "Rejected").await;
    assert!(message(&refused).contains("reconcile.fluxcd.io/requestedAt"), "{}", message(&refused));
    world.stop_operator().await;
    world.start_operator().await;
    world.apply(&from_package("acme", CUSTOMER, by_name("pro"))).await;
    world.until_waiting("acme", "PackageNotReady").await;
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE_PACKAGE, 1)]));
    assert_eq!(world.sim.sent(LIST_PACKAGES).await.len(), 1, "a refused package asks for nothing");
}

#[tokio::test]
async fn what_goes_with_its_namespace_ends_in_billing_whichever_goes_first() {
    let world = World::metronome().await;
    world.apply(&with(package("pro"), "/spec/deletionPolicy", json!("Archive"))).await;
    let made = from_package("acme", CUSTOMER, by_name("pro"));
    world.apply(&with(made, "/spec/deletionPolicy", json!("Cancel"))).await;
    world.until_ready("acme").await;
    world.delete_object("Secret", "metronome-token").await;
    world.delete_object("BillingProvider", "metronome").await;
    world.delete_object(KIND, "pro").await;
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    world.until_object_gone(KIND, "pro").await;
    assert_eq!(world.sim.only(CUSTOMER).await["state"], "archived");
    assert!(packages(&world).await[0]["archived_at"].is_string());
}

#[tokio::test]
async fn a_package_whose_provider_means_another_account_is_made_anew_there_before_contracts_use_it() {
    let mut world = World::metronome().await;
    let archived = with(package("pro"), "/spec/deletionPolicy", json!("Archive"));
    world.apply(&archived).await;
    let canceled = from_package("acme", CUSTOMER, by_name("pro"));
    world.apply(&with(canceled, "/spec/deletionPolicy", json!("Cancel"))).await;
    world.until_ready("acme").await;
    let first = world.get_object(KIND, "pro").await["status"].clone();
    assert_eq!(first["account"], world.sim.url);
    let other = Sim::start();
    other.admit(TOKEN).await;
    other.seed_catalog().await;
    world.apply(&provider(&other.url)).await;
    let moved =
        world.until_package("pro", |package| package["status"]["account"] == other.url.as_str()).await;
    assert_ne!(moved["status"]["packageId"], first["packageId"]);
    let id = moved["status"]["packageId"].as_str().unwrap().to_owned();
    let made = |contract: &Value| {
        contract["status"]["account"] == other.url.as_str() && reason(contract) == "InSync"
    };
    world.until("acme", made).await;
    let sent = other.sent(CREATE).await;
    assert!(sent.len() == 1 && sent[0].contains(&id), "{sent:?}");

    // What is in the former account is not taken for gone when the resource goes.
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    world.stop_operator().await;
    world.apply(&provider(&world.sim.url)).await;
    world.delete_object(KIND, "pro").await;
    world.start_operator().await;
    let stays = world.until_package("pro", |package| reason(package) == "AccountChanged").await;
    for part in [id.as_str(), other.url.as_str(), "billing.countersign.dev/release=true"] {
        assert!(message(&stays).contains(part), "{}", message(&stays));
    }
    world.apply(&provider(&other.url)).await;
    world.until_object_gone(KIND, "pro").await;
    let listed = other.call(LIST_PACKAGES, &json!({"archive_filter": "ALL"})).await;
    assert!(listed["data"][0]["archived_at"].is_string(), "{listed}");
    assert!(packages(&world).await[0]["archived_at"].is_null());
}
