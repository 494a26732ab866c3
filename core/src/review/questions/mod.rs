//! What is valid and still deserves a question before it is billed: what people write by mistake more often than on
//! purpose. Nothing here is refused by anybody.

mod before;
mod currency;
mod metronome;
mod zoo;

use chrono::{DateTime, Datelike, Duration, NaiveTime, Utc};

use crate::{
    api::{BillingContract, BillingContractSpec, ContractPackageSpec},
    plan::start_of_year,
    protocol::Outcome,
    terms::Timestamp,
    validate::{self, Terms, Violation, Violations},
};

pub use self::before::{changed, moved};

/// Years that a term may have before somebody is asked.
const MOST_YEARS: u32 = 10;

/// What deserves a question in a contract that is valid.
#[must_use]
pub fn contract(spec: &BillingContractSpec, terms: &Terms<'_>) -> Vec<Violation> {
    match terms {
        Terms::Zoo(terms) => zoo::contract(terms),
        Terms::Metronome(terms) => metronome::contract(terms, spec.package_ref.is_some()),
        #[cfg(feature = "fake")]
        Terms::Fake(_) => Vec::new(),
    }
}

/// What deserves a question in what a reconcile has brought into force, or asks for leave to: the terms where they are not those
/// that were in force before, and money that is moved. Terms that are wrong deserve more than a question, and get it elsewhere.
#[must_use]
pub fn brought(
    contract: &BillingContract,
    package: Option<&ContractPackageSpec>,
    outcome: &Outcome,
) -> Vec<Violation> {
    let before = contract.status.as_ref().and_then(|status| status.last_applied.as_ref());
    let (plans, is_new) = match outcome {
        Outcome::InSync { spec_digest, applied } => {
            let in_force = before.map(|before| &before.spec_digest);
            (applied.as_slice(), spec_digest.as_ref().is_some_and(|digest| Some(digest) != in_force))
        }
        Outcome::AwaitingApproval(plan) => (std::slice::from_ref(plan), true),
        _ => return Vec::new(),
    };
    let terms = is_new.then(|| validate::contract(&contract.spec, package).ok()).flatten();
    let mut asked = terms.map(|terms| self::contract(&contract.spec, &terms)).unwrap_or_default();
    asked.extend(plans.iter().flat_map(|plan| moved(&plan.changes)));
    asked
}

/// Asks about a term that is longer than any that people agree on.
fn check_length(start: Timestamp, end: Timestamp, field: &str, found: &mut Violations) {
    let is_short = start_of_year(start, MOST_YEARS).is_none_or(|latest| end <= latest);
    found.check(is_short, field, || {
        let years = (MOST_YEARS..10_000)
            .take_while(|years| start_of_year(start, *years).is_some_and(|begin| begin < end));
        format!("is {end}, {} years after the start: is that meant?", years.last().unwrap_or(MOST_YEARS))
    });
}

/// Asks about a term that begins before anybody bills by this, and one whose end was meant to be part of it: ends are the first
/// moment after the term, so that one that ends on the last day, or in its last second, leaves a gap before the next.
fn check_ends(start: Timestamp, end: Option<Timestamp>, fields: [&str; 2], found: &mut Violations) {
    let [start_field, end_field] = fields;
    let begin = start.0;
    found.check(begin.year() >= EARLIEST_YEAR, start_field, || {
        format!("is {start}, in the year {}: is that meant?", begin.year())
    });
    let Some(Timestamp(end)) = end else { return };
    let is_first_of_month = |time: DateTime<Utc>| time.day() == 1 && time.time() == NaiveTime::MIN;
    let next = [Duration::days(1), Duration::seconds(1), Duration::minutes(1), Duration::hours(1)]
        .into_iter()
        .filter_map(|step| end.checked_add_signed(step))
        .find(|next| is_first_of_month(*next));
    // Beyond the year 9999 no time can be written.
    if let Some(next) = next.filter(|next| is_first_of_month(begin) && next.year() < 10_000) {
        found.check(false, end_field, || {
            let (end, next) = (Timestamp(end), Timestamp(next));
            format!(
                "is {end}, and is the first moment that is no part of the term any more: should it be {next}?"
            )
        });
    }
}

/// Before it, nobody has billed by contracts in Git.
const EARLIEST_YEAR: i32 = 2000;
