//! Requests, as far as they are served.

use std::{collections::BTreeMap, sync::Arc};

use http::{Method, header, request::Parts};
use serde_json::Value;
use url::form_urlencoded;

use super::{
    Id,
    kinds::{Kind, Kinds},
    refusal::Refusal,
};

/// What a request asks for, as rights name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
}

impl Verb {
    /// Whether it may change anything.
    pub(super) const fn writes(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Patch | Self::Delete)
    }

    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// Which part of an object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Everything but the status, where that has a path of its own.
    Main,
    /// The status.
    Status,
}

/// One request.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) verb: Verb,
    pub(super) kind: Arc<Kind>,
    pub(super) namespace: Option<String>,
    /// Of the object; of lists and watches the one name that is asked for, if so.
    pub(super) name: Option<String>,
    pub(super) part: Part,
    /// Whether only the metadata is wanted.
    pub(super) is_partial: bool,
    pub(super) query: BTreeMap<String, String>,
    pub(super) body: Value,
}

impl Call {
    /// Reads a request.
    pub(super) fn read(kinds: &Kinds, parts: &Parts, body: &[u8]) -> Result<Self, Refusal> {
        let segments: Vec<&str> = parts.uri.path().split('/').filter(|segment| !segment.is_empty()).collect();
        let (group, version, rest) = match segments.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return Err(Refusal::no_path()),
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
            rest => (None, rest),
        };
        let (plural, name, part) = match rest {
            [plural] => (*plural, None, Part::Main),
            [plural, name] => (*plural, Some((*name).to_owned()), Part::Main),
            [plural, name, "status"] => (*plural, Some((*name).to_owned()), Part::Status),
            _ => return Err(Refusal::no_path()),
        };
        let kind = kinds.at(group, version, plural).ok_or_else(Refusal::no_path)?;
        let is_one = name.is_some();
        if (part == Part::Status && !kind.has_status)
            || (namespace.is_some() && !kind.is_namespaced)
            || (is_one && namespace.is_none() && kind.is_namespaced)
        {
            return Err(Refusal::no_path());
        }
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let query: BTreeMap<String, String> = pairs.into_owned().collect();
        let watches = query.get("watch").is_some_and(|watch| watch == "true" || watch == "1");
        let verb = match (&parts.method, is_one) {
            (&Method::GET, true) => Verb::Get,
            (&Method::GET, false) if watches => Verb::Watch,
            (&Method::GET, false) => Verb::List,
            (&Method::POST, false) if namespace.is_some() == kind.is_namespaced => Verb::Create,
            (&Method::PUT, true) => Verb::Update,
            (&Method::PATCH, true) => Verb::Patch,
            (&Method::DELETE, true) if part == Part::Main => Verb::Delete,
            _ => return Err(Refusal::no_verb()),
        };
        let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = text(header::CONTENT_TYPE);
        if verb == Verb::Patch && media_type != "application/merge-patch+json" {
            return Err(Refusal::media_type(media_type));
        }
        let body = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(body).map_err(|error| Refusal::bad(&error.to_string()))?
        };
        let name = if is_one { name } else { selected(&query)? };
        let is_partial = text(header::ACCEPT).contains("as=PartialObjectMetadata");
        Ok(Self { verb, kind, namespace, name, part, is_partial, query, body })
    }

    /// A number in the query.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let given = self.query.get(name).filter(|given| !given.is_empty());
        let read = |given: &String| given.parse().map_err(|_| Refusal::bad(&format!("{name} is {given:?}")));
        given.map(read).transpose()
    }

    /// The object that it names.
    pub(super) fn id(&self) -> Id {
        let (plural, namespace) = (self.kind.plural.clone(), self.namespace.clone());
        Id { plural, namespace, name: self.name.clone().unwrap_or_default() }
    }

    /// Whether a list or a watch is about an object.
    pub(super) fn covers(&self, id: &Id) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| id.namespace.as_ref() == Some(namespace))
            && self.name.as_ref().is_none_or(|name| id.name == *name)
    }

    /// What it is about, as a text.
    pub(super) fn path(&self) -> String {
        let namespace = self.namespace.as_deref().unwrap_or_default();
        let name = self.name.as_deref().unwrap_or_default();
        let part = if self.part == Part::Status { "/status" } else { "" };
        format!("{namespace}/{}/{name}{part}", self.kind.plural)
    }
}

/// The one name that selectors ask for. What else they can say is not served, and must not be taken for everything.
fn selected(query: &BTreeMap<String, String>) -> Result<Option<String>, Refusal> {
    for unserved in ["labelSelector", "sendInitialEvents"] {
        if query.contains_key(unserved) {
            return Err(Refusal::bad(&format!("{unserved} is not served")));
        }
    }
    let Some(fields) = query.get("fieldSelector").filter(|fields| !fields.is_empty()) else {
        return Ok(None);
    };
    match fields.split_once('=') {
        Some(("metadata.name", name)) if !name.contains([',', '=']) => Ok(Some(name.to_owned())),
        _ => Err(Refusal::bad(&format!("the fieldSelector {fields:?} is not served"))),
    }
}
