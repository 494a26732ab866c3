//! A plan as one file for a browser: nothing is loaded from elsewhere and nothing runs, so that it can be kept, mailed and
//! printed. It has everything; the comment of a pull request refers to it for what does not fit there.

use std::io::{self, Write};

use askama::Template;
use chrono::{DateTime, Datelike, Utc};

use super::{
    charts::{self, Bar, Chart},
    markdown::{happens, money},
    planned::{Planned, Row},
};
use crate::{
    cli::{out::count, validate::Entry},
    plan::render::{self, Cells, Sum},
    review::{change::Effect, document::Part, document::Sent, term::Span, words},
    terms::Decimal,
};

/// Width of a drawing, in its own units.
const WIDTH: i64 = 1000;
/// Where bars begin, right of the names of contracts.
const LEFT: i64 = 230;
/// Height of the columns of a chart.
const HEIGHT: i64 = 180;

pub(super) fn write(planned: &Planned, mut out: &mut dyn Write) -> io::Result<()> {
    Page::of(planned).write_into(&mut out)
}

#[derive(Template)]
#[template(path = "plan.html")]
struct Page<'p> {
    title: String,
    mark: &'static str,
    base: Option<&'p str>,
    live: bool,
    is_empty: bool,
    contracts: String,
    total: Vec<Sum>,
    expected: Vec<String>,
    wrong: Vec<String>,
    alerts: Vec<(&'p str, String)>,
    terms: Option<Drawing>,
    commitments: Vec<Drawing>,
    parts: Vec<(&'static str, Vec<Told<'p>>)>,
}

/// One resource in one part. What is told of it is made when its turn comes: of very many, all together would fill the memory.
struct Told<'p> {
    row: &'p Row,
    part: Part,
    live: bool,
}

/// What is told of one resource below its name.
struct Resource {
    why: Option<String>,
    reason: Option<String>,
    wrong: Vec<String>,
    committed: Vec<String>,
    changes: Vec<Cells>,
    undone: Vec<Cells>,
    sums: Vec<Sum>,
    open: Vec<Cells>,
    estimates: Vec<String>,
    alerts: Vec<String>,
    /// What is invoiced already of what it changes.
    invoiced: Vec<String>,
    calls: Vec<Sent>,
}

/// A picture: what it shows in words, and its parts.
struct Drawing {
    title: String,
    height: i64,
    rectangles: Vec<Rectangle>,
    labels: Vec<Label>,
    lines: Vec<i64>,
}

struct Rectangle {
    class: &'static str,
    x: i64,
    y: i64,
    width: i64,
    height: i64,
    title: String,
}

struct Label {
    class: &'static str,
    x: i64,
    y: i64,
    text: String,
}

impl<'p> Page<'p> {
    fn of(planned: &'p Planned) -> Self {
        let counts = planned.counts();
        let title = match (planned.is_empty(), counts.is_empty()) {
            (true, _) => "Nothing changes in billing".to_owned(),
            (false, true) => "The files are wrong".to_owned(),
            (false, false) => counts,
        };
        let mark = match planned.code() {
            0 => "good",
            3 => "money",
            _ => "bad",
        };
        let parts = Part::ALL.map(|part| {
            (
                part.title(),
                planned.part(part).map(|row| Told { row, part, live: planned.live }).collect::<Vec<_>>(),
            )
        });
        Self {
            title,
            mark,
            base: planned.base.as_deref(),
            live: planned.live,
            is_empty: planned.is_empty(),
            contracts: count(planned.contracts, "contract"),
            total: render::years(&planned.total()),
            expected: words::expected(planned.rows.iter().flat_map(|row| &row.estimates)),
            wrong: planned.wrong.iter().map(found).collect(),
            alerts: planned
                .rows
                .iter()
                .flat_map(|row| row.looks().into_iter().map(|line| (row.name.as_str(), line)))
                .collect(),
            terms: timeline(&charts::terms(planned)),
            commitments: charts::commitments(planned).iter().map(columns).collect(),
            parts: parts.into_iter().filter(|(_, rows)| !rows.is_empty()).collect(),
        }
    }
}

