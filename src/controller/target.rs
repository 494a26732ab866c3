//! One contract and the billing API that it belongs to, ready to be observed, planned, written and described.
//!
//! The only place that knows there is more than one billing API; `reconcile` is the same for all of them.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use kube::ResourceExt;
use serde_json::Value;

use super::{
    Context,
    providers::{Account, Backend},
    status::Held,
};
use crate::{
    api::{BillingContract, ContractPackage, REVISION},
    billing::{
        CallError,
        metronome::{Metronome, STAMP_KEYS},
        zoo::Zoo,
    },
    plan::{
        Call, Decision, Plan, Policy, Recorded, Refusal,
        metronome::{self, CREATE_CONTRACT, EDIT_CONTRACT, Found, Resolved, Stamp, UniquenessKey, package},
        zoo,
    },
    terms::Digest,
    validate,
};

/// How long a read may be behind an edit.
const SETTLING: TimeDelta = TimeDelta::seconds(30);

/// A validated contract with the client of its billing API.
pub enum Target<'a> {
    /// A Zoo contract.
    Zoo {
        /// The client.
        client: &'a Zoo,
        /// What the contract should be.
        desired: Box<zoo::Desired>,
    },
    /// A Metronome contract.
    Metronome {
        /// The client.
        client: &'a Metronome,
        /// What the contract should be.
        desired: Box<metronome::Desired>,
        /// How the package that the contract is made from is billed, where that is known.
        billing: Option<package::Billing>,
    },
}

/// Whether a plan may be carried out as it is.
pub enum Ready {
    /// Yes.
    Yes,
    /// More is known now: it must be made anew.
    Replan,
    /// It would fail.
    Refused(Refusal),
}

/// What a billing API shows of a contract.
pub enum View {
    /// A Zoo contract.
    Zoo(zoo::View),
    /// A Metronome contract.
    Metronome(Box<metronome::View>),
}

/// What came of looking for a contract.
pub enum Observed {
    /// Nothing is shown.
    Nothing,
    /// This is.
    Contract(View),
    /// Something is in the way for good.
    InTheWay(Refusal),
}

/// Why a contract cannot be looked for yet.
pub enum Obstacle {
    /// The spec is wrong; what and where, for people.
    Invalid(String),
    /// The contract that this one renews must come first.
    Waiting(String),
    /// A call failed.
    Call(CallError),
}

impl From<CallError> for Obstacle {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl<'a> Target<'a> {
    /// Validates a contract with the terms of its package, looks up what it refers to, and prepares it for its account.
    ///
    /// # Errors
    /// What is in the way.
    pub async fn new(
        contract: &'a BillingContract,
        package: Option<&ContractPackage>,
        account: &'a Account,
        context: &Context,
    ) -> Result<Self, Obstacle> {
        let invalid =
            |violations: Vec<validate::Violation>| Obstacle::Invalid(validate::summary(&violations));
        let misshapen = |error: crate::terms::shape::ShapeError| Obstacle::Invalid(error.to_string());
        match (&account.backend, &contract.spec.zoo, &contract.spec.metronome) {
            (Backend::Zoo(client), Some(terms), _) => {
                let package = package.and_then(|package| package.spec.zoo.as_ref());
                let valid = validate::zoo::contract(terms, package).map_err(invalid)?;
                let desired = Box::new(zoo::Desired::new(valid).map_err(misshapen)?);
                Ok(Self::Zoo { client, desired })
            }
            (Backend::Metronome(client), _, Some(terms)) => {
                let valid = validate::metronome_contract(&contract.spec, terms).map_err(invalid)?;
                let mut resolved = resolve(contract, terms, client, context).await?;
                let status = package.and_then(|package| package.status.as_ref());
                resolved.package_id = status.and_then(|status| status.package_id.clone());
                let desired = Box::new(metronome::Desired::new(valid, resolved).map_err(misshapen)?);
                let sheet = package.and_then(|package| package.spec.metronome.as_ref());
                let billing = sheet.and_then(|sheet| package::Billing::of(&serde_json::to_value(sheet).ok()?));
                Ok(Self::Metronome { client, desired, billing })
            }
            (Backend::Zoo(_), None, _) => Err(Obstacle::Invalid(
                "the provider is a Zoo account, so the terms must be in `spec.zoo`; or name a provider of the other API".to_owned(),
            )),
            (Backend::Metronome(_), _, None) => Err(Obstacle::Invalid(
                "the provider is a Metronome account, so the terms must be in `spec.metronome`; or name a provider of the other API".to_owned(),
            )),
        }
    }

