//! References between the items of one contract or package, by their temporary IDs.

use std::fmt;

use crate::{
    terms::{metronome::Id, metronome::subscriptions::QuantityManagementMode},
    validate::Violations,
};

/// What a temporary ID can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Commit,
    RecurringCommit,
    RecurringCredit,
    Subscription(QuantityManagementMode),
}

/// The temporary IDs of one contract or package.
#[derive(Default)]
pub(super) struct References<'a> {
    named: Vec<(&'a Id, Kind, String)>,
}

impl<'a> References<'a> {
    /// Takes note of an item's temporary ID, if it has one; `place` is its key or position in the list.
    pub(super) fn name(&mut self, list: &str, place: &dyn fmt::Display, id: Option<&'a Id>, kind: Kind) {
        self.named.extend(id.map(|id| (id, kind, format!("{list}[{place}]"))));
    }

    /// No ID may name two items.
    pub(super) fn check_unique(&self, found: &mut Violations) {
        for (index, (id, _, path)) in self.named.iter().enumerate() {
            let earlier = self.named.iter().take(index).find(|(earlier, ..)| earlier == id);
            if let Some((.., earlier)) = earlier {
                found.check(false, &format!("{path}.temporaryId"), || {
                    format!("must be unique, but {id:?} is also that of `{earlier}`")
                });
            }
        }
    }

    /// What an ID names in the same terms.
    pub(super) fn find(&self, id: &Id) -> Option<Kind> {
        self.named.iter().find(|(named, ..)| *named == id).map(|(_, kind, _)| *kind)
    }

    /// A reference must be an ID of the API's making (a UUID), or the temporary ID of an item that it may name.
    pub(super) fn check(
        &self,
        id: &Id,
        may_name: impl FnOnce(Kind) -> bool,
        what: &str,
        field: &str,
        found: &mut Violations,
    ) {
        let holds = self.find(id).map_or_else(|| uuid::Uuid::try_parse(id.as_str()).is_ok(), may_name);
        found.check(holds, field, || {
            format!("must be the ID (a UUID) or the `temporaryId` of {what}, but {id:?} is neither")
        });
    }
}
