//! Contracts of many items: what planning costs grows with their number, also where nothing is on record.

use super::*;
use crate::{api::contract::UnconfirmedWrite, plan::pairing::counted::comparisons, terms::Timestamp};

/// Items of each kind in a large contract.
const MANY: usize = 500;

/// A contract of many commits, credits and overrides of one product, which differ in what `difference` says.
fn large(difference: impl Fn(usize, &mut Value)) -> Value {
    let mut spec = fixture::plain();
    for list in ["commits", "credits", "overrides"] {
        let items = (0..MANY).map(|number| {
            let mut item = spec[list][0].clone();
            if list == "overrides" {
                item.as_object_mut().unwrap().remove("productId");
                item["overrideSpecifiers"] = json!([{"productId": format!("product-{number}")}]);
            } else {
                item["key"] = json!(format!("item-{number}"));
                difference(number, &mut item);
            }
            item
        });
        spec[list] = items.collect();
    }
    spec
}

#[test]
fn the_record_of_what_is_set_in_a_large_contract_is_small() {
    let same = large(|number, item| item["name"] = json!(format!("Item {number}")));
    // Each item has one of 64 sets of fields.
    let various = large(|number, item| {
        let fields = [
            ("name", json!(format!("Item {number}"))),
            ("description", json!("a note")),
            ("netsuiteSalesOrderId", json!("SO-1")),
            ("rateType", json!("COMMIT_RATE")),
            ("priority", json!("7")),
            ("rolloverFraction", json!("0.5")),
        ];
        for (bit, (field, value)) in fields.into_iter().enumerate() {
            if (number >> bit) & 1 == 1 {
                item[field] = value;
            }
        }
    });
    for (spec, most) in [(same, 25_000), (various, 45_000)] {
        let bench = Bench::created(&spec);
        let (set, items) = (json!(bench.recorded.set.to_status()), json!(bench.recorded.items));
        let (bytes, of_items) = (set.to_string().len(), items.to_string().len());
        println!(
            "{MANY} commits, credits and overrides each: {bytes} bytes of fields beside {of_items} of ids"
        );
        assert!(bytes < most, "{bytes} bytes");
    }
}

#[test]
fn a_large_contract_without_a_record_is_matched_by_few_comparisons() {
    let by_name = large(|number, item| item["name"] = json!(format!("Item {number}")));
    let by_amount = large(|number, item| {
        item["accessSchedule"]["scheduleItems"][0]["amount"] = json!(format!("{}.50", 1000 + number));
    });
    for spec in [by_name, by_amount, large(|_, _| {})] {
        let desired = desired(&spec);
        let mut bench = Bench::default();
        bench.carry_out(&written(bench.decide_for(&desired)));
        bench.forget();
        let observed = bench.seen(&desired).unwrap();
        let mut decision = Decision::InSync;
        let count = comparisons(|| {
            decision = plan(&desired, Some(&observed), &bench.recorded, &bench.policy, now());
        });
        assert_eq!(decision, Decision::InSync);
        assert!(count < 10 * MANY, "{count} comparisons");
    }
}

/// The same contract as billing tells it otherwise, right after its create, whose reply was lost.
fn retold(spec: &Value, retell: impl Fn(&mut Value)) -> Bench {
    let mut bench = Bench::default();
    let plan = written(bench.decide(spec));
    bench.carry_out(&plan);
    for list in ["commits", "credits"] {
        bench.api.contract[list].as_array_mut().unwrap().iter_mut().for_each(&retell);
        bench.api.contract[list].as_array_mut().unwrap().reverse();
    }
    bench.recorded.unconfirmed = Some(UnconfirmedWrite {
        digest: plan.calls[0].fingerprint.clone(),
        time: Timestamp(now()),
        after_edit: None,
        taken: false,
        difference: None,
        rounds: 0,
        lost: Vec::new(),
    });
    bench
}

#[test]
fn a_large_contract_that_is_told_otherwise_is_matched_by_few_comparisons() {
    let spec = large(|number, item| {
        item["name"] = json!(format!("Item {number} "));
        item["accessSchedule"]["scheduleItems"][0]["amount"] = json!(format!("{}.50", 1000 + number));
        item["applicableProductTags"] = json!(["API"]);
    });
    let trimmed = |item: &mut Value| item["name"] = json!(item["name"].as_str().unwrap().trim());
    let in_lower_case = |item: &mut Value| item["applicable_product_tags"] = json!(["api"]);
    let rounded = |item: &mut Value| item["access_schedule"]["schedule_items"][0]["amount"] = json!(7);
    let ways: [&dyn Fn(&mut Value); 3] = [&trimmed, &in_lower_case, &rounded];
    for retell in ways {
        let bench = retold(&spec, retell);
        let desired = desired(&spec);
        let observed = bench.seen(&desired).unwrap();
        let mut decision = Decision::InSync;
        let count = comparisons(|| {
            decision = plan(&desired, Some(&observed), &bench.recorded, &bench.policy, now());
        });
        let edit = edit_of(&written(decision));
        for verb in ["update_commits", "update_credits"] {
            assert_eq!(edit[verb].as_array().unwrap().len(), MANY, "each is told by what is left of it");
        }
        assert_eq!(edit.get("add_commits"), None);
        assert!(count < 20 * MANY, "{count} comparisons");
    }
}

#[test]
fn a_large_contract_that_nothing_tells_apart_is_asked_about_without_comparing_each_with_each() {
    let spec = large(|_, item| item["name"] = json!("Item "));
    let bench = retold(&spec, |item| item["name"] = json!("Item"));
    let desired = desired(&spec);
    let observed = bench.seen(&desired).unwrap();
    let mut decision = Decision::InSync;
    let count = comparisons(|| {
        decision = plan(&desired, Some(&observed), &bench.recorded, &bench.policy, now());
    });
    assert_eq!(refused(decision).reason, "AmbiguousItem");
    assert!(count < 10 * MANY, "{count} comparisons");
}

// How long it takes is measured by `make bench`.
#[test]
fn a_large_contract_without_a_record_is_found_again_and_recorded_whole() {
    let spec = large(|number, item| item["name"] = json!(format!("Item {number}")));
    let mut bench = Bench::created(&spec);
    let before = bench.recorded.items.clone();
    bench.forget();
    let desired = desired(&spec);
    let observed = bench.seen(&desired).unwrap();
    let decision = plan(&desired, Some(&observed), &bench.recorded, &bench.policy, now());
    let recorded = record(&desired, &observed, &bench.recorded, now());
    assert_eq!(decision, Decision::InSync);
    assert_eq!(recorded.items.iter().filter(|(path, _)| path.split('/').count() == 2).count(), 3 * MANY + 1);
    assert_eq!(recorded.items.into_iter().collect::<std::collections::BTreeMap<_, _>>(), before);
}
