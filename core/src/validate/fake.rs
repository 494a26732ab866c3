//! House rules of a Fake contract.

use super::{Validated, Violation, Violations};
use crate::terms::fake::Contract;

/// Checks a contract.
///
/// # Errors
/// Every violation, in the order of the fields.
pub fn contract(contract: &Contract) -> Result<Validated<&Contract>, Vec<Violation>> {
    let mut found = Violations::below("spec.fake");
    found.check(!contract.name.trim().is_empty(), "name", || "must not be blank".to_owned());
    found.not_negative(contract.price, "price");
    found.or(contract)
}
