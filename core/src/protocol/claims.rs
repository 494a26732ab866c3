//! Two resources that mean one contract: one of them holds it, and the other leaves it alone.
//!
//! A claim follows from what resources say and have on record, never from which provider happens to be ready: an expired
//! token must not hand a contract over to somebody else.

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use url::Url;

use crate::{
    api::{BillingContract, reasons},
    plan::{Before, Departed, Refusal, Sibling, Sought},
    terms::shape::in_usual_letters,
};

/// What a resource claims of a billing account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The one contract that a customer can have (Zoo).
    Customer(String),
    /// What is made with a uniqueness key.
    Key(String),
    /// One contract, by its ID.
    Contract(String),
    /// Something of a customer beside its contracts, by its ID.
    Item(String),
    /// What is made with the key that is derived from this namespace and name.
    Place(String, String),
    /// What else is made for a customer that can have several contracts, by one of its names. It is nobody's alone.
    Of(String),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Customer(text) | Self::Key(text) | Self::Contract(text) | Self::Of(text) => {
                f.write_str(text)
            }
            Self::Item(id) => write!(f, "or what lies beside one: {id}"),
            Self::Place(namespace, name) => write!(f, "{namespace}/{name}"),
        }
    }
}

/// Everything that a resource claims: its customer (Zoo), the key it gives, the contract it adopts, the contract that it
/// has on record, and what it has on record beside that. Keys that are derived from namespace and name are nobody else's.
#[must_use]
pub fn subjects(contract: &BillingContract) -> Vec<Subject> {
    let adopted = contract.spec.adopt.as_ref().map(|adopt| Subject::Contract(adopt.contract_id.clone()));
    let status = contract.status.as_ref();
    let held = status.and_then(|status| status.contract_id.clone()).map(Subject::Contract);
    let customer = contract.spec.sole_customer().map(str::to_owned).map(Subject::Customer);
    let key = contract.spec.given_key().map(str::to_owned).map(Subject::Key);
    let beside = contract.spec.lists_beside();
    let is_beside = |path: &str| {
        let item = path.split_once('/').filter(|(_, key)| !key.contains('/'));
        item.is_some_and(|(list, _)| beside.contains(&list))
    };
    let items = status.into_iter().flat_map(|status| &status.items).filter(|item| is_beside(&item.key));
    let items = items.map(|item| Subject::Item(item.id.clone()));
    customer.into_iter().chain(key).chain(adopted).chain(held).chain(items).collect()
}

/// Everything by which a resource can be found to hold or claim a contract: what it claims, its own place, whose derived
/// key nobody else has, and its customer.
#[must_use]
pub fn marks(contract: &BillingContract) -> Vec<Subject> {
    let mut marks = subjects(contract);
    if contract.spec.sole_customer().is_none() {
        marks.extend(customers(contract).into_iter().map(Subject::Of));
    }
    if contract.spec.given_key().is_none() {
        marks.push(Subject::Place(contract.namespace().unwrap_or_default(), contract.name_any()));
    }
    marks
}

/// Everything by which the holder of a contract can be found.
#[must_use]
pub fn marks_of(sought: &Sought<'_>) -> Vec<Subject> {
    let Sought { contract_id, key, place, .. } = *sought;
    let key = key.map(|key| Subject::Key(key.to_owned()));
    let place = place.map(|(namespace, name)| Subject::Place(namespace.to_owned(), name.to_owned()));
    [Subject::Contract(contract_id.to_owned())].into_iter().chain(key).chain(place).collect()
}

/// A resource that asks what others hold, without its terms.
#[derive(Clone, Debug)]
pub struct Asking {
    uid: Option<String>,
    rank: Rank,
}

impl Asking {
    /// A resource that asks.
    #[must_use]
    pub fn of(contract: &BillingContract) -> Self {
        Self { uid: contract.uid(), rank: rank(contract) }
    }

    /// Whether it is the resource with this UID.
    #[must_use]
    pub fn is(&self, uid: Option<&str>) -> bool {
        self.uid.as_deref() == uid
    }
}

