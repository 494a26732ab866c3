//! Which kinds are served, and what differs between them.

use std::sync::Arc;

use serde_json::Value;

/// A kind of object.
pub(super) struct Kind {
    /// Its API group; empty for the core.
    pub(super) group: String,
    /// Its version.
    pub(super) version: String,
    /// As objects name it.
    pub(super) name: String,
    /// As paths name it; no two kinds here share one.
    pub(super) plural: String,
    /// Whether its objects live in namespaces.
    pub(super) is_namespaced: bool,
    /// The schema of a kind that a definition brings; such objects count generations.
    pub(super) schema: Option<Value>,
    /// Whether the status has a path of its own, and changes by no other.
    pub(super) has_status: bool,
}

impl Kind {
    /// `apiVersion` of its objects.
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// As messages name it.
    pub(super) fn resource(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// Whether a replace needs no version.
    pub(super) fn replaces_unseen(&self) -> bool {
        self.schema.is_none() && self.plural != "leases"
    }

    /// Whether a replace creates what is not there.
    pub(super) fn replaces_nothing(&self) -> bool {
        self.plural == "leases" || self.plural == "events"
    }

    fn built_in(group: &str, version: &str, name: &str, plural: &str) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            name: name.to_owned(),
            plural: plural.to_owned(),
            is_namespaced: true,
            schema: None,
            has_status: false,
        }
    }

    /// The kind of each version that a definition serves; nothing for what is no definition.
    fn defined(definition: &Value) -> Vec<Self> {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let Some(spec) = definition.get("spec") else { return Vec::new() };
        let versions = spec.get("versions").and_then(Value::as_array).into_iter().flatten();
        let kind = |version: &Value| {
            Some(Self {
                group: text(spec.get("group"))?,
                version: text(version.get("name"))?,
                name: text(spec.pointer("/names/kind"))?,
                plural: text(spec.pointer("/names/plural"))?,
                is_namespaced: text(spec.get("scope"))? == "Namespaced",
                schema: Some(version.pointer("/schema/openAPIV3Schema")?.clone()),
                has_status: version.pointer("/subresources/status").is_some(),
            })
        };
        versions.filter_map(kind).collect()
    }
}

/// The kinds that are served.
pub(super) struct Kinds(Vec<Arc<Kind>>);

impl Kinds {
    /// Those that definitions bring, and those that the operator uses besides.
    pub(super) fn new(definitions: &[Value]) -> Self {
        let built_in = [
            Kind::built_in("", "v1", "Secret", "secrets"),
            Kind::built_in("", "v1", "ConfigMap", "configmaps"),
            Kind::built_in("coordination.k8s.io", "v1", "Lease", "leases"),
            Kind::built_in("events.k8s.io", "v1", "Event", "events"),
        ];
        Self(built_in.into_iter().chain(definitions.iter().flat_map(Kind::defined)).map(Arc::new).collect())
    }

    /// The kind at a path.
    pub(super) fn at(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Kind>> {
        let is_it =
            |kind: &&Arc<Kind>| (&*kind.group, &*kind.version, &*kind.plural) == (group, version, plural);
        self.0.iter().find(is_it).cloned()
    }

    /// The kind of an object.
    pub(super) fn of(&self, api_version: &str, name: &str) -> Option<Arc<Kind>> {
        self.0.iter().find(|kind| kind.name == name && kind.api_version() == api_version).cloned()
    }

    /// The kind by its plural alone.
    pub(super) fn named(&self, plural: &str) -> Option<Arc<Kind>> {
        self.0.iter().find(|kind| kind.plural == plural).cloned()
    }
}