    /// Reads what the billing API shows.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn observe(
        &self,
        recorded: &Recorded,
        policy: &Policy,
        now: DateTime<Utc>,
    ) -> Result<Observed, CallError> {
        match self {
            Self::Zoo { client, desired } => {
                let view = client.observe(desired.organization_id()).await?;
                Ok(view.map_or(Observed::Nothing, |view| Observed::Contract(View::Zoo(view))))
            }
            Self::Metronome { client, desired, .. } => {
                if let Some(refusal) = metronome::moved(desired, recorded) {
                    return Ok(Observed::InTheWay(refusal));
                }
                if let Some(id) = &recorded.contract_id
                    && let Some(view) = read(client, desired, recorded, id, now).await?
                {
                    return Ok(Observed::Contract(View::Metronome(Box::new(view))));
                }
                search(client, desired, recorded, policy, now).await
            }
        }
    }

    /// Decides what to do.
    #[must_use]
    pub fn plan(
        &self,
        observed: Option<&View>,
        recorded: &Recorded,
        policy: &Policy,
        now: DateTime<Utc>,
    ) -> Decision {
        match self {
            Self::Zoo { desired, .. } => {
                let observed = observed.and_then(View::zoo);
                zoo::plan(desired, observed, recorded, policy, now)
            }
            Self::Metronome { desired, .. } => {
                let observed = observed.and_then(View::metronome);
                metronome::plan(desired, observed, recorded, policy, now)
            }
        }
    }

    /// Whether a plan makes something that the API makes once for ever, so that a repeat can only be refused.
    #[must_use]
    pub fn creates_once(plan: &Plan) -> bool {
        plan.calls.iter().any(|call| call.path == CREATE_CONTRACT)
    }

