//! Contracts that billing tells in other words: nothing is written twice, and what means the same is no difference.

use chrono::TimeDelta;

use super::{
    planner::{Fault, World, set_terms},
    *,
};
use crate::protocol::{Goal, Outcome};

/// Applies a function to every value, inner ones first, with the name that it goes by.
fn each(value: &mut Value, name: &str, change: &dyn Fn(&str, &mut Value)) {
    match value {
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                each(value, name, change);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each(item, name, change)),
        _ => {}
    }
    change(name, value);
}

fn is_time(text: &str) -> bool {
    text.parse::<crate::terms::Timestamp>().is_ok()
}

fn another_offset(told: &mut Value) {
    each(told, "", &|_, value| {
        if let Some(time) = value.as_str().filter(|text| is_time(text)) {
            let time = DateTime::parse_from_rfc3339(time).unwrap();
            let offset = chrono::FixedOffset::east_opt(5 * 3600 + 1800).unwrap();
            *value = json!(time.with_timezone(&offset).format("%Y-%m-%dT%H:%M:%S.000000%:z").to_string());
        }
    });
}

fn numbers_as_text(told: &mut Value) {
    each(told, "", &|_, value| {
        if value.is_number() {
            *value = json!(value.to_string());
        }
    });
}

fn numbers_with_places(told: &mut Value) {
    each(told, "", &|name, value| {
        if let (Some(number), false) = (value.as_number(), matches!(name, "value" | "decimal_places")) {
            let digits = number.to_string();
            if digits.chars().all(|digit| digit.is_ascii_digit()) {
                *value = crate::terms::json::parse_exact(&format!("{digits}.0000000")).unwrap();
            }
        }
    });
}

fn more_members(told: &mut Value) {
    each(told, "", &|name, value| {
        let is_free = name.ends_with("group_values") || name == "custom_fields" || name == "invoice_metadata";
        if let (Value::Object(members), false) = (value, is_free) {
            members.insert("something_new".into(), json!({"id": "x", "items": [1, {"a": null}]}));
            members.insert("created_at".into(), json!("2026-01-01T00:00:00Z"));
        }
    });
}

fn nulls_and_empty_lists(told: &mut Value) {
    const OPTIONAL: [&str; 30] = [
        "name",
        "description",
        "priority",
        "ending_before",
        "applicable_product_ids",
        "applicable_product_tags",
        "specifiers",
        "rate_type",
        "rollover_fraction",
        "netsuite_sales_order_id",
        "hierarchy_configuration",
        "archived_at",
        "custom_fields",
        "invoice_schedule",
        "proration_rounding",
        "invoice_amount",
        "subscription_config",
        "seat_config",
        "billing_cycle_config",
        "multiplier",
        "override_specifiers",
        "override_tiers",
        "overwrite_rate",
        "entitled",
        "target",
        "tiers",
        "discount_configuration",
        "contract",
        "rolled_over_from",
        "recurring_commit_id",
    ];
    each(told, "", &|name, value| {
        let is_free = name.ends_with("group_values") || name == "custom_fields" || name == "invoice_metadata";
        if let (Value::Object(members), false) = (value, is_free) {
            for name in OPTIONAL {
                members.entry(name).or_insert(Value::Null);
            }
        }
    });
}

fn empty_texts(told: &mut Value) {
    each(told, "", &|_, value| {
        if let Value::Object(members) = value
            && (members.contains_key("access_schedule") || members.contains_key("access_amount"))
        {
            members.entry("description").or_insert(json!(""));
            members.entry("netsuite_sales_order_id").or_insert(json!(""));
            members.entry("custom_fields").or_insert(json!({}));
            members.entry("applicable_product_ids").or_insert(json!([]));
            members.entry("applicable_product_tags").or_insert(json!([]));
            members.entry("specifiers").or_insert(json!([]));
        }
    });
}

fn without_nulls(told: &mut Value) {
    each(told, "", &|_, value| {
        if let Value::Object(members) = value {
            members.retain(|_, value| !value.is_null());
        }
    });
}

fn reversed(told: &mut Value) {
    each(told, "", &|name, value| {
        if let (Value::Array(items), false) = (value, matches!(name, "tiers" | "override_tiers" | "curve")) {
            items.reverse();
        }
    });
}

fn enums_in_lower_case(told: &mut Value) {
    each(told, "", &|name, value| {
        let names = ["alias", "description", "id", "key", "name", "tax_name", "uniqueness_key"];
        let is_name = names.contains(&name);
        if let (Some(text), false) = (value.as_str(), is_name)
            && text.chars().any(|letter| letter.is_ascii_uppercase())
            && text.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
            && text.len() > 2
        {
            *value = json!(text.to_lowercase());
        }
    });
}

