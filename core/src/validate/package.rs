//! Rules of a `ContractPackage` as a whole, whichever billing API it is for.

use std::collections::BTreeSet;

use super::{Violation, Violations, metronome, zoo};
use crate::api::{Api, ContractPackageSpec};

/// Checks a package.
///
/// # Errors
/// Every violation.
pub fn package(spec: &ContractPackageSpec) -> Result<(), Vec<Violation>> {
    let mut found = Violations::below("spec");
    let mut names = BTreeSet::new();
    for alias in &spec.aliases {
        found.within(&format!("aliases[{}]", alias.name), |found| {
            found.check(names.insert(&alias.name), "name", || "is used twice in the list".to_owned());
            if let (Some(start), Some(end)) = (alias.starting_at, alias.ending_before) {
                found.check(start < end, "endingBefore", || {
                    format!("must be after `startingAt` ({start}), not {end}")
                });
            }
        });
    }
    let terms = match spec.api() {
        Some(Api::Zoo) => spec.zoo.as_ref().and_then(|terms| zoo::package(terms).err()),
        Some(Api::Metronome) => spec.metronome.as_ref().and_then(|terms| {
            found.check(terms.aliases.is_empty(), "metronome.aliases", || {
                "must be left out: write the aliases in `spec.aliases`, where they can move".to_owned()
            });
            found.check(spec.provider_ref.is_some(), "providerRef", || {
                "is required with `metronome`: packages belong to an account".to_owned()
            });
            metronome::package(terms).err()
        }),
        // There are no packages of it.
        #[cfg(feature = "fake")]
        Some(Api::Fake) => None,
        None => Some(vec![Violation::of_no_single_api()]),
    };
    found.list.extend(terms.unwrap_or_default());
    if found.list.is_empty() { Ok(()) } else { Err(found.list) }
}