    /// Fetches what a plan's calls depend on and a mere comparison does not.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn ready_to_write(
        &self,
        plan: &Plan,
        observed: Option<&mut View>,
        recorded: &Recorded,
    ) -> Result<Ready, CallError> {
        let Self::Metronome { client, desired, billing } = self else { return Ok(Ready::Yes) };
        if Self::creates_once(plan)
            && let Some(refusal) = without_billing(client, desired, billing.clone()).await?
        {
            return Ok(Ready::Refused(refusal));
        }
        if client.stamp_cluster.is_some() {
            client.register_stamp_keys().await?;
        }
        let edits = plan.calls.iter().any(|call| call.path == EDIT_CONTRACT);
        let Some(View::Metronome(view)) = observed.filter(|_| edits) else { return Ok(Ready::Yes) };
        if view.last_edit.is_some() {
            return Ok(Ready::Yes);
        }
        // What was read may be older than an edit that was sent: whatever follows it now must not be taken as well.
        view.last_edit =
            Some(match recorded.unconfirmed.as_ref().and_then(|write| write.after_edit.as_ref()) {
                Some(edit) => edit.clone(),
                None => client.last_edit(desired.customer_id(), &view.contract_id).await?,
            });
        Ok(Ready::Replan)
    }

    /// Whether what a plan edits may be in force already and only not show yet: an edit was sent a short while ago, and
    /// this is another one. The same edit can be sent again, since the API takes it once.
    #[must_use]
    pub fn may_be_in_force(plan: &Plan, recorded: &Recorded, now: DateTime<Utc>) -> bool {
        let sent = recorded.unconfirmed.as_ref().filter(|write| write.after_edit.is_some());
        let edit = plan.calls.iter().find(|call| call.path == EDIT_CONTRACT);
        sent.zip(edit).is_some_and(|(sent, edit)| {
            sent.digest != edit.fingerprint && now.signed_duration_since(sent.time.0) < SETTLING
        })
    }

    /// Carries out one write; the view is the contract after it, where that is known without looking again.
    ///
    /// # Errors
    /// By what to do next.
    pub async fn write(&self, call: &Call, now: DateTime<Utc>) -> Result<Option<View>, CallError> {
        match self {
            Self::Zoo { client, .. } => client.write(call).await.map(View::Zoo).map(Some),
            Self::Metronome { client, desired, .. } => match client.write(call).await {
                Ok(reply) if call.path == CREATE_CONTRACT => {
                    let id = reply.get("id").and_then(Value::as_str);
                    let id = id.ok_or_else(|| CallError::Unknown("the reply has no `id`".to_owned()))?;
                    let view = read(client, desired, &Recorded::default(), id, now).await?;
                    Ok(view.map(|view| View::Metronome(Box::new(view))))
                }
                // The key made this very change before, and the reply was lost: what holds is read next.
                Err(CallError::KeyUsed { .. }) if call.path != CREATE_CONTRACT => Ok(None),
                Err(error) => Err(error),
                Ok(_) => Ok(None),
            },
        }
    }

    /// What is to be remembered of a view for the next plan.
    pub fn remember(&self, view: &View, recorded: &mut Recorded, now: DateTime<Utc>) {
        match (self, view) {
            (Self::Zoo { .. }, View::Zoo(view)) => recorded.contract_id = Some(view.contract_id.clone()),
            (Self::Metronome { desired, .. }, View::Metronome(view)) => {
                recorded.items = metronome::items(desired, view, recorded, now).into_iter().collect();
                recorded.contract_id = Some(view.contract_id.clone());
            }
            _ => {}
        }
    }

    /// What the status says of a view, unless it is another contract in the place of this one.
    #[must_use]
    pub fn held(&self, view: &View, recorded: &Recorded, now: DateTime<Utc>) -> Option<Held> {
        match (self, view) {
            (Self::Zoo { desired, .. }, View::Zoo(view)) => {
                let is_ours = recorded.contract_id.as_ref() == Some(&view.contract_id);
                let says_the_same = || desired.changes(&view.terms, &[]).is_empty();
                (is_ours || says_the_same()).then(|| Held::zoo(view))
            }
            (Self::Metronome { desired, .. }, View::Metronome(view)) => {
                Some(Held::metronome(view, metronome::items(desired, view, recorded, now)))
            }
            _ => None,
        }
    }

    /// ID of the customer.
    #[must_use]
    pub fn customer_id(&self) -> &str {
        match self {
            Self::Zoo { desired, .. } => desired.organization_id(),
            Self::Metronome { desired, .. } => desired.customer_id(),
        }
    }

    /// Digest of the terms in the spec.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        match self {
            Self::Zoo { desired, .. } => &desired.digest,
            Self::Metronome { desired, .. } => &desired.digest,
        }
    }
}

impl View {
    fn zoo(&self) -> Option<&zoo::View> {
        if let Self::Zoo(view) = self { Some(view) } else { None }
    }

    /// The last edit of a Metronome contract, as far as it was needed.
    #[must_use]
    pub fn last_edit(&self) -> Option<String> {
        self.metronome()?.last_edit.clone()
    }

    fn metronome(&self) -> Option<&metronome::View> {
        if let Self::Metronome(view) = self { Some(view) } else { None }
    }
}

/// Looks up what a Metronome contract refers to by other means than its ID.
async fn resolve(
    contract: &BillingContract,
    terms: &crate::terms::metronome::Contract,
    client: &Metronome,
    context: &Context,
) -> Result<Resolved, Obstacle> {
    let (namespace, name) = (contract.namespace().unwrap_or_default(), contract.name_any());
    let customer_id = match (&terms.customer_id, &terms.customer_alias) {
        (Some(id), _) => id.to_string(),
        (None, Some(alias)) => client.customer_by_alias(alias.as_str()).await?,
        (None, None) => return Err(Obstacle::Invalid("`spec.metronome.customerId` must be set".to_owned())),
    };
    let from_contract_id = renewed(contract, terms, context)?;
    let key = match &terms.uniqueness_key {
        Some(key) => UniquenessKey::given(key.as_str()),
        None => UniquenessKey::derive(&client.key_prefix, &namespace, &name),
    };
    let stamp = client.stamp_cluster.as_ref().map(|cluster| {
        let [cluster_key, namespace_key, name_key, revision_key] = STAMP_KEYS.map(str::to_owned);
        let owner = [(cluster_key, cluster.clone()), (namespace_key, namespace), (name_key, name)];
        let revision = contract.annotations().get(REVISION);
        let notes: BTreeMap<_, _> =
            revision.map(|revision| (revision_key, revision.clone())).into_iter().collect();
        Stamp { fields: owner.into_iter().collect(), notes }
    });
    Ok(Resolved { customer_id, from_contract_id, package_id: None, key, stamp })
}

