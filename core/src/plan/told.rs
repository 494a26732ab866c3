//! IDs and words as billing APIs tell them: what can be put on record, so that no status is ever refused for one.

use serde_json::Value;

use crate::terms::text::is_unseen;

/// Most characters of an ID: what statuses have room for.
const MAX_ID: usize = 128;
/// Most characters of a word that says in what state something is.
const MAX_WORD: usize = 64;

/// An ID that every reply of its kind has.
///
/// # Errors
/// When the reply has none, or something else in its place.
pub(super) fn id<'v>(reply: &'v Value, name: &str) -> Result<&'v str, String> {
    let text = reply.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| format!("the reply has no `{name}`"))?;
    fits(name, text, MAX_ID).map(|()| text)
}

/// Checks a text that is an ID.
///
/// # Errors
/// When it is none.
pub(super) fn is_id(name: &str, text: &str) -> Result<(), String> {
    fits(name, text, MAX_ID)
}

/// Checks a word of a reply.
///
/// # Errors
/// When it is none.
pub(super) fn is_word(name: &str, text: &str) -> Result<(), String> {
    fits(name, text, MAX_WORD)
}

/// Checks every ID in a reply, at any depth: whatever is called `id`, but for members of `free` ones, which others name.
///
/// # Errors
/// When one is none.
pub(super) fn are_ids(reply: &Value, free: &[&str]) -> Result<(), String> {
    match reply {
        Value::Object(members) => members.iter().try_for_each(|(name, value)| match value {
            Value::String(text) if name == "id" => fits(name, text, MAX_ID),
            _ if free.contains(&name.as_str()) => Ok(()),
            value => are_ids(value, free),
        }),
        Value::Array(items) => items.iter().try_for_each(|item| are_ids(item, free)),
        _ => Ok(()),
    }
}

fn fits(name: &str, text: &str, most: usize) -> Result<(), String> {
    let length = text.chars().count();
    if length > most {
        return Err(format!("`{name}` of the reply has {length} characters, and can have at most {most}"));
    }
    if text.chars().any(is_unseen) {
        return Err(format!("`{name}` of the reply has a character that nobody sees"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_no_status_has_room_for_is_no_id() {
        assert_eq!(id(&json!({"id": "c-1"}), "id"), Ok("c-1"));
        assert!(id(&json!({"id": "あ".repeat(128)}), "id").is_ok());
        for none in
            [json!({}), json!({"id": null}), json!({"id": ""}), json!({"id": 5}), json!({"id": ["c"]})]
        {
            assert_eq!(id(&none, "id").unwrap_err(), "the reply has no `id`", "{none}");
        }
        let long = id(&json!({"id": "x".repeat(129)}), "id").unwrap_err();
        assert_eq!(long, "`id` of the reply has 129 characters, and can have at most 128");
        for unseen in ["a\u{0}b", "a\u{202e}b", "\u{200b}"] {
            assert!(id(&json!({"id": unseen}), "id").is_err(), "{unseen:?}");
        }
        assert!(is_word("status", "active").is_ok() && is_word("status", &"s".repeat(65)).is_err());
    }

    #[test]
    fn an_id_is_looked_at_wherever_it_stands_and_nothing_else_is() {
        let reply = |id: &str| json!({"data": [{"commits": [{"id": id, "name": "n".repeat(1000)}], "own_id": "o".repeat(1000)}]});
        let long = "c".repeat(200);
        assert_eq!(are_ids(&reply("c-1"), &[]), Ok(()));
        assert!(are_ids(&reply(&long), &[]).is_err());
        let fields = json!({"id": "c-1", "custom_fields": {"id": long}});
        assert_eq!(are_ids(&fields, &["custom_fields"]), Ok(()));
    }
}
