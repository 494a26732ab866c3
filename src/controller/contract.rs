//! Reconcile of contracts: resolve, validate, observe, plan, execute, report.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use kube::{
    Api, Resource, ResourceExt,
    api::PostParams,
    runtime::{
        controller::Action,
        reflector::{ObjectRef, Store},
    },
};

use super::{
    Context, Error, Guarded, Handled, bounded,
    claims::{self, Claim},
    decoded, deletion, events,
    providers::{Account, Lookup, ProviderKey},
    schedule::{Trigger, Turn},
    status::{self, Finding},
    target::{Observed, Obstacle, Target, View},
    undecodable,
};
use crate::{
    api::{
        APPROVED_PLAN, BillingContract, BillingContractStatus, RELEASE, REQUESTED_AT, contract::ProviderKind,
    },
    billing::CallError,
    plan::{self, Decision, Memory, Plan, Policy, Refusal},
};

/// How often a write may leave the same difference before writing stops.
const MAX_ROUNDS: u32 = 3;
/// How many failed reads in a row a contract that is ready stays ready for.
const TOLERATED_FAILURES: u32 = 2;
/// How many plans one pass carries out: a create, what it could not take, and what shows only then.
const MAX_PLANS: usize = 4;
/// How often a status write is repeated when the object moves on.
const MAX_CONFLICTS: u32 = 5;
/// How soon a contract looks again for a provider or a holder that is not there yet.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How long a new contract waits for its provider before it says so.
const GRACE: Duration = Duration::from_secs(3);
/// How often something is asked for again that the billing API does not know, or may not show.
const RARELY: Duration = Duration::from_mins(5);

/// A finding, and when to look again.
pub(super) struct Outcome {
    pub(super) finding: Box<Finding>,
    next: Next,
}

/// When to look again.
pub(super) enum Next {
    /// After the sync period.
    Settled,
    /// After so long.
    After(Duration),
    /// After an exponential delay, at least so long.
    Retry(Duration),
    /// When something changes.
    Change,
}

impl Outcome {
    /// Refused until the plan is another one.
    fn stuck(reason: &'static str, message: String, plan: &Plan) -> Self {
        let refusal = Refusal { reason, message };
        Self::new(Finding::Refused { refusal, stuck: Some(plan.clone()) }, Next::Settled)
    }

    pub(super) fn new(finding: Finding, next: Next) -> Self {
        Self { finding: Box::new(finding), next }
    }

    fn refused(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Finding::refused(reason, message), Next::Settled)
    }
}

/// Brings one contract from what its spec says to what the billing API says, and reports.
///
/// # Errors
/// When the API server does not do its part; the pass is tried again.
pub async fn reconcile(
    guarded: Arc<Guarded<BillingContract>>,
    context: Arc<Context>,
) -> Result<Action, Error> {
    let contract = match decoded(&guarded) {
        Ok(contract) => contract,
        Err(invalid) => return undecodable::report(&context, &guarded, &invalid.error).await,
    };
    context.filled().await;
    let uid = contract.uid().unwrap_or_default();
    let key = provider_key(contract);
    let provider = context.providers.lookup(&key, &contract.namespace().unwrap_or_default());
    match context.contracts.turn(&uid, contract.resource_version().as_deref(), &trigger(contract, &provider))
    {
        Turn::Stale => return Ok(Action::await_change()),
        Turn::Later(wait) => return Ok(Action::requeue(wait)),
        Turn::Now => {}
    }
    if contract.meta().deletion_timestamp.is_some() {
        return deletion::delete(contract, &key, &provider, &context).await;
    }
    if waits_for_provider(contract, &key, &provider, &context) {
        return Ok(Action::requeue(GRACE));
    }
    let contract = deletion::with_finalizer(contract, &context).await?;
    let outcome = match examine(&contract, &key, &provider, &context).await {
        Ok(outcome) | Err(outcome) => outcome,
    };
    report(&contract, outcome, &provider, &context).await
}

