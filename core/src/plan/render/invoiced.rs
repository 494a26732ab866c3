//! What is invoiced already, in words.

use super::value::{number, plain};
use crate::plan::invoiced::{FinalInvoice, Invoiced};

/// Most invoices that one line names.
const NAMED: usize = 3;

impl Invoiced {
    /// Every invoice in a line, under a heading; nothing where there is nothing to tell.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.invoices.is_empty() {
            lines.push("invoiced already:".to_owned());
            lines.extend(self.invoices.iter().map(|invoice| format!("  {}", invoice.line())));
        }
        lines.extend(self.unknown.iter().map(|why| unknown(why)));
        lines
    }

    /// The first of them in a few words: `invoiced already: 7f3a of 2026-01-01, 1000.00 USD`. Nothing where there is nothing
    /// to tell.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        if let Some(why) = &self.unknown {
            return Some(unknown(why));
        }
        let mut named: Vec<String> = self.invoices.iter().take(NAMED).map(FinalInvoice::words).collect();
        if self.invoices.len() > NAMED {
            named.push(format!("and {} more", self.invoices.len() - NAMED));
        }
        (!named.is_empty()).then(|| format!("invoiced already: {}", named.join("; ")))
    }
}

fn unknown(why: &str) -> String {
    format!("what is invoiced already is not known: {}", plain(why))
}

impl FinalInvoice {
    /// Its ID, date and amount.
    fn words(&self) -> String {
        let date = self.issued_at.map(|at| format!(" of {}", at.0.format("%Y-%m-%d"))).unwrap_or_default();
        let total = match (self.total, &self.unit) {
            (Some(total), Some(unit)) => {
                let (number, unit) = number(total, unit);
                format!(", {number} {}", plain(unit))
            }
            _ => String::new(),
        };
        format!("invoice {}{date}{total}", plain(&self.id))
    }

    /// The same with what it is about, and what becomes of it.
    #[must_use]
    pub fn line(&self) -> String {
        let places = if self.places.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.places.iter().map(|place| plain(place)).collect::<Vec<_>>().join(", "))
        };
        let becomes = if self.is_voided { "is voided" } else { "is final and stays as it is" };
        format!("{}{places}: {becomes}", self.words())
    }
}
