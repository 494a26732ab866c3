//! An organization and its contracts: which one is current, what a write makes of it. Pure but for fresh ids.

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::wire::{
    BillingContractItemInput, BillingContractItemView, BillingContractStatus, BillingContractUpsert,
    BillingContractView, BillingPeriodInput, BillingPeriodStatus, BillingPeriodView, BillingRateTierInput,
    BillingRateTierView, Money,
};
use crate::clock::MICROSECONDS;

/// What a request for an organization that nobody registered gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UnknownOrganizations {
    /// 404.
    #[default]
    Reject,
    /// The organization exists from its first PUT on.
    Accept,
}

/// What replacing a contract does to its id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReplaceMode {
    /// The contract keeps it.
    #[default]
    KeepId,
    /// The contract gets a new one, and the old one is gone.
    NewId,
}

/// A contract with the history the API does not show.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredContract {
    pub(super) view: BillingContractView,
    pub(super) updated_at: DateTime<Utc>,
    /// How often it was written, replacements under an older id included.
    pub(super) writes: u64,
}

/// An organization.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Organization {
    pub(super) account_id: Uuid,
    /// In the order of their last writes.
    pub(super) contracts: Vec<StoredContract>,
}

impl Organization {
    /// An organization without contracts.
    pub(super) fn new(account_id: Uuid) -> Self {
        Self { account_id, contracts: Vec::new() }
    }

    /// The contract that GET answers: the active one, else the latest draft.
    pub(super) fn visible(&self) -> Option<&StoredContract> {
        let latest = |status| self.contracts.iter().rfind(|contract| contract.view.status == status);
        latest(BillingContractStatus::Active).or_else(|| latest(BillingContractStatus::Draft))
    }

    /// What PUT does: replaces the current contract, or creates the first.
    pub(super) fn upsert(
        &mut self,
        terms: BillingContractUpsert,
        mode: ReplaceMode,
        now: DateTime<Utc>,
    ) -> &BillingContractView {
        let current =
            self.visible().or_else(|| self.contracts.last()).map(|contract| contract.view.contract_id);
        let id = match (current, mode) {
            (Some(id), ReplaceMode::KeepId) => id,
            (_, ReplaceMode::NewId) | (None, _) => Uuid::new_v4(),
        };
        self.write(current, id, terms, now)
    }

    /// Creates or replaces the contract with a chosen id.
    pub(super) fn seed(
        &mut self,
        id: Uuid,
        terms: BillingContractUpsert,
        now: DateTime<Utc>,
    ) -> &BillingContractView {
        self.write(Some(id), id, terms, now)
    }

    fn write(
        &mut self,
        replaced: Option<Uuid>,
        id: Uuid,
        terms: BillingContractUpsert,
        now: DateTime<Utc>,
    ) -> &BillingContractView {
        let position = self.contracts.iter().position(|contract| Some(contract.view.contract_id) == replaced);
        let writes = position.map_or(0, |position| self.contracts.remove(position).writes) + 1;
        let view = view(id, self.account_id, terms);
        &self.contracts.push_mut(StoredContract { view, updated_at: now, writes }).view
    }
}

fn view(contract_id: Uuid, account_id: Uuid, terms: BillingContractUpsert) -> BillingContractView {
    BillingContractView {
        contract_id,
        account_id,
        name: terms.name,
        status: terms.status,
        provider: terms.provider,
        billing_cadence: terms.billing_cadence,
        commitment_scope: terms.commitment_scope,
        rollover_policy: terms.rollover_policy,
        currency: terms.currency,
        effective_at: stored(terms.effective_at),
        term_end_at: stored(terms.term_end_at),
        items: terms.items.into_iter().map(item).collect(),
        periods: terms.periods.into_iter().map(period).collect(),
        discount_description: terms.discount_description,
        external_customer_id: terms.external_customer_id,
        notes: terms.notes,
    }
}

fn item(input: BillingContractItemInput) -> BillingContractItemView {
    BillingContractItemView {
        id: Uuid::new_v4(),
        code: input.code,
        display_name: input.display_name,
        kind: input.kind,
        unit: input.unit,
        active: input.active,
        is_commitment_eligible: input.is_commitment_eligible,
        rate_tiers: input.rate_tiers.into_iter().map(tier).collect(),
        billing_unit_granularity: input.billing_unit_granularity,
        fixed_fee_amount: input.fixed_fee_amount,
    }
}

fn tier(input: BillingRateTierInput) -> BillingRateTierView {
    BillingRateTierView {
        id: Uuid::new_v4(),
        tier_start_inclusive: input.tier_start_inclusive,
        tier_end_exclusive: input.tier_end_exclusive,
        unit_price: input.unit_price,
    }
}

fn period(input: BillingPeriodInput) -> BillingPeriodView {
    BillingPeriodView {
        id: Uuid::new_v4(),
        period_index: input.period_index,
        period_start_at: stored(input.period_start_at),
        period_end_at: stored(input.period_end_at),
        commitment_amount: input.commitment_amount,
        rollover_in_amount: input.rollover_in_amount.unwrap_or_else(Money::zero),
        rollover_out_amount: input.rollover_out_amount.unwrap_or_else(Money::zero),
        status: input.status.unwrap_or(BillingPeriodStatus::Open),
    }
}

/// A time as a database keeps it.
fn stored(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(MICROSECONDS)
}