fn defaults_filled(told: &mut Value) {
    each(told, "", &|_, value| {
        let Value::Object(members) = value else { return };
        if members.contains_key("access_schedule") && members.contains_key("type") {
            members.entry("rate_type").or_insert(json!("COMMIT_RATE"));
            members.entry("rollover_fraction").or_insert(json!(0));
        }
        if members.contains_key("multiplier") {
            members.entry("is_commit_specific").or_insert(json!(false));
            members.entry("target").or_insert(json!("LIST_RATE"));
            members.entry("entitled").or_insert(json!(true));
        }
        if members.contains_key("access_amount") {
            members.entry("proration").or_insert(json!("FIRST_AND_LAST"));
            members.entry("rollover_fraction").or_insert(json!(0));
        }
        if members.contains_key("quantity_schedule") {
            members.entry("name").or_insert(json!("A product"));
            members.entry("description").or_insert(json!(""));
        }
    });
}

fn upper_case_ids(told: &mut Value) {
    each(told, "", &|_, value| {
        if let Some(text) = value.as_str().filter(|text| text.len() == 36 && text.matches('-').count() == 4) {
            *value = json!(text.to_uppercase());
        }
    });
}

/// What billing makes of a contract, by what it is called.
type Way = (&'static str, fn(&mut Value));

const WAYS: [Way; 12] = [
    ("another offset", another_offset),
    ("numbers as text", numbers_as_text),
    ("numbers with places", numbers_with_places),
    ("more members", more_members),
    ("nulls", nulls_and_empty_lists),
    ("empty texts", empty_texts),
    ("without nulls", without_nulls),
    ("reversed", reversed),
    ("lower case", enums_in_lower_case),
    ("defaults", defaults_filled),
    ("upper case ids", upper_case_ids),
    ("as it is", |_| {}),
];

/// What billing makes of words that the spec has.
fn trimmed(told: &mut Value) {
    each(told, "", &|name, value| {
        if let (Some(text), "name" | "description") = (value.as_str(), name) {
            *value = json!(text.trim());
        }
    });
}

fn tags_in_lower_case(told: &mut Value) {
    each(told, "", &|name, value| {
        if matches!(name, "product_tags" | "applicable_product_tags") {
            *value = serde_json::from_str(&value.to_string().to_lowercase()).unwrap();
        }
    });
}

fn with_a_member_more(told: &mut Value) {
    each(told, "", &|name, value| {
        if let (Value::Object(members), "overwrite_rate") = (value, name) {
            members.entry("is_prorated").or_insert(json!(false));
        }
    });
}

/// Words that this version does not know, by the members that have them.
fn new_words(told: &mut Value) {
    each(told, "", &|name, value| {
        if let (Value::String(word), "type" | "billing_frequency" | "reseller_type") = (value, name) {
            *word = "NEW_WORD".to_owned();
        }
    });
}

const LISTS: [&str; 9] = [
    "commits",
    "credits",
    "discounts",
    "overrides",
    "professional_services",
    "recurring_commits",
    "recurring_credits",
    "scheduled_charges",
    "subscriptions",
];

/// How many items of each list are not archived.
fn counts(world: &World) -> [usize; 9] {
    LISTS.map(|list| {
        let items = world.api.contract[list].as_array().into_iter().flatten();
        items.filter(|item| item["archived_at"].is_null()).count()
    })
}

#[track_caller]
fn is_in_sync(world: &mut World, what: &str) {
    let sends = world.sends;
    let outcome = world.pass(Goal::InForce).outcome;
    assert!(matches!(outcome, Outcome::InSync { .. }), "{what}: {outcome:?}");
    assert_eq!(world.sends, sends, "{what}");
}

#[test]
fn what_means_the_same_in_other_words_is_in_sync_and_found_again_without_a_write() {
    for (way, alters) in WAYS {
        for (index, spec) in fixture::all().into_iter().enumerate() {
            if matches!(way, "more members" | "nulls") && spec.to_string().contains("customRate") {
                continue; // Whatever stands in a rate of one's own is a part of it.
            }
            let what = format!("{way}, contract {index}");
            let mut world = World::new(&spec, None, None);
            world.alters = alters;
            world.settle();
            is_in_sync(&mut world, &what);
            world.contract.status = None;
            is_in_sync(&mut world, &what);
        }
    }
}

/// Contracts whose words billing changes.
fn changed_by_billing() -> [Value; 3] {
    let start = "2026-01-01T00:00:00Z";
    let mut plain = fixture::plain();
    plain["commits"][0]["name"] = json!("Launch ");
    plain["scheduledCharges"][0]["name"] = json!(" Set-up");
    let multiplier = |members: Value| {
        let mut item = json!({"startingAt": start, "type": "MULTIPLIER", "multiplier": "0.85"});
        item.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        item
    };
    plain["overrides"] = json!([
        {"startingAt": start, "type": "OVERWRITE", "productId": fixture::OTHER,
         "overwriteRate": {"rateType": "FLAT", "price": "12"}},
        multiplier(json!({"applicableProductTags": ["GPU"]})),
        multiplier(json!({"overrideSpecifiers": [{"productTags": ["API", "X"]}]})),
        multiplier(json!({"productId": fixture::PRODUCT})),
    ]);
    let mut recurring = fixture::recurring();
    recurring["recurringCommits"][0]["name"] = json!("Monthly ");
    recurring["recurringCredits"][0]["description"] = json!(" every month");
    recurring["discounts"][0]["name"] = json!(" Loyalty");
    let mut sold = fixture::sold();
    sold["professionalServices"][0]["description"] = json!(" on-boarding");
    sold["discounts"][0]["name"] = json!("Partner ");
    [plain, recurring, sold]
}

#[test]
fn what_a_create_made_is_not_added_again_however_billing_tells_it_and_whatever_is_lost() {
    let ways: [fn(&mut Value); 3] = [trimmed, tags_in_lower_case, with_a_member_more];
    for (way, alters) in ways.into_iter().enumerate() {
        for (index, spec) in changed_by_billing().iter().enumerate() {
            for fault in [None, Some((0, Fault::Reply)), Some((0, Fault::Request))] {
                let mut told_as_it_is = World::new(spec, None, None);
                told_as_it_is.settle();
                let mut world = World::new(spec, None, fault);
                world.alters = alters;
                for pass in 0..9 {
                    let outcome = world.pass(Goal::InForce).outcome;
                    let lost = fault == Some((0, Fault::Request)) && pass == 0;
                    let expected = if lost { [0; 9] } else { counts(&told_as_it_is) };
                    assert_eq!(counts(&world), expected, "{way}, {index}, {fault:?}, {pass}: {outcome:?}");
                    if pass == 5 {
                        world.contract.status = None;
                    }
                }
            }
        }
    }
}

#[test]
fn a_status_from_before_some_changes_adds_nothing_again_and_takes_out_what_left_since() {
    let plain = fixture::plain();
    let mut more = plain.clone();
    let mut commit = more["commits"][0].clone();
    commit["key"] = json!("more");
    more["commits"].as_array_mut().unwrap().push(commit);
    let mut rate = more["overrides"][0].clone();
    rate["productId"] = json!(fixture::OTHER);
    more["overrides"].as_array_mut().unwrap().push(rate);
    for list in ["recurringCommits", "recurringCredits", "subscriptions"] {
        let mut item = fixture::recurring()[list][0].clone();
        for name in ["subscriptionConfig", "endingBefore", "temporaryId"] {
            item.as_object_mut().unwrap().remove(name);
        }
        item["name"] = json!("Monthly ");
        more[list] = json!([item]);
    }
    let ways: [fn(&mut Value); 3] = [|_| {}, trimmed, tags_in_lower_case];
    for alters in ways {
        for (after, commits) in [(&more, 2), (&plain, 1)] {
            let mut world = World::new(&plain, None, None);
            world.alters = alters;
            world.settle();
            let status = world.contract.status.clone();
            set_terms(&mut world, &more);
            (0..3).for_each(|_| drop(world.pass(Goal::InForce)));
            let with_more = counts(&world);
            world.now += TimeDelta::days(2);
            world.contract.status = status;
            set_terms(&mut world, after);
            for _ in 0..4 {
                world.pass(Goal::InForce);
                let found = counts(&world);
                assert!(found.iter().zip(with_more).all(|(found, most)| *found <= most), "{found:?}");
            }
            assert_eq!((counts(&world)[0], counts(&world)[3]), (commits, commits));
        }
    }
}

#[test]
fn an_end_that_comes_earlier_and_is_taken_back_leaves_every_item_as_it_was() {
    for (index, spec) in fixture::all().into_iter().enumerate() {
        if spec.get("packageId").is_some() || spec.get("packageAlias").is_some() {
            continue;
        }
        for keeps_after_end in [false, true] {
            for end in [json!("2027-01-01T00:00:00Z"), Value::Null] {
                let spec = with(&spec, "/endingBefore", end);
                let mut world = World::new(&spec, None, None);
                world.api.keeps_after_end = keeps_after_end;
                world.settle();
                let before = counts(&world);
                set_terms(&mut world, &with(&spec, "/endingBefore", json!("2026-08-15T00:00:00Z")));
                world.settle();
                is_in_sync(&mut world, &format!("{index} ended"));
                set_terms(&mut world, &spec);
                world.settle();
                is_in_sync(&mut world, &format!("{index} goes on"));
                assert_eq!(counts(&world), before, "{index}");
            }
        }
    }
}

#[test]
fn what_is_planned_for_later_is_not_in_force_and_is_told() {
    let later = "2030-01-01T00:00:00Z";
    let filter = |values: &str| json!({"groupKey": "project", "groupValues": [values]});
    let billing =
        |provider: &str| json!({"billingProvider": provider, "deliveryMethod": "direct_to_billing_provider"});
    let planned_billing = json!({"effective_at": later, "billing_provider_configuration":
        {"id": "configuration-9", "billing_provider": "netsuite", "delivery_method": "direct_to_billing_provider"}});
    let planned_filter = json!({"group_key": "project", "group_values": ["b"], "starting_at": later});
    for (place, list, now, planned_as, planned) in [
        ("/usageFilter", "usage_filter", filter("a"), filter("b"), planned_filter),
        (
            "/billingProviderConfiguration",
            "billing_provider_configuration_schedule",
            billing("stripe"),
            billing("netsuite"),
            planned_billing,
        ),
    ] {
        let spec = with(&fixture::plain(), place, now);
        let mut world = World::new(&spec, None, None);
        world.settle();
        world.api.contract[list].as_array_mut().unwrap().push(planned);
        let sends = world.sends;
        for _ in 0..3 {
            let Outcome::Drifted { changes } = world.pass(Goal::InForce).outcome else { panic!("{place}") };
            let paths: Vec<_> = changes.iter().map(|change| change.path.clone()).collect();
            assert_eq!(paths, [format!("{place}/updates/{later}")]);
        }
        assert_eq!(world.sends, sends, "{place}: nothing is written against what is yet to come");
        set_terms(&mut world, &with(&fixture::plain(), place, planned_as));
        world.settle();
        assert_eq!(world.sends, sends + 1, "{place}: the spec has it now, and not only then");
        is_in_sync(&mut world, place);
    }
    // The spec may plan ahead as well.
    let mut ahead = filter("b");
    ahead["startingAt"] = json!("2026-09-01T00:00:00Z");
    let mut world = World::new(&with(&fixture::plain(), "/usageFilter", filter("a")), None, None);
    world.settle();
    set_terms(&mut world, &with(&fixture::plain(), "/usageFilter", ahead));
    world.settle();
    is_in_sync(&mut world, "a filter of the spec that is yet to come");
    assert_eq!(world.api.contract["usage_filter"].as_array().map(Vec::len), Some(2));
}

#[test]
fn an_id_in_upper_case_is_the_same_id() {
    let upper = |spec: &Value| -> Value {
        let ids = [fixture::PRODUCT, fixture::OTHER];
        let text = ids.iter().fold(spec.to_string(), |text, id| text.replace(id, &id.to_uppercase()));
        serde_json::from_str(&text).unwrap()
    };
    for spec in fixture::all() {
        let mut world = World::new(&upper(&spec), None, None);
        world.alters = |told| {
            let text = told.to_string();
            let ids = [fixture::PRODUCT, fixture::OTHER];
            *told =
                serde_json::from_str(&ids.iter().fold(text, |text, id| text.replace(&id.to_uppercase(), id)))
                    .unwrap();
        };
        world.settle();
        is_in_sync(&mut world, "told in lower case");
        world.contract.status = None;
        is_in_sync(&mut world, "found again");
        set_terms(&mut world, &spec);
        is_in_sync(&mut world, "written in lower case");
    }
}

#[test]
fn a_word_that_this_version_does_not_know_makes_no_item_another_one() {
    for (index, spec) in fixture::all().into_iter().enumerate() {
        let royalties =
            |world: &World| world.api.contract["reseller_royalties"].as_array().map_or(0, Vec::len);
        for (what, fault, is_edited) in [
            ("on record", None, false),
            ("the record is lost", None, false),
            ("the record is lost after somebody edited", None, true),
            ("the reply of the create is lost", Some((0, Fault::Reply)), false),
            ("the reply of what follows is lost", Some((1, Fault::Reply)), false),
        ] {
            let what = format!("{what}, contract {index}");
            let mut smooth = World::new(&spec, None, None);
            smooth.settle();
            let mut world = World::new(&spec, None, fault);
            if fault.is_none() {
                world.settle();
            } else {
                world.alters = new_words;
                (0..3).for_each(|_| drop(world.pass(Goal::InForce)));
            }
            if is_edited {
                let at = world.now - TimeDelta::days(1);
                world.api.history.push(json!({"id": "by hand", "timestamp": at.to_rfc3339()}));
            }
            world.alters = new_words;
            if !what.starts_with("on record") {
                world.contract.status = None;
            }
            let mut outcome = None;
            for _ in 0..4 {
                outcome = Some(world.pass(Goal::InForce).outcome);
            }
            let (found, most) = (counts(&world), counts(&smooth));
            assert!(
                found.iter().zip(most).all(|(found, most)| *found <= most),
                "{what}: {found:?} {outcome:?}"
            );
            assert!(royalties(&world) <= royalties(&smooth), "{what}: {outcome:?}");
        }
    }
}

#[test]
fn what_an_edit_added_and_is_told_with_a_word_that_is_not_known_is_not_added_again() {
    let mut more = fixture::plain();
    let mut commit = more["commits"][0].clone();
    commit["key"] = json!("more");
    commit["productId"] = json!(fixture::OTHER);
    more["commits"].as_array_mut().unwrap().push(commit);
    let mut rate = more["overrides"][0].clone();
    rate["productId"] = json!(fixture::OTHER);
    more["overrides"].as_array_mut().unwrap().push(rate);
    for list in ["subscriptions"] {
        let mut item = fixture::recurring()[list][0].clone();
        for name in ["endingBefore", "temporaryId"] {
            item.as_object_mut().unwrap().remove(name);
        }
        more[list] = json!([item]);
    }
    for loses_all in [false, true] {
        let mut world = World::new(&fixture::plain(), None, None);
        world.settle();
        let status = world.contract.status.clone();
        set_terms(&mut world, &more);
        world.pass(Goal::InForce);
        world.alters = new_words;
        let expected = counts(&world);
        assert_eq!((expected[0], expected[3], expected[8]), (2, 2, 1));
        world.now += TimeDelta::days(2);
        world.contract.status = status.filter(|_| !loses_all);
        for _ in 0..4 {
            let outcome = world.pass(Goal::InForce).outcome;
            assert_eq!(counts(&world), expected, "{loses_all}: {outcome:?}");
            let is_told = !matches!(outcome, Outcome::InSync { .. });
            assert!(is_told, "{outcome:?}");
        }
    }
}

#[test]
fn ids_in_capitals_are_the_same_ids() {
    let customer = "0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6b001";
    for (index, spec) in fixture::all().into_iter().enumerate() {
        let text = spec.to_string().replace("\"customer-1\"", &format!("\"{customer}\""));
        let spec: Value = serde_json::from_str(&text).unwrap();
        for fault in [None, Some((0, Fault::Reply)), Some((1, Fault::Reply))] {
            let what = format!("contract {index}, {fault:?}");
            let mut world = World::new(&spec, None, fault);
            world.api.mints_uuids = true;
            (world.alters, world.alters_rest) = (upper_case_ids, upper_case_ids);
            world.settle();
            is_in_sync(&mut world, &what);
            assert_eq!(world.creates, 1, "{what}");
            world.alters = |_| {};
            world.alters_rest = |_| {};
            is_in_sync(&mut world, &format!("{what}, in small letters"));
            world.contract.status = None;
            (world.alters, world.alters_rest) = (upper_case_ids, upper_case_ids);
            is_in_sync(&mut world, &format!("{what}, found again"));
            // A status of an earlier version has IDs as they were told.
            let status = world.contract.status.as_mut().unwrap();
            status.contract_id = status.contract_id.as_ref().map(|id| id.to_uppercase());
            status.customer_id =
                status.customer_id.as_ref().map(|id| id.replace(customer, &customer.to_uppercase()));
            status
                .items
                .iter_mut()
                .filter(|item| item.id.len() == 36)
                .for_each(|item| item.id.make_ascii_uppercase());
            is_in_sync(&mut world, &format!("{what}, on record in capitals"));
            if world.contract.spec.metronome.as_ref().is_some_and(|terms| terms.name.is_some()) {
                set_terms(&mut world, &with(&spec, "/name", json!("Another")));
                world.settle();
            }
        }
    }
}
