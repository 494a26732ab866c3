//! Who holds what several resources mean, and by what each is found.

use super::*;
use serde_json::json;

fn contract(name: &str, created: &str, id: Option<&str>) -> BillingContract {
    serde_json::from_value(json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract",
        "metadata": {"name": name, "namespace": "billing", "uid": name, "creationTimestamp": created},
        "spec": {"providerRef": {"name": "zoo"}, "zoo": {"organizationId": "org", "effectiveAt": "2026-01-01T00:00:00Z"}},
        "status": {"contractId": id},
    }))
    .unwrap()
}

fn adopting(name: &str, created: &str, id: &str) -> BillingContract {
    let mut contract = contract(name, created, None);
    contract.spec.zoo = None;
    contract.spec.adopt = Some(serde_json::from_value(json!({"contractId": id})).unwrap());
    contract
}

fn holder_of(this: &BillingContract, others: &[BillingContract; 2]) -> Option<String> {
    holder(this, others.iter()).map(|(holder, _)| holder.name_any())
}

#[test]
fn the_oldest_holds_the_contract() {
    let (old, new) =
        (contract("z", "2026-01-01T00:00:00Z", None), contract("a", "2026-01-02T00:00:00Z", Some("c")));
    assert_eq!(holder_of(&new, &[old.clone(), new.clone()]), Some("z".to_owned()));
    assert_eq!(holder_of(&old, &[old.clone(), new.clone()]), None);
}

#[test]
fn of_two_as_old_the_one_with_a_contract_holds_it() {
    let (first, second) =
        (contract("a", "2026-01-01T00:00:00Z", None), contract("b", "2026-01-01T00:00:00Z", Some("c")));
    assert_eq!(holder_of(&first, &[first.clone(), second.clone()]), Some("b".to_owned()));
    assert_eq!(holder_of(&second, &[first.clone(), second.clone()]), None);
}

#[test]
fn who_adopts_what_nobody_has_on_record_waits_behind_nobody_younger() {
    let mut old = contract("old", "2026-01-01T00:00:00Z", None);
    old.spec.adopt = Some(serde_json::from_value(json!({"contractId": "c"})).unwrap());
    let new = contract("new", "2026-01-02T00:00:00Z", None);
    assert_eq!(holder_of(&old, &[old.clone(), new.clone()]), None);
    assert_eq!(holder_of(&new, &[old.clone(), new.clone()]), Some("old".to_owned()));
}

#[test]
fn a_sibling_is_told_by_what_it_has_and_whether_it_comes_first() {
    let asking = Asking::of(&contract("this", "2026-01-02T00:00:00Z", None));
    let mut older = contract("older", "2026-01-01T00:00:00Z", None);
    older.status = Some(serde_json::from_value(json!({"contractId": "c", "customerId": "m"})).unwrap());
    let told = sibling(&asking, &older);
    assert_eq!(told.resource, "billing/older");
    assert_eq!((told.contract_id.as_deref(), told.customer_id.as_deref()), (Some("c"), Some("m")));
    for (name, created, is_before) in [
        ("older", "2026-01-01T00:00:00Z", true),
        ("as-old", "2026-01-02T00:00:00Z", true),
        ("this", "2026-01-02T00:00:00Z", false),
        ("younger", "2026-01-03T00:00:00Z", false),
    ] {
        assert_eq!(sibling(&asking, &contract(name, created, None)).is_before, is_before, "{name}");
    }
}

#[test]
fn who_adopts_what_another_resource_has_on_record_does_not_hold_it() {
    let mut old = adopting("old", "2026-01-01T00:00:00Z", "other");
    old.spec.adopt = None;
    old.status = Some(serde_json::from_value(json!({"contractId": "c"})).unwrap());
    let new = adopting("new", "2026-01-02T00:00:00Z", "c");
    assert_eq!(holder_of(&new, &[old.clone(), new.clone()]), Some("old".to_owned()));
    assert!(
        heir(&old, [&old, &new].into_iter()).is_some(),
        "what goes takes nothing with it that another claims"
    );
    assert!(heir(&new, [&new].into_iter()).is_none());
}

