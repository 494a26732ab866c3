//! What a change does to every resource, as it is told.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    super::{many, out::count, validate::Entry},
    pairs::{Change as Files, KINDS, Pair, side},
};
use crate::{
    plan::{Change, MoneyEffect, Plan, diff::covers, facts::Side, usage::UsagePrice},
    review::{
        alerts::{Alert, alerts},
        change::Effect,
        document::{How, Part, RatesOf},
        term::{self, Terming},
        volumes::{Estimate, Volumes},
        words,
    },
    terms::Decimal,
};

/// What is looked at besides the changes themselves.
#[derive(Clone, Debug, Default)]
pub(super) struct Looks {
    /// By how many percent a price may move without being called out.
    pub(super) price_alert: Decimal,
    /// Use that is expected.
    pub(super) volumes: Volumes,
    /// Whether the rates of contracts are read.
    pub(super) rates: bool,
}

/// What a change does to every resource.
#[derive(Debug, Default)]
pub(super) struct Planned {
    /// Resources to which it does something, in the order of their names.
    pub(super) rows: Vec<Row>,
    /// What is wrong with files and can't be told of one of the rows.
    pub(super) wrong: Vec<Entry>,
    /// Contracts after the change.
    pub(super) contracts: usize,
    /// The commit before the change.
    pub(super) base: Option<String>,
    /// Whether the billing API was asked.
    pub(super) live: bool,
    /// Names of the contracts that were looked at, those to which nothing happens included.
    pub(super) looked_at: BTreeSet<String>,
    /// What use of each contract costs, where that was asked for.
    pub(super) rates: Vec<RatesOf>,
}

/// What a change does to one resource.
#[derive(Debug)]
pub(super) struct Row {
    /// `BillingContract` or `ContractPackage`.
    pub(super) kind: &'static str,
    /// `namespace/name`, or the name where no namespace is written.
    pub(super) name: String,
    /// Its file, after the change or else before.
    pub(super) file: String,
    /// What happened to its file.
    pub(super) how: How,
    /// What else made the change, where its own file is the same.
    pub(super) cause: Option<String>,
    /// What it does.
    pub(super) effect: Effect,
    /// What is wrong with it; then nothing is planned.
    pub(super) wrong: Vec<Entry>,
    /// When it applies.
    pub(super) term: Option<Terming>,
    /// Prices that deserve a look.
    pub(super) alerts: Vec<Alert>,
    /// What is valid in what it says now and deserves a question before it is billed.
    pub(super) asked: Vec<Entry>,
    /// What expected use costs.
    pub(super) estimates: Vec<Estimate>,
    /// Items of which use is expected and that it does not have.
    pub(super) unknown_items: Vec<String>,
}

impl Row {
    /// What a pair comes to.
    pub(super) fn of(
        files: &Files<'_>,
        pair: &Pair<'_>,
        effect: Effect,
        cause: Option<String>,
        looks: &Looks,
    ) -> Self {
        let name = pair.name();
        let how = pair.how(files.knows_before);
        let mut row = Self {
            kind: pair.kind,
            file: pair.file.to_owned(),
            how,
            cause: cause.filter(|_| how == How::Same),
            effect,
            wrong: pair.wrong.clone(),
            term: None,
            alerts: Vec::new(),
            asked: Vec::new(),
            estimates: Vec::new(),
            unknown_items: Vec::new(),
            name,
        };
        if let Some(plan) = row.plan() {
            let (alerts, estimates) = (
                alerts(&plan.changes, looks.price_alert),
                looks.volumes.estimates(&row.name, &plan.effect.usage),
            );
            let term = terming(files, pair, &plan.changes);
            (row.alerts, row.estimates, row.term) = (alerts, estimates, term);
            if row.how != How::Same || row.cause.is_some() {
                row.asked.clone_from(&pair.asked);
            }
            row.unknown_items = looks.volumes.unknown_items(&row.name, &said(files, pair));
        }
        row.leave_out_what_has_a_sum();
        row
    }

