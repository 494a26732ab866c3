//! What is billed already, as resources that say the same.
//!
//! Replies come in, resources go out; what the custom resource cannot express is named and left out. That a resource
//! plans to nothing is for the protocol to say, by which whoever imports checks every one.

mod express;
mod metronome;
mod zoo;

use std::collections::{BTreeMap, BTreeSet};

use kube::core::ObjectMeta;
use serde_json::{Value, json};

pub use self::{
    express::{LeftOut, Unimportable},
    metronome::{Beside, contract as metronome_contract, package as metronome_package, seat_based},
    zoo::contract as zoo_contract,
};
use crate::{
    api::{Api, BillingContract, ContractPackage, contract::ProviderRef},
    validate,
};

/// Most characters of a name that is made from a text, so that something to tell it apart still fits.
const NAME_LENGTH: usize = 50;

/// Where imported resources belong.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Namespace; the one that is current where they are applied when none.
    pub namespace: Option<String>,
    /// The provider through which they are billed.
    pub provider: ProviderRef,
    /// Labels that each of them gets.
    pub labels: BTreeMap<String, String>,
}

/// Something that is billed, as a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported<K> {
    /// ID of the contract or package in the billing API.
    pub id: String,
    /// Its lifecycle state there, in the API's own word.
    pub state: String,
    /// The resource, without a name where the billing API has none for it.
    pub resource: K,
    /// What it could not say.
    pub left_out: Vec<LeftOut>,
}

/// States that contracts of a billing API are in, in its own words.
#[must_use]
pub const fn states(api: Api) -> &'static [&'static str] {
    match api {
        Api::Zoo => &["draft", "scheduled", "active", "closed", "canceled"],
        Api::Metronome => &["upcoming", "active", "ended", "archived"],
        #[cfg(feature = "fake")]
        Api::Fake => &[],
    }
}

/// Text as a name that Kubernetes takes: lower-case letters, digits and inner hyphens, at most 50 characters; empty when
/// the text has none of them.
#[must_use]
pub fn slug(text: &str) -> String {
    let mut slug = String::new();
    for letter in text.chars().flat_map(char::to_lowercase) {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(NAME_LENGTH);
    slug.trim_end_matches('-').to_owned()
}

/// A name that is not taken yet: the wanted one, or else one with a number.
pub fn distinct(wanted: &str, taken: &mut BTreeSet<String>) -> String {
    let numbered = (2_u32..).map(|number| format!("{wanted}-{number}"));
    let free = std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !taken.contains(name));
    let name = free.unwrap_or_else(|| wanted.to_owned());
    taken.insert(name.clone());
    name
}

/// A contract with the terms that a billing API has, which takes over the contract with this ID as it is.
fn contract(
    api: Api,
    terms: &Value,
    contract_id: &str,
    name: &str,
    to: &Destination,
) -> Result<(BillingContract, Vec<LeftOut>), Unimportable> {
    let spec = json!({
        "providerRef": to.provider,
        "adopt": {"contractId": contract_id},
        api.field(): terms,
    });
    let (spec, left_out) = express::express("BillingContract", &spec, |spec| {
        validate::contract(spec, None).err().unwrap_or_default()
    })?;
    let mut contract = BillingContract::new("", spec);
    contract.metadata = metadata(name, to);
    Ok((contract, left_out))
}

fn metadata(name: &str, to: &Destination) -> ObjectMeta {
    ObjectMeta {
        name: Some(slug(name)).filter(|name| !name.is_empty()),
        namespace: to.namespace.clone(),
        labels: Some(to.labels.clone()).filter(|labels| !labels.is_empty()),
        ..ObjectMeta::default()
    }
}

/// A package with the terms that a billing API has.
fn package(
    spec: &Value,
    name: &str,
    to: &Destination,
) -> Result<(ContractPackage, Vec<LeftOut>), Unimportable> {
    let (spec, left_out) =
        express::express("ContractPackage", spec, |spec| validate::package(spec).err().unwrap_or_default())?;
    let mut package = ContractPackage::new("", spec);
    package.metadata = metadata(name, to);
    Ok((package, left_out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_of_what_a_text_has_for_it() {
        assert_eq!(slug("Acme, Inc.: Enterprise 2026 (EU)"), "acme-inc-enterprise-2026-eu");
        assert_eq!(slug("  --  "), "");
        assert_eq!(slug("株式会社"), "");
        assert_eq!(slug(&"a ".repeat(80)).len(), 49);
    }

    #[test]
    fn every_state_that_a_contract_can_be_in_can_be_asked_for() {
        let schema = crate::api::spec_schema("BillingContract").unwrap();
        let of_zoo = &schema["properties"]["zoo"]["properties"]["status"]["enum"];
        assert_eq!(json!(states(Api::Zoo)), *of_zoo);
        let told = |start: &str, end: &str, archived: bool| {
            let data = json!({"id": "c", "customer_id": "a", "starting_at": start, "ending_before": end,
                "archived_at": archived.then_some(start), "commits": [], "credits": [], "overrides": [],
                "scheduled_charges": [], "discounts": []});
            let now = "2026-06-01T00:00:00Z".parse().unwrap();
            crate::plan::metronome::ObservedContract::read(&data, now).unwrap().state
        };
        let (past, present, later) = ("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
        let of_metronome = [
            told(later, "2028-01-01T00:00:00Z", false),
            told(present, later, false),
            told(past, present, false),
            told(past, later, true),
        ];
        assert_eq!(of_metronome, states(Api::Metronome));
    }

    #[test]
    fn two_things_of_one_name_get_two_names() {
        let mut taken = BTreeSet::new();
        let names = ["acme", "acme", "acme-2", "acme"].map(|name| distinct(name, &mut taken));
        assert_eq!(names, ["acme", "acme-2", "acme-2-2", "acme-3"]);
    }
}
