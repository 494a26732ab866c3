//! Two resources that mean one contract: one of them holds it, and the other leaves it alone.
//!
//! A claim follows from what resources say and have on record, never from which provider happens to be ready: an expired
//! token must not hand a contract over to somebody else.

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use url::Url;

use crate::{
    api::{BillingContract, contract::ManagementPolicy, reasons},
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

/// Whether a resource has the contract of this ID on record. The billing API made the ID up, for one contract and no other,
/// whichever address it is reached by.
#[must_use]
pub fn holds(contract: &BillingContract, contract_id: &str) -> bool {
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
        may_be_making: may_be_making(other),
        terms: other.spec.terms(),
    }
}

/// Whether a resource may just be making a contract: it has none on record, and nothing was said yet of its spec as it is.
fn may_be_making(contract: &BillingContract) -> bool {
    let spec = &contract.spec;
    let may_write = !spec.suspend && spec.management_policy != ManagementPolicy::Observe;
    let observed = contract.status.as_ref().and_then(|status| status.observed_generation);
    let is_unsaid = observed.filter(|observed| *observed >= 0) != contract.metadata.generation;
    may_write && is_unsaid && held(contract).is_none() && contract.metadata.deletion_timestamp.is_none()
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

/// Whether two resources mean one contract by the billing API's own IDs of it and of whose it is: an account may have several
/// addresses, and two resources that hold or adopt its contract through two of them mean one thing.
#[must_use]
pub fn mean_one(one: &BillingContract, other: &BillingContract) -> bool {
    let adopted = |contract: &BillingContract| Some(contract.spec.adopt.as_ref()?.contract_id.clone());
    let meant = |contract| held(contract).map(str::to_owned).or_else(|| adopted(contract));
    let owner = |contract: &BillingContract| {
        let status = contract.status.as_ref()?;
        status.account_id.clone().or_else(|| status.customer_id.clone())
    };
    let have_one_owner = if held(one).is_some() && held(other).is_some() {
        owner(one).is_some_and(|found| owner(other) == Some(found))
    } else {
        // Who only adopts it says whose it is, and knows no more.
        let names = customers(other);
        customers(one).iter().any(|name| names.contains(name))
    };
    have_one_owner && meant(one).is_some_and(|id| meant(other) == Some(id))
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
mod tests;
