//! What likeness shows: whether an item of the contract that is like one of the spec may be taken for it.

use super::{Desired, ObservedContract, observed::EditedBy};
use crate::plan::Recorded;

/// Most candidates that one question names.
const NAMED: usize = 5;

/// Whether an item of the contract that differs from one of the spec may be taken for it, when neither the record nor a
/// stamp says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    /// It may: every item is the spec's, as the contract was just created from it or is taken over to become what it
    /// says.
    Same,
    /// It may not: the record names the items that are the spec's, or only the package can have made it.
    Other,
    /// It may be the spec's, changed meanwhile, or somebody else's. To adopt it would change what others made, and to
    /// add another could bill twice, so neither is done.
    Unknown,
}

impl Likeness {
    /// The same of items that tell when they were made: whoever has the key of a contract that nobody has edited since it was
    /// made has made those that were made along with it.
    pub(super) fn in_list(self, list: &str, desired: &Desired, observed: &ObservedContract) -> Self {
        if self == Self::Unknown && observed.came_with(desired, list) { Self::Same } else { self }
    }

    /// What likeness shows in a contract.
    pub(super) fn of(desired: &Desired, observed: &ObservedContract, recorded: &Recorded) -> Self {
        if !recorded.items.is_empty() {
            return Self::Other;
        }
        let is_held = recorded.contract_id.as_ref() == Some(&observed.contract_id);
        if desired.has_package() {
            // Whatever is the spec's was added by an edit, and the history of edits tells whose each was.
            let is_known = is_held || recorded.unconfirmed.is_some() || observed.ours.is_some();
            return if is_known { Self::Other } else { Self::Unknown };
        }
        // Nothing was recorded since the create, so nobody else had the time to add anything, unless the history of edits tells
        // that somebody had.
        let is_new = desired.is_sent(recorded) && observed.edited_by != EditedBy::Others;
        let is_found_again = is_held || observed.has_key_of(desired) || observed.is_stamped(desired);
        if is_new || !is_found_again { Self::Same } else { Self::Unknown }
    }

    /// Whether a contract was just created from the spec as it is, so that it has everything that the spec has and nothing
    /// else.
    pub(super) fn is_made_from(self, desired: &Desired, recorded: &Recorded) -> bool {
        let create = desired.create_fingerprint();
        let mut lost = recorded.lost.iter().filter(|write| write.digest == create);
        self == Self::Same
            && recorded.may_have_sent(&create)
            && lost.all(|write| write.spec_digest.as_ref() == Some(&desired.digest))
    }
}

/// The question which of several items one of the spec is; `or_new` when it could be none of them as well.
pub(super) fn question<'i>(
    path: &str,
    noun: &str,
    candidates: impl Iterator<Item = &'i str>,
    or_new: bool,
) -> String {
    let mut names: Vec<_> = candidates.map(str::to_owned).collect();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    if more > 0 {
        names.push(format!("one of {more} others"));
    }
    if or_new {
        names.push("a new one".to_owned());
    }
    format!("`{path}` could be the {noun} {}", names.join(" or "))
}