    /// Prices of what has a sum by the expected use are not open any more.
    fn leave_out_what_has_a_sum(&mut self) {
        let Effect::Changes { plan, .. } = &mut self.effect else { return };
        let MoneyEffect { open, usage, .. } = &mut plan.effect;
        let is_known = |price: &&UsagePrice| {
            let of = |estimate: &Estimate| estimate.item == price.item && estimate.after.is_some();
            self.estimates.iter().any(of)
        };
        let known: Vec<&UsagePrice> = usage.iter().filter(is_known).collect();
        open.retain(|open| !known.iter().any(|price| covers(&price.path, &open.path)));
    }

    /// The plan that would be carried out.
    pub(super) fn plan(&self) -> Option<&Plan> {
        match &self.effect {
            Effect::Changes { plan, .. } if self.wrong.is_empty() => Some(plan),
            _ => None,
        }
    }

    /// What deserves a look, a line each: prices that move far, and what the files ask.
    pub(super) fn looks(&self) -> Vec<String> {
        let asked = self.asked.iter().map(|entry| entry.message.clone());
        words::alerts(&self.alerts).into_iter().chain(asked).collect()
    }

    /// The parts that it is told in; none when nothing is to be told.
    pub(super) fn parts(&self) -> Vec<Part> {
        if !self.wrong.is_empty() {
            return vec![Part::Refused];
        }
        match &self.effect {
            Effect::Nothing => Vec::new(),
            Effect::Changes { plan, undone, .. } if undone.is_empty() || plan.changes.is_empty() => {
                vec![Part::Does]
            }
            Effect::Changes { plan, undone, .. } if undone.len() == plan.changes.len() => vec![Part::Undone],
            Effect::Changes { .. } => vec![Part::Does, Part::Undone],
            Effect::Open(_) => vec![Part::Open],
            Effect::Left { .. } => vec![Part::Left],
            Effect::Refused(_) => vec![Part::Refused],
            Effect::Unknown(_) => vec![Part::Unknown],
        }
    }

    /// Its first part, in which its money is told.
    pub(super) fn part(&self) -> Option<Part> {
        self.parts().first().copied()
    }

    /// What it does to money.
    pub(super) fn money(&self) -> Option<&MoneyEffect> {
        self.plan().map(|plan| &plan.effect)
    }

    /// Its plan without what undoes a change of somebody else.
    pub(super) fn own(&self) -> Option<Plan> {
        let Effect::Changes { plan, undone, .. } = &self.effect else { return None };
        let mut plan = plan.clone();
        plan.changes.retain(|change| !undone.contains(change));
        Some(plan)
    }

    /// What undoes a change of somebody else.
    pub(super) fn undone(&self) -> &[Change] {
        if let Effect::Changes { undone, .. } = &self.effect { undone } else { &[] }
    }

    /// What happened, in a few words.
    pub(super) fn what(&self) -> String {
        let how = match (&self.cause, self.how) {
            (Some(cause), _) => format!("by {cause}"),
            (None, How::Read | How::Same) if self.plan().is_some_and(is_new) => "new".to_owned(),
            (None, How::Read) if self.plan().is_some() => "changed".to_owned(),
            (None, how) => how.word().to_owned(),
        };
        match &self.effect {
            Effect::Changes { waits: true, .. } => format!("{how}, waits for approval"),
            Effect::Left { why, .. } | Effect::Open(why) => format!("{how}; {why}"),
            _ => how,
        }
    }
}

fn is_new(plan: &Plan) -> bool {
    plan.changes.iter().any(|change| change.from.is_none() && !change.path.starts_with('/'))
}

/// What a contract and its package say, before and after.
fn said(files: &Files<'_>, pair: &Pair<'_>) -> Vec<Value> {
    let (was, is) = pair.contracts();
    let sides = [was.map(|was| side(was, &files.old)), is.map(|is| side(is, &files.new))];
    let said = |side: Side<'_>| {
        let package = side.package.map(|package| serde_json::to_value(&package.spec));
        [Some(serde_json::to_value(&side.contract.spec)), package]
    };
    sides.into_iter().flatten().flat_map(said).flatten().flatten().collect()
}

