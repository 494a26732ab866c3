//! Rules of a `BillingContract` as a whole, whichever billing API it is for.

use super::{Validated, Violation, metronome, zoo};
use crate::{
    api::{BillingContractSpec, ContractPackageSpec},
    terms,
};

/// The validated terms of a contract, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terms<'a> {
    /// Of a Zoo contract, with what its package gives.
    Zoo(Box<Validated<terms::zoo::Contract>>),
    /// Of a Metronome contract; what its package gives, Metronome adds itself.
    Metronome(Validated<&'a terms::metronome::Contract>),
}

/// Completes a contract with the terms of its package, if it has one, and checks it.
///
/// # Errors
/// Every violation.
pub fn contract<'a>(
    spec: &'a BillingContractSpec,
    package: Option<&ContractPackageSpec>,
) -> Result<Terms<'a>, Vec<Violation>> {
    match (&spec.zoo, &spec.metronome) {
        (Some(terms), None) => {
            let package = package.and_then(|package| package.zoo.as_ref());
            zoo::contract(terms, package).map(Box::new).map(Terms::Zoo)
        }
        (None, Some(terms)) => metronome_contract(spec, terms).map(Terms::Metronome),
        _ => {
            let message = "must be set, or `metronome`, and not both";
            Err(vec![Violation::new("spec.zoo", message)])
        }
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
    match &spec.package_ref {
        Some(_) => metronome::contract_from_package(terms),
        None => metronome::contract(terms),
    }
}
