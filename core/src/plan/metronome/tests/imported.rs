//! What is billed already, written as a resource, plans to nothing.

use super::*;
use crate::{
    api::contract::{Adopt, AdoptMode, ProviderRef},
    import::{Beside, Destination, Imported, metronome_contract, seat_based},
};

fn import(bench: &Bench) -> Imported<crate::api::BillingContract> {
    let provider =
        ProviderRef { name: "metronome".into(), ..serde_json::from_value(json!({"name": "m"})).unwrap() };
    let ids = seat_based(&bench.api.contract).map(str::to_owned);
    let seats = ids.map(|id| (id.clone(), bench.api.seats_of(&id))).collect();
    let to = Destination { namespace: None, provider, labels: BTreeMap::new() };
    let told = Balances::ALL.map(|kind| (kind, bench.api.balances(kind))).into();
    let beside = Beside { told: &told, takes_unbilled: true };
    metronome_contract(&bench.api.contract, &seats, beside, &to, now()).unwrap_or_else(|why| panic!("{why}"))
}

/// The same contract with IDs of the form that the live API gives, which the spec may name.
fn with_real_ids(api: &Api) -> Api {
    let real = |mut text: String| {
        let lists = ["commits", "credits", "recurring_commits", "recurring_credits", "subscriptions"];
        for (n, list) in lists.into_iter().enumerate() {
            for id in 1..60 {
                text = text
                    .replace(&format!("\"{list}-{id}\""), &format!("\"00000000-0000-4000-800{n}-{id:012}\""));
            }
        }
        serde_json::from_str(&text).unwrap()
    };
    let seats = real(json!(api.seats).to_string());
    let contract = real(api.contract.to_string());
    let mut api = api.clone();
    (api.contract, api.seats) = (contract, serde_json::from_value(seats).unwrap());
    api
}

#[test]
fn every_contract_that_is_imported_plans_to_nothing_and_leaves_nothing_out() {
    for spec in fixture::all() {
        let mut bench = Bench::default();
        bench.settle_for(&fields::meant(&spec).unwrap());
        bench.api = with_real_ids(&bench.api);
        let imported = import(&bench);
        assert_eq!(imported.left_out, [], "{spec}");
        let again = serde_json::to_value(imported.resource.spec.metronome.unwrap()).unwrap();
        bench.forget();
        bench.policy.adopt = Some(Adopt { contract_id: imported.id, mode: AdoptMode::Match });
        let decision = bench.decide_for(&fields::meant(&again).unwrap());
        assert_eq!(decision, Decision::InSync, "{spec}\n{again}");
    }
}

#[test]
fn an_imported_item_is_called_what_people_call_it_and_has_no_defaults() {
    let bench = Bench::created(&fixture::plain());
    let imported = import(&bench);
    let spec = serde_json::to_value(imported.resource.spec.metronome.unwrap()).unwrap();
    assert_eq!(spec["commits"][0]["key"], "launch");
    assert_eq!(spec["credits"][0]["key"], "credit", "one without a name goes by what it is");
    assert_eq!(spec["commits"][0].get("priority"), None, "100 is what it means when left out: {spec}");
    assert_eq!(spec["uniquenessKey"], "test/billing/acme");
    assert_eq!(imported.resource.metadata.name.as_deref(), Some("acme-2026"));
}
