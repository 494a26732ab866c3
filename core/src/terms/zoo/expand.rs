//! From a package and what one contract says of its own to the complete contract.
//!
//! Fields that the contract sets win, and a list that it sets takes the place of the package's. Every time is reckoned
//! from the contract's `effectiveAt` (see [`calendar`](crate::terms::calendar)). The same input always gives the same
//! contract, so what a contract means follows from Git alone.

use super::{
    Contract, Package, PartialContract, Period,
    package::{GeneratedPeriods, RelativePeriod},
    partial::REQUIRED,
};
use crate::terms::{
    Decimal, Timestamp,
    calendar::{RelativeTime, Span},
};

/// Most periods that a contract can have.
pub const MAX_PERIODS: u32 = 240;

/// Something that a contract lacks, or that its package cannot give it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {message}")]
pub struct Gap {
    /// The field of the contract.
    pub field: &'static str,
    /// What is wrong and what to do; a sentence without its subject.
    pub message: String,
}

/// Completes a contract with the terms of its package, if it has one.
///
/// # Errors
/// Every field that neither gives, and what the package cannot give to this contract.
pub fn expand(contract: &PartialContract, package: Option<&Package>) -> Result<Contract, Vec<Gap>> {
    let start = contract.effective_at;
    let mut whole = contract.clone();
    let mut gaps = Vec::new();
    if let Some(package) = package {
        let mut cannot = |field, why| {
            gaps.push(Gap { field, message: format!("cannot be taken from the package: {why}") });
        };
        whole.terms = whole.terms.or(package.terms.clone());
        if whole.term_end_at.is_none() {
            whole.term_end_at = package.term_end(start).map_err(|why| cannot("termEndAt", why)).ok();
        }
        if let (None, Some(end)) = (&whole.periods, whole.term_end_at) {
            whole.periods = package.periods(start, end).map_err(|why| cannot("periods", why)).ok();
        }
    }
    gaps.extend(missing(&whole, package.is_some()));
    match complete(whole) {
        Some(contract) if gaps.is_empty() => Ok(contract),
        _ => Err(gaps),
    }
}

/// The contract, if nothing is missing.
fn complete(contract: PartialContract) -> Option<Contract> {
    let terms = contract.terms;
    Some(Contract {
        organization_id: contract.organization_id,
        name: terms.name?,
        status: terms.status?,
        provider: terms.provider?,
        billing_cadence: terms.billing_cadence?,
        commitment_scope: terms.commitment_scope?,
        rollover_policy: terms.rollover_policy?,
        currency: terms.currency?,
        effective_at: contract.effective_at,
        term_end_at: contract.term_end_at?,
        items: terms.items?,
        periods: contract.periods?,
        discount_description: terms.discount_description,
        external_customer_id: contract.external_customer_id,
        notes: terms.notes,
    })
}

/// The required fields that nobody gives. A package always gives the times, or says why it cannot.
fn missing(contract: &PartialContract, packaged: bool) -> Vec<Gap> {
    let written = serde_json::to_value(contract).unwrap_or_default();
    let is_missing = |field: &&str| written.get(field).is_none_or(serde_json::Value::is_null);
    let is_of_the_package = |field: &&str| packaged && matches!(*field, "termEndAt" | "periods");
    let message = if packaged { "is required: write it here or in the package" } else { "is required" };
    let missing = REQUIRED.into_iter().filter(is_missing).filter(|field| !is_of_the_package(field));
    missing.map(|field| Gap { field, message: message.to_owned() }).collect()
}

impl Package {
    /// When the term of a contract ends that starts at a time.
    ///
    /// # Errors
    /// That no calendar has that time.
    pub fn term_end(&self, start: Timestamp) -> Result<Timestamp, String> {
        self.term
            .span()
            .and_then(|span| span.after(start))
            .ok_or_else(|| too_late(&format!("the term of {}", self.term)))
    }

    /// The periods of a contract with these times.
    ///
    /// # Errors
    /// Why there are none that fit.
    pub fn periods(&self, start: Timestamp, end: Timestamp) -> Result<Vec<Period>, String> {
        match (&self.periods, &self.generated_periods) {
            (Some(periods), None) => relative(periods, start),
            (None, Some(periods)) => generated(periods, start, end),
            _ => Err("it must have exactly one of `periods` and `generatedPeriods`".to_owned()),
        }
    }
}

/// Periods by offset and duration.
fn relative(periods: &[RelativePeriod], start: Timestamp) -> Result<Vec<Period>, String> {
    let mut before = Span::default();
    let mut place = |index, period: &RelativePeriod| {
        let from = period.offset.map_or(Some(before), RelativeTime::span)?;
        let until = from.plus(period.duration.span()?)?;
        before = until;
        self::period(index, from.after(start)?, until.after(start)?, period.commitment_amount)
    };
    let numbered = periods.iter().enumerate();
    numbered
        .map(|(index, period)| place(index, period).ok_or_else(|| too_late(&format!("period {index}"))))
        .collect()
}

/// Periods of one length from the start to the end.
fn generated(periods: &GeneratedPeriods, start: Timestamp, end: Timestamp) -> Result<Vec<Period>, String> {
    let every = periods.every.span().ok_or_else(|| format!("{} is no length of a period", periods.every))?;
    let bounds = (0..=MAX_PERIODS).map_while(|count| every.times(count)?.after(start));
    let bounds: Vec<_> = bounds.take_while(|bound| *bound <= end).collect();
    if bounds.last() != Some(&end) {
        return Err(format!(
            "periods of {} from {start} do not end at {end}, the end of the term, or are more than {MAX_PERIODS}; change \
             the term, or list the periods",
            periods.every
        ));
    }
    let amounts = amounts(periods, bounds.len().saturating_sub(1))?;
    let pairs = bounds.iter().zip(bounds.iter().skip(1));
    let lasting = pairs.zip(amounts).enumerate();
    Ok(lasting.filter_map(|(index, ((from, until), amount))| period(index, *from, *until, amount)).collect())
}

/// The amount of each of so many periods.
fn amounts(periods: &GeneratedPeriods, count: usize) -> Result<Vec<Decimal>, String> {
    match (periods.commitment_amount, &periods.commitment_amounts) {
        (Some(each), None) => Ok(vec![each; count]),
        (None, Some(amounts)) if amounts.len() == count => Ok(amounts.clone()),
        (None, Some(amounts)) => Err(format!(
            "`commitmentAmounts` has {} amounts, but the term has {count} periods; write one amount for each, or list \
             the periods",
            amounts.len()
        )),
        _ => Err("it must have exactly one of `commitmentAmount` and `commitmentAmounts`".to_owned()),
    }
}

/// A period of which billing has seen nothing yet.
fn period(index: usize, from: Timestamp, until: Timestamp, commitment_amount: Decimal) -> Option<Period> {
    Some(Period {
        period_index: i32::try_from(index).ok()?,
        period_start_at: from,
        period_end_at: until,
        commitment_amount,
        rollover_in_amount: None,
        rollover_out_amount: None,
        status: None,
    })
}

fn too_late(what: &str) -> String {
    format!("{what} would end after the year 9999")
}

#[cfg(test)]
mod tests;
