//! One contract and the billing API that it belongs to, ready to be observed, planned, written and described.
//!
//! The only place that knows there is more than one billing API; `reconcile` is the same for all of them.

use chrono::{DateTime, Utc};

use super::{
    providers::{Account, Backend},
    status::Held,
};
use crate::{
    api::BillingContract,
    billing::{CallError, zoo::Zoo},
    plan::{Call, Decision, Memory, Policy, zoo},
    terms::Digest,
    validate,
};

/// A validated contract with the client of its billing API.
pub enum Target<'a> {
    /// A Zoo contract.
    Zoo {
        /// The client.
        client: &'a Zoo,
        /// What the contract should be.
        desired: Box<zoo::Desired>,
    },
}

/// What a billing API shows of a contract.
pub enum View {
    /// A Zoo contract.
    Zoo(zoo::View),
}

impl<'a> Target<'a> {
    /// Validates a contract and prepares it for its account.
    ///
    /// # Errors
    /// What is wrong with the spec, for people.
    pub fn new(contract: &'a BillingContract, account: &'a Account) -> Result<Self, String> {
        let (Backend::Zoo(client), Some(terms)) = (&account.backend, &contract.spec.zoo) else {
            return Err(other_api(&account.backend).to_owned());
        };
        let valid =
            validate::zoo::contract(terms, None).map_err(|violations| validate::summary(&violations))?;
        let desired = zoo::Desired::new(valid).map_err(|error| error.to_string())?;
        Ok(Self::Zoo { client, desired: Box::new(desired) })
    }

    /// Reads what the billing API shows; nothing when it shows no contract.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn observe(&self) -> Result<Option<View>, CallError> {
        match self {
            Self::Zoo { client, desired } => {
                Ok(client.observe(desired.organization_id()).await?.map(View::Zoo))
            }
        }
    }

    /// Decides what to do.
    #[must_use]
    pub fn plan(
        &self,
        observed: Option<&View>,
        memory: &Memory,
        policy: &Policy,
        now: DateTime<Utc>,
    ) -> Decision {
        match self {
            Self::Zoo { desired, .. } => {
                let observed = observed.map(|View::Zoo(view)| view);
                zoo::plan(desired, observed, memory, policy, now)
            }
        }
    }

    /// Carries out one write; the view is the contract after it, where the API's reply shows that.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn write(&self, call: &Call) -> Result<Option<View>, CallError> {
        match self {
            Self::Zoo { client, .. } => client.write(call).await.map(View::Zoo).map(Some),
        }
    }

    /// What the status says of a view, unless it is another contract in the place of this one.
    #[must_use]
    pub fn held(&self, view: &View, memory: &Memory) -> Option<Held> {
        match (self, view) {
            (Self::Zoo { desired, .. }, View::Zoo(view)) => {
                let is_ours = memory.contract_id.as_ref() == Some(&view.contract_id);
                let says_the_same = || desired.changes(&view.terms, &[]).is_empty();
                (is_ours || says_the_same()).then(|| Held::zoo(view))
            }
        }
    }

    /// ID of the customer.
    #[must_use]
    pub fn customer_id(&self) -> &str {
        match self {
            Self::Zoo { desired, .. } => desired.organization_id(),
        }
    }

    /// Digest of the terms in the spec.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        match self {
            Self::Zoo { desired, .. } => &desired.digest,
        }
    }
}

fn other_api(backend: &Backend) -> &'static str {
    match backend {
        Backend::Zoo(_) => {
            "The provider is a Zoo account, so the terms must be in `spec.zoo`; or name a provider of the other API"
        }
        Backend::Metronome(_) => {
            "The provider is a Metronome account, so the terms must be in `spec.metronome`; or name a provider of the other API"
        }
    }
}

impl View {
    /// ID of the contract.
    #[must_use]
    pub fn contract_id(&self) -> &str {
        match self {
            Self::Zoo(view) => &view.contract_id,
        }
    }
}
