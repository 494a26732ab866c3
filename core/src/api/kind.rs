//! Which billing API something belongs to, and the names that this API group uses on objects.
//!
//! Whoever needs to tell billing APIs apart asks for an [`Api`] and matches it in full, so that a further API is a
//! compile error wherever it would otherwise go wrong in silence.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::Rule;
use serde_json::Value;

use super::{
    BillingContractSpec, ContractPackageSpec,
    provider::{BillingProviderSpec, ClusterBillingProviderSpec},
};

/// API group of every kind.
pub const GROUP: &str = "billing.countersign.dev";

/// Finalizer on contracts whose `deletionPolicy` asks for a billing call.
pub const FINALIZER: &str = "billing.countersign.dev/end-contract";

/// Finalizer on packages whose `deletionPolicy` asks for a billing call.
pub const PACKAGE_FINALIZER: &str = "billing.countersign.dev/archive-package";

/// Annotation that asks for a reconcile now; any new value does (Flux's convention).
pub const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
/// Most characters of what [`REQUESTED_AT`] says that a status remembers.
const MOST_REQUESTED: usize = 1024;

/// What an object's annotation [`REQUESTED_AT`] says, as a status remembers it: cut where a status has no room for more.
#[must_use]
pub fn requested_at(metadata: &ObjectMeta) -> Option<String> {
    let said = metadata.annotations.as_ref()?.get(REQUESTED_AT)?;
    Some(said.chars().take(MOST_REQUESTED).collect())
}

/// Annotation that approves the plan with this digest, under `managementPolicy: Plan`.
pub const APPROVED_PLAN: &str = "billing.countersign.dev/approved-plan";

/// Annotation that says which revision in Git the resource is from; noted on stamped contracts.
pub const REVISION: &str = "billing.countersign.dev/revision";

/// Annotation that lets a contract or a package go without its billing call; the value must be `true`.
pub const RELEASE: &str = "billing.countersign.dev/release";

/// Annotation on a Secret: the hosts that its token may be sent to, separated by commas.
pub const ALLOWED_HOSTS: &str = "billing.countersign.dev/allowed-hosts";

/// A billing API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Api {
    /// Zoo: one contract an organization, replaced as a whole.
    Zoo,
    /// Metronome: contracts and packages, edited item by item.
    Metronome,
    /// Fake: one contract a customer, of a name and a price; for tests only.
    #[cfg(feature = "fake")]
    Fake,
}

impl Api {
    /// Every billing API.
    pub const ALL: &'static [Self] = &[
        Self::Zoo,
        Self::Metronome,
        #[cfg(feature = "fake")]
        Self::Fake,
    ];

    /// Those that a [`ContractPackage`](super::ContractPackage) can be of.
    pub(super) const WITH_PACKAGES: &'static [Self] = &[Self::Zoo, Self::Metronome];

    /// The member of a spec that holds what is of this API.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Zoo => "zoo",
            Self::Metronome => "metronome",
            #[cfg(feature = "fake")]
            Self::Fake => "fake",
        }
    }

    /// The member of the terms that names the customer.
    #[must_use]
    pub const fn customer_field(self) -> &'static str {
        match self {
            Self::Zoo => "organizationId",
            Self::Metronome => "customerId",
            #[cfg(feature = "fake")]
            Self::Fake => "customerId",
        }
    }

    /// Where everybody finds it; nothing for one that has no public address.
    #[must_use]
    pub const fn public_address(self) -> Option<&'static str> {
        match self {
            Self::Zoo => Some("https://api.zoo.dev"),
            Self::Metronome => Some("https://api.metronome.com"),
            #[cfg(feature = "fake")]
            Self::Fake => None,
        }
    }

    /// The API whose member is set, if exactly one is.
    fn of(is_set: impl Fn(Self) -> bool) -> Option<Self> {
        let mut set = Self::ALL.iter().copied().filter(|api| is_set(*api));
        set.next().filter(|_| set.next().is_none())
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zoo => "Zoo",
            Self::Metronome => "Metronome",
            #[cfg(feature = "fake")]
            Self::Fake => "Fake",
        })
    }
}

/// The rule by which the API server refuses a spec that is not of exactly one of these billing APIs.
pub(super) fn one_of(apis: &[Api]) -> Rule {
    let set: Vec<_> = apis.iter().map(|api| format!("has(self.spec.{})", api.field())).collect();
    let fields: Vec<_> = apis.iter().map(|api| format!("`spec.{}`", api.field())).collect();
    Rule::new(format!("[{}].exists_one(set, set)", set.join(", ")))
        .message(format!("exactly one of {} must be set", fields.join(" and ")).as_str())
}

