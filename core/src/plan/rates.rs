//! What use of a contract costs at a moment: the list rate, what is billed instead, and what of that the spec says.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Unit, render};
use crate::terms::{Decimal, Timestamp};

/// The rates of a contract at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rates {
    /// The moment.
    pub at: Timestamp,
    /// Every rate that the customer has, those that nothing explains first.
    pub rates: Vec<Rate>,
    /// What the spec says by overrides that are in force then, and that bear on none of the rates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub idle: Vec<Said>,
    /// Whether all that the contract was made from is known. Otherwise a rate may be the package's.
    pub knows_package: bool,
}

/// One rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    /// Name of the product.
    pub product: String,
    /// ID of the product.
    pub product_id: String,
    /// Values of pricing groups that the use has to have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, String>,
    /// How often a subscription is billed by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency: Option<String>,
    /// What the rate card says.
    pub list: Charge,
    /// What is billed, after all overrides.
    pub effective: Charge,
    /// First moment at which it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starting_at: Option<Timestamp>,
    /// Moment from which it no longer holds; none where nothing says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending_before: Option<Timestamp>,
    /// What the spec says of it by overrides, in the order in which they apply.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<Said>,
    /// Whether the spec explains what is billed.
    pub standing: RateStanding,
}

/// Whether a spec explains what is billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RateStanding {
    /// It does not: what is billed is neither the list rate nor what an override of the spec makes of it, or an override of
    /// the spec is not billed.
    Unexplained,
    /// What an override of the spec comes to cannot be told beforehand.
    Open,
    /// It is what one of the spec's overrides says, although another one of them comes first by the order that is documented.
    AnotherOverride,
    /// It is what the spec's overrides say.
    AsSigned,
    /// It is the list rate, and the spec says nothing else.
    List,
}

/// What a spec says of a rate by one override.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Said {
    /// Where: a place in the contract's terms, or in its package's.
    pub path: String,
    /// In a few words.
    pub says: String,
    /// What the rate is by it; none where that cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Charge>,
}

/// A price for each unit, a share, prices by quantity, or something that only the billing API can work out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Charge {
    /// The kind of rate, in the billing API's own word.
    pub kind: String,
    /// What prices are counted in; none for shares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// The price of one unit, or the share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Decimal>,
    /// Prices by quantity.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
    /// What a rate processor makes a price of.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub custom: Map<String, Value>,
}

/// A price for a range of quantities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tier {
    /// How many units it covers; the last one is open-ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Decimal>,
    /// The price of one unit, or the share.
    pub price: Decimal,
}

impl Charge {
    /// Whether a billing API's charge says the same as this one: the same kind, the same unit, and numbers that agree.
    #[must_use]
    pub fn agrees_with(&self, observed: &Self) -> bool {
        let agree = |one: Option<Decimal>, other: Option<Decimal>| match (one, other) {
            (Some(one), Some(other)) => one.agrees_with(other),
            (one, other) => one == other,
        };
        let is_same_unit = match (&self.unit, &observed.unit) {
            (Some(one), Some(other)) => one.is_same(other),
            (one, other) => one.is_none() && other.is_none(),
        };
        let same =
            |(one, other): (&Tier, &Tier)| one.price.agrees_with(other.price) && agree(one.size, other.size);
        self.kind.eq_ignore_ascii_case(&observed.kind)
            && is_same_unit
            && agree(self.price, observed.price)
            && self.tiers.len() == observed.tiers.len()
            && self.tiers.iter().zip(&observed.tiers).all(same)
            && self.custom == observed.custom
    }

    /// The charge in words: `0.80 USD`, `10 %`, `100 at 0.50, then 0.42 USD`.
    #[must_use]
    pub fn words(&self) -> String {
        let number = |number: Decimal| match &self.unit {
            Some(unit) => render::number(number, unit).0.to_string(),
            None => number.checked_mul(Decimal::from(100)).unwrap_or(number).normalized().to_string(),
        };
        let unit = match &self.unit {
            Some(unit) => render::plain(render::number(Decimal::ZERO, unit).1),
            None => "%".to_owned(),
        };
        if let Some(price) = self.price {
            return format!("{} {unit}", number(price));
        }
        if !self.tiers.is_empty() {
            let tier = |tier: &Tier| match tier.size {
                Some(size) => format!("{} at {}", size.normalized(), number(tier.price)),
                None => number(tier.price),
            };
            let tiers: Vec<_> = self.tiers.iter().map(tier).collect();
            return format!("{} {unit}", tiers.join(", then "));
        }
        if self.custom.is_empty() {
            return format!("a rate of kind {} without a price", render::plain(&self.kind));
        }
        render::plain(&Value::Object(self.custom.clone()).to_string())
    }
}

impl Rates {
    /// The rates in lines for a terminal: those that nothing explains apart, and first.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let (apart, others): (Vec<_>, Vec<_>) =
            self.rates.iter().partition(|rate| rate.standing == RateStanding::Unexplained);
        let mut lines = Vec::new();
        if !apart.is_empty() {
            let perhaps = if self.knows_package {
                ""
            } else {
                ", and perhaps by the package, whose terms are not known here"
            };
            lines.push(format!("not explained by the spec{perhaps}:"));
            lines.extend(apart.iter().flat_map(|rate| rate.lines()).map(|line| format!("  {line}")));
        }
        if !self.idle.is_empty() {
            lines.push("said by the spec, and on no rate:".to_owned());
            lines.extend(self.idle.iter().map(|said| format!("  {}", said.line())));
        }
        lines.extend(others.iter().flat_map(|rate| rate.lines()));
        if self.rates.is_empty() {
            lines.push("billing has no rates for this contract".to_owned());
        }
        lines
    }
}

impl Rate {
    fn lines(&self) -> Vec<String> {
        let mut name = render::plain(&self.product);
        let of: Vec<String> = self
            .groups
            .iter()
            .map(|(group, value)| render::plain(&format!("{group}={value}")))
            .chain(self.frequency.as_deref().map(render::plain))
            .collect();
        if !of.is_empty() {
            name = format!("{name} ({})", of.join(", "));
        }
        let charge = if self.effective.agrees_with(&self.list) {
            format!("{}, the list rate", self.effective.words())
        } else {
            format!("{} instead of {}", self.effective.words(), self.list.words())
        };
        let from = self.starting_at.map(|from| format!(" from {}", day(from))).unwrap_or_default();
        let until = self.ending_before.map(|until| format!(" until {}", day(until))).unwrap_or_default();
        let mut lines = vec![format!("{name}: {charge}{from}{until}")];
        lines.extend(self.said.iter().map(|said| format!("  the spec says {}", said.line())));
        match self.standing {
            RateStanding::Unexplained if self.said.is_empty() => {
                lines.push("  the spec says nothing of it".to_owned());
            }
            RateStanding::AnotherOverride => {
                lines.push("  what is billed is not the override that comes first".to_owned());
            }
            RateStanding::Open => lines.push("  what that comes to is the billing API's to tell".to_owned()),
            RateStanding::Unexplained | RateStanding::AsSigned | RateStanding::List => {}
        }
        lines
    }
}

impl Said {
    fn line(&self) -> String {
        let rate = self.rate.as_ref().map(|rate| format!(", {}", rate.words())).unwrap_or_default();
        format!("{} ({}{rate})", self.says, self.path)
    }
}

/// A moment as people read it: the day, and the hour where it is not midnight.
fn day(time: Timestamp) -> String {
    let text = time.to_string();
    text.strip_suffix("T00:00:00Z").map_or_else(|| text.clone(), str::to_owned)
}
