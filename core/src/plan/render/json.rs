//! JSON for programs: the data as it is, under names that stay.

use serde_json::{Value, json};

use crate::plan::{Change, Plan};

/// A plan: `digest`, `changes` and `effect`. Amounts are text with exact digits, in the unit that stands beside them.
#[must_use]
pub fn plan(plan: &Plan) -> Value {
    json!({"digest": plan.digest, "changes": plan.changes, "effect": plan.effect})
}

/// Drift: `drift`, every difference.
#[must_use]
pub fn drift(changes: &[Change]) -> Value {
    json!({"drift": changes})
}
