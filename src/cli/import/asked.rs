//! What somebody asks to be imported, checked before anything is read: what is misspelt would be left out without a word.

use crate::{
    api::Api,
    cli::files::check::{is_label_value, is_namespace, is_qualified},
    import,
    terms::shape::in_usual_letters,
};

/// The IDs of customers that a text lists: one a line. What follows a `#` is a comment.
///
/// # Errors
/// The first line that has more than an ID.
pub(super) fn ids(text: &str) -> Result<Vec<String>, String> {
    let mut ids = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let id = line.split('#').next().unwrap_or_default().trim();
        let is_one = |c: char| !c.is_whitespace() && ![',', ';', '"', '\''].contains(&c);
        match id {
            "" => {}
            id if id.chars().all(is_one) => ids.push(in_usual_letters(id)),
            id => {
                return Err(format!(
                    "line {} must be one ID, without quotes and commas, not {id:?}",
                    index + 1
                ));
            }
        }
    }
    Ok(ids)
}

/// A label that was given as `KEY=VALUE`.
///
/// # Errors
/// When it is none that a resource can have.
pub(super) fn label(label: &str) -> Result<(String, String), String> {
    let (key, value) = label.split_once('=').ok_or_else(|| format!("--label {label}: must be KEY=VALUE"))?;
    if !is_qualified(key) || !is_label_value(value) {
        return Err(format!(
            "--label {label}: must be a name and a value that labels can have: at most 63 letters, digits, `-`, `_` and `.`"
        ));
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// Checks the namespace and the states that were asked for.
///
/// # Errors
/// Which of them there can't be.
pub(super) fn check(api: Api, namespace: Option<&str>, states: &[String]) -> Result<(), String> {
    if let Some(namespace) = namespace.filter(|name| !is_namespace(name)) {
        return Err(format!("--namespace {namespace}: must be lower case letters, digits and `-`"));
    }
    let known = import::states(api);
    match states.iter().find(|state| !known.contains(&state.as_str())) {
        Some(state) => Err(format!("--states {state}: must be one of {}", known.join(", "))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_customers_may_be_of_windows_and_have_comments() {
        let text = "\u{feff}# all of them\r\n6F0C3F0E-6B7E-4B8E-9F0A-2B1F6F1F7A11\r\n\r\n  acme  # ours\r\n";
        assert_eq!(ids(text).unwrap(), ["6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11", "acme"]);
    }

    #[test]
    fn a_line_with_more_than_an_id_is_refused_by_its_number() {
        for line in ["acme, globex", "acme globex", "\"acme\"", "acme;"] {
            let refused = ids(&format!("initech\n{line}\n")).unwrap_err();
            assert!(refused.starts_with("line 2 must be one ID"), "{refused}");
        }
    }

    #[test]
    fn what_no_resource_can_have_is_refused_before_anything_is_read() {
        assert_eq!(label("team=sales").unwrap(), ("team".to_owned(), "sales".to_owned()));
        assert_eq!(label("example.com/team=").unwrap().1, "");
        for wrong in ["team", "a b=c", "team=a b", "=x"] {
            assert!(label(wrong).is_err(), "{wrong}");
        }
        assert!(check(Api::Zoo, Some("billing"), &["active".into(), "closed".into()]).is_ok());
        assert!(check(Api::Zoo, Some("Billing"), &[]).unwrap_err().contains("--namespace Billing"));
        let refused = check(Api::Zoo, None, &["upcoming".into()]).unwrap_err();
        assert!(refused.ends_with("must be one of draft, scheduled, active, closed, canceled"), "{refused}");
        assert!(check(Api::Metronome, None, &["upcoming".into()]).is_ok());
    }
}
