//! JSON for programs: the data as it is, under names that stay.

use serde_json::{Value, json};

use crate::plan::{Change, Plan};

/// A plan: `digest`, `changes`, `effect`, and `invoiced` where anything of it is. Amounts are text with exact digits, in the unit that stands beside them.
#[must_use]
pub fn plan(plan: &Plan) -> Value {
    let mut value = json!({"digest": plan.digest, "changes": plan.changes, "effect": plan.effect});
    if let (false, Some(members)) = (plan.invoiced.is_empty(), value.as_object_mut()) {
        members.insert("invoiced".to_owned(), json!(plan.invoiced));
    }
    value
}

/// Drift: `drift`, every difference.
#[must_use]
pub fn drift(changes: &[Change]) -> Value {
    json!({"drift": changes})
}