/// When a contract applies before and after.
fn terming(files: &Files<'_>, pair: &Pair<'_>, changes: &[Change]) -> Option<Terming> {
    let (was, is) = pair.contracts();
    let span = |contract, together| term::span(&side(contract, together));
    match (was, is) {
        (_, Some(is)) => {
            let after = span(is, &files.new)?;
            Some(Terming { before: term::before(after, changes), after: Some(after) })
        }
        (Some(was), None) => Some(Terming { before: Some(span(was, &files.old)?), after: None }),
        (None, None) => None,
    }
}

impl Planned {
    /// What is told of a change: a row for each pair to which something happens.
    pub(super) fn of(files: &Files<'_>, rows: Vec<Row>) -> Self {
        let rows = rows.into_iter().filter(|row| row.part().is_some()).collect();
        let contracts = files.pairs.iter().filter(|pair| pair.kind == KINDS[1]);
        Self {
            rows,
            wrong: files.wrong.clone(),
            contracts: files.contracts(),
            looked_at: contracts.map(Pair::name).collect(),
            ..Self::default()
        }
    }

    /// What a change does where what the files said before is what is billed.
    pub(super) fn offline(files: &Files<'_>, looks: &Looks) -> Self {
        let row = |(): &mut (), pair: &Pair<'_>| {
            let (mut effect, cause) = files.effect(pair);
            if let Effect::Changes { plan, .. } = &mut effect {
                // Nobody is told what would be sent where nobody was asked.
                plan.calls = Vec::new();
                // There may be very many of them: they are kept without the room to grow.
                plan.changes.shrink_to_fit();
                plan.effect.open.shrink_to_fit();
                plan.effect.usage.shrink_to_fit();
            }
            Some(Row::of(files, pair, effect, cause, looks)).filter(|row| row.part().is_some())
        };
        let rows = many::map(&files.pairs, || (), row);
        Self::of(files, rows.into_iter().flatten().collect())
    }

    /// The rows that are told in a part.
    pub(super) fn part(&self, part: Part) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.parts().contains(&part))
    }

    /// Whether there is nothing to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.wrong.is_empty()
    }

    /// How many rows there are of each part, in words: `2 resources change, 1 is refused`.
    pub(super) fn counts(&self) -> String {
        let counts = Part::ALL.map(|part| (part, self.part(part).count()));
        let mut told = Vec::new();
        for (part, number) in counts.into_iter().filter(|(_, number)| *number > 0) {
            let what = match (part, number) {
                (Part::Does, 1) => "changes",
                (Part::Does, _) => "change",
                (Part::Undone, 1) => "was changed in billing",
                (Part::Undone, _) => "were changed in billing",
                (Part::Open, 1) => "is open",
                (Part::Open, _) => "are open",
                (Part::Left, 1) => "is left as it is",
                (Part::Left, _) => "are left as they are",
                (Part::Refused, 1) => "is refused",
                (Part::Refused, _) => "are refused",
                (Part::Unknown, _) => "could not be compared",
            };
            let number = if told.is_empty() { count(number, "resource") } else { number.to_string() };
            told.push(format!("{number} {what}"));
        }
        told.join(", ")
    }

    /// What all of it does to fixed money.
    pub(super) fn total(&self) -> MoneyEffect {
        MoneyEffect::sum(self.rows.iter().filter_map(Row::money))
    }

    /// The exit status.
    pub(super) fn code(&self) -> u8 {
        let has = |part| self.part(part).next().is_some();
        if has(Part::Unknown) {
            1
        } else if !self.wrong.is_empty() || has(Part::Refused) {
            2
        } else if has(Part::Does) || has(Part::Undone) || has(Part::Open) {
            3
        } else {
            0
        }
    }
}