/// The steps between an object and a finding; each may end the pass.
async fn examine(
    contract: &BillingContract,
    key: &ProviderKey,
    provider: &Lookup,
    context: &Context,
) -> Result<Outcome, Outcome> {
    if contract.spec.suspend {
        return Err(Outcome::new(Finding::Suspended, Next::Change));
    }
    let account = resolve(contract, key, provider)?;
    let pass = Pass { contract, key, account, context };
    let target = pass.target().await?;
    check_claim(contract, account, context)?;
    let (memory, policy) = (Memory::of(contract), Policy::of(contract));
    let observed = pass.observe(&target, &memory, &policy).await?;
    let decision = target.plan(observed.as_ref(), &memory, &policy, Utc::now());
    pass.execute(&target, observed, decision, memory, &policy).await
}

/// One pass over one contract whose account is ready.
pub(super) struct Pass<'a> {
    pub(super) contract: &'a BillingContract,
    pub(super) key: &'a ProviderKey,
    pub(super) account: &'a Account,
    pub(super) context: &'a Context,
}

impl<'a> Pass<'a> {
    /// What the contract should be, validated and with its references looked up.
    pub(super) async fn target(&self) -> Result<Target<'a>, Outcome> {
        Target::new(self.contract, self.account, self.context).await.map_err(|obstacle| match obstacle {
            Obstacle::Invalid(why) => Outcome::refused("InvalidSpec", why),
            Obstacle::Waiting(why) => Outcome::new(Finding::waiting("Waiting", why), Next::After(LOOK_AGAIN)),
            Obstacle::Call(error) => self.failed(&error),
        })
    }

    /// What the billing API shows of the contract.
    pub(super) async fn observe(
        &self,
        target: &Target<'_>,
        memory: &Memory,
        policy: &Policy,
    ) -> Result<Option<View>, Outcome> {
        match target.observe(memory, policy, Utc::now()).await.map_err(|error| self.failed(&error))? {
            Observed::Nothing => Ok(None),
            Observed::Contract(view) => Ok(Some(view)),
            Observed::InTheWay(refusal) => {
                Err(Outcome::new(Finding::Refused { refusal, stuck: None }, Next::Settled))
            }
        }
    }

    /// Does what was decided. A write is done when nothing more would be written after it.
    async fn execute(
        &self,
        target: &Target<'_>,
        mut observed: Option<View>,
        mut decision: Decision,
        mut memory: Memory,
        policy: &Policy,
    ) -> Result<Outcome, Outcome> {
        let mut written: Vec<Plan> = Vec::new();
        loop {
            let plan = match decision {
                Decision::Write(plan) => plan,
                decision => return Ok(self.conclude(target, observed.as_ref(), decision, &memory, &written)),
            };
            if written.iter().any(|before| before.digest == plan.digest) || written.len() >= MAX_PLANS {
                return Ok(self.unsettled(target, observed.as_ref(), &memory, plan));
            }
            let more =
                target.ready_to_write(&plan, observed.as_mut()).await.map_err(|error| self.failed(&error))?;
            if !more {
                observed = self.write(target, &plan).await?;
                if observed.is_none() {
                    observed = self.observe(target, &memory, policy).await?;
                }
                if let Some(view) = &observed {
                    target.remember(view, &mut memory, Utc::now());
                }
                memory.applied_spec = None;
                written.push(plan);
            }
            decision = target.plan(observed.as_ref(), &memory, policy, Utc::now());
        }
    }

    /// Carries out the plan's calls, in order; the view is what the last of them replied.
    async fn write(&self, target: &Target<'_>, plan: &Plan) -> Result<Option<View>, Outcome> {
        let mut view = None;
        for call in &plan.calls {
            view = target.write(call, Utc::now()).await.map_err(|error| match error {
                CallError::Unknown(why) => {
                    let message = format!(
                        "The outcome of a write is not known yet ({why}); it is looked up before anything is written again."
                    );
                    let fingerprint = call.fingerprint.clone();
                    Outcome::new(Finding::Unconfirmed { fingerprint, message }, Next::Retry(Duration::ZERO))
                }
                CallError::Rejected { .. } => Outcome::stuck(plan::REJECTED, error.to_string(), plan),
                CallError::EditNotEnabled { .. } => {
                    let message = format!(
                        "{error}. Ask Metronome to enable contract editing for the account, then annotate the contract \
                         with {REQUESTED_AT}; until then only new contracts can be made"
                    );
                    Outcome::stuck(plan::EDIT_NOT_ENABLED, message, plan)
                }
                // What the key made may only not be listed yet.
                CallError::KeyUsed { .. } => Outcome {
                    next: Next::Retry(Duration::ZERO),
                    ..Outcome::stuck(plan::KEY_TAKEN, key_used(&error), plan)
                },
                error => self.failed(&error),
            })?;
        }
        Ok(view)
    }

    /// The outcome when there is nothing (more) to write.
    fn conclude(
        &self,
        target: &Target<'_>,
        observed: Option<&View>,
        decision: Decision,
        memory: &Memory,
        written: &[Plan],
    ) -> Outcome {
        let held = observed.and_then(|view| target.held(view, memory, Utc::now()));
        let customer_id = target.customer_id().to_owned();
        let finding = match decision {
            Decision::Settle => {
                let applied = written.iter().map(|plan| plan.summary.as_str()).collect::<Vec<_>>().join("; ");
                let applied = Some(applied).filter(|applied| !applied.is_empty());
                Finding::Settled { held, customer_id, spec_digest: target.digest().clone(), applied }
            }
            Decision::Report(changes) => Finding::Drifted { held, customer_id, changes },
            Decision::AwaitApproval(plan) => Finding::AwaitingApproval(plan),
            Decision::Refuse(refusal) => Finding::Refused { refusal, stuck: None },
            Decision::Write(plan) => return self.unsettled(target, observed, memory, plan),
        };
        Outcome::new(finding, Next::Settled)
    }

    /// The outcome when a write left a difference: another try, and after a few rounds none.
    fn unsettled(
        &self,
        target: &Target<'_>,
        observed: Option<&View>,
        memory: &Memory,
        left: Plan,
    ) -> Outcome {
        if self.context.contracts.unsettled(&self.contract.uid().unwrap_or_default(), &left.digest)
            < MAX_ROUNDS
        {
            let message =
                format!("The billing API accepted the change but says something else: {}", left.summary);
            let held = observed.and_then(|view| target.held(view, memory, Utc::now()));
            let customer_id = target.customer_id().to_owned();
            let finding = Finding::NotInForce { held, customer_id, message };
            return Outcome::new(finding, Next::Retry(Duration::ZERO));
        }
        let refusal = plan::not_converging(&left);
        Outcome::new(Finding::Refused { refusal, stuck: Some(left) }, Next::Settled)
    }

    /// What a failed call means for the contract.
    pub(super) fn failed(&self, error: &CallError) -> Outcome {
        let message = error.to_string();
        match error {
            CallError::Rejected { .. } => Outcome::refused(plan::REJECTED, message),
            CallError::KeyUsed { .. } => Outcome::refused(plan::KEY_TAKEN, key_used(error)),
            CallError::EditNotEnabled { .. } => Outcome::refused(plan::EDIT_NOT_ENABLED, message),
            CallError::NotFound { .. } => {
                let message = format!("{message}. Check the customer's ID and the provider's account.");
                Outcome::refused("CustomerNotFound", message)
            }
            CallError::Credentials { .. } => {
                self.context.providers.suspect(self.key, self.account);
                Outcome::new(Finding::waiting("CredentialsRefused", message), Next::Retry(LOOK_AGAIN))
            }
            CallError::Throttled { pause } => {
                Outcome::new(Finding::waiting("Throttled", message), Next::Retry(*pause))
            }
            CallError::NotLeader => {
                Outcome::new(Finding::waiting("NotLeader", message), Next::Retry(Duration::ZERO))
            }
            CallError::Unreachable(_) | CallError::Unknown(_) => {
                Outcome::new(Finding::waiting("BillingUnreachable", message), Next::Retry(Duration::ZERO))
            }
        }
    }
}

