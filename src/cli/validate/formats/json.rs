//! One JSON object. `version` changes when a member changes its meaning or goes.

use serde_json::json;

use super::super::Report;

pub(super) fn write(report: &Report) -> serde_json::Result<String> {
    let [contracts, packages, providers, approvals] = report.counts;
    let value = json!({
        "version": 1,
        "sound": report.errors() == 0 && !report.is_empty(),
        "checked": {"contracts": contracts, "packages": packages, "providers": providers,
            "approvals": approvals},
        "errors": report.errors(),
        "warnings": report.warnings(),
        "findings": report.entries,
        "skipped": report.skipped,
    });
    Ok(serde_json::to_string_pretty(&value)? + "\n")
}
