//! The steps of one pass over one contract, each of which may end it.

use std::time::Duration;

use chrono::Utc;
use kube::ResourceExt;

use super::{
    Context,
    outcome::{LOOK_AGAIN, MAX_ROUNDS, Next, Outcome, RARELY},
    providers::{Account, ProviderKey},
    status::{self, Finding},
    target::{Observed, Obstacle, Ready, Target, View},
};
use crate::{
    api::{BillingContract, ContractPackage, REQUESTED_AT, contract::UnconfirmedWrite},
    billing::CallError,
    plan::{self, Decision, Plan, Policy, Recorded, package},
};

/// What a used key means when no contract with it is listed.
const KEY_ELSEWHERE: &str = "The billing API says that the uniqueness key was used before, and no contract of this \
                             customer that is listed has it; it may be another customer's. Nothing is sent again with \
                             it: set another `spec.metronome.uniquenessKey` to create a new contract";
/// How many plans one pass carries out: a create, what it could not take, and what shows only then.
const MAX_PLANS: usize = 4;

/// One pass over one contract whose account is ready.
pub(super) struct Pass<'a> {
    pub(super) contract: &'a BillingContract,
    pub(super) key: &'a ProviderKey,
    pub(super) package: Option<&'a ContractPackage>,
    pub(super) account: &'a Account,
    pub(super) context: &'a Context,
}