/// The resource, among others of the same account, that holds or claims a contract which another one does not have on
/// record, so that it must leave it alone.
///
/// What a resource has on record is its own, whoever is older and even while it goes. What is only claimed, by `adopt`, by a
/// key or by the place that the key follows from, the oldest has, and who goes claims nothing beside what it holds. A
/// resource that has another contract on record does not mean this one by its key.
#[must_use]
pub fn keeper<'a>(
    this: &Asking,
    sought: &Sought<'_>,
    others: impl Iterator<Item = &'a BillingContract>,
) -> Option<&'a BillingContract> {
    let sought_marks = marks_of(sought);
    let order = |other: &BillingContract| (!holds(other, sought.contract_id), rank(other));
    let keeps = |other: &BillingContract| {
        let stays = other.metadata.deletion_timestamp.is_none();
        let has_none = held(other).is_none();
        match sought.before {
            _ if holds(other, sought.contract_id) => stays || sought.before != Before::Creating,
            _ if !stays || !has_none || !marks(other).iter().any(|mark| sought_marks.contains(mark)) => false,
            Before::Creating | Before::Ending => true,
            Before::Taking => rank(other) < this.rank,
        }
    };
    others.filter(|other| other.uid() != this.uid && keeps(other)).min_by_key(|other| order(other))
}

/// The contract that a resource has on record.
fn held(contract: &BillingContract) -> Option<&str> {
    contract.status.as_ref()?.contract_id.as_deref()
}

fn holds(contract: &BillingContract, contract_id: &str) -> bool {
    held(contract) == Some(contract_id)
}

/// Everything that a resource's customer goes by.
#[must_use]
pub fn customers(contract: &BillingContract) -> Vec<String> {
    let recorded = contract.status.as_ref().and_then(|status| status.customer_id.as_deref());
    // Whatever letters a spec has an ID in, it is the one that the API tells.
    contract.spec.customer_names().chain(recorded).map(in_usual_letters).collect()
}

/// What is remembered of a resource that has gone.
#[must_use]
pub fn departed(contract: &BillingContract, at: DateTime<Utc>) -> Departed {
    Departed {
        resource: format!("{}/{}", contract.namespace().unwrap_or_default(), contract.name_any()),
        at,
        contract_id: held(contract).map(str::to_owned),
    }
}

/// Another resource of the same customer, as one that asks sees it.
#[must_use]
pub fn sibling(asking: &Asking, other: &BillingContract) -> Sibling {
    Sibling {
        resource: format!("{}/{}", other.namespace().unwrap_or_default(), other.name_any()),
        contract_id: held(other).map(str::to_owned),
        customer_id: other.status.as_ref().and_then(|status| status.customer_id.clone()),
        is_before: rank(other) < asking.rank,
        terms: other.spec.terms(),
    }
}

/// An account as claims compare it: the address of its billing API, however it is spelled.
#[must_use]
pub fn account(base_url: &str) -> String {
    let parsed = Url::parse(base_url).map(|mut url| {
        // Parsing gives scheme and host in lower case and leaves out the scheme's own port; a host in full ends in a dot.
        let host = url.host_str().and_then(|host| host.strip_suffix('.')).map(str::to_owned);
        if let Some(host) = host
            && url.set_host(Some(&host)).is_err()
        {
            return base_url.to_owned();
        }
        url.set_query(None);
        url.set_fragment(None);
        String::from(url)
    });
    parsed.as_deref().unwrap_or(base_url).trim_end_matches('/').to_owned()
}

/// Whether two resources have one contract on record, by the billing API's own IDs of it and of whose it is: an account
/// may have several addresses, and two resources that hold its contract through two of them hold one thing.
#[must_use]
pub fn hold_one(one: &BillingContract, other: &BillingContract) -> bool {
    let on_record = |contract: &BillingContract| {
        let status = contract.status.as_ref()?;
        let owner = status.account_id.as_ref().or(status.customer_id.as_ref())?;
        Some((status.contract_id.clone()?, owner.clone()))
    };
    on_record(one).is_some_and(|found| on_record(other).as_ref() == Some(&found))
}

/// The resource, among others of the same account, that holds what this one claims; `None` when this one does.
///
/// Who has a contract on record that the other only claims comes first; then the oldest; of those created in the same
/// second, one that has a contract already, then by name.
pub fn holder<'a>(
    this: &BillingContract,
    others: impl Iterator<Item = &'a BillingContract>,
) -> Option<(&'a BillingContract, Subject)> {
    let claimed = subjects(this);
    let shared = |other: &BillingContract| {
        let theirs = subjects(other);
        claimed.iter().find(|subject| theirs.contains(subject)).cloned()
    };
    others
        .filter(|other| other.uid() != this.uid() && goes_before(other, this))
        .filter_map(|other| Some((other, shared(other)?)))
        .min_by_key(|(other, _)| rank(other))
}