/// The contract's account, if it may be used now.
pub(super) fn resolve<'a>(
    contract: &BillingContract,
    key: &ProviderKey,
    provider: &'a Lookup,
) -> Result<&'a Account, Outcome> {
    let wait = |reason, message: String| {
        Err(Outcome::new(Finding::waiting(reason, message), Next::After(LOOK_AGAIN)))
    };
    match provider {
        Lookup::Ready(account) => Ok(account),
        Lookup::NotReady(why) => wait("ProviderNotReady", format!("{key} is not ready: {why}")),
        Lookup::NotAllowed => {
            let namespace = contract.namespace().unwrap_or_default();
            let message =
                format!("{key} does not name namespace {namespace}; add it to its `spec.allowedNamespaces`");
            Err(Outcome::refused("ProviderNotAllowed", message))
        }
        Lookup::Unknown => {
            wait("ProviderNotFound", format!("{key} does not exist; create it or correct `spec.providerRef`"))
        }
    }
}

/// Whether nothing can be said of the provider yet: it is being looked at, or both were only just applied.
fn waits_for_provider(
    contract: &BillingContract,
    key: &ProviderKey,
    provider: &Lookup,
    context: &Context,
) -> bool {
    let age = contract.creation_timestamp().map(|created| Utc::now().timestamp() - created.0.as_second());
    let is_new = age.and_then(|age| u64::try_from(age).ok()).is_some_and(|age| age < GRACE.as_secs());
    matches!(provider, Lookup::Unknown) && (is_new || provider_exists(key, context))
}

