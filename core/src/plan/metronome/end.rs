//! The end of a contract whose resource is deleted.

use chrono::{DateTime, Utc};

use super::{
    View,
    draft::call,
    next_hour,
    part::{Members, Part},
};
use crate::{
    api::contract::DeletionPolicy,
    plan::{Call, Memory},
    terms::{Shape, Timestamp},
};

/// Shape of a truth value outside the terms.
static PLAIN: Shape = Shape::Plain;

/// Plans the end of a contract that was found to be the resource's; nothing when there is nothing to do: it is archived
/// or ends in time already, or is not the one that the resource holds. Harmless when repeated.
///
/// `End` sets the end date to `end_at`, or to the next full hour. One that has not begun by then has nothing to end in
/// good order, and is archived. `Cancel` archives at once; `void_invoices` says what becomes of invoices that are final.
#[must_use]
pub fn end(
    view: &View,
    memory: &Memory,
    policy: DeletionPolicy,
    end_at: Option<Timestamp>,
    void_invoices: bool,
    now: DateTime<Utc>,
) -> Option<Call> {
    let is_held = memory.contract_id.as_ref().is_none_or(|id| *id == view.contract_id);
    if view.archived || !is_held {
        return None;
    }
    match policy {
        DeletionPolicy::Orphan => None,
        DeletionPolicy::Cancel => Some(archive(view, void_invoices)),
        DeletionPolicy::End => {
            let end = end_at.map_or_else(|| next_hour(now), |end| end.max(next_hour(now)));
            if view.ending_before.is_some_and(|set| set <= end) {
                None
            } else if view.starting_at >= end {
                Some(archive(view, void_invoices))
            } else {
                Some(update_end_date(view, end))
            }
        }
    }
}

fn update_end_date(view: &View, end: Timestamp) -> Call {
    let body = Members::from([
        ("contract_id", Part::text(&view.contract_id)),
        ("customer_id", Part::text(&view.customer_id)),
        ("ending_before", Part::time(end)),
    ]);
    call("v1/contracts/updateEndDate", body)
}

fn archive(view: &View, void_invoices: bool) -> Call {
    let body = Members::from([
        ("contract_id", Part::text(&view.contract_id)),
        ("customer_id", Part::text(&view.customer_id)),
        ("void_invoices", Part::Terms(&PLAIN, void_invoices.into())),
    ]);
    call("v1/contracts/archive", body)
}
