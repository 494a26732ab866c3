//! Packages: what is sent, what is found, and what is refused.

#![allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]

use chrono::DateTime;
use serde_json::{Value, json};

use super::*;
use crate::{
    api::ContractPackage,
    plan::{
        Decision, Holders, Planner, Policy, Recorded,
        metronome::{AccountSettings, Need},
    },
    terms::json::parse_exact,
    validate,
};

fn terms() -> Value {
    json!({
        "name": "Pro 2026", "contractName": "Pro", "rateCardAlias": "list",
        "billingProvider": "stripe", "deliveryMethod": "direct_to_billing_provider",
        "duration": {"unit": "YEARS", "value": 1},
        "extraFields": {"billing_anchor_date": "contract_start_date"},
        "commits": [{
            "productId": "p1", "type": "PREPAID", "temporaryId": "launch",
            "accessSchedule": {"scheduleItems": [{
                "amount": "1000.10", "startingAtOffset": {"unit": "MONTHS", "value": 0},
                "duration": {"unit": "YEARS", "value": 1},
            }]},
        }],
    })
}

fn desired(terms: Value, aliases: Value) -> Desired {
    let package: Package = serde_json::from_value(terms).unwrap();
    let valid = validate::metronome::package(&package).unwrap();
    let aliases: Vec<Alias> = serde_json::from_value(aliases).unwrap();
    Desired::new(&valid, &aliases, UniquenessKey::derive("prod", "billing", "pro")).unwrap()
}

/// The package as the API tells it: products and ids in place, values of offsets as text, nothing that it forgets.
fn told(changes: Value) -> ObservedPackage {
    let mut data = json!({
        "id": "package-1", "uniqueness_key": "package:prod/billing/pro", "created_at": "2026-01-01T00:00:00Z",
        "created_by": "token", "name": "Pro 2026", "contract_name": "Pro", "rate_card_id": "rc",
        "billing_provider": "stripe", "delivery_method": "direct_to_billing_provider", "archived_at": null,
        "duration": {"unit": "YEARS", "value": "1"}, "overrides": [], "credits": [],
        "aliases": [{"name": "pro", "starting_at": "2026-01-01T00:00:00Z"}],
        "commits": [{
            "id": "i1", "product": {"id": "p1", "name": "API"}, "type": "PREPAID", "priority": 100,
            "rate_type": "LIST_RATE",
            "access_schedule": {
                "credit_type": {"id": "usd", "name": "USD (cents)"}, "access_type": "SPEND",
                "schedule_items": [{
                    "id": "s1", "amount": 1000.10, "starting_at_offset": {"unit": "MONTHS", "value": "0"},
                    "duration": {"unit": "YEARS", "value": "1"},
                }],
            },
        }],
    });
    data.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    ObservedPackage::read(&parse_exact(&data.to_string()).unwrap()).unwrap()
}

fn reason(step: Step) -> &'static str {
    if let Step::Refuse(refusal) = step { refusal.reason.as_str() } else { panic!("{step:?}") }
}

#[test]
fn a_package_is_created_with_its_aliases_its_key_and_what_has_no_place_in_the_types() {
    let wanted = desired(terms(), json!([{"name": "pro", "startingAt": "2026-01-01T00:00:00Z"}]));
    let Step::Write(call) = plan(&wanted, Lifecycle::Published, None) else { panic!() };
    assert_eq!(call.path, CREATE_PACKAGE);
    assert!(call.body.contains(r#""amount":1000.10"#), "{}", call.body);
    let body: Value = serde_json::from_str(&call.body).unwrap();
    assert_eq!(body["uniqueness_key"], "prod/billing/pro");
    assert_eq!(body["aliases"], json!([{"name": "pro", "starting_at": "2026-01-01T00:00:00Z"}]));
    assert_eq!(body["billing_anchor_date"], "contract_start_date");
    assert!(body.get("extra_fields").is_none());
    let Step::Write(again) = plan(&wanted, Lifecycle::Published, None) else { panic!() };
    assert_eq!(again, call);
}

#[test]
fn a_package_leaves_nothing_to_record_before_a_write_or_to_look_up_after_it() {
    let resource = json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "ContractPackage",
        "metadata": {"name": "pro", "namespace": "billing"},
        "spec": {"lifecycle": "Published", "providerRef": {"name": "metronome"}, "metronome": terms()},
    });
    let resource: ContractPackage = serde_json::from_value(resource).unwrap();
    let account = AccountSettings { key_prefix: "prod".into(), stamp_cluster: None };
    let mut planner = PackagePlanner::new(&resource, 0, &account);
    let (mut recorded, now) = (Recorded::default(), DateTime::UNIX_EPOCH);
    planner.learn(&Need::Packages, Some(json!([])), now).unwrap();
    planner.observe(&recorded, &Policy::default(), now).unwrap();
    let decision = planner.plan(&recorded, &Policy::default(), now).unwrap();
    let Decision::Write(plan) = decision else { panic!("{decision:?}") };
    let [call] = &*plan.calls else { panic!("{plan:?}") };
    assert!(!planner.sending(call, &mut recorded) && !planner.spare(&Need::Packages, "it is down"));
    assert_eq!(planner.follow_ups(&plan, &recorded, &Policy::default(), now), []);
    assert!(!planner.shows(&call.fingerprint), "it is shown by its key, not by what was sent");
    assert_eq!((planner.sets(), planner.overtaken(&recorded), planner.last_edit()), (vec![], None, None));
    planner.know(Holders::default());
    planner.recall(&mut recorded);
    assert_eq!(recorded, Recorded::default());
}

