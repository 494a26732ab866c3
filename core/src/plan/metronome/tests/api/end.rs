//! What the API makes of a contract's terms when its end is set: it cuts them short.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::told;

fn moment(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str()?.parse().ok()
}

/// Cuts the terms short at a moment. What a postpaid commit comes to is still billed at that very moment.
pub(in crate::plan::metronome::tests) fn cut(contract: &mut Value, end: &Value) {
    let Some(at) = moment(end) else { return };
    let shorten = |item: &mut Value| {
        if moment(&item["ending_before"]).is_some_and(|until| until > at) {
            item["ending_before"] = told(end);
        }
    };
    for (list, schedule) in [
        ("commits", "access_schedule"),
        ("commits", "invoice_schedule"),
        ("credits", "access_schedule"),
        ("scheduled_charges", "schedule"),
    ] {
        for item in contract[list].as_array_mut().into_iter().flatten() {
            let settles = schedule == "invoice_schedule" && item["type"] == "POSTPAID";
            let rows = item.pointer_mut(&format!("/{schedule}/schedule_items")).and_then(Value::as_array_mut);
            let Some(rows) = rows else { continue };
            rows.retain(|row| {
                let start = moment(&row["timestamp"]).or_else(|| moment(&row["starting_at"]));
                start.is_none_or(|start| start < at || (settles && start == at))
            });
            rows.iter_mut().for_each(shorten);
        }
    }
    for list in ["recurring_commits", "recurring_credits", "subscriptions", "overrides"] {
        contract[list].as_array_mut().into_iter().flatten().for_each(shorten);
    }
}