/// What a used key means when no contract with it is listed.
fn key_used(error: &CallError) -> String {
    format!(
        "{error} No contract of this customer that is listed has the key; it may be another customer's. Nothing is sent \
         again with it: set another `spec.metronome.uniquenessKey` to create a new contract"
    )
}

fn provider_exists(key: &ProviderKey, context: &Context) -> bool {
    match (&key.kind, &key.namespace) {
        (ProviderKind::BillingProvider, Some(namespace)) => {
            context.provider_store.get(&ObjectRef::new(&key.name).within(namespace)).is_some()
        }
        _ => context.cluster_provider_store.get(&ObjectRef::new(&key.name)).is_some(),
    }
}

/// Refuses a contract that an older resource claims.
fn check_claim(contract: &BillingContract, account: &Account, context: &Context) -> Result<(), Outcome> {
    let Some(subject) = claims::subject(contract) else { return Ok(()) };
    let claim = Claim { base_url: account.base_url.clone(), subject: subject.to_owned() };
    let cached = context.contract_store.state();
    let rivals = cached
        .iter()
        .filter_map(|other| decoded(other).ok())
        .filter(|other| claims::subject(other) == Some(subject))
        .filter(|other| claim_of(other, context).as_ref() == Some(&claim));
    let Some(holder) = claims::holder(contract, rivals) else { return Ok(()) };
    let holder = ObjectRef::from_obj(holder);
    let message = format!(
        "BillingContract {}/{} claims the same contract ({subject}), and it is older. Delete one of the two",
        holder.namespace.unwrap_or_default(),
        holder.name
    );
    Err(Outcome::new(Finding::refused("DuplicateClaim", message), Next::After(LOOK_AGAIN)))
}

fn claim_of(contract: &BillingContract, context: &Context) -> Option<Claim> {
    let account = context.providers.account(&provider_key(contract))?;
    Some(Claim { base_url: account.base_url.clone(), subject: claims::subject(contract)?.to_owned() })
}

/// Writes the status if it changed, at most one event, and says when to look again.
pub(super) async fn report(
    contract: &BillingContract,
    outcome: Outcome,
    provider: &Lookup,
    context: &Context,
) -> Result<Action, Error> {
    let Outcome { finding, next } = outcome;
    let uid = contract.uid().unwrap_or_default();
    context.metrics.reconciled(BillingContract::LABEL, finding.outcome());
    if !is_tolerated(contract, &finding, context.contracts.failures(&uid)) {
        let status = status::contract(contract, &finding, Utc::now());
        if contract.status.as_ref() != Some(&status) {
            write_status(contract, status, context).await?;
        }
        if let Some(note) = status::note(contract, &finding) {
            tracing::info!(
                contract = contract.name_any(),
                namespace = contract.namespace(),
                reason = note.reason,
                "{}",
                note.message
            );
            events::publish(&context.client, contract.object_ref(&()), &context.options.identity, note).await;
        }
    }
    let period = contract.spec.sync_period_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    let period = match (period, provider) {
        (Some(seconds), _) => Duration::from_secs(seconds),
        (None, Lookup::Ready(account)) => account.sync_period,
        (None, _) => RARELY,
    };
    Ok(match next {
        Next::Settled => Action::requeue(context.contracts.settle(&uid, period)),
        Next::After(wait) => Action::requeue(context.contracts.settle(&uid, wait)),
        Next::Retry(floor) => Action::requeue(context.contracts.retry(&uid, floor)),
        Next::Change => {
            context.contracts.settle(&uid, Duration::from_hours(24));
            Action::await_change()
        }
    })
}

