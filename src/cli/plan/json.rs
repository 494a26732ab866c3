//! A plan for programs. `version` changes when a member changes its meaning or goes.

use serde_json::{Value, json};

use super::pairs::{Part, Planned, Row};
use crate::{plan::render, review::change::Effect};

pub(super) fn write(planned: &Planned, base: &str) -> serde_json::Result<String> {
    let counts: serde_json::Map<String, Value> =
        Part::ALL.iter().map(|part| (part.word().to_owned(), planned.part(*part).count().into())).collect();
    let value = json!({
        "version": 1,
        "base": base,
        "counts": counts,
        "resources": planned.rows.iter().map(row).collect::<Vec<_>>(),
        "total": planned.total().fixed,
        "findings": planned.wrong,
    });
    Ok(serde_json::to_string_pretty(&value)? + "\n")
}

fn row(row: &Row) -> Value {
    let mut value = json!({
        "kind": row.kind,
        "name": row.name,
        "file": row.file,
        "fileIs": row.how.word(),
        "cause": row.cause,
        "part": row.part().map(Part::word),
        "findings": row.wrong,
    });
    let more = match &row.effect {
        _ if !row.wrong.is_empty() => json!({}),
        Effect::Changes { plan, waits } => {
            let mut plan = render::plan_json(plan);
            if let Some(members) = plan.as_object_mut() {
                members.insert("waitsForApproval".to_owned(), (*waits).into());
            }
            plan
        }
        Effect::Left { why, changes, value } => {
            json!({"why": why, "changes": changes, "committedValue": value})
        }
        Effect::Refused(refusal) => json!({"reason": refusal.reason.as_str(), "message": refusal.message}),
        Effect::Open(why) => json!({"why": why}),
        Effect::Nothing => json!({}),
    };
    if let (Some(members), Value::Object(more)) = (value.as_object_mut(), more) {
        members.extend(more);
    }
    value
}
