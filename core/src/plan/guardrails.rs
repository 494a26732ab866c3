//! Guardrails: bounds that an account sets to what is written without anybody's consent.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde_json::Value;

use super::{FixedKind, OpenCause, Plan, prices};
use crate::{api::provider::Guardrails, terms::Decimal};

/// Most prices that a message names.
const NAMED: usize = 3;

impl Guardrails {
    /// The bounds that a plan is beyond, each with what is beyond it, for people; none when it keeps them all.
    pub(super) fn beyond(&self, plan: &Plan) -> Vec<String> {
        let committed = self.max_committed.into_iter().flat_map(|limit| committed_beyond(plan, limit));
        let moved = self.max_price_change_percent.into_iter().flat_map(|limit| moved_beyond(plan, limit));
        committed.chain(moved).collect()
    }
}

/// What a plan raises beyond what may be committed. What was committed before, and is not raised, was agreed to then.
fn committed_beyond(plan: &Plan, limit: Decimal) -> Vec<String> {
    let mut found = Vec::new();
    for total in plan.effect.totals().iter().filter(|total| total.kind == FixedKind::Commitment) {
        let is_raised = total.difference().is_none_or(|more| more > Decimal::ZERO);
        let after = total.after.and_then(|after| total.unit.in_label(after));
        let unit = total.unit.label();
        match after {
            Some(after) if is_raised && after > limit => found.push(format!(
                "the plan commits the customer to {after} {unit}, beyond the provider's guardrail maxCommitted of {limit}"
            )),
            // So many cents are fewer dollars.
            None if total.after.is_some_and(|cents| cents <= limit) => {}
            None => found.push(format!(
                "the plan commits the customer to more {unit} than has a number, beyond the provider's guardrail \
                 maxCommitted of {limit}"
            )),
            Some(_) => {}
        }
    }
    let open = plan.effect.open.iter().filter(|open| match open.cause {
        OpenCause::Package => true,
        OpenCause::NoEnd | OpenCause::PartOfPeriod => open.path.starts_with("/recurringCommits"),
        OpenCause::Usage | OpenCause::RateCard => false,
    });
    found.extend(open.map(|open| {
        format!(
            "what {} commits the customer to has no sum, so that the provider's guardrail maxCommitted of {limit} may be \
             exceeded",
            open.path
        )
    }));
    found
}

/// The prices that a plan moves by more than a limit in percent of what they were.
fn moved_beyond(plan: &Plan, limit: Decimal) -> Vec<String> {
    let mut moves: BTreeMap<String, (Decimal, Decimal)> = BTreeMap::new();
    for open in &plan.effect.open {
        if let (Some(before), Some(after)) = (open.before, open.after) {
            moves.insert(open.path.clone(), (before, after));
        }
    }
    for change in &plan.changes {
        let prices = |side: &Option<Value>| prices(&change.path, side.as_ref(), None);
        let (before, after) = (prices(&change.from), prices(&change.to));
        let both = before.into_iter().filter_map(|(path, (_, before))| {
            let (_, after) = *after.get(&path)?;
            Some((path, (before, after)))
        });
        moves.extend(both);
    }
    moves.retain(|_, (before, after)| before != after);
    let beyond: Vec<_> = moves
        .into_iter()
        .map(|(path, (before, after))| (path, before, after, before.percent_to(after).map(Decimal::abs)))
        .filter(|(.., percent)| percent.is_none_or(|percent| percent > limit))
        .collect();
    let more = beyond.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(", and {more} more prices do") };
    let mut named: Vec<String> = beyond
        .into_iter()
        .take(NAMED)
        .map(|(path, before, after, percent)| {
            let by = percent.map_or_else(String::new, |percent| format!(", by {} percent", percent.truncated(1).normalized()));
            format!(
                "the price {path} moves from {before} to {after}{by}, beyond the provider's guardrail maxPriceChangePercent \
                 of {limit}"
            )
        })
        .collect();
    if let Some(last) = named.last_mut() {
        last.push_str(&more);
    }
    named
}

/// More contracts of an account were changed within an hour than its provider lets pass by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hurry {
    /// Contracts that were changed.
    pub changed: usize,
    /// How many may be.
    pub limit: usize,
}

impl fmt::Display for Hurry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { changed, limit } = self;
        write!(
            f,
            "{changed} other contracts were changed within an hour, as many as the provider's guardrail maxContractsPerHour of \
             {limit} lets pass; it goes on by itself when there are fewer"
        )
    }
}

type Take = dyn Fn() -> Result<(), Hurry> + Send + Sync;

/// Counts the contracts of an account that were changed within the last hour: the one fact about other contracts that a
/// guardrail needs.
#[derive(Clone)]
pub struct Pace(Arc<Take>);

impl Pace {
    /// Counts so.
    pub fn new(take: impl Fn() -> Result<(), Hurry> + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    /// Counts the contract as changed now. One that was counted within the hour may go on.
    ///
    /// # Errors
    /// When as many others as may be were changed; then it is not counted.
    pub fn take(&self) -> Result<(), Hurry> {
        (self.0)()
    }
}

/// Where nothing is written, or no guardrail is set, nothing is counted.
impl Default for Pace {
    fn default() -> Self {
        Self::new(|| Ok(()))
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pace")
    }
}

#[cfg(test)]
mod tests;
