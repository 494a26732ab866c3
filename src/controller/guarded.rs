//! Resources as the watch delivers them: read as far as this version can, with what it can't read named.
//!
//! The API server may know more than this version, when its definitions are newer. A term that is left out in silence would
//! be billed otherwise than Git says, so whatever this version does not know keeps the resource from being acted on.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::{Resource, core::PartialObjectMeta};
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use serde_json::Value;

use crate::{
    api::{Api, check_format, spec_schema},
    validate::schema,
};

/// A resource, decoded or with the reason why not.
#[derive(Clone, Debug)]
pub struct Guarded<K> {
    resource: Result<K, Invalid<K>>,
    unknown: Vec<String>,
}

/// A resource that cannot be decoded.
#[derive(Clone, Debug)]
pub struct Invalid<K> {
    /// Why.
    pub error: String,
    /// The resource with as much of its terms as can be read: enough to know what it claims and to end what it holds, and
    /// never enough to write. Nothing when something besides its terms cannot be read.
    salvaged: Option<Box<K>>,
    /// Whether its deletion is to leave billing as it is.
    pub is_orphan: bool,
    /// The conditions that it has, as far as they can be read.
    pub conditions: Vec<Condition>,
    /// Whether a later version has written the status, and may remember what this one does not see.
    is_later: bool,
    metadata: ObjectMeta,
}

impl<K> Invalid<K> {
    /// The resource with as much as it takes to end what it holds; nothing where that is not all known.
    #[must_use]
    pub fn endable(&self) -> Option<&K> {
        self.salvaged.as_deref().filter(|_| !self.is_later)
    }
}

impl<K> Guarded<K> {
    /// The decoded resource.
    ///
    /// # Errors
    /// The reason why it could not be decoded.
    pub fn decoded(&self) -> Result<&K, &Invalid<K>> {
        self.resource.as_ref()
    }

    /// The decoded resource itself.
    ///
    /// # Errors
    /// The reason why it could not be decoded.
    pub fn into_decoded(self) -> Result<K, String> {
        self.resource.map_err(|invalid| invalid.error)
    }

    /// The resource as far as it can be read: for what it claims and holds, which it does whatever its terms say.
    #[must_use]
    pub fn readable(&self) -> Option<&K> {
        self.resource.as_ref().map_or_else(|invalid| invalid.salvaged.as_deref(), Some)
    }

    /// Why not even its deletion may write: this version does not know a field besides the terms, which may be about just
    /// that.
    #[must_use]
    pub fn unknown_besides_terms(&self) -> Option<String> {
        let is_term = |path: &str| {
            path.strip_prefix("spec.")
                .and_then(|path| path.split_once('.'))
                .is_some_and(|(member, _)| Api::ALL.iter().any(|api| api.field() == member))
        };
        self.unknown().filter(|_| !self.unknown.iter().all(|path| is_term(path)))
    }

    /// Why nothing may be done for the resource: its spec has fields that this version does not know.
    #[must_use]
    pub fn unknown(&self) -> Option<String> {
        const NAMED: usize = 10;
        let (first, rest) = self.unknown.split_at(self.unknown.len().min(NAMED));
        let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        let fields = first.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
        (!first.is_empty()).then(|| {
            format!(
                "This version of Countersign does not know {fields}{more}; nothing is written before it does. Upgrade the \
                 operator along with the CRDs, or take what it does not know out of the spec."
            )
        })
    }
}

impl<'de, K: DeserializeOwned + Resource<DynamicType = ()>> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Value::deserialize(deserializer)?;
        let spec = raw.get("spec").zip(spec_schema(&K::kind(&())));
        let unknown =
            spec.map(|(spec, schema)| schema::unknown_members(schema, "spec", spec)).unwrap_or_default();
        let format = check_format(raw.pointer("/status/format")).map_err(|why| format!("its status: {why}"));
        let is_later = format.is_err();
        let read = format.and_then(|()| K::deserialize(&raw).map_err(|error| error.to_string()));
        let resource = match read {
            Ok(resource) => Ok(resource),
            Err(error) => {
                let PartialObjectMeta { metadata, .. } =
                    PartialObjectMeta::<K>::deserialize(&raw).map_err(D::Error::custom)?;
                let policy = raw.pointer("/spec/deletionPolicy");
                let is_orphan = policy.is_none_or(|policy| policy.is_null() || policy == "Orphan");
                let conditions = raw.pointer("/status/conditions").and_then(|all| Vec::deserialize(all).ok());
                let conditions = conditions.unwrap_or_default();
                let salvaged = K::deserialize(without_odd_terms(raw, &K::kind(&()))).ok().map(Box::new);
                Err(Invalid { error, salvaged, is_orphan, conditions, is_later, metadata })
            }
        };
        Ok(Self { resource, unknown })
    }
}