#[test]
fn what_lies_beside_two_contracts_is_held_by_the_older_resource() {
    let with = |name: &str, created: &str, items: serde_json::Value| {
        let mut contract = adopting(name, created, name);
        contract.spec.adopt = None;
        let terms = json!({"customerId": "c", "startingAt": "2026-01-01T00:00:00Z"});
        contract.spec.metronome = serde_json::from_value(terms).unwrap();
        contract.status = Some(serde_json::from_value(json!({"contractId": name, "items": items})).unwrap());
        contract
    };
    let pool = json!([{"key": "customerCommits/pool", "id": "one"}]);
    let old = with("old", "2026-01-01T00:00:00Z", pool.clone());
    let new = with("new", "2026-01-02T00:00:00Z", pool);
    assert_eq!(holder_of(&new, &[old.clone(), new.clone()]), Some("old".to_owned()));
    assert_eq!(
        heir(&old, [&new].into_iter()).map(ResourceExt::name_any),
        None,
        "its contract ends all the same"
    );
    let inside =
        json!([{"key": "commits/pool", "id": "one"}, {"key": "customerCommits/pool/x", "id": "one"}]);
    let other = with("other", "2026-01-03T00:00:00Z", inside);
    assert_eq!(holder_of(&other, &[old, new]), None);
}

#[test]
fn who_has_a_contract_on_record_goes_before_an_older_one_that_only_adopts_it() {
    let adopting = adopting("old", "2026-01-01T00:00:00Z", "c");
    let mut holding = self::adopting("new", "2026-01-02T00:00:00Z", "c");
    holding.status = Some(serde_json::from_value(json!({"contractId": "c"})).unwrap());
    let both = [adopting.clone(), holding.clone()];
    assert_eq!(holder_of(&adopting, &both), Some("new".to_owned()));
    assert_eq!(holder_of(&holding, &both), None);
    let refusal = refusal(&holding, &Subject::Contract("c".into()));
    assert!(refusal.message.contains("billing/new holds the same contract (c)"), "{}", refusal.message);
    // Its place among all that claim the contract, by which an index finds it without a look at the others.
    let place = |contract: &BillingContract| rank_in(contract, &Subject::Contract("c".into()));
    assert!(place(&holding) < place(&adopting));
    let key = |contract: &BillingContract| rank_in(contract, &Subject::Key("k".into()));
    assert!(key(&adopting) < key(&holding), "of anything else, the older one is the first");
    // Where both have it on record, the older one holds it.
    let mut second = adopting.clone();
    second.status.clone_from(&holding.status);
    assert_eq!(holder_of(&second, &[second.clone(), holding.clone()]), None);
    assert_eq!(holder_of(&holding, &[second.clone(), holding.clone()]), Some("old".to_owned()));
}

#[test]
fn a_customer_is_found_by_its_id_its_alias_and_the_id_that_the_alias_meant() {
    let mut this = adopting("a", "2026-01-01T00:00:00Z", "c");
    this.spec.metronome = Some(
        serde_json::from_value(json!({"customerAlias": "acme", "startingAt": "2026-01-01T00:00:00Z"}))
            .unwrap(),
    );
    assert_eq!(customers(&this), ["acme"]);
    this.status = Some(serde_json::from_value(json!({"customerId": "m", "contractId": "c"})).unwrap());
    assert_eq!(customers(&this), ["acme", "m"]);
    let at = "2026-01-02T00:00:00Z".parse().unwrap();
    let expected = Departed { resource: "billing/a".into(), at, contract_id: Some("c".into()) };
    assert_eq!(departed(&this, at), expected);
}

#[test]
fn an_account_is_the_same_however_its_address_is_spelled() {
    for spelled in [
        "https://api.zoo.dev/",
        "HTTPS://API.zoo.dev",
        "https://api.zoo.dev:443",
        "https://api.zoo.dev./",
        "https://api.zoo.dev.:443//",
        "https://api.zoo.dev/v1/..",
        "https://api.zoo.dev/?a=1#b",
    ] {
        assert_eq!(account(spelled), "https://api.zoo.dev", "{spelled}");
    }
    for spelled in ["http://127.0.0.1:8080", "http://127.1:8080/", "http://0x7f000001:8080"] {
        assert_eq!(account(spelled), "http://127.0.0.1:8080", "{spelled}");
    }
    assert_ne!(account("https://api.zoo.dev/v1"), account("https://api.zoo.dev"));
    for unreadable in ["no address", "https://./"] {
        assert_eq!(account(unreadable), unreadable.trim_end_matches('/'), "it is one with itself alone");
    }
}

#[test]
fn what_two_resources_have_on_record_is_one_thing_by_the_apis_ids_and_not_by_its_address() {
    let of = |status: serde_json::Value| {
        let mut of = contract("a", "2026-01-01T00:00:00Z", None);
        of.status = Some(serde_json::from_value(status).unwrap());
        of
    };
    let zoo = of(json!({"contractId": "c", "accountId": "a", "account": "http://localhost:1"}));
    let same = of(json!({"contractId": "c", "accountId": "a", "account": "http://127.0.0.1:1"}));
    assert!(mean_one(&zoo, &same));
    let metronome = of(json!({"contractId": "c", "customerId": "a"}));
    assert!(mean_one(&metronome, &metronome));
    for other in [
        of(json!({"contractId": "d", "accountId": "a"})),
        of(json!({"contractId": "c", "accountId": "b"})),
        of(json!({"contractId": "c"})),
        of(json!({"accountId": "a"})),
    ] {
        assert!(!mean_one(&zoo, &other) && !mean_one(&other, &zoo));
    }
}

