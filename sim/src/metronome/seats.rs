//! Who sits on a subscription that counts seats. Pure.

use std::collections::BTreeSet;

use bigdecimal::ToPrimitive as _;
use serde::{Deserialize, Serialize};

use super::decimal;
use super::value::{Fields, Json};

/// Assigned and free seats.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seats {
    assigned: BTreeSet<String>,
    free: usize,
}

impl Seats {
    /// The seats at the start.
    pub(super) fn first(config: &Fields) -> Self {
        Self {
            assigned: config.texts("initial_seat_ids").map(str::to_owned).collect(),
            free: number(config, "initial_unassigned_seats"),
        }
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
        let mut seats = Seats { assigned: BTreeSet::from(["a".to_owned()]), free: 1 };
        seats.assign(["a", "b", "c"].into_iter());
        assert_eq!(seats.count(), Json::Number("3".to_owned()));
        seats.remove(["b", "nobody"].into_iter());
        assert_eq!(seats.count(), Json::Number("2".to_owned()));
    }
}