/// The resource without those of its terms that this version's schema does not take.
fn without_odd_terms(mut raw: Value, kind: &str) -> Value {
    for api in Api::ALL {
        let schema = spec_schema(kind).and_then(|schema| schema.get("properties")?.get(api.field()));
        let terms = raw.get_mut("spec").and_then(|spec| spec.get_mut(api.field()));
        if let (Some(schema), Some(terms)) = (schema, terms) {
            *terms = schema::pruned(schema, terms).unwrap_or_default();
        }
    }
    raw
}

impl<K: Resource> Resource for Guarded<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(dt)
    }

    fn group(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::group(dt)
    }

    fn version(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::version(dt)
    }

    fn plural(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        self.resource.as_ref().map_or_else(|invalid| &invalid.metadata, K::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.resource.as_mut().map_or_else(|invalid| &mut invalid.metadata, K::meta_mut)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::{BillingContract, BillingProvider};

    fn contract(status: &str) -> Value {
        json!({
            "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract", "metadata": {"name": "acme"},
            "spec": {
                "providerRef": {"name": "zoo"},
                "zoo": {"organizationId": "6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11", "effectiveAt": "2026-01-01T00:00:00Z",
                        "status": status},
            },
        })
    }

    fn guarded<K: DeserializeOwned + Resource<DynamicType = ()>>(raw: Value) -> Guarded<K> {
        serde_json::from_value(raw).unwrap()
    }

    #[test]
    fn what_a_newer_definition_has_is_named_and_the_rest_is_read() {
        let mut raw = contract("active");
        let known: Guarded<BillingContract> = guarded(raw.clone());
        assert_eq!(known.unknown(), None);
        raw["spec"]["zoo"]["minimumFee"] = json!("5");
        let newer: Guarded<BillingContract> = guarded(raw);
        assert!(newer.decoded().is_ok());
        let why = newer.unknown().unwrap();
        assert!(why.contains("does not know `spec.zoo.minimumFee`;"), "{why}");
    }

    #[test]
    fn what_cannot_be_decoded_still_has_its_metadata() {
        let odd: Guarded<BillingContract> = guarded(contract("paused"));
        assert!(odd.decoded().unwrap_err().error.contains("paused"));
        assert_eq!(odd.meta().name.as_deref(), Some("acme"));
    }

    #[test]
    fn of_what_cannot_be_decoded_the_terms_that_can_be_read_are_kept() {
        let mut raw = contract("paused");
        raw["status"] = json!({"contractId": "c-1"});
        let odd: Guarded<BillingContract> = guarded(raw.clone());
        assert!(odd.decoded().unwrap_err().is_orphan);
        let salvaged = odd.readable().unwrap();
        assert_eq!(salvaged.spec.sole_customer(), Some("6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11"));
        assert_eq!(salvaged.status.as_ref().unwrap().contract_id.as_deref(), Some("c-1"));

        // A policy that cannot be read is not guessed.
        raw["spec"]["deletionPolicy"] = json!("Transfer");
        let odder: Guarded<BillingContract> = guarded(raw);
        assert!(odder.readable().is_none() && !odder.decoded().unwrap_err().is_orphan);
    }

    #[test]
    fn what_a_later_version_has_written_is_known_by_what_it_holds_and_not_acted_on() {
        let mut raw = contract("active");
        raw["status"] = json!({"contractId": "c-1", "format": 2});
        let later: Guarded<BillingContract> = guarded(raw.clone());
        let invalid = later.decoded().unwrap_err();
        assert!(invalid.error.contains("its status: a later version"), "{}", invalid.error);
        assert!(invalid.endable().is_none());
        let held = later.readable().unwrap().status.as_ref().unwrap();
        assert_eq!(held.contract_id.as_deref(), Some("c-1"));

        raw["status"]["format"] = json!(1);
        assert!(guarded::<BillingContract>(raw).decoded().is_ok());
    }

    #[test]
    fn an_unknown_field_besides_the_terms_may_be_about_deletion() {
        let mut raw = contract("active");
        raw["spec"]["zoo"]["minimumFee"] = json!("5");
        assert_eq!(guarded::<BillingContract>(raw.clone()).unknown_besides_terms(), None);
        raw["spec"]["protected"] = json!(true);
        assert!(
            guarded::<BillingContract>(raw).unknown_besides_terms().unwrap().contains("`spec.protected`")
        );
    }

    #[test]
    fn the_account_of_a_provider_is_looked_through_as_well() {
        let raw = json!({
            "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingProvider", "metadata": {"name": "zoo"},
            "spec": {"zoo": {"baseUrl": "https://api.zoo.dev", "region": "eu"}, "tokenSecretRef": {"name": "t"}},
        });
        let why = guarded::<BillingProvider>(raw).unknown().unwrap();
        assert!(why.contains("`spec.zoo.region`"), "{why}");
    }
}
