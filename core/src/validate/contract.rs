//! Rules of a `BillingContract` as a whole, whichever billing API it is for.

#[cfg(feature = "fake")]
use super::fake;
use super::{Validated, Violation, metronome, zoo};
use crate::{
    api::{Api, BillingContractSpec, ContractPackageSpec},
    terms,
};

/// The validated terms of a contract, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terms<'a> {
    /// Of a Zoo contract, with what its package gives.
    Zoo(Box<Validated<terms::zoo::Contract>>),
    /// Of a Metronome contract; what its package gives, Metronome adds itself.
    Metronome(Validated<&'a terms::metronome::Contract>),
    /// Of a Fake contract.
    #[cfg(feature = "fake")]
    Fake(Validated<&'a terms::fake::Contract>),
}

/// Completes a contract with the terms of its package, if it has one, and checks it.
///
/// # Errors
/// Every violation.
pub fn contract<'a>(
    spec: &'a BillingContractSpec,
    package: Option<&ContractPackageSpec>,
) -> Result<Terms<'a>, Vec<Violation>> {
    let none = || vec![Violation::of_no_single_api()];
    match spec.api().ok_or_else(none)? {
        Api::Zoo => {
            let terms = spec.zoo.as_ref().ok_or_else(none)?;
            let package = package.and_then(|package| package.zoo.as_ref());
            zoo::contract(terms, package).map(Box::new).map(Terms::Zoo)
        }
        Api::Metronome => {
            let terms = spec.metronome.as_ref().ok_or_else(none)?;
            metronome_contract(spec, terms).map(Terms::Metronome)
        }
        #[cfg(feature = "fake")]
        Api::Fake => fake::contract(spec.fake.as_ref().ok_or_else(none)?).map(Terms::Fake),
    }
}

/// Checks the Metronome terms of a contract.
///
/// # Errors
/// Every violation.
pub fn metronome_contract<'a>(
    spec: &BillingContractSpec,
    terms: &'a terms::metronome::Contract,
) -> Result<Validated<&'a terms::metronome::Contract>, Vec<Violation>> {
    let checked = match &spec.package_ref {
        Some(_) => metronome::contract_from_package(terms),
        None => metronome::contract(terms),
    };
    let Some(end) = spec.end_at.filter(|end| !end.is_full_hour()) else { return checked };
    let message = format!("must be a full hour, such as 2026-01-01T00:00:00Z, not {end}");
    let mut violations = checked.err().unwrap_or_default();
    violations.push(Violation::new("spec.endAt", message));
    Err(violations)
}
