//! SARIF 2.1.0, which code scanning of GitHub and others reads.

use serde_json::{Value, json};

use super::{super::Report, sentence};
use crate::review::Rule;

pub(super) fn write(report: &Report) -> serde_json::Result<String> {
    let rules =
        Rule::ALL.map(|rule| json!({"id": rule.word(), "shortDescription": {"text": rule.meaning()}}));
    let results = report.entries.iter().map(|entry| {
        let region = json!({"startLine": entry.line, "startColumn": entry.column, "snippet": {"text": entry.source}});
        json!({
            "ruleId": entry.rule.word(),
            "level": entry.severity.word(),
            "message": {"text": sentence(entry)},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(&entry.file)}, "region": region}}],
        })
    });
    let value = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "countersign", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results.collect::<Vec<Value>>(),
        }],
    });
    Ok(serde_json::to_string_pretty(&value)? + "\n")
}

/// A path as part of a URI.
fn uri(file: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let part = |byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    file.trim_start_matches("./").bytes().map(part).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn paths_with_spaces_are_uris() {
        assert_eq!(super::uri("./a b/é.yaml"), "a%20b/%C3%A9.yaml");
    }
}
