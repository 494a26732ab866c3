//! Reads: one object, or lists in pages.

use fastrand::Rng;
use serde_json::{Value, json};

use super::{Id, kinds::Kind, object::Object, refusal::Refusal, request::Call, state::State};

/// An object as it was asked for.
pub(super) fn shown(object: &Object, is_partial: bool) -> Value {
    if is_partial { object.partial() } else { object.value() }
}

/// One object.
pub(super) fn get(state: &State, call: &Call) -> Result<Value, Refusal> {
    let id = call.id();
    let found = state.find(&id).ok_or_else(|| Refusal::not_found(&call.kind, &id))?;
    Ok(shown(found, call.is_partial))
}

/// A list, or a page of it. With `older` it may be of an older state, where any version will do; whether it was.
pub(super) fn list(state: &State, call: &Call, older: Option<&mut Rng>) -> Result<(Value, bool), Refusal> {
    let kind = &*call.kind;
    let asked = call.number("resourceVersion")?;
    let limit = call.number("limit")?.filter(|limit| *limit > 0);
    let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let (version, after) = match call.query.get("continue").filter(|token| !token.is_empty()) {
        Some(token) => {
            let (version, after) = continued(kind, token)?;
            if version < state.forgotten(&kind.plural) || version > state.version() {
                return Err(Refusal::expired(version, state.forgotten(&kind.plural)));
            }
            (version, Some(after))
        }
        None if asked == Some(0) => {
            let older = older.and_then(|rng| rng.choice(state.versions(&kind.plural)));
            (older.unwrap_or_else(|| state.version()), None)
        }
        None => (state.version(), None),
    };
    if let Some(asked) = asked.filter(|asked| *asked > state.version()) {
        return Err(Refusal::too_large(asked, state.version()));
    }
    let all = state.all_at(&kind.plural, version);
    let mut found = all
        .iter()
        .filter(|(id, _)| call.covers(id) && after.as_ref().is_none_or(|after| *id > after))
        .peekable();
    let mut items = Vec::new();
    let mut shown_last = None;
    while let Some((id, object)) = found.next_if(|_| items.len() < limit) {
        items.push(item(kind, object, call.is_partial));
        shown_last = Some(id);
    }
    let left = found.count();
    let mut metadata = json!({"resourceVersion": version.to_string()});
    if let Some(last) = shown_last.filter(|_| left > 0) {
        let namespace = last.namespace.as_deref().unwrap_or_default();
        metadata["continue"] = format!("{version}/{namespace}/{}", last.name).into();
        metadata["remainingItemCount"] = left.into();
    }
    let (api_version, name) = if call.is_partial {
        ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadataList".to_owned())
    } else {
        (kind.api_version(), format!("{}List", kind.name))
    };
    let list = json!({"apiVersion": api_version, "kind": name, "metadata": metadata, "items": items});
    Ok((list, version < state.version()))
}

/// An item of a list: those of kinds that no definition brings do not say what they are.
fn item(kind: &Kind, object: &Object, is_partial: bool) -> Value {
    let mut value = shown(object, is_partial);
    if let Some(members) = value.as_object_mut().filter(|_| !is_partial && kind.schema.is_none()) {
        members.retain(|name, _| name != "apiVersion" && name != "kind");
    }
    value
}

/// The version of a list that goes on, and the last object that was listed.
fn continued(kind: &Kind, token: &str) -> Result<(u64, Id), Refusal> {
    let parts: Vec<&str> = token.split('/').collect();
    let [version, namespace, name] = parts.as_slice() else {
        return Err(Refusal::bad("continue key is not valid"));
    };
    let version = version.parse().map_err(|_| Refusal::bad("continue key is not valid"))?;
    let namespace = (!namespace.is_empty()).then(|| (*namespace).to_owned());
    Ok((version, Id { plural: kind.plural.clone(), namespace, name: (*name).to_owned() }))
}
