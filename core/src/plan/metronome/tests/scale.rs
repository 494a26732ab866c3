//! Contracts of many items: what planning costs grows with their number, also where nothing is on record.

use super::*;
use crate::plan::pairing::counted::comparisons;

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
        let view = bench.view(&desired).unwrap();
        let mut decision = Decision::Settle;
        let count = comparisons(|| {
            decision = plan(&desired, Some(&view), &bench.recorded, &bench.policy, now());
        });
        assert_eq!(decision, Decision::Settle);
        assert!(count < 10 * MANY, "{count} comparisons");
    }
}
