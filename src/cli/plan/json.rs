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

/// A plan as data.
pub(super) fn document(planned: Planned) -> Document {
    let count = |part| planned.part(part).count();
    let total = planned.total();
    let counts = Counts {
        does: count(Part::Does),
        undone: count(Part::Undone),
        open: count(Part::Open),
        left: count(Part::Left),
        refused: count(Part::Refused),
        unknown: count(Part::Unknown),
    };
    let live = planned.live;
    Document {
        version: VERSION,
        base: planned.base,
        live,
        counts,
        resources: planned.rows.into_iter().map(|row| resource(row, live)).collect(),
        total: total.fixed,
        months: total.months,
        findings: planned.wrong.iter().map(found).collect(),
        rates: planned.rates.clone(),
    }
}

fn resource(row: Row, live: bool) -> Resource {
    let (parts, is_wrong) = (row.parts(), !row.wrong.is_empty());
    let mut resource = Resource {
        kind: row.kind.to_owned(),
        name: row.name,
        file: row.file,
        file_is: row.how,
        cause: row.cause,
        parts,
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
        alerts: row.alerts,
        questions: row.asked.iter().map(found).collect(),
        estimates: row.estimates,
        term: row.term,
    };
    if is_wrong {
        return resource;
    }
    match row.effect {
        Effect::Nothing => {}
        Effect::Changes { plan, waits, undone } => {
            let invoiced = Invoiced::clone(&plan.invoiced);
            resource.invoiced = Some(invoiced).filter(|invoiced| !invoiced.is_empty());
            if live {
                resource.calls = plan.calls.iter().filter_map(Sent::of).collect();
            }
            resource.digest = Some(plan.digest);
            resource.changes = plan.changes;
            resource.undone = undone;
            resource.effect = Some(plan.effect);
            resource.waits_for_approval = waits;
        }
        Effect::Left { why, changes, value } => {
            resource.why = Some(why.to_owned());
            resource.changes = changes;
            resource.committed_value = value;
        }
        Effect::Open(why) => resource.why = Some(why.to_owned()),
        Effect::Refused(refusal) | Effect::Unknown(refusal) => {
            resource.reason = Some(refusal.reason.to_string());
            resource.message = Some(refusal.message);
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
