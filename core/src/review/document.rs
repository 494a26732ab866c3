//! A plan of files as a document for programs: what `countersign plan --output json` prints, and what its schema says.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::{Rule, Severity, alerts::Alert, term::Terming, volumes::Estimate};
use crate::{
    api::contract::Amount,
    plan::{Call, Change, Fixed, Method, MoneyEffect, invoiced::Invoiced, months::Month, rates::Rates},
    terms::Digest,
};

/// Version of the document: it changes when a member changes its meaning or goes.
pub const VERSION: u32 = 1;
/// Name of the schema's file.
pub const SCHEMA_FILE: &str = "plan.json";

/// What `countersign plan` found. Amounts are text with exact digits, each in the unit that stands beside it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// Version of this form.
    pub version: u32,
    /// The commit before the change; none where no revision was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Whether the billing API was asked. Otherwise what the files said before is taken for what is billed.
    pub live: bool,
    /// How many resources there are in each part.
    pub counts: Counts,
    /// Every resource to which something happens, or which is refused or left.
    pub resources: Vec<Resource>,
    /// What all of it does to the money that is owed whatever is used, by kind and unit.
    pub total: Vec<Fixed>,
    /// The same by month.
    pub months: Vec<Month>,
    /// What is wrong with files and can't be told of one of the resources.
    pub findings: Vec<Found>,
    /// What use of each contract costs now, by `--rates`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<RatesOf>,
}

/// What use of one contract costs now, as its billing API tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RatesOf {
    /// `namespace/name` of the contract, or the name where there is no namespace.
    pub name: String,
    /// Its rates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How many resources there are in each part; one can be in two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// In `does`.
    pub does: usize,
    /// In `undone`.
    pub undone: usize,
    /// In `open`.
    pub open: usize,
    /// In `left`.
    pub left: usize,
    /// In `refused`.
    pub refused: usize,
    /// In `unknown`.
    pub unknown: usize,
}

/// The parts in which a plan is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// This change does it.
    Does,
    /// Somebody has changed it in billing, and it would be undone.
    Undone,
    /// Only the billing API can tell.
    Open,
    /// It is left as it is: still billed, and not what the files say or no longer watched.
    Left,
    /// It is refused.
    Refused,
    /// The billing API was asked and did not tell.
    Unknown,
}

impl Part {
    /// Every part, in their order.
    pub const ALL: [Self; 6] =
        [Self::Does, Self::Undone, Self::Open, Self::Left, Self::Refused, Self::Unknown];

    /// Its heading.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Does => "This change does",
            Self::Undone => "Found changed in billing, and would be undone",
            Self::Open => "Only the billing API can tell",
            Self::Left => "Will be left as it is",
            Self::Refused => "Refused",
            Self::Unknown => "Could not be compared",
        }
    }
}

/// What happened to a resource's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum How {
    /// It came.
    New,
    /// It was changed.
    Changed,
    /// It says the same; something that it refers to was changed, or billing was.
    Same,
    /// It went.
    Gone,
    /// Nothing says what it was before.
    Read,
}

impl How {
    /// In a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Same => "the same",
            Self::Gone => "gone",
            Self::Read => "as it is",
        }
    }
}

/// What becomes of one resource.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// `BillingContract` or `ContractPackage`.
    pub kind: String,
    /// `namespace/name`, or the name where there is no namespace.
    pub name: String,
    /// Its file, after the change or else before.
    pub file: String,
    /// What happened to its file.
    pub file_is: How,
    /// What else made the change, where its own file says the same.
    pub cause: Option<String>,
    /// The parts that it is told in: `undone` may stand beside `does`.
    pub parts: Vec<Part>,
    /// What is wrong with it; then nothing is planned.
    pub findings: Vec<Found>,
    /// Digest of the plan, as an approval names it. One of a plan without the billing API approves nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Every difference that the plan removes, or that is left.
    pub changes: Vec<Change>,
    /// Those of them that undo what somebody changed in billing.
    pub undone: Vec<Change>,
    /// What the plan does to the money that the customer owes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<MoneyEffect>,
    /// What is invoiced for good already of what the plan changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoiced: Option<Invoiced>,
    /// Whether the plan waits for somebody's approval.
    pub waits_for_approval: bool,
    /// What is sent to the billing API, in order; empty where that was not asked. What only a reply tells stands in angle
    /// brackets.
    pub calls: Vec<Sent>,
    /// Why it is left as it is, or open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What the customer stays committed to by a contract that is left.
    pub committed_value: Vec<Amount>,
    /// One word on why it is refused, or not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same as a sentence, with the cure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Prices that deserve a look.
    pub alerts: Vec<Alert>,
    /// What is valid in its file and deserves a question before it is billed.
    #[serde(default)]
    pub questions: Vec<Found>,
    /// What expected use costs, where volumes were given.
    pub estimates: Vec<Estimate>,
    /// When the contract applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term: Option<Terming>,
}

/// One call that changes something.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    /// `POST` or `PUT`.
    pub method: String,
    /// Path below the account's base URL.
    pub path: String,
    /// The body, with exactly the digits that are sent.
    #[schemars(with = "Value")]
    pub body: Box<RawValue>,
}

impl Sent {
    /// A call as it is sent; nothing when its body is no JSON, which no planner makes.
    #[must_use]
    pub fn of(call: &Call) -> Option<Self> {
        let method = match call.method {
            Method::Put => "PUT",
            Method::Post => "POST",
        };
        let body = RawValue::from_string(call.body.clone()).ok()?;
        Some(Self { method: method.to_owned(), path: call.path.clone(), body })
    }
}

/// Something that was found in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What kind of thing it is.
    pub rule: Rule,
    /// Whether it must change.
    pub severity: Severity,
    /// Where in the resource; empty where there is none.
    pub path: String,
    /// What is wrong, as a whole sentence with the place in the resource.
    pub message: String,
}

/// The JSON schema of the document, draft 7, with the name of its file.
#[must_use]
pub fn schema() -> (String, Value) {
    let settings = SchemaSettings::draft07().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Document>().to_value();
    if let Some(members) = schema.as_object_mut() {
        members.insert("title".to_owned(), "A plan of countersign".into());
    }
    (SCHEMA_FILE.to_owned(), schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_says_what_each_member_means() {
        let (_, schema) = schema();
        let resource = &schema["definitions"]["Resource"];
        assert_eq!(schema["properties"]["resources"]["items"]["$ref"], "#/definitions/Resource");
        let described = resource["properties"].as_object().unwrap();
        assert!(described.len() > 15 && resource.to_string().contains("stands in angle"), "{resource}");
        let required = resource["required"].to_string();
        assert!(required.contains("\"calls\"") && !required.contains("\"digest\""), "{required}");
    }
}
