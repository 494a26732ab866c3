//! What use costs: the rates that `getContractRateSchedule` tells, each held against the overrides of the spec.
//!
//! An overwrite comes before the others. Of multipliers the lowest applies, or, with explicit prioritization, the one with
//! the lowest priority, tiered ones among them. Whether several that are in order apply one after another is not
//! documented, and so what all of them come to explains a rate as well. What applies only while commits are drawn down, or
//! to commit rates, is no part of the rates that are told.

use std::collections::BTreeSet;

use serde_json::Value;

use super::text;
use crate::{
    plan::{
        USD_CENTS, Unit,
        rates::{Charge, Rate, RateStanding, Rates, Said, Tier},
    },
    terms::{
        Decimal, Timestamp,
        metronome::{
            Contract, Id, MultiplierPrioritization, Package, Text,
            commits::RateType,
            overrides::{Override, OverrideTier, OverwriteRate},
            selectors::OverrideSpecifier,
        },
    },
};

/// An override that may bear on rates.
struct Signed {
    path: String,
    terms: Override,
}

/// The rates of a contract at a moment, as rows of `getContractRateSchedule` tell them.
///
/// `package` are the terms that the contract is made from, where they are known.
#[must_use]
pub fn rates(contract: &Contract, package: Option<&Package>, told: &[Value], at: Timestamp) -> Rates {
    let is_made_from_one = contract.package_id.is_some() || contract.package_alias.is_some();
    let signed: Vec<Signed> = signed(contract, package).filter(|signed| signed.holds(at)).collect();
    let of_package = package.and_then(|package| package.multiplier_override_prioritization);
    let order = contract.multiplier_override_prioritization.or(of_package);
    let mut bears = BTreeSet::new();
    let mut rates: Vec<Rate> = told.iter().filter_map(|row| rate(row, &signed, order, &mut bears)).collect();
    rates.sort_by(|a, b| (a.standing, &a.product).cmp(&(b.standing, &b.product)));
    let idle = signed.iter().filter(|signed| !bears.contains(&signed.path) && signed.is_shown());
    Rates {
        at,
        rates,
        idle: idle.map(|signed| signed.said(None)).collect(),
        knows_package: package.is_some() || !is_made_from_one,
    }
}

/// The overrides of a contract and of its package that change list rates.
fn signed(contract: &Contract, package: Option<&Package>) -> impl Iterator<Item = Signed> {
    let own = contract.overrides.iter().enumerate();
    let own = own.map(|(index, terms)| Signed { path: format!("/overrides/{index}"), terms: terms.clone() });
    let start = contract.starting_at;
    let of_package = package.into_iter().flat_map(|package| &package.overrides).enumerate();
    let of_package = of_package.filter_map(move |(index, found)| {
        let starting_at = found.starting_at_offset.span()?.after(start)?;
        let ending_before = match found.duration {
            Some(duration) => Some(duration.span()?.after(starting_at)?),
            None => None,
        };
        let terms = Override {
            terms: found.terms.clone(),
            starting_at,
            ending_before,
            applicable_product_tags: Vec::new(),
            override_specifiers: found.override_specifiers.clone(),
            product_id: None,
        };
        Some(Signed { path: format!("/overrides/{index} of the package"), terms })
    });
    own.chain(of_package).filter(|signed| {
        let terms = &signed.terms.terms;
        let says = terms.multiplier.is_some() || terms.overwrite_rate.is_some() || !terms.tiers.is_empty();
        says && terms.is_commit_specific != Some(true) && terms.target != Some(RateType::CommitRate)
    })
}

impl Signed {
    /// Whether it is in force at a moment.
    fn holds(&self, at: Timestamp) -> bool {
        self.terms.starting_at <= at && self.terms.ending_before.is_none_or(|end| at < end)
    }

    /// Whether a rate shows it: what a presentation group narrows is no rate of its own.
    fn is_shown(&self) -> bool {
        let specifiers = &self.terms.override_specifiers;
        specifiers.is_empty()
            || specifiers.iter().any(|specifier| specifier.specifier.presentation_group_values.0.is_empty())
    }

    /// Whether it bears on a rate.
    fn bears_on(&self, row: &Value) -> bool {
        let terms = &self.terms;
        let names_nothing = terms.product_id.is_none()
            && terms.applicable_product_tags.is_empty()
            && terms.override_specifiers.is_empty();
        let is_named =
            terms.product_id.as_ref().is_some_and(|id| text(row, "product_id") == Some(id.as_str()));
        let is_tagged =
            terms.applicable_product_tags.iter().any(|tag| tags(row).any(|of| of == tag.as_str()));
        names_nothing
            || is_named
            || is_tagged
            || terms.override_specifiers.iter().any(|specifier| admits(specifier, row))
    }