#[test]
fn the_package_in_the_words_of_the_api_is_the_same_package() {
    let wanted = desired(terms(), json!([]));
    assert_eq!(wanted.differences(&told(json!({}))), []);
    assert_eq!(plan(&wanted, Lifecycle::Published, Some(&told(json!({})))), Step::InSync);
}

#[test]
fn a_package_with_other_terms_is_refused_with_every_difference() {
    let wanted = desired(terms(), json!([]));
    for (changes, path) in [
        (json!({"name": "Other"}), "/name: Other -> Pro 2026"),
        (json!({"duration": {"unit": "YEARS", "value": 2}}), "/duration"),
        (json!({"commits": []}), "/commits: +"),
        (
            json!({"scheduled_charges": [{"product_id": "p1", "schedule": {"schedule_items": []}}]}),
            "/scheduledCharges: -",
        ),
    ] {
        let Step::Refuse(refusal) = plan(&wanted, Lifecycle::Published, Some(&told(changes))) else {
            panic!()
        };
        assert_eq!(refusal.reason, reasons::PACKAGE_DIFFERS);
        assert!(refusal.message.contains(path), "{path} in {}", refusal.message);
    }
    // What is not this resource's is not archived for it either.
    let other = told(json!({"name": "Other"}));
    assert_eq!(reason(plan(&wanted, Lifecycle::Archived, Some(&other))), reasons::PACKAGE_DIFFERS.as_str());
}

#[test]
fn items_go_by_what_they_say_in_any_order_and_one_that_says_less_takes_none_from_another() {
    let charge = |name: Option<&str>, price: &str| {
        let offset = json!({"unit": "DAYS", "value": 0});
        let items = json!([{"dateOffset": offset, "quantity": "1", "unitPrice": price}]);
        let mut charge = json!({"productId": "p1", "schedule": {"scheduleItems": items}});
        charge.as_object_mut().unwrap().extend(name.map(|name| ("name".to_owned(), json!(name))));
        charge
    };
    let of = |charges: &[Value]| desired(json!({"name": "Pro", "scheduledCharges": charges}), json!([]));
    let told = |charges: &[Value]| {
        let spec = json!({"name": "Pro", "scheduledCharges": charges});
        let mut wire = serde_json::to_value(PACKAGE.wire(&spec)).unwrap();
        wire["id"] = json!("package-1");
        ObservedPackage::read(&parse_exact(&wire.to_string()).unwrap()).unwrap()
    };
    let (any, named, other) = (charge(None, "5"), charge(Some("Set-up"), "5"), charge(Some("Support"), "5"));
    for order in [[&any, &named, &other], [&named, &any, &other], [&other, &named, &any]] {
        let wanted = of(&order.map(Clone::clone));
        assert_eq!(wanted.differences(&told(&[other.clone(), named.clone(), any.clone()])), []);
        assert_eq!(wanted.differences(&told(&[any.clone(), other.clone(), named.clone()])), []);
    }
    let changed = of(&[charge(None, "7"), named.clone()]).differences(&told(&[named.clone(), any.clone()]));
    let paths: Vec<_> = changed.iter().map(|change| change.path.as_str()).collect();
    assert_eq!(paths, ["/scheduledCharges/0/schedule/scheduleItems"]);
    let fewer = of(std::slice::from_ref(&named)).differences(&told(&[named.clone(), named]));
    assert!(matches!(&*fewer, [Change { path, from: Some(_), to: None, .. }] if path == "/scheduledCharges"));
}

