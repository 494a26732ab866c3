//! A report in the form that a reader understands.

mod github;
mod gitlab;
mod human;
mod json;
mod junit;
mod sarif;
#[cfg(test)]
mod tests;

use super::{Output, Report};

/// Writes a report.
///
/// # Errors
/// When it cannot be written as JSON.
pub(super) fn write(report: &Report, output: Output) -> serde_json::Result<String> {
    match output {
        Output::Human => Ok(human::write(report)),
        Output::Json => json::write(report),
        Output::Junit => Ok(junit::write(report)),
        Output::Sarif => sarif::write(report),
        Output::Github => Ok(github::write(report)),
        Output::Gitlab => gitlab::write(report),
    }
}

/// What was found, with the resource: `BillingContract acme: …`.
fn sentence(entry: &super::report::Entry) -> String {
    if entry.resource.is_empty() {
        entry.message.clone()
    } else {
        format!("{}: {}", entry.resource, entry.message)
    }
}