#[test]
fn what_one_resource_adopts_and_another_has_on_record_is_one_thing_by_whichever_address() {
    let of_org = |mut contract: BillingContract, organization: &str| {
        let terms = json!({"organizationId": organization, "effectiveAt": "2026-01-01T00:00:00Z"});
        contract.spec.zoo = Some(serde_json::from_value(terms).unwrap());
        contract
    };
    let holding = contract("old", "2026-01-01T00:00:00Z", Some("c"));
    let taking = |id, organization| of_org(adopting("new", "2026-01-02T00:00:00Z", id), organization);
    assert!(mean_one(&holding, &taking("c", "org")) && mean_one(&taking("c", "org"), &holding));
    assert!(mean_one(&taking("c", "org"), &taking("c", "org")));
    assert!(!mean_one(&holding, &taking("d", "org")) && !mean_one(&holding, &taking("c", "other")));
    // Who has another one on record does not act on what it once adopted.
    let mut elsewhere = taking("c", "org");
    elsewhere.status = Some(serde_json::from_value(json!({"contractId": "d"})).unwrap());
    assert!(!mean_one(&holding, &elsewhere));
    assert!(!mean_one(
        &contract("a", "2026-01-01T00:00:00Z", None),
        &contract("b", "2026-01-01T00:00:00Z", None)
    ));
}

#[test]
fn a_resource_is_found_by_what_it_holds_and_by_its_place_unless_it_gives_a_key() {
    let sought = Sought {
        contract_id: "c",
        key: Some("prefix/billing/a"),
        place: Some(("billing", "a")),
        before: Before::Creating,
    };
    let finds = |this: &BillingContract| marks(this).iter().any(|mark| marks_of(&sought).contains(mark));
    assert!(finds(&contract("a", "2026-01-01T00:00:00Z", None)), "nothing is on record yet");
    assert!(finds(&contract("b", "2026-01-01T00:00:00Z", Some("c"))));
    assert!(finds(&adopting("b", "2026-01-01T00:00:00Z", "c")));
    assert!(!finds(&contract("b", "2026-01-01T00:00:00Z", Some("d"))));
    let giving = |key: &str| {
        let mut this = adopting("a", "2026-01-01T00:00:00Z", "d");
        let terms = json!({"customerId": "m", "startingAt": "2026-01-01T00:00:00Z", "uniquenessKey": key});
        this.spec.metronome = Some(serde_json::from_value(terms).unwrap());
        this
    };
    assert!(!finds(&giving("another")));
    assert!(finds(&giving("prefix/billing/a")));
}

#[test]
fn the_refusal_names_who_holds_what() {
    let old = contract("old", "2026-01-01T00:00:00Z", None);
    for (subject, text) in [
        (Subject::Customer("org".into()), "(org)"),
        (Subject::Key("key".into()), "(key)"),
        (Subject::Contract("c".into()), "(c)"),
        (Subject::Item("i".into()), "(or what lies beside one: i)"),
    ] {
        let refusal = refusal(&old, &subject);
        assert_eq!(refusal.reason, reasons::DUPLICATE_CLAIM);
        assert!(refusal.message.starts_with("BillingContract billing/old claims the same contract"));
        assert!(refusal.message.contains(text), "{}", refusal.message);
    }
}

#[test]
fn a_resource_is_not_in_its_own_way() {
    let this = contract("a", "2026-01-01T00:00:00Z", None);
    // Its own older copy in the cache, which has a contract and so comes first.
    let copy = contract("a", "2026-01-01T00:00:00Z", Some("c"));
    assert_eq!(holder_of(&this, &[copy.clone(), this.clone()]), None);
    assert!(heir(&this, [&copy].into_iter()).is_none());
    // One of the same name and second that is gone comes before nobody.
    let mut gone = this.clone();
    gone.metadata.uid = Some("gone".into());
    assert_eq!(holder_of(&this, &[gone.clone(), this.clone()]), None);
}

