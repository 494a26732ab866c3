//! What is valid and still deserves a question before it is billed: what people write by mistake more often than on
//! purpose. Nothing here is refused by anybody.

mod before;
mod currency;
mod metronome;
mod zoo;

use chrono::{DateTime, Datelike, Duration, NaiveTime, Utc};

use crate::{
    api::BillingContractSpec,
    plan::start_of_year,
    terms::Timestamp,
    validate::{Terms, Violation, Violations},
};

pub use self::before::changed;

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