    /// What it says, and what a rate is by it.
    fn said(&self, rate: Option<Charge>) -> Said {
        let terms = &self.terms.terms;
        let says = match (&terms.overwrite_rate, terms.multiplier) {
            (Some(overwrite), _) => overwritten(overwrite).words(),
            (None, Some(multiplier)) => format!("x {}", multiplier.normalized()),
            (None, None) => {
                let tier = |tier: &OverrideTier| match tier.size {
                    Some(size) => format!("{} x {}", size.normalized(), tier.multiplier.normalized()),
                    None => format!("x {}", tier.multiplier.normalized()),
                };
                terms.tiers.iter().map(tier).collect::<Vec<_>>().join(", then ")
            }
        };
        let rate = rate.filter(|_| terms.overwrite_rate.is_none());
        Said { path: self.path.clone(), says, rate }
    }

    /// What a list rate becomes by it; nothing where that cannot be told.
    fn makes_of(&self, list: &Charge) -> Option<Charge> {
        let terms = &self.terms.terms;
        if let Some(overwrite) = &terms.overwrite_rate {
            return Some(overwritten(overwrite));
        }
        if let Some(multiplier) = terms.multiplier {
            return times(list, multiplier);
        }
        let price = list.price?;
        let tier =
            |tier: &OverrideTier| Some(Tier { size: tier.size, price: price.checked_mul(tier.multiplier)? });
        Some(Charge {
            kind: if list.kind == "PERCENTAGE" { "TIERED_PERCENTAGE" } else { "TIERED" }.to_owned(),
            unit: list.unit.clone(),
            price: None,
            tiers: terms.tiers.iter().map(tier).collect::<Option<_>>()?,
            custom: list.custom.clone(),
        })
    }
}

