//! What is invoiced for good already of what a plan changes, so that whoever reads the plan knows what stays as it is.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Unit, render};
use crate::terms::{Decimal, Timestamp};

/// Most invoices that one line names.
const NAMED: usize = 3;

/// What is invoiced for good already of what a plan changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invoiced {
    /// The invoices, by their date.
    pub invoices: Vec<FinalInvoice>,
    /// Why it is not known, where it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// An invoice that is final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FinalInvoice {
    /// Its ID.
    pub id: String,
    /// When it was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
    /// Its total; none where it was not told, or is beyond 28 digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<Decimal>,
    /// What the total is counted in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// The places in the terms that the plan changes and that it is about.
    pub places: Vec<String>,
    /// Whether the plan voids it. Otherwise it stays as it is.
    pub is_voided: bool,
}

impl Invoiced {
    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.invoices.is_empty() && self.unknown.is_none()
    }

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
    format!("what is invoiced already is not known: {}", render::plain(why))
}

impl FinalInvoice {
    /// Its ID, date and amount.
    fn words(&self) -> String {
        let date = self.issued_at.map(|at| format!(" of {}", at.0.format("%Y-%m-%d"))).unwrap_or_default();
        let total = match (self.total, &self.unit) {
            (Some(total), Some(unit)) => {
                let (number, unit) = render::number(total, unit);
                format!(", {number} {}", render::plain(unit))
            }
            _ => String::new(),
        };
        format!("invoice {}{date}{total}", render::plain(&self.id))
    }

    /// The same with what it is about, and what becomes of it.
    #[must_use]
    pub fn line(&self) -> String {
        let places = if self.places.is_empty() {
            String::new()
        } else {
            format!(
                " ({})",
                self.places.iter().map(|place| render::plain(place)).collect::<Vec<_>>().join(", ")
            )
        };
        let becomes = if self.is_voided { "is voided" } else { "is final and stays as it is" };
        format!("{}{places}: {becomes}", self.words())
    }
}
