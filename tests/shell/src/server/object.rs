//! Objects as they are stored.

use serde_json::{Map, Value, json};

use super::{kinds::Kind, refusal::Refusal, schema};

/// What people may set of the metadata, besides the name and the namespace.
const SET_BY_PEOPLE: [&str; 4] = ["labels", "annotations", "finalizers", "ownerReferences"];

/// An object, with what every kind has apart from what is its own.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Object {
    /// Its metadata.
    pub(super) meta: Map<String, Value>,
    /// Its status.
    pub(super) status: Option<Value>,
    /// Everything else, `apiVersion` and `kind` with it.
    pub(super) rest: Map<String, Value>,
}

impl Object {
    /// Reads an object of a kind.
    pub(super) fn read(kind: &Kind, value: Value) -> Result<Self, Refusal> {
        let Value::Object(mut rest) = value else { return Err(Refusal::bad("the body is no object")) };
        for (member, expected) in [("apiVersion", kind.api_version()), ("kind", kind.name.clone())] {
            let found = rest.entry(member).or_insert_with(|| expected.clone().into());
            if found.as_str() != Some(&expected) {
                return Err(Refusal::bad(&format!(
                    "`{member}` is {found}, and this path takes {expected:?}"
                )));
            }
        }
        let meta = match rest.remove("metadata") {
            Some(Value::Object(meta)) => meta,
            None | Some(Value::Null) => Map::new(),
            Some(_) => return Err(Refusal::bad("`metadata` is no object")),
        };
        let status = rest.remove("status").filter(|status| !status.is_null());
        if let Some(Value::Object(texts)) = rest.remove("stringData") {
            let data = rest.entry("data").or_insert_with(|| json!({}));
            for (name, text) in texts {
                let bytes = text.as_str().unwrap_or_default().as_bytes().to_vec();
                let encoded = serde_json::to_value(k8s_openapi::ByteString(bytes)).unwrap_or_default();
                if let Some(data) = data.as_object_mut() {
                    data.insert(name, encoded);
                }
            }
        }
        let mut object = Self { meta, status, rest };
        object.tidy();
        Ok(object)
    }

    /// The whole object.
    pub(super) fn value(&self) -> Value {
        let mut value = self.rest.clone();
        value.insert("metadata".to_owned(), self.meta.clone().into());
        if let Some(status) = &self.status {
            value.insert("status".to_owned(), status.clone());
        }
        value.into()
    }

    /// Its metadata alone, as those who want no more are served.
    pub(super) fn partial(&self) -> Value {
        json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": self.meta})
    }

    /// A member of the metadata that is a text.
    pub(super) fn text(&self, member: &str) -> Option<&str> {
        self.meta.get(member)?.as_str()
    }

    /// Sets a member of the metadata.
    pub(super) fn set(&mut self, member: &str, value: impl Into<Value>) {
        self.meta.insert(member.to_owned(), value.into());
    }

    /// Raises the generation by one.
    pub(super) fn raise_generation(&mut self) {
        if let Some(generation) = self.meta.get("generation").and_then(Value::as_u64) {
            self.set("generation", generation + 1);
        }
    }

    /// Whether it is being deleted.
    pub(super) fn is_going(&self) -> bool {
        self.meta.contains_key("deletionTimestamp")
    }

    /// Its finalizers.
    pub(super) fn finalizers(&self) -> &[Value] {
        self.meta.get("finalizers").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Takes what people may set of the metadata from another object.
    pub(super) fn take_meta(&mut self, from: &Self) {
        for member in SET_BY_PEOPLE {
            match from.meta.get(member) {
                Some(value) => drop(self.meta.insert(member.to_owned(), value.clone())),
                None => drop(self.meta.remove(member)),
            }
        }
    }

    /// Drops what the metadata never has empty.
    pub(super) fn tidy(&mut self) {
        for member in SET_BY_PEOPLE {
            let is_empty = self.meta.get(member).is_some_and(|value| match value {
                Value::Null => true,
                Value::Array(items) => items.is_empty(),
                Value::Object(members) => members.is_empty(),
                _ => false,
            });
            if is_empty {
                self.meta.remove(member);
            }
        }
    }

    /// What the schema of its definition makes of it.
    pub(super) fn settle(&mut self, kind: &Kind) {
        let Some(schema) = &kind.schema else { return };
        let kept = ["apiVersion", "kind"].map(|member| (member, self.rest.remove(member)));
        let status = self.status.take();
        self.rest.extend(status.map(|status| ("status".to_owned(), status)));
        schema::settle_members(schema, &mut self.rest);
        self.status = self.rest.remove("status");
        // A schema may describe these as well.
        self.rest.remove("metadata");
        self.rest.extend(kept.into_iter().filter_map(|(member, value)| Some((member.to_owned(), value?))));
    }
}