fn tags(row: &Value) -> impl Iterator<Item = &str> {
    row.get("product_tags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Whether a specifier of an override admits a rate.
fn admits(specifier: &OverrideSpecifier, row: &Value) -> bool {
    let of = &specifier.specifier;
    let groups = row.get("pricing_group_values");
    let has_group = |(name, value): (&String, &Text)| {
        groups.and_then(|groups| text(groups, name)) == Some(value.as_str())
    };
    let frequency = specifier.billing_frequency.map(|frequency| frequency.to_string());
    of.presentation_group_values.0.is_empty()
        && of.product_id.as_ref().is_none_or(|id| text(row, "product_id") == Some(id.as_str()))
        && of.product_tags.iter().all(|tag| tags(row).any(|found| found == tag.as_str()))
        && frequency.is_none_or(|frequency| text(row, "billing_frequency") == Some(frequency.as_str()))
        && of.pricing_group_values.0.iter().all(has_group)
}

/// A rate as billing tells it, with what the spec says of it; nothing for a row that tells of no product. Notes which
/// overrides bear on it.
fn rate(
    row: &Value,
    signed: &[Signed],
    order: Option<MultiplierPrioritization>,
    bears: &mut BTreeSet<String>,
) -> Option<Rate> {
    let product_id = text(row, "product_id")?.to_owned();
    let list = charge(row.get("list_rate")?);
    let effective =
        row.get("override_rate").filter(|rate| rate.is_object()).map_or_else(|| list.clone(), charge);
    let mut found: Vec<&Signed> = signed.iter().filter(|signed| signed.bears_on(row)).collect();
    bears.extend(found.iter().map(|signed| signed.path.clone()));
    found.sort_by_key(|signed| place_in_line(signed, order));
    let all: Vec<(&Signed, Option<Charge>)> =
        found.into_iter().map(|signed| (signed, signed.makes_of(&list))).collect();
    let is_it = |made: &Option<Charge>| made.as_ref().is_some_and(|made| made.agrees_with(&effective));
    let first = all.first().map(|(_, made)| made);
    let standing = match first {
        None if list.agrees_with(&effective) => RateStanding::List,
        Some(made) if is_it(made) => RateStanding::AsSigned,
        Some(_) if all.iter().any(|(_, made)| is_it(made)) => RateStanding::AnotherOverride,
        Some(_) if is_it(&together(&all, &list)) => RateStanding::AsSigned,
        Some(None) => RateStanding::Open,
        None | Some(Some(_)) => RateStanding::Unexplained,
    };
    let groups = row.get("pricing_group_values").and_then(Value::as_object).into_iter().flatten();
    let groups = groups.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    let time = |name: &str| Timestamp::from_wire(text(row, name)?).ok();
    Some(Rate {
        product: text(row, "product_name").unwrap_or(&product_id).to_owned(),
        product_id,
        groups: groups.collect(),
        frequency: text(row, "billing_frequency").map(str::to_owned),
        list,
        effective,
        starting_at: time("starting_at"),
        ending_before: time("ending_before"),
        said: all.into_iter().map(|(signed, made)| signed.said(made)).collect(),
        standing,
    })
}

/// Where an override stands among those that bear on one rate: overwrites first, the last of several that overlap before
/// the others, then multipliers by their order.
fn place_in_line(
    signed: &Signed,
    order: Option<MultiplierPrioritization>,
) -> (u8, Decimal, std::cmp::Reverse<Timestamp>) {
    let terms = &signed.terms.terms;
    let start = std::cmp::Reverse(signed.terms.starting_at);
    if terms.overwrite_rate.is_some() {
        return (0, Decimal::ZERO, start);
    }
    let is_explicit = order == Some(MultiplierPrioritization::Explicit);
    let rank = if is_explicit { terms.priority } else { terms.multiplier.or(terms.priority) };
    (1, rank.unwrap_or(Decimal::ZERO), start)
}

/// What all multipliers together make of a list rate, where there are several and nothing overwrites it.
fn together(all: &[(&Signed, Option<Charge>)], list: &Charge) -> Option<Charge> {
    let multipliers = all.iter().map(|(signed, _)| {
        let terms = &signed.terms.terms;
        terms.multiplier.filter(|_| terms.overwrite_rate.is_none())
    });
    multipliers
        .collect::<Option<Vec<_>>>()?
        .into_iter()
        .try_fold(list.clone(), |charge, by| times(&charge, by))
}

/// A charge with every price multiplied; nothing where it has none.
fn times(charge: &Charge, by: Decimal) -> Option<Charge> {
    if charge.price.is_none() && charge.tiers.is_empty() {
        return None;
    }
    let price = match charge.price {
        Some(price) => Some(price.checked_mul(by)?),
        None => None,
    };
    let tier = |tier: &Tier| Some(Tier { size: tier.size, price: tier.price.checked_mul(by)? });
    let tiers = charge.tiers.iter().map(tier).collect::<Option<_>>()?;
    Some(Charge { price, tiers, ..charge.clone() })
}

/// The unit of prices of a kind of rate: shares have none.
fn unit(kind: &str, id: Option<&str>, name: Option<&str>) -> Option<Unit> {
    let is_share = kind.contains("PERCENTAGE");
    let id = id.unwrap_or(USD_CENTS).to_owned();
    (!is_share).then(|| Unit::PricingUnit { id, name: name.map(str::to_owned) })
}

/// A rate as the API tells it.
fn charge(rate: &Value) -> Charge {
    let kind = text(rate, "rate_type").unwrap_or("FLAT").to_ascii_uppercase();
    let credit_type = rate.get("credit_type");
    let of_unit = |name: &str| credit_type.and_then(|unit| text(unit, name));
    let tiers = rate.get("tiers").and_then(Value::as_array).into_iter().flatten();
    let tier = |tier: &Value| Some(Tier { size: number(tier, "size"), price: number(tier, "price")? });
    let is_tiered = kind.starts_with("TIERED");
    Charge {
        unit: unit(&kind, of_unit("id"), of_unit("name")),
        price: number(rate, "price").filter(|_| !is_tiered),
        tiers: tiers.filter_map(tier).filter(|_| is_tiered).collect(),
        custom: rate.get("custom_rate").and_then(Value::as_object).cloned().unwrap_or_default(),
        kind,
    }
}

/// A rate as an override of a spec says it.
fn overwritten(rate: &OverwriteRate) -> Charge {
    let kind = rate.rate_type.to_string();
    Charge {
        unit: unit(&kind, rate.credit_type_id.as_ref().map(Id::as_str), None),
        price: rate.price,
        tiers: rate.tiers.iter().map(|tier| Tier { size: tier.size, price: tier.price }).collect(),
        custom: rate.custom_rate.clone(),
        kind,
    }
}

/// A number of a reply, whose digits are text where they are no whole number.
fn number(value: &Value, name: &str) -> Option<Decimal> {
    match value.get(name)? {
        Value::String(digits) => Decimal::from_wire(digits).ok(),
        Value::Number(number) => number.as_i64().map(Decimal::from),
        _ => None,
    }
}