#[test]
fn what_the_spec_leaves_out_and_the_api_never_fills_in_is_a_difference() {
    let offset = json!({"unit": "DAYS", "value": 0});
    let invoices = json!([{"dateOffset": offset, "quantity": "1", "unitPrice": "5"}]);
    let gate = json!({"isEnabled": true, "thresholdAmount": "1", "paymentGateConfig": {"paymentGateType": "NONE"},
        "commit": {"productId": "p1"}});
    for (place, value) in [
        ("/commits/0/invoiceSchedule", json!({"scheduleItems": invoices})),
        ("/commits/0/specifiers", json!([{"productId": "p2"}])),
        ("/commits/0/applicableProductTags", json!(["api"])),
        ("/duration", json!({"unit": "YEARS", "value": 1})),
        ("/spendThresholdConfiguration", gate),
    ] {
        let mut spec = terms();
        spec.as_object_mut().unwrap().remove("duration");
        let (parent, name) = place.rsplit_once('/').unwrap();
        let mut more = spec.clone();
        more.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(name.to_owned(), value);
        let mut told = serde_json::to_value(PACKAGE.wire(&more)).unwrap();
        told["id"] = json!("package-1");
        let observed = ObservedPackage::read(&parse_exact(&told.to_string()).unwrap()).unwrap();
        let changes = desired(spec, json!([])).differences(&observed);
        assert!(
            matches!(&*changes, [Change { path, from: Some(_), to: None, .. }] if path == place),
            "{changes:?}"
        );
        assert_eq!(desired(more, json!([])).differences(&observed), []);
    }
}

#[test]
fn a_default_that_the_spec_writes_out_and_the_api_does_not_tell_is_no_difference() {
    let mut terms = terms();
    terms["commits"][0]["accessSchedule"]["accessType"] = json!("SPEND");
    terms["commits"][0]["priority"] = json!("100");
    let mut told = json!({"id": "package-1", "name": "Pro 2026", "contract_name": "Pro", "billing_provider": "stripe",
        "delivery_method": "direct_to_billing_provider", "duration": {"unit": "YEARS", "value": 1}});
    told["commits"] = serde_json::to_value(PACKAGE.wire(&terms)).unwrap()["commits"].take();
    told["commits"][0].as_object_mut().unwrap().remove("priority");
    told["commits"][0]["access_schedule"].as_object_mut().unwrap().remove("access_type");
    let observed = ObservedPackage::read(&parse_exact(&told.to_string()).unwrap()).unwrap();
    assert_eq!(desired(terms, json!([])).differences(&observed), []);
}

#[test]
fn a_package_is_recognised_by_its_key_plain_or_prefixed() {
    let wanted = desired(terms(), json!([]));
    let has_made = |key: Value| wanted.has_made(&json!({"id": "package-1", "uniqueness_key": key}));
    assert!(has_made(json!("prod/billing/pro")));
    assert!(has_made(json!("package:prod/billing/pro")));
    assert!(!has_made(json!("prod/billing/pro-2")));
    assert!(!has_made(json!(null)));
}

#[test]
fn a_package_is_archived_once() {
    let wanted = desired(terms(), json!([]));
    let Step::Write(call) = plan(&wanted, Lifecycle::Archived, Some(&told(json!({})))) else { panic!() };
    assert_eq!((call.path.as_str(), call.body.as_str()), (ARCHIVE_PACKAGE, r#"{"package_id":"package-1"}"#));
    let archived = told(json!({"archived_at": "2026-06-01T00:00:00Z"}));
    assert_eq!(plan(&wanted, Lifecycle::Archived, Some(&archived)), Step::InSync);
    assert_eq!(plan(&wanted, Lifecycle::Archived, None), Step::InSync, "there is nothing to archive");
    assert_eq!(reason(plan(&wanted, Lifecycle::Published, Some(&archived))), "PackageArchived");
}

#[test]
fn aliases_that_the_api_has_otherwise_are_told_and_nothing_more() {
    let open = desired(terms(), json!([{"name": "pro", "startingAt": "2026-01-01T00:00:00Z"}]));
    assert_eq!(open.alias_differences(&told(json!({}))), []);
    let more = desired(terms(), json!([{"name": "pro"}, {"name": "business"}]));
    assert!(more.alias_differences(&told(json!({}))).iter().any(|change| change.path.contains("business")));
    assert_eq!(plan(&more, Lifecycle::Published, Some(&told(json!({})))), Step::InSync);
}

#[test]
fn a_customer_needs_exactly_one_matching_billing_configuration() {
    let billing = told(json!({})).billing().unwrap();
    let configuration =
        |provider: &str, method: &str| json!({"billing_provider": provider, "delivery_method": method});
    let stripe = || configuration("stripe", "direct_to_billing_provider");
    let aws = || configuration("aws_marketplace", "aws_sqs");
    let mut archived = stripe();
    archived["archived_at"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(billing.obstacle("c", &json!([aws(), stripe(), archived])), None);
    let none = billing.obstacle("c", &json!([aws()])).unwrap();
    assert_eq!(none.reason, reasons::BILLING_CONFIGURATION_MISMATCH);
    assert!(
        none.message.contains("for stripe with direct_to_billing_provider, and it has 0"),
        "{}",
        none.message
    );
    assert!(none.message.contains("It has: aws_marketplace with aws_sqs"), "{}", none.message);
    let two = billing.obstacle("c", &json!([stripe(), stripe()])).unwrap();
    assert!(two.message.contains("archive all but one"), "{}", two.message);
}