impl BillingContractSpec {
    /// The customer, where the billing API has one contract for each.
    #[must_use]
    pub fn sole_customer(&self) -> Option<&str> {
        match self.api()? {
            Api::Zoo => self.zoo.as_ref().map(|terms| terms.organization_id.as_str()),
            Api::Metronome => None,
            #[cfg(feature = "fake")]
            Api::Fake => self.fake.as_ref().map(|terms| terms.customer_id.as_str()),
        }
    }

    /// What the spec calls the customer: an ID, an alias.
    pub fn customer_names(&self) -> impl Iterator<Item = &str> {
        let terms = self.metronome.as_deref();
        let id = terms.and_then(|terms| Some(terms.customer_id.as_ref()?.as_str()));
        let alias = terms.and_then(|terms| Some(terms.customer_alias.as_ref()?.as_str()));
        self.sole_customer().into_iter().chain(id).chain(alias)
    }

    /// The terms, as the spec says them; null where it has none.
    #[must_use]
    pub fn terms(&self) -> Value {
        let said = match self.api() {
            Some(Api::Zoo) => serde_json::to_value(&self.zoo),
            Some(Api::Metronome) => serde_json::to_value(&self.metronome),
            #[cfg(feature = "fake")]
            Some(Api::Fake) => serde_json::to_value(&self.fake),
            None => Ok(Value::Null),
        };
        said.unwrap_or_default()
    }

    /// The uniqueness key that the user chose; keys that are derived from namespace and name are nobody else's.
    #[must_use]
    pub fn given_key(&self) -> Option<&str> {
        match self.api()? {
            Api::Zoo => None,
            Api::Metronome => Some(self.metronome.as_ref()?.uniqueness_key.as_ref()?.as_str()),
            #[cfg(feature = "fake")]
            Api::Fake => None,
        }
    }

    /// Lists of the terms whose items lie beside the contract, as records name them: another resource could hold them as well.
    #[must_use]
    pub fn lists_beside(&self) -> &'static [&'static str] {
        match self.api() {
            Some(Api::Metronome) => &["customerCommits", "customerCredits"],
            Some(Api::Zoo) | None => &[],
            #[cfg(feature = "fake")]
            Some(Api::Fake) => &[],
        }
    }

    /// Name of the resource, in the same namespace, whose contract this one renews.
    #[must_use]
    pub fn renews(&self) -> Option<&str> {
        match self.api()? {
            Api::Zoo => None,
            Api::Metronome => {
                let transition = self.metronome.as_ref()?.transition.as_ref()?;
                Some(transition.from_contract_ref.as_ref()?.name.as_str())
            }
            #[cfg(feature = "fake")]
            Api::Fake => None,
        }
    }

    /// The billing API that the terms are for; none unless exactly one is set, which the API server sees to.
    #[must_use]
    pub fn api(&self) -> Option<Api> {
        Api::of(|api| match api {
            Api::Zoo => self.zoo.is_some(),
            Api::Metronome => self.metronome.is_some(),
            #[cfg(feature = "fake")]
            Api::Fake => self.fake.is_some(),
        })
    }
}

impl ContractPackageSpec {
    /// The billing API that the terms are for; none unless exactly one is set, which the API server sees to.
    #[must_use]
    pub fn api(&self) -> Option<Api> {
        Api::of(|api| match api {
            Api::Zoo => self.zoo.is_some(),
            Api::Metronome => self.metronome.is_some(),
            #[cfg(feature = "fake")]
            Api::Fake => false,
        })
    }

    /// The uniqueness key that the user chose, by which a package is found again.
    #[must_use]
    pub fn given_key(&self) -> Option<&str> {
        match self.api()? {
            Api::Zoo => None,
            Api::Metronome => Some(self.metronome.as_ref()?.uniqueness_key.as_ref()?.as_str()),
            #[cfg(feature = "fake")]
            Api::Fake => None,
        }
    }
}

impl BillingProviderSpec {
    /// The billing API of the account; none unless exactly one is set, which the API server sees to.
    #[must_use]
    pub fn api(&self) -> Option<Api> {
        Api::of(|api| match api {
            Api::Zoo => self.zoo.is_some(),
            Api::Metronome => self.metronome.is_some(),
            #[cfg(feature = "fake")]
            Api::Fake => self.fake.is_some(),
        })
    }
}

impl ClusterBillingProviderSpec {
    /// The billing API of the account; none unless exactly one is set, which the API server sees to.
    #[must_use]
    pub fn api(&self) -> Option<Api> {
        self.account.api()
    }
}
