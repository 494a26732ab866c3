//! A plan for programs, in the form that `schemas/plan.json` says.

use super::{
    super::validate::Entry,
    planned::{Planned, Row},
};
use crate::{
    plan::invoiced::Invoiced,
    review::{
        change::Effect,
        document::{Counts, Document, Found, Part, Resource, Sent, VERSION},
    },
};

pub(super) fn write(planned: &Planned) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(&document(planned))? + "\n")
}

/// A plan as data.
pub(super) fn document(planned: &Planned) -> Document {
    let count = |part| planned.part(part).count();
    let total = planned.total();
    Document {
        version: VERSION,
        base: planned.base.clone(),
        live: planned.live,
        counts: Counts {
            does: count(Part::Does),
            undone: count(Part::Undone),
            open: count(Part::Open),
            left: count(Part::Left),
            refused: count(Part::Refused),
            unknown: count(Part::Unknown),
        },
        resources: planned.rows.iter().map(|row| resource(row, planned.live)).collect(),
        total: total.fixed,
        months: total.months,
        findings: planned.wrong.iter().map(found).collect(),
        rates: planned.rates.clone(),
    }
}

fn resource(row: &Row, live: bool) -> Resource {
    let mut resource = Resource {
        kind: row.kind.to_owned(),
        name: row.name.clone(),
        file: row.file.clone(),
        file_is: row.how,
        cause: row.cause.clone(),
        parts: row.parts(),
        findings: row.wrong.iter().map(found).collect(),
        digest: None,
        changes: Vec::new(),
        undone: Vec::new(),
        effect: None,
        invoiced: None,
        waits_for_approval: false,
        calls: Vec::new(),
        why: None,
        committed_value: Vec::new(),
        reason: None,
        message: None,
        alerts: row.alerts.clone(),
        estimates: row.estimates.clone(),
        term: row.term,
    };
    if !row.wrong.is_empty() {
        return resource;
    }
    match &row.effect {
        Effect::Nothing => {}
        Effect::Changes { plan, waits, undone } => {
            resource.digest = Some(plan.digest.clone());
            resource.changes.clone_from(&plan.changes);
            resource.undone.clone_from(undone);
            resource.effect = Some(plan.effect.clone());
            resource.invoiced = Some(Invoiced::clone(&plan.invoiced)).filter(|invoiced| !invoiced.is_empty());
            resource.waits_for_approval = *waits;
            if live {
                resource.calls = plan.calls.iter().filter_map(Sent::of).collect();
            }
        }
        Effect::Left { why, changes, value } => {
            resource.why = Some((*why).to_owned());
            resource.changes.clone_from(changes);
            resource.committed_value.clone_from(value);
        }
        Effect::Open(why) => resource.why = Some((*why).to_owned()),
        Effect::Refused(refusal) | Effect::Unknown(refusal) => {
            resource.reason = Some(refusal.reason.to_string());
            resource.message = Some(refusal.message.clone());
        }
    }
    resource
}

fn found(entry: &Entry) -> Found {
    Found {
        file: entry.file.clone(),
        line: entry.line,
        column: entry.column,
        rule: entry.rule,
        severity: entry.severity,
        path: entry.path.clone(),
        message: entry.message.clone(),
    }
}