impl<'a> Pass<'a> {
    /// What the contract should be, validated and with its references looked up.
    pub(super) async fn target(&self) -> Result<Target<'a>, Outcome> {
        let target = Target::new(self.contract, self.package, self.account, self.context).await;
        target.map_err(|obstacle| match obstacle {
            Obstacle::Invalid(why) => Outcome::refused("InvalidSpec", why),
            Obstacle::Waiting(why) => {
                Outcome::new(Finding::waiting("RenewedContractNotReady", why), Next::After(LOOK_AGAIN))
            }
            Obstacle::Call(error) => self.failed(&error),
        })
    }

    /// What the billing API shows of the contract.
    pub(super) async fn observe(
        &self,
        target: &Target<'_>,
        recorded: &Recorded,
        policy: &Policy,
    ) -> Result<Option<View>, Outcome> {
        match target.observe(recorded, policy, Utc::now()).await.map_err(|error| self.failed(&error))? {
            Observed::Nothing => Ok(None),
            Observed::Contract(view) => Ok(Some(view)),
            Observed::InTheWay(refusal) => {
                Err(Outcome::new(Finding::Refused { refusal, stuck: None }, Next::Retry(Duration::ZERO)))
            }
        }
    }

    /// Decides what to do.
    pub(super) fn decide(
        &self,
        target: &Target<'_>,
        observed: Option<&View>,
        recorded: &Recorded,
        policy: &Policy,
    ) -> Decision {
        let decision = target.plan(observed, recorded, policy, Utc::now());
        let is_new = observed.is_none() && recorded.contract_id.is_none();
        match self.package.filter(|_| is_new) {
            Some(package) => package::allow(package, decision),
            None => decision,
        }
    }

    /// Does what was decided. A write is done when nothing more would be written after it.
    pub(super) async fn execute(
        &self,
        target: &Target<'_>,
        mut observed: Option<View>,
        mut decision: Decision,
        mut recorded: Recorded,
        policy: &Policy,
    ) -> Result<Outcome, Outcome> {
        let mut written: Vec<Plan> = Vec::new();
        loop {
            let plan = match decision {
                Decision::Write(plan) => plan,
                decision => {
                    return Ok(self.conclude(target, observed.as_ref(), decision, &recorded, &written));
                }
            };
            let is_repeated = |before: &Plan| before.digest == plan.digest || before.overlaps(&plan);
            if written.iter().any(is_repeated) || written.len() >= MAX_PLANS {
                return Ok(self.unsettled(target, observed.as_ref(), &recorded, plan));
            }
            if Target::creates_once(&plan)
                && self.context.contracts.rounds(&self.uid(), &plan.difference()) > 0
            {
                return Ok(self.key_used(&plan, sending(&plan, observed.as_ref(), &recorded)));
            }
            let ready = target.ready_to_write(&plan, observed.as_mut(), &recorded).await;
            match ready.map_err(|error| self.failed(&error))? {
                Ready::Refused(refusal) => {
                    return Err(Outcome::new(Finding::Refused { refusal, stuck: None }, Next::After(RARELY)));
                }
                Ready::Replan => {}
                Ready::Yes => {
                    if Target::may_be_in_force(&plan, &recorded, Utc::now()) {
                        return Ok(not_in_force(target, observed.as_ref(), &recorded, &plan));
                    }
                    let sending = sending(&plan, observed.as_ref(), &recorded);
                    recorded.unconfirmed = Some(sending.clone());
                    observed = self.write(target, &plan, sending).await?;
                    if observed.is_none() {
                        observed = self.observe(target, &recorded, policy).await?;
                    }
                    if let Some(view) = &observed {
                        target.remember(view, &mut recorded, Utc::now());
                    }
                    recorded.applied_spec = None;
                    written.push(plan);
                }
            }
            decision = self.decide(target, observed.as_ref(), &recorded, policy);
        }
    }

    /// Carries out the plan's calls, in order; the view is what the last of them replied.
    async fn write(
        &self,
        target: &Target<'_>,
        plan: &Plan,
        sending: UnconfirmedWrite,
    ) -> Result<Option<View>, Outcome> {
        let mut view = None;
        for call in &plan.calls {
            view = target.write(call, Utc::now()).await.map_err(|error| match error {
                CallError::Unknown(why) => {
                    let message = format!(
                        "The outcome of a write is not known yet ({why}); it is looked up before anything is written again."
                    );
                    let write = UnconfirmedWrite { digest: call.fingerprint.clone(), ..sending.clone() };
                    Outcome::new(Finding::Unconfirmed { write, message }, Next::Retry(Duration::ZERO))
                }
                CallError::Rejected { .. } => Outcome::stuck(plan::REJECTED, error.to_string(), plan),
                CallError::EditNotEnabled { .. } => {
                    let message = format!(
                        "{error}. Ask Metronome to enable contract editing for the account, then annotate the contract \
                         with {REQUESTED_AT}; until then only new contracts can be made"
                    );
                    Outcome::stuck(plan::EDIT_NOT_ENABLED, message, plan)
                }
                CallError::KeyUsed { .. } => self.key_used(plan, sending.clone()),
                error => self.failed(&error),
            })?;
        }
        Ok(view)
    }

    /// The outcome when a create is refused because its key was used before, as after a lost reply, and nothing is shown
    /// that has the key: another look, as lists may lag behind, and never another create; after a few looks none.
    fn key_used(&self, plan: &Plan, write: UnconfirmedWrite) -> Outcome {
        if self.context.contracts.unsettled(&self.uid(), &plan.difference()) < MAX_ROUNDS {
            let message = "The uniqueness key was used before; the contract that has it is being looked for.";
            let finding = Finding::Unconfirmed { write, message: message.to_owned() };
            return Outcome::new(finding, Next::Retry(Duration::ZERO));
        }
        Outcome::stuck(plan::KEY_TAKEN, KEY_ELSEWHERE.to_owned(), plan)
    }

    fn uid(&self) -> String {
        self.contract.uid().unwrap_or_default()
    }

    /// The outcome when there is nothing (more) to write.
    fn conclude(
        &self,
        target: &Target<'_>,
        observed: Option<&View>,
        decision: Decision,
        recorded: &Recorded,
        written: &[Plan],
    ) -> Outcome {
        let held = observed.and_then(|view| target.held(view, recorded, Utc::now()));
        let customer_id = target.customer_id().to_owned();
        let finding = match decision {
            Decision::Settle => {
                let applied = written.iter().map(Plan::summary).collect::<Vec<_>>().join("; ");
                let applied = Some(applied).filter(|applied| !applied.is_empty());
                Finding::Settled { held, customer_id, spec_digest: target.digest().clone(), applied }
            }
            Decision::Report(changes) => Finding::Drifted { held, customer_id, changes },
            Decision::AwaitApproval(plan) => Finding::AwaitingApproval(plan),
            Decision::Refuse(refusal) => Finding::Refused { refusal, stuck: None },
            Decision::Write(plan) => return self.unsettled(target, observed, recorded, plan),
        };
        Outcome::new(finding, Next::Settled)
    }

    /// The outcome when a write left a difference: another try, and after a few rounds none.
    fn unsettled(
        &self,
        target: &Target<'_>,
        observed: Option<&View>,
        recorded: &Recorded,
        left: Plan,
    ) -> Outcome {
        if self.context.contracts.unsettled(&self.uid(), &left.difference()) < MAX_ROUNDS {
            return not_in_force(target, observed, recorded, &left);
        }
        let refusal = plan::not_converging(&left);
        Outcome::new(Finding::Refused { refusal, stuck: Some(left) }, Next::Settled)
    }

    /// What a failed call means for the contract.
    pub(super) fn failed(&self, error: &CallError) -> Outcome {
        let message = error.to_string();
        match error {
            CallError::Rejected { .. } => Outcome::refused(plan::REJECTED, message),
            CallError::KeyUsed { .. } => Outcome::refused(plan::KEY_TAKEN, KEY_ELSEWHERE),
            CallError::EditNotEnabled { .. } => Outcome::refused(plan::EDIT_NOT_ENABLED, message),
            CallError::NotFound { .. } => {
                let place = match &self.contract.spec.zoo {
                    Some(_) => "`spec.zoo.organizationId`",
                    None => "`spec.metronome.customerId`",
                };
                let message = format!("{message}. Check {place} and the provider's account.");
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

/// The outcome when a write was taken and does not show yet: another look.
fn not_in_force(target: &Target<'_>, observed: Option<&View>, recorded: &Recorded, left: &Plan) -> Outcome {
    let finding = Finding::NotInForce {
        held: observed.and_then(|view| target.held(view, recorded, Utc::now())),
        customer_id: target.customer_id().to_owned(),
        write: recorded.unconfirmed.clone().unwrap_or_else(|| sending(left, observed, recorded)),
        message: format!("The billing API accepted the change but says something else: {}", left.summary()),
    };
    Outcome::new(finding, Next::Retry(Duration::ZERO))
}

/// What is remembered of a plan that is about to be carried out.
fn sending(plan: &Plan, observed: Option<&View>, recorded: &Recorded) -> UnconfirmedWrite {
    let before = recorded.unconfirmed.as_ref().and_then(|write| write.after_edit.clone());
    UnconfirmedWrite {
        digest: plan.calls.first().map_or(&plan.digest, |call| &call.fingerprint).clone(),
        time: status::whole_seconds(Utc::now()),
        after_edit: before.or_else(|| observed.and_then(View::last_edit)),
    }
}
