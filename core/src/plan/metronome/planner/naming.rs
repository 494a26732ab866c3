//! Which final invoices a plan is about, where it touches the past.

use chrono::{DateTime, Utc};

use super::{ContractPlanner, Observed};
use crate::plan::{
    Decision, Policy, Recorded,
    invoiced::Invoiced,
    metronome::{
        ContractRef, Need, ObservedContract,
        invoices::{self, Invoices, Touched},
    },
};

impl ContractPlanner {
    /// Names the final invoices of what a plan touches of the past, and decides anew where they tell of more than the
    /// contract does. A plan that touches nothing of it needs no invoices.
    pub(super) fn naming_invoices(
        &mut self,
        decision: Decision,
        recorded: &Recorded,
        policy: &Policy,
        now: DateTime<Utc>,
    ) -> Result<Decision, Need> {
        let Some(observed) = self.found() else { return Ok(decision) };
        let touched_now = touched(&decision, observed, recorded, now);
        let Some(invoices) = self.invoices_of(observed, &touched_now)? else { return Ok(decision) };
        let billed = invoices.gone(observed, recorded);
        let told = named(decision, invoices::invoiced(&touched_now, invoices));
        if billed == observed.billed {
            return Ok(told);
        }
        if let Some(Observed::Contract(observed)) = &mut self.observed {
            observed.billed = billed;
        }
        let decision = self.decide(recorded, policy, now);
        let Some(observed) = self.found() else { return Ok(decision) };
        let touched_now = touched(&decision, observed, recorded, now);
        Ok(match self.invoices_of(observed, &touched_now)? {
            Some(invoices) => named(decision, invoices::invoiced(&touched_now, invoices)),
            None => decision,
        })
    }

    /// What was read of a contract's invoices; nothing where nothing of the past is touched.
    pub(super) fn invoices_of(
        &self,
        observed: &ObservedContract,
        touched: &[Touched],
    ) -> Result<Option<&Invoices>, Need> {
        if touched.is_empty() {
            return Ok(None);
        }
        let need = || Need::Invoices(ContractRef::new(&observed.customer_id, &observed.contract_id));
        self.facts.invoices.get(&observed.contract_id).map(Some).ok_or_else(need)
    }
}

/// The part of the past that a decision's plan touches.
pub(super) fn touched(
    decision: &Decision,
    observed: &ObservedContract,
    recorded: &Recorded,
    now: DateTime<Utc>,
) -> Vec<Touched> {
    match decision {
        Decision::Write(plan) | Decision::AwaitApproval(plan) | Decision::Deny(plan, _) => {
            invoices::touched(&plan.calls, observed, recorded, now)
        }
        Decision::InSync | Decision::Report(_) | Decision::Wait(_) | Decision::Refuse(_) => Vec::new(),
    }
}

/// A decision whose plan names what is invoiced already.
pub(super) fn named(mut decision: Decision, invoiced: Invoiced) -> Decision {
    if let Decision::Write(plan) | Decision::AwaitApproval(plan) | Decision::Deny(plan, _) = &mut decision {
        *plan.invoiced = invoiced;
    }
    decision
}
