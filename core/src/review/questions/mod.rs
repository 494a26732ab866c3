//! What is valid and still deserves a question before it is billed: what people write by mistake more often than on
//! purpose. Nothing here is refused by anybody.

mod before;
mod currency;
mod metronome;
mod zoo;

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