/// Whether a contract that is ready may stay so through a short failure of the billing API.
fn is_tolerated(contract: &BillingContract, finding: &Finding, failures: u32) -> bool {
    let Some(status) = &contract.status else { return false };
    let ready =
        status.conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let short = matches!(finding, Finding::Waiting { reason: "BillingUnreachable" | "Throttled", .. });
    short
        && ready
        && status.observed_generation == contract.metadata.generation
        && failures < TOLERATED_FAILURES
}

/// Replaces the status; should the object have moved on meanwhile, the newer object gets it.
async fn write_status(
    contract: &BillingContract,
    status: BillingContractStatus,
    context: &Context,
) -> Result<(), Error> {
    let (api, name) = (api(contract, context), contract.name_any());
    let mut object = contract.clone();
    object.status = Some(status.clone());
    for _ in 0..MAX_CONFLICTS {
        match bounded(api.replace_status(&name, &PostParams::default(), &object)).await {
            Ok(written) => {
                context.metrics.status_written(BillingContract::LABEL);
                context
                    .contracts
                    .wrote(&contract.uid().unwrap_or_default(), written.resource_version().as_deref());
                return Ok(());
            }
            Err(Error::Kubernetes(error)) if matches!(error.as_ref(), kube::Error::Api(status) if status.is_conflict()) =>
            {
                object = bounded(api.get(&name)).await?;
                if object.uid() != contract.uid() {
                    return Ok(());
                }
                object.status = Some(status.clone());
            }
            Err(Error::Kubernetes(error)) if matches!(error.as_ref(), kube::Error::Api(status) if status.is_not_found()) =>
            {
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
    Err(Error::Timeout)
}

/// The contracts in the cache that use a provider.
#[must_use]
pub fn using(
    store: &Store<Guarded<BillingContract>>,
    key: &ProviderKey,
) -> Vec<ObjectRef<Guarded<BillingContract>>> {
    let uses = |contract: &Arc<Guarded<BillingContract>>| {
        decoded(contract).is_ok_and(|contract| provider_key(contract) == *key)
    };
    store
        .state()
        .iter()
        .filter(|contract| uses(contract))
        .map(|contract| ObjectRef::from_obj(contract.as_ref()))
        .collect()
}

fn provider_key(contract: &BillingContract) -> ProviderKey {
    let reference = &contract.spec.provider_ref;
    let namespace = match reference.kind {
        ProviderKind::BillingProvider => contract.namespace(),
        ProviderKind::ClusterBillingProvider => None,
    };
    ProviderKey::new(reference.kind, namespace, &reference.name)
}

/// What a new pass over the contract depends on.
fn trigger(contract: &BillingContract, provider: &Lookup) -> Trigger {
    let provider = match provider {
        Lookup::Ready(account) => account.epoch.to_string(),
        Lookup::NotReady(why) => why.clone(),
        Lookup::NotAllowed => "not allowed".to_owned(),
        Lookup::Unknown => "unknown".to_owned(),
    };
    Trigger {
        generation: contract.metadata.generation,
        deleting: contract.metadata.deletion_timestamp.is_some(),
        annotations: [REQUESTED_AT, APPROVED_PLAN, RELEASE]
            .map(|name| contract.annotations().get(name).cloned())
            .to_vec(),
        dependencies: vec![provider],
    }
}

pub(super) fn api(contract: &BillingContract, context: &Context) -> Api<BillingContract> {
    Api::namespaced(context.client.clone(), &contract.namespace().unwrap_or_default())
}