/// Why a contract cannot be made from its package: the customer is not billed as the package says.
async fn without_billing(
    client: &Metronome,
    desired: &metronome::Desired,
    known: Option<package::Billing>,
) -> Result<Option<Refusal>, CallError> {
    let billing = match (known, desired.package_id()) {
        (Some(billing), _) => Some(billing),
        (None, Some(id)) => {
            let package = client.package(id).await?;
            package.and_then(|data| package::View::read(&data).ok()?.billing())
        }
        (None, None) => None,
    };
    let Some(billing) = billing else { return Ok(None) };
    let configurations = client.billing_configurations(desired.customer_id()).await?;
    Ok(billing.obstacle(desired.customer_id(), &configurations))
}

/// ID of the contract that this one renews, if it renews another resource's.
fn renewed(
    contract: &BillingContract,
    terms: &crate::terms::metronome::Contract,
    context: &Context,
) -> Result<Option<String>, Obstacle> {
    let transition = terms.transition.as_ref();
    let Some(reference) = transition.and_then(|transition| transition.from_contract_ref.as_ref()) else {
        return Ok(None);
    };
    let held = contract.status.as_ref().filter(|status| status.contract_id.is_some());
    match (context.renewals.renewed(contract, reference.name.as_str(), context), held) {
        (Ok(id), _) => Ok(Some(id)),
        // The renewal is made; the other resource may have gone since.
        (Err(_), Some(status)) => Ok(status.renews.clone()),
        (Err(why), None) => Err(Obstacle::Waiting(why)),
    }
}

/// Reads one Metronome contract, as far as this spec is concerned with it.
async fn read(
    client: &Metronome,
    desired: &metronome::Desired,
    recorded: &Recorded,
    contract_id: &str,
    now: DateTime<Utc>,
) -> Result<Option<metronome::View>, CallError> {
    let Some(data) = client.contract(desired.customer_id(), contract_id).await? else { return Ok(None) };
    let mut view = view(&data, now)?;
    if view.needs_v1(desired)
        && let Some(data) = client.contract_v1(desired.customer_id(), &view.contract_id).await?
    {
        view.merge_v1(&data);
    }
    for subscription in view.needs_seats(desired, recorded, now) {
        let contract = (desired.customer_id(), view.contract_id.as_str());
        view.merge_seats(&subscription, &client.seats(contract, &subscription, now).await?);
    }
    Ok(Some(view))
}

fn view(data: &Value, now: DateTime<Utc>) -> Result<metronome::View, CallError> {
    metronome::View::read(data, now)
        .map_err(|why| CallError::Unreachable(format!("the reply is not a contract: {why}")))
}

/// Looks for the contract among all those of its customer, archived ones included.
async fn search(
    client: &Metronome,
    desired: &metronome::Desired,
    recorded: &Recorded,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Result<Observed, CallError> {
    let listed = client.contracts(desired.customer_id()).await?;
    let listed = listed.iter().map(|data| view(data, now)).collect::<Result<Vec<_>, _>>()?;
    let found = match metronome::find(desired, &listed, recorded, policy) {
        Found::Own(view) | Found::Adoptable(view) => view,
        Found::Nothing => return Ok(Observed::Nothing),
        Found::Refused(refusal) => return Ok(Observed::InTheWay(refusal)),
    };
    let read = read(client, desired, recorded, &found.contract_id, now).await?;
    match read {
        Some(view) => Ok(Observed::Contract(View::Metronome(Box::new(view)))),
        // Some part of the API is behind; to take that for no contract would be to create another.
        None => Err(CallError::Unreachable(format!(
            "contract {} is listed and cannot be read",
            found.contract_id
        ))),
    }
}
