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