/// Whether one of two resources that claim the same goes before the other.
fn goes_before(one: &BillingContract, other: &BillingContract) -> bool {
    let has_what_is_claimed = |one: &BillingContract, other: &BillingContract| {
        let adopts = other.spec.adopt.as_ref().map(|adopt| adopt.contract_id.as_str());
        adopts.is_some_and(|id| holds(one, id) && !holds(other, id))
    };
    match (has_what_is_claimed(one, other), has_what_is_claimed(other, one)) {
        (true, false) => true,
        (false, true) => false,
        _ => rank(one) < rank(other),
    }
}

/// Another resource that claims what this one has on record, or claims: it must not end along with this one. What both have
/// beside their contracts keeps neither contract from its end.
pub fn heir<'a>(
    this: &BillingContract,
    mut others: impl Iterator<Item = &'a BillingContract>,
) -> Option<&'a BillingContract> {
    let mut claimed = subjects(this);
    claimed.retain(|subject| !matches!(subject, Subject::Item(_)));
    others.find(|other| {
        other.uid() != this.uid()
            && other.metadata.deletion_timestamp.is_none()
            && subjects(other).iter().any(|subject| claimed.contains(subject))
    })
}

/// Why a resource is refused whose contract another one holds.
#[must_use]
pub fn refusal(holder: &BillingContract, subject: &Subject) -> Refusal {
    let (namespace, name) = (holder.namespace().unwrap_or_default(), holder.name_any());
    let message = match subject {
        Subject::Contract(id) if holds(holder, id) => {
            format!(
                "BillingContract {namespace}/{name} holds the same contract ({id}). Delete one of the two"
            )
        }
        subject => {
            let or = match subject {
                Subject::Key(_) => "; or, if another contract is meant, set another `uniquenessKey`",
                Subject::Contract(_) => "; or take `spec.adopt` out of one of them",
                _ => "",
            };
            format!(
                "BillingContract {namespace}/{name} claims the same contract ({subject}), and it is older. Delete one of the \
                 two{or}"
            )
        }
    };
    Refusal { reason: reasons::DUPLICATE_CLAIM, message }
}

/// Place in the order in which resources hold what several claim: the first holds it.
pub type Rank = (Option<Time>, bool, String, String);

/// A resource's place among those that claim a subject: who has a contract on record comes before who only claims it.
pub type RankIn = (bool, Rank);

/// A resource's place among those that claim a subject.
#[must_use]
pub fn rank_in(contract: &BillingContract, subject: &Subject) -> RankIn {
    let has_it = matches!(subject, Subject::Contract(id) if holds(contract, id));
    (!has_it, rank(contract))
}

/// A resource's place: the older comes first; of those created in the same second, one that has a contract already, then by
/// name.
#[must_use]
pub fn rank(contract: &BillingContract) -> Rank {
    let has_none = contract.status.as_ref().is_none_or(|status| status.contract_id.is_none());
    (contract.creation_timestamp(), has_none, contract.namespace().unwrap_or_default(), contract.name_any())
}

#[cfg(test)]
mod tests {
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
            contract.status =
                Some(serde_json::from_value(json!({"contractId": name, "items": items})).unwrap());
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
        let mut holding = super::tests::adopting("new", "2026-01-02T00:00:00Z", "c");
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
        assert!(hold_one(&zoo, &same));
        let metronome = of(json!({"contractId": "c", "customerId": "a"}));
        assert!(hold_one(&metronome, &metronome));
        for other in [
            of(json!({"contractId": "d", "accountId": "a"})),
            of(json!({"contractId": "c", "accountId": "b"})),
            of(json!({"contractId": "c"})),
            of(json!({"accountId": "a"})),
        ] {
            assert!(!hold_one(&zoo, &other) && !hold_one(&other, &zoo));
        }
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
            let terms =
                json!({"customerId": "m", "startingAt": "2026-01-01T00:00:00Z", "uniquenessKey": key});
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
        let zoo = super::tests::contract("z", "2026-01-01T00:00:00Z", None);
        assert_eq!(subjects(&zoo), [Subject::Customer("org".into())]);
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
}
