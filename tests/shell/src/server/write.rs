//! Writes, with the rules that the API server has for them.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

use super::{Id, kinds::Kind, object::Object, refusal::Refusal, request::Part, state::State};

/// What is there after a write.
pub(super) enum Written {
    /// An object, as it is or, if the write removed it, as it would have been.
    Object(Arc<Object>),
    /// Nothing: it was removed.
    Removed(Arc<Object>),
}

/// Creates an object. `uid` is the one that it gets.
pub(super) fn create(
    state: &mut State,
    (kind, id): (&Kind, &Id),
    body: Value,
    (uid, now): (String, DateTime<Utc>),
) -> Result<Written, Refusal> {
    let mut object = Object::read(kind, body)?;
    agrees(&object, id)?;
    if object.text("resourceVersion").is_some_and(|version| !version.is_empty()) {
        return Err(Refusal::bad("resourceVersion should not be set on objects to be created"));
    }
    if state.find(id).is_some() {
        return Err(Refusal::exists(kind, id));
    }
    let set_by_people = object.clone();
    object.meta = Map::new();
    object.take_meta(&set_by_people);
    object.set("name", id.name.clone());
    if let Some(namespace) = &id.namespace {
        object.set("namespace", namespace.clone());
    }
    object.set("uid", uid);
    object.set("creationTimestamp", seconds(now));
    if kind.schema.is_some() {
        object.set("generation", 1);
    }
    if kind.has_status {
        object.status = None;
    }
    object.settle(kind);
    Ok(Written::Object(state.put(id.clone(), object)))
}

/// Replaces a part of an object.
pub(super) fn replace(
    state: &mut State,
    (kind, id): (&Kind, &Id),
    part: Part,
    body: Value,
    (uid, now): (String, DateTime<Utc>),
) -> Result<Written, Refusal> {
    let given = Object::read(kind, body.clone())?;
    agrees(&given, id)?;
    if given.text("name").is_none() {
        return Err(Refusal::bad("the name of the object is required"));
    }
    let found = state.find(id).cloned();
    let there = found.as_deref().and_then(|found| found.text("uid")).unwrap_or_default();
    if let Some(expected) = given.text("uid").filter(|expected| !expected.is_empty() && *expected != there) {
        let why = format!(
            "StorageError: invalid object, Code: 4, AdditionalErrorMsg: Precondition failed: UID in precondition: \
             {expected}, UID in object meta: {there}"
        );
        return Err(Refusal::conflict(kind, id, &why));
    }
    let Some(found) = found else {
        if !kind.replaces_nothing() {
            return Err(Refusal::not_found(kind, id));
        }
        let mut body = body;
        if let Some(meta) = body.get_mut("metadata").and_then(Value::as_object_mut) {
            meta.remove("resourceVersion");
        }
        return create(state, (kind, id), body, (uid, now));
    };
    match given.text("resourceVersion").filter(|version| !version.is_empty()) {
        None if kind.replaces_unseen() => {}
        None => {
            let why = "metadata.resourceVersion: Invalid value: 0: must be specified for an update";
            return Err(Refusal::invalid(kind, id, why));
        }
        Some(version) if found.text("resourceVersion") != Some(version) => {
            return Err(Refusal::modified(kind, id));
        }
        Some(_) => {}
    }
    store(state, (kind, id), part, &found, given)
}

/// Merges a patch into a part of an object.
pub(super) fn patch(
    state: &mut State,
    (kind, id): (&Kind, &Id),
    part: Part,
    patch: &Value,
) -> Result<Written, Refusal> {
    let found = state.find(id).cloned().ok_or_else(|| Refusal::not_found(kind, id))?;
    let mut value = found.value();
    if !patch.is_object() {
        return Err(Refusal::bad("the patch is no object"));
    }
    merge(&mut value, patch);
    let given = Object::read(kind, value)?;
    agrees(&given, id)?;
    if given.text("resourceVersion").is_some_and(|version| found.text("resourceVersion") != Some(version)) {
        return Err(Refusal::modified(kind, id));
    }
    if given.text("uid") != found.text("uid") {
        return Err(Refusal::invalid(kind, id, "metadata.uid: Invalid value: field is immutable"));
    }
    store(state, (kind, id), part, &found, given)
}

/// Deletes an object: at once, or as soon as nobody has a finalizer on it.
pub(super) fn delete(
    state: &mut State,
    (kind, id): (&Kind, &Id),
    options: &Value,
    now: DateTime<Utc>,
) -> Result<Written, Refusal> {
    let found = state.find(id).cloned().ok_or_else(|| Refusal::not_found(kind, id))?;
    for member in ["uid", "resourceVersion"] {
        let expected = options.pointer(&format!("/preconditions/{member}")).and_then(Value::as_str);
        let there = found.text(member).unwrap_or_default();
        if let Some(expected) = expected.filter(|expected| *expected != there) {
            let why = format!(
                "the {member} in the precondition ({expected}) does not match that in the record ({there})"
            );
            return Err(Refusal::conflict(kind, id, &why));
        }
    }
    if found.finalizers().is_empty() {
        state.remove(id);
        return Ok(Written::Removed(found));
    }
    if found.is_going() {
        return Ok(Written::Object(found));
    }
    let mut next = Object::clone(&found);
    next.set("deletionTimestamp", seconds(now));
    next.set("deletionGracePeriodSeconds", 0);
    next.raise_generation();
    Ok(Written::Object(state.put(id.clone(), next)))
}

/// Stores a part of what is given, and nothing if that changes nothing.
fn store(
    state: &mut State,
    (kind, id): (&Kind, &Id),
    part: Part,
    found: &Arc<Object>,
    given: Object,
) -> Result<Written, Refusal> {
    let mut next = Object::clone(found);
    match part {
        Part::Status => next.status = given.status,
        Part::Main => {
            next.take_meta(&given);
            next.rest = given.rest;
            if !kind.has_status {
                next.status = given.status;
            }
        }
    }
    next.settle(kind);
    if found.is_going() && next.finalizers().iter().any(|finalizer| !found.finalizers().contains(finalizer)) {
        let why =
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted";
        return Err(Refusal::invalid(kind, id, why));
    }
    if next == **found {
        return Ok(Written::Object(Arc::clone(found)));
    }
    if next.rest != found.rest {
        next.raise_generation();
    }
    if next.is_going() && next.finalizers().is_empty() {
        state.remove(id);
        return Ok(Written::Object(Arc::new(next)));
    }
    Ok(Written::Object(state.put(id.clone(), next)))
}

/// Whether a body is about the object that its path names.
fn agrees(object: &Object, id: &Id) -> Result<(), Refusal> {
    for (member, expected) in [("name", Some(&id.name)), ("namespace", id.namespace.as_ref())] {
        let found = object.text(member).filter(|found| !found.is_empty());
        if found.is_some_and(|found| expected.is_none_or(|expected| expected != found)) {
            let why =
                format!("the {member} of the object ({found:?}) does not match the {member} on the URL");
            return Err(Refusal::bad(&why));
        }
    }
    Ok(())
}

/// RFC 7396.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(members) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

fn seconds(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
