//! Changes and money for people, from the data of a plan: the only place where data becomes text.
//!
//! Cents of US dollars are shown as dollars, every other amount as it is, each with its unit. A difference that is to be
//! removed has an arrow from what billing says to what Git says; drift, which is only told, says which side is which.

mod invoiced;
mod json;
mod markdown;
mod row;
mod table;
mod text;
mod value;

#[cfg(test)]
mod tests;

pub use self::value::{number, plain};
pub use self::{
    json::{drift as drift_json, plan as plan_json},
    markdown::{drift as drift_markdown, money as money_markdown, plan as plan_markdown},
    table::{Cells, Sum, open, rows as table, years},
    text::{
        drift, drift_line, drift_lines, line, lines, lines_within, money, summarize, summary, summary_within,
    },
};
