//! The list by which kustomize finds files: what somebody has put into it stays as it is.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::yaml;

/// What a kustomization begins with that nobody has written yet.
const NEW: &str = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n";
/// The list of resources, and how it begins in a line of its own.
const RESOURCES: &str = "resources:";

/// The text of a kustomization with more files among its resources, every other line of it as it was. Nothing where its list
/// has a form that this cannot add to; an empty text is a kustomization that nobody has written yet.
pub(super) fn with_resources(text: &str, files: &BTreeSet<String>) -> Option<String> {
    let is_new = text.trim().is_empty();
    let before = if is_new { Value::Null } else { only(text)? };
    let listed: Vec<&str> = resources(&before).iter().filter_map(Value::as_str).collect();
    let names = |name: &str| name.trim_start_matches("./").to_owned();
    let known: BTreeSet<String> = listed.iter().map(|name| names(name)).collect();
    let more: Vec<&String> = files.iter().filter(|file| !known.contains(*file)).collect();
    if more.is_empty() && !is_new {
        return Some(text.to_owned());
    }
    let added = match text {
        _ if is_new => format!("{NEW}{}", items(&more, "  ", "\n")),
        text => add(text, &more)?,
    };
    // Nothing but the list may have changed, and the list must say what it is to say.
    let mut wanted = if is_new { only(NEW)? } else { before.clone() };
    let all = resources(&before).iter().cloned().chain(more.iter().map(|file| Value::from(file.as_str())));
    *wanted.as_object_mut()?.entry("resources").or_insert(Value::Null) = all.collect();
    (only(&added)? == wanted).then_some(added)
}

/// The one document that a text has.
fn only(text: &str) -> Option<Value> {
    let mut documents = yaml::parse_documents(text).ok()?;
    documents.pop().filter(|document| documents.is_empty() && document.is_object())
}

fn resources(kustomization: &Value) -> &[Value] {
    kustomization.get("resources").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn add(text: &str, more: &[&String]) -> Option<String> {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let Some(head) = lines.iter().position(|line| line.starts_with(RESOURCES)) else {
        let gap = if text.ends_with('\n') { "" } else { end };
        return Some(format!("{text}{gap}{RESOURCES}{end}{}", items(more, "  ", end)));
    };
    let rest = lines.get(head)?.strip_prefix(RESOURCES)?;
    let written = rest.split(" #").next().unwrap_or_default().trim();
    if written == "[]" {
        let list = format!("{RESOURCES}{end}{}", items(more, "  ", end));
        return Some(
            lines
                .iter()
                .enumerate()
                .map(|(at, line)| if at == head { list.as_str() } else { line })
                .collect(),
        );
    }
    if let Some(inside) = written.strip_suffix(']').filter(|written| written.starts_with('[')) {
        let names = more.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        let line = lines.get(head)?.replacen(
            written,
            &format!("{}, {names}]", inside.trim_end_matches([',', ' '])),
            1,
        );
        return Some(
            lines.iter().enumerate().map(|(at, old)| if at == head { line.as_str() } else { old }).collect(),
        );
    }
    let is_item = |line: &&&str| line.trim_start().starts_with("- ");
    let is_inside =
        |line: &&&str| is_item(line) || line.trim().is_empty() || line.starts_with([' ', '\t', '#']);
    let below = lines.get(head + 1..)?;
    let last = below.iter().take_while(is_inside).enumerate().filter(|(_, line)| is_item(line)).last();
    let (at, indent) = match last {
        Some((at, line)) => (head + 1 + at, line.get(..line.len() - line.trim_start().len())?),
        None => (head, "  "),
    };
    let mut added = String::new();
    for (index, line) in lines.iter().enumerate() {
        added.push_str(line);
        if index == at {
            if !line.ends_with('\n') {
                added.push_str(end);
            }
            added.push_str(&items(more, indent, end));
        }
    }
    Some(added)
}

fn items(files: &[&String], indent: &str, end: &str) -> String {
    files.iter().flat_map(|file| [indent, "- ", file.as_str(), end]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(text: &str) -> Option<String> {
        with_resources(text, &["acme.yaml", "globex.yaml"].map(str::to_owned).into())
    }

    #[test]
    fn a_new_list_names_every_file() {
        assert_eq!(added("").unwrap(), format!("{NEW}  - acme.yaml\n  - globex.yaml\n"));
    }

    #[test]
    fn what_somebody_has_put_into_the_list_stays_as_it_is() {
        for (text, wanted) in [
            (
                "# ours\nresources:\n# first\n- ../base # why\n\n- ./acme.yaml\n# end\nnamespace: billing\npatches: [{path: p.yaml}]\n",
                "# ours\nresources:\n# first\n- ../base # why\n\n- ./acme.yaml\n- globex.yaml\n# end\nnamespace: billing\npatches: [{path: p.yaml}]\n",
            ),
            ("resources:\n    - a.yaml", "resources:\n    - a.yaml\n    - acme.yaml\n    - globex.yaml\n"),
            (
                "resources: [a.yaml] # x\nnamePrefix: b\n",
                "resources: [a.yaml, acme.yaml, globex.yaml] # x\nnamePrefix: b\n",
            ),
            ("resources: []\n", "resources:\n  - acme.yaml\n  - globex.yaml\n"),
            ("namespace: billing\n", "namespace: billing\nresources:\n  - acme.yaml\n  - globex.yaml\n"),
            ("resources:\r\n- acme.yaml\r\n", "resources:\r\n- acme.yaml\r\n- globex.yaml\r\n"),
            ("resources:\n- acme.yaml\n- globex.yaml\n", "resources:\n- acme.yaml\n- globex.yaml\n"),
        ] {
            assert_eq!(added(text).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn a_list_in_a_form_that_cannot_be_added_to_is_left_alone() {
        for text in [
            "resources: [\n  a.yaml,\n]\n",
            "resources: &r\n- a.yaml\nx: *r\n",
            "{resources: [a.yaml]}\n",
            "- a\n",
        ] {
            assert_eq!(added(text), None, "{text}");
        }
    }
}