#[test]
fn an_heir_claims_the_same_and_stays() {
    let this = contract("a", "2026-01-01T00:00:00Z", None);
    let mut other = contract("b", "2026-01-02T00:00:00Z", None);
    assert_eq!(heir(&this, [&other].into_iter()).map(ResourceExt::name_any), Some("b".to_owned()));
    let elsewhere = adopting("c", "2026-01-02T00:00:00Z", "c-9");
    assert!(heir(&this, [&elsewhere].into_iter()).is_none(), "it claims something else");
    other.metadata.deletion_timestamp = other.metadata.creation_timestamp.clone();
    assert!(heir(&this, [&other].into_iter()).is_none(), "it goes too");
}

#[test]
fn a_resource_claims_its_customer_its_key_what_it_adopts_and_what_it_holds() {
    let mut this = adopting("a", "2026-01-01T00:00:00Z", "c-1");
    this.status = Some(serde_json::from_value(json!({"contractId": "c-2"})).unwrap());
    this.spec.metronome = Some(
        serde_json::from_value(
            json!({"customerId": "m", "startingAt": "2026-01-01T00:00:00Z", "uniquenessKey": "k"}),
        )
        .unwrap(),
    );
    let contract = |id: &str| Subject::Contract(id.to_owned());
    assert_eq!(subjects(&this), [Subject::Key("k".into()), contract("c-1"), contract("c-2")]);
    let zoo = self::contract("z", "2026-01-01T00:00:00Z", None);
    assert_eq!(subjects(&zoo), [Subject::Customer("org".into())]);
}

#[test]
fn of_two_that_each_adopt_what_the_other_has_on_record_the_older_goes_first() {
    let crossed = |name: &str, created: &str, adopted: &str, held: &str| {
        let mut this = adopting(name, created, adopted);
        this.status = Some(serde_json::from_value(json!({"contractId": held})).unwrap());
        this
    };
    let old = crossed("old", "2026-01-01T00:00:00Z", "two", "one");
    let new = crossed("new", "2026-01-02T00:00:00Z", "one", "two");
    assert_eq!(holder_of(&new, &[old.clone(), new.clone()]), Some("old".to_owned()));
    assert_eq!(holder_of(&old, &[old.clone(), new.clone()]), None);
}

#[test]
fn what_a_resource_adopts_and_has_on_record_itself_it_gives_up_to_nobody_younger() {
    let with = |name: &str, created: &str| {
        let mut this = adopting(name, created, "c");
        this.status = Some(serde_json::from_value(json!({"contractId": "c"})).unwrap());
        this
    };
    let (old, new) = (with("old", "2026-01-01T00:00:00Z"), with("new", "2026-01-02T00:00:00Z"));
    assert_eq!(holder_of(&old, &[old.clone(), new.clone()]), None);
    assert_eq!(holder_of(&new, &[old.clone(), new.clone()]), Some("old".to_owned()));
}

#[test]
fn of_several_that_keep_a_contract_the_one_that_has_it_on_record_is_named() {
    let this = Asking::of(&contract("this", "2026-01-03T00:00:00Z", None));
    assert!(this.is(Some("this")) && !this.is(Some("other")) && !this.is(None));
    let older = adopting("older", "2026-01-01T00:00:00Z", "c");
    let holding = contract("holding", "2026-01-04T00:00:00Z", Some("c"));
    let sought = |before| Sought { contract_id: "c", key: None, place: None, before };
    let keeper_of = |before, others: &[&BillingContract]| {
        keeper(&this, &sought(before), others.iter().copied()).map(ResourceExt::name_any)
    };
    for before in [Before::Creating, Before::Taking, Before::Ending] {
        assert_eq!(keeper_of(before, &[&older, &holding]), Some("holding".to_owned()), "{before:?}");
    }
    // Of those that only claim it, one of the same age and name goes before nobody.
    let mut twin = adopting("this", "2026-01-03T00:00:00Z", "c");
    twin.metadata.uid = Some("twin".into());
    assert_eq!(keeper_of(Before::Taking, &[&twin]), None);
    assert_eq!(keeper_of(Before::Taking, &[&older]), Some("older".to_owned()));
}

#[test]
fn an_id_is_that_which_the_api_tells_whatever_letters_a_spec_has_it_in() {
    let told = "6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11";
    let mut this = adopting("a", "2026-01-01T00:00:00Z", &told.to_uppercase());
    assert_eq!(subjects(&this), [Subject::Contract(told.to_owned())]);
    this.spec.metronome = Some(
        serde_json::from_value(
            json!({"customerId": told.to_uppercase(), "startingAt": "2026-01-01T00:00:00Z"}),
        )
        .unwrap(),
    );
    assert_eq!(customers(&this), [told]);
    let plain = adopting("b", "2026-01-01T00:00:00Z", "Not-A-UUID");
    assert_eq!(subjects(&plain), [Subject::Contract("Not-A-UUID".to_owned())]);
}
