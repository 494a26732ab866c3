//! Who sits on a subscription that counts seats. Pure.

use std::collections::BTreeSet;

use bigdecimal::ToPrimitive as _;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::value::{Fields, Json};
use super::{decimal, time};

/// Assigned and free seats, and how they were before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seats {
    assigned: BTreeSet<String>,
    free: usize,
    starting_at: DateTime<Utc>,
    before: Vec<Seats>,
}

impl Seats {
    /// The seats at the start.
    pub(super) fn first(config: &Fields, starting_at: DateTime<Utc>) -> Self {
        Self {
            assigned: config.texts("initial_seat_ids").map(str::to_owned).collect(),
            free: number(config, "initial_unassigned_seats"),
            starting_at,
            before: Vec::new(),
        }
    }

    /// Begins a period in which seats change; what was planned for later gives way.
    pub(super) fn from(&mut self, at: DateTime<Utc>) {
        if self.starting_at < at {
            let before = std::mem::take(&mut self.before);
            let past = Self { before: Vec::new(), ..self.clone() };
            self.before = before.into_iter().chain([past]).collect();
        } else {
            self.before.retain(|period| period.starting_at < at);
        }
        self.starting_at = at;
    }

    /// Every period, the latest first, with its start for a page token.
    pub(super) fn history(&self) -> Vec<(String, Fields)> {
        let periods: Vec<_> = self.before.iter().chain([self]).collect();
        let ends = periods.iter().skip(1).map(|next| Some(next.starting_at)).chain([None]);
        let mut told: Vec<_> = periods.iter().zip(ends).map(|(period, end)| period.told(end)).collect();
        told.reverse();
        told
    }

    fn told(&self, end: Option<DateTime<Utc>>) -> (String, Fields) {
        let assigned: Vec<Json> = self.assigned.iter().map(|id| Json::from(id.as_str())).collect();
        let fields = Fields::default()
            .with("assigned_seat_ids", assigned)
            .with("total_quantity", self.count())
            .with("starting_at", time::json(self.starting_at))
            .with("ending_before", end.map_or(Json::Null, time::json));
        (self.starting_at.to_rfc3339(), fields)
    }

    /// How many there are, assigned or free.
    pub(super) fn count(&self) -> Json {
        Json::Number((self.assigned.len() + self.free).to_string())
    }

    /// Assigns seats, the free ones first.
    pub(super) fn assign<'a>(&mut self, ids: impl Iterator<Item = &'a str>) {
        for id in ids {
            if self.assigned.insert(id.to_owned()) {
                self.free = self.free.saturating_sub(1);
            }
        }
    }

    /// Takes away the assigned seats that are there.
    pub(super) fn remove<'a>(&mut self, ids: impl Iterator<Item = &'a str>) {
        for id in ids {
            self.assigned.remove(id);
        }
    }

    /// Adds the free seats that `change` says.
    pub(super) fn free(&mut self, change: &Fields) {
        self.free += number(change, "quantity");
    }

    /// Takes away free seats, as far as there are any.
    pub(super) fn take_free(&mut self, change: &Fields) {
        self.free = self.free.saturating_sub(number(change, "quantity"));
    }
}

fn number(fields: &Fields, name: &str) -> usize {
    fields.number(name).and_then(decimal::parse).and_then(|number| number.to_usize()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_seats_fill_free_ones_first() {
        let config = Fields::default()
            .with("initial_unassigned_seats", 1_u32)
            .with("initial_seat_ids", vec![Json::from("a")]);
        let mut seats = Seats::first(&config, DateTime::default());
        seats.assign(["a", "b", "c"].into_iter());
        assert_eq!(seats.count(), Json::Number("3".to_owned()));
        seats.remove(["b", "nobody"].into_iter());
        assert_eq!(seats.count(), Json::Number("2".to_owned()));
    }

    #[test]
    fn a_period_ends_when_the_next_begins() {
        let at = |day: i64| DateTime::from_timestamp(day * 86_400, 0).unwrap();
        let mut seats = Seats::first(&Fields::default(), at(0));
        for day in [5, 9, 7] {
            seats.from(at(day));
            seats.assign([day.to_string().as_str()].into_iter());
        }
        let starts: Vec<_> = seats.history().into_iter().map(|(start, _)| start).collect();
        assert_eq!(starts, [at(7), at(5), at(0)].map(|start| start.to_rfc3339()));
        let ends: Vec<_> =
            seats.history().into_iter().map(|(_, period)| time::of(&period, "ending_before")).collect();
        assert_eq!(ends, [None, Some(at(7)), Some(at(5))]);
    }
}