impl Told<'_> {
    fn anchor(&self) -> String {
        format!("{}-{}-{:?}", self.row.kind, self.row.name, self.part)
    }

    fn label(&self) -> String {
        format!("{} {}", self.row.kind, self.row.name)
    }

    fn happens(&self) -> String {
        happens(self.row)
    }

    /// Its money stands in the first part that it is told in.
    fn is_first(&self) -> bool {
        self.row.part() == Some(self.part)
    }

    fn money(&self) -> String {
        if self.is_first() { money(self.row) } else { String::new() }
    }

    fn resource(&self) -> Resource {
        let Self { row, part, live } = *self;
        let is_first = self.is_first();
        let mut resource = Resource {
            why: None,
            reason: None,
            wrong: row.wrong.iter().map(found).collect(),
            committed: Vec::new(),
            changes: Vec::new(),
            undone: Vec::new(),
            sums: Vec::new(),
            open: Vec::new(),
            estimates: Vec::new(),
            alerts: Vec::new(),
            invoiced: Vec::new(),
            calls: Vec::new(),
        };
        if !row.wrong.is_empty() {
            return resource;
        }
        match &row.effect {
            Effect::Nothing => {}
            Effect::Changes { plan, undone, .. } => {
                if part == Part::Undone {
                    resource.undone = render::table(undone);
                } else if let Some(own) = row.own() {
                    resource.changes = render::table(&own.changes);
                }
                if is_first {
                    resource.sums = render::years(&plan.effect);
                    resource.open = render::open(&plan.effect);
                    resource.estimates = words::estimates(&row.estimates);
                    resource.alerts = row.looks();
                    resource.invoiced = row.plan().map(|plan| plan.invoiced.lines()).unwrap_or_default();
                    resource.calls = plan.calls.iter().filter(|_| live).filter_map(Sent::of).collect();
                }
            }
            Effect::Left { why, changes, value } => {
                resource.why = Some((*why).to_owned());
                resource.undone = render::table(changes);
                resource.committed = value.iter().map(ToString::to_string).collect();
            }
            Effect::Open(why) => resource.why = Some((*why).to_owned()),
            Effect::Refused(refusal) | Effect::Unknown(refusal) => {
                resource.reason = Some(refusal.reason.to_string());
                resource.why = Some(refusal.message.clone());
            }
        }
        resource
    }
}

fn found(entry: &Entry) -> String {
    format!("{}:{}:{}: {}", entry.file, entry.line, entry.column, entry.message)
}

/// When contracts apply, a row each: before above, after below.
fn timeline(bars: &[Bar<'_>]) -> Option<Drawing> {
    const ROW: i64 = 30;
    let (from, to) = charts::range(bars)?;
    let whole = (to.0 - from.0).num_days().max(1);
    let place = |time: DateTime<Utc>| LEFT + (time - from.0).num_days() * (WIDTH - LEFT) / whole;
    let (mut rectangles, mut labels) = (Vec::new(), Vec::new());
    let mut y = 30;
    for bar in bars {
        labels.push(Label { class: "name", x: LEFT - 10, y: y + 15, text: bar.name.to_owned() });
        for (class, span, at) in [("before", bar.before, y), ("after", bar.after, y + 12)] {
            let Some(Span { start, end }) = span else { continue };
            let x = place(start.0);
            let width = (end.map_or(WIDTH, |end| place(end.0)) - x).max(2);
            let until = end.map_or_else(|| "without end".to_owned(), |end| end.to_string());
            let title = format!("{}, {class}: {start} to {until}", bar.name);
            rectangles.push(Rectangle { class, x, y: at, width, height: 9, title });
        }
        y += ROW;
    }
    let years = from.0.year()..=to.0.year();
    let mut lines = Vec::new();
    for year in years.clone() {
        let start: Option<DateTime<Utc>> = format!("{year:04}-01-01T00:00:00Z").parse().ok();
        let Some(start) = start.filter(|start| *start >= from.0) else { continue };
        let many = years.clone().count();
        lines.push(place(start));
        if many <= 15 || year % 10 == 0 {
            labels.push(Label { class: "year", x: place(start) + 3, y: 18, text: year.to_string() });
        }
    }
    let title = format!("Terms of {}, over {}", count(bars.len(), "contract"), count(years.count(), "year"));
    Some(Drawing { title, height: y + 5, rectangles, labels, lines })
}

/// Commitments over time, two columns each: before and after.
fn columns(chart: &Chart) -> Drawing {
    let by = if chart.by_year { "year" } else { "month" };
    let most = chart.columns.iter().flat_map(|column| [column.before.abs(), column.after.abs()]).max();
    let most = most.filter(|most| *most > Decimal::ZERO).unwrap_or(Decimal::from(1));
    let many = i64::try_from(chart.columns.len()).unwrap_or(1).max(1);
    let step = ((WIDTH - 20) / many).max(2);
    let (mut rectangles, mut labels) = (Vec::new(), Vec::new());
    for (index, column) in (0_i64..).zip(&chart.columns) {
        let x = 10 + index * step;
        let half = (step * 2 / 5).clamp(1, 40);
        for (class, sum, at) in [("before", column.before, x), ("after", column.after, x + half)] {
            let height = height(sum, most);
            let title = format!("{}, {class}: {sum} {}", column.label, chart.unit);
            rectangles.push(Rectangle { class, x: at, y: 20 + HEIGHT - height, width: half, height, title });
        }
        // Labels stand as far apart as they are wide.
        if index % (60 / step + 1) == 0 {
            labels.push(Label { class: "year", x, y: HEIGHT + 38, text: column.label.clone() });
        }
    }
    labels.push(Label { class: "year", x: 10, y: 14, text: format!("up to {most} {}", chart.unit) });
    let title = format!("Committed by {by}, in {}", chart.unit);
    Drawing { title, height: HEIGHT + 45, rectangles, labels, lines: Vec::new() }
}

/// The height of a column.
fn height(sum: Decimal, most: Decimal) -> i64 {
    let share = sum.abs().checked_mul(Decimal::from(HEIGHT)).and_then(|tall| tall.checked_div(most));
    let whole = share.map(|share| share.truncated(0).to_string());
    whole
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(HEIGHT)
        .clamp(i64::from(sum != Decimal::ZERO), HEIGHT)
}
