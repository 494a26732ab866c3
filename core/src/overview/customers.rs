//! The contracts of each customer, one after the other: terms, gaps, lapses, renewals and price steps.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kube::ResourceExt;
use serde::Serialize;

use super::{Mark, Resources, Standing, place};
use crate::{
    api::{Api, BillingContract, ContractPackage, contract::Amount},
    plan::{Outlook, Unit, outlook, package},
    terms::{Decimal, Timestamp},
    validate,
};

/// How many days before its end a contract without a successor is due to be renewed, unless somebody says otherwise.
pub const RENEWAL_DAYS: u32 = 90;

/// Contracts of one customer of one billing API.
#[derive(Clone, Debug)]
pub struct Customer<'a> {
    /// The billing API.
    pub api: Api,
    /// The customer, as the specs name it.
    pub id: String,
    /// Its contracts, by their start; those whose term is not known come last.
    pub contracts: Vec<Contract<'a>>,
    /// Times between two contracts in which none is in force.
    pub gaps: Vec<Gap>,
    /// Prices that change from one time to the next.
    pub steps: Vec<Step>,
}

/// One contract among those of its customer.
#[derive(Clone, Debug)]
pub struct Contract<'a> {
    /// The resource.
    pub resource: &'a BillingContract,
    /// The package that it refers to, whether or not it can be used.
    pub package: Option<&'a ContractPackage>,
    /// What it says of time and money; why it says nothing.
    pub outlook: Result<Outlook, String>,
    /// How it stands.
    pub standing: Standing,
    /// What comes when it ends.
    pub after: After,
}

/// What comes when a contract ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum After {
    /// It has no end.
    OpenEnded,
    /// Its end is not near yet.
    NotYet,
    /// It ends soon, and nothing follows: in so many days.
    RenewalDue {
        /// Whole days until the end.
        days: i64,
    },
    /// Another contract follows.
    Renewed {
        /// `namespace/name` of the other.
        by: String,
    },
    /// It ended, and nothing followed: so many days ago.
    Lapsed {
        /// Whole days since the end.
        days: i64,
    },
    /// It is a draft, canceled or archived: nothing is billed by it.
    NotBilled,
    /// Its term is not known.
    Unknown,
}

/// A time in which no contract of a customer is in force, between two that are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// First moment without a contract.
    pub start: Timestamp,
    /// First moment with one again.
    pub end: Timestamp,
}

impl Gap {
    /// Its length in whole days.
    #[must_use]
    pub fn days(&self) -> i64 {
        (self.end.0 - self.start.0).num_days()
    }
}

/// A price that is another one from some time on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is priced, with the part of it: `licensed_api_credits from 0`.
    pub what: String,
    /// From when on.
    pub at: Timestamp,
    /// What both are counted in.
    pub unit: Option<Unit>,
    /// Price before.
    pub before: Decimal,
    /// Price after.
    pub after: Decimal,
    /// Name of the resource that has the price after.
    pub contract: String,
}

impl Step {
    /// How much more that is, in percent with one decimal; nothing where the price was zero.
    #[must_use]
    pub fn percent(&self) -> Option<Decimal> {
        let percent = self.before.percent_to(self.after)?.truncated(1);
        Some(percent.with_decimals(1).unwrap_or(percent))
    }
}

impl Contract<'_> {
    /// `namespace/name`.
    #[must_use]
    pub fn name(&self) -> String {
        place(self.resource.namespace().as_deref(), &self.resource.name_any())
    }

    /// When it begins and ends, where that is known.
    #[must_use]
    pub fn term(&self) -> Option<(Timestamp, Option<Timestamp>)> {
        self.outlook.as_ref().ok().map(|outlook| (outlook.start, outlook.end))
    }

    /// What the customer commits to: as billing shows it, or else as the spec says.
    #[must_use]
    pub fn committed(&self) -> Vec<Amount> {
        let status = self.resource.status.as_ref();
        let told = status.map(|status| status.committed_value.clone()).filter(|told| !told.is_empty());
        told.unwrap_or_else(|| self.outlook.as_ref().map(Outlook::committed).unwrap_or_default())
    }

    /// Whether it is billed.
    #[must_use]
    pub fn is_billed(&self) -> bool {
        let state = self.resource.status.as_ref().and_then(|status| status.state.as_deref());
        !matches!(state, Some("archived")) && self.outlook.as_ref().is_ok_and(|outlook| outlook.is_billed)
    }
}

/// Every customer with its contracts, by billing API and customer. `days` before its end a contract is due to be renewed.
#[must_use]
pub fn customers(resources: &Resources, now: DateTime<Utc>, days: u32) -> Vec<Customer<'_>> {
    let packages = Packages::of(&resources.packages);
    let mut groups: BTreeMap<(&'static str, String), (Api, Vec<Contract<'_>>)> = BTreeMap::new();
    for resource in &resources.contracts {
        let Some(api) = resource.spec.api() else { continue };
        // An alias is looked up by the operator, so that all contracts of a customer come together.
        let told = resource.status.as_ref().and_then(|status| status.customer_id.as_deref());
        let id = told.or(resource.spec.customer_names().next()).unwrap_or_default().to_owned();
        let package = packages.meant(resource);
        let contract = Contract {
            resource,
            package,
            outlook: of(resource, package),
            standing: Standing::of_contract(resource),
            after: After::Unknown,
        };
        groups.entry((api.field(), id)).or_insert_with(|| (api, Vec::new())).1.push(contract);
    }
    let mut customers = Vec::with_capacity(groups.len());
    for ((_, id), (api, mut contracts)) in groups {
        contracts.sort_by_key(|contract| {
            let term = contract.term();
            (term.is_none(), term.map(|(start, _)| start), contract.name())
        });
        let after: Vec<_> = contracts.iter().map(|contract| after(contract, &contracts, now, days)).collect();
        contracts.iter_mut().zip(after).for_each(|(contract, after)| contract.after = after);
        let (gaps, steps) = (gaps(&contracts), steps(&contracts));
        customers.push(Customer { api, id, contracts, gaps, steps });
    }
    customers
}

/// Packages by their namespace, so that a contract looks at few of them.
struct Packages<'a>(BTreeMap<Option<String>, Vec<&'a ContractPackage>>);

impl<'a> Packages<'a> {
    fn of(packages: &'a [ContractPackage]) -> Self {
        let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for package in packages {
            all.entry(package.namespace()).or_default().push(package);
        }
        Self(all)
    }

    fn meant(&self, contract: &BillingContract) -> Option<&'a ContractPackage> {
        package::meant(contract, self.0.get(&contract.namespace())?)
    }
}

fn of(contract: &BillingContract, package: Option<&ContractPackage>) -> Result<Outlook, String> {
    if contract.spec.package_ref.is_some() && package.is_none() {
        return Err("the package that it refers to is not among the resources".to_owned());
    }
    outlook(&contract.spec, package.map(|package| &package.spec))
        .map_err(|violations| validate::summary(&violations))
}

/// What comes after a contract, among all of the customer.
fn after(contract: &Contract<'_>, all: &[Contract<'_>], now: DateTime<Utc>, days: u32) -> After {
    let Some((_, end)) = contract.term() else { return After::Unknown };
    if !contract.is_billed() {
        return After::NotBilled;
    }
    let Some(end) = end else { return After::OpenEnded };
    // Whatever covers the moment of the end follows, or else whatever begins later.
    let others = || {
        all.iter().filter(|other| !std::ptr::eq(*other, contract) && other.is_billed()).filter_map(|other| {
            let (begin, until) = other.term()?;
            Some((other, begin, until))
        })
    };
    let goes_on = |until: Option<Timestamp>| until.is_none_or(|until| until > end);
    let covering = others().find(|(_, begin, until)| *begin <= end && goes_on(*until));
    let later = || others().filter(|(_, begin, _)| *begin > end).min_by_key(|(_, begin, _)| *begin);
    let renews = contract.resource.status.as_ref().and_then(|status| status.renewed_by.clone());
    if let Some((other, ..)) = covering.or_else(later) {
        return After::Renewed { by: other.name() };
    }
    if let Some(by) = renews {
        return After::Renewed { by };
    }
    match (end.0 - now).num_days() {
        _ if end.0 <= now => After::Lapsed { days: (now - end.0).num_days() },
        left if left <= i64::from(days) => After::RenewalDue { days: left },
        _ => After::NotYet,
    }
}

/// Times between the first start and the last end in which nothing is billed.
fn gaps(contracts: &[Contract<'_>]) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut covered: Option<Timestamp> = None;
    for (start, end) in contracts.iter().filter(|contract| contract.is_billed()).filter_map(Contract::term) {
        if let Some(covered) = covered.filter(|covered| *covered < start) {
            gaps.push(Gap { start: covered, end: start });
        }
        let Some(end) = end else { break };
        covered = Some(covered.map_or(end, |covered| covered.max(end)));
    }
    gaps
}

/// Prices of one thing that differ from one time to the next.
fn steps(contracts: &[Contract<'_>]) -> Vec<Step> {
    type Line<'a> = Vec<(Timestamp, Option<Unit>, Decimal, String)>;
    let mut lines: BTreeMap<String, Line<'_>> = BTreeMap::new();
    for contract in contracts.iter().filter(|contract| contract.is_billed()) {
        for price in contract.outlook.iter().flat_map(|outlook| &outlook.prices) {
            let what = format!("{} {}", price.item, price.part).trim_end().to_owned();
            let entry = (price.since, price.unit.clone(), price.value, contract.resource.name_any());
            lines.entry(what).or_default().push(entry);
        }
    }
    let mut steps = Vec::new();
    for (what, mut line) in lines {
        line.sort_by_key(|(since, ..)| *since);
        for pair in line.windows(2) {
            let [(_, unit, before, _), (at, same, after, contract)] = pair else { continue };
            if unit == same && before != after {
                let (what, unit, contract) = (what.clone(), unit.clone(), contract.clone());
                steps.push(Step { what, at: *at, unit, before: *before, after: *after, contract });
            }
        }
    }
    steps.sort_by(|one, other| (one.at, &one.what).cmp(&(other.at, &other.what)));
    steps
}

/// How many contracts have each mark, the worst first; marks that nothing has are left out.
#[must_use]
pub fn counts(customers: &[Customer<'_>]) -> Vec<(Mark, usize)> {
    let all = || customers.iter().flat_map(|customer| &customer.contracts);
    let count = |mark| all().filter(|contract| contract.standing.mark == mark).count();
    Mark::ALL.into_iter().map(|mark| (mark, count(mark))).filter(|(_, count)| *count > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixture::{contract, contract_of},
        *,
    };

    fn at(day: &str) -> DateTime<Utc> {
        format!("{day}T00:00:00Z").parse().unwrap()
    }

    fn afters(contracts: Vec<BillingContract>, now: &str) -> Vec<After> {
        let resources = Resources { contracts, ..Resources::default() };
        let customers = customers(&resources, at(now), RENEWAL_DAYS);
        customers[0].contracts.iter().map(|contract| contract.after.clone()).collect()
    }

    #[test]
    fn a_contract_without_a_successor_is_due_before_its_end_and_lapsed_after_it() {
        let one = || vec![contract("a", "2026-01-01", "2027-01-01")];
        assert_eq!(afters(one(), "2026-06-01"), [After::NotYet]);
        assert_eq!(afters(one(), "2026-12-02"), [After::RenewalDue { days: 30 }]);
        assert_eq!(afters(one(), "2027-01-11"), [After::Lapsed { days: 10 }]);
    }

    #[test]
    fn a_contract_is_renewed_by_the_one_that_goes_on_and_not_by_a_draft() {
        let both = |status: &str| {
            let mut next = contract("b", "2027-01-01", "2028-01-01");
            next.spec.zoo.as_mut().unwrap().terms.status = serde_json::from_value(status.into()).ok();
            vec![next, contract("a", "2026-01-01", "2027-01-01")]
        };
        let by = "billing/b".to_owned();
        assert_eq!(afters(both("scheduled"), "2026-12-02"), [After::Renewed { by }, After::NotYet]);
        assert_eq!(afters(both("draft"), "2026-12-02"), [After::RenewalDue { days: 30 }, After::NotBilled]);
    }

    #[test]
    fn a_time_between_two_contracts_is_a_gap_and_an_overlap_is_none() {
        let gaps = |second: &str| {
            let contracts =
                vec![contract("a", "2026-01-01", "2027-01-01"), contract("b", second, "2028-01-01")];
            let resources = Resources { contracts, ..Resources::default() };
            customers(&resources, at("2026-06-01"), 90)[0].gaps.iter().map(Gap::days).collect::<Vec<_>>()
        };
        assert_eq!(gaps("2027-02-01"), [31]);
        assert!(gaps("2027-01-01").is_empty());
        assert!(gaps("2026-12-01").is_empty());
    }

    #[test]
    fn contracts_of_two_customers_have_nothing_to_do_with_each_other() {
        let contracts = vec![
            contract_of("a", 1, "2026-01-01", "2027-01-01", "1"),
            contract_of("b", 2, "2027-02-01", "2028-01-01", "1"),
        ];
        let resources = Resources { contracts, ..Resources::default() };
        let found = customers(&resources, at("2026-06-01"), 90);
        assert_eq!(found.len(), 2);
        assert!(
            found
                .iter()
                .all(|customer| customer.gaps.is_empty() && customer.contracts[0].after == After::NotYet)
        );
    }

    #[test]
    fn a_price_that_moves_from_one_contract_to_the_next_is_a_step() {
        let mut next = contract("b", "2027-01-01", "2028-01-01");
        let price =
            &mut next.spec.zoo.as_mut().unwrap().terms.items.as_mut().unwrap()[0].rate_tiers[0].unit_price;
        *price = "0.55".parse().unwrap();
        let contracts = vec![contract("a", "2026-01-01", "2027-01-01"), next];
        let resources = Resources { contracts, ..Resources::default() };
        let steps = customers(&resources, at("2026-06-01"), 90).remove(0).steps;
        assert_eq!(steps.len(), 1, "{steps:?}");
        assert_eq!(steps[0].what, "licensed_api_credits from 0");
        assert_eq!((steps[0].before.to_string(), steps[0].after.to_string()), ("0.5".into(), "0.55".into()));
        assert_eq!(
            (steps[0].percent().unwrap().to_string(), steps[0].contract.as_str()),
            ("10.0".into(), "b")
        );
    }

    #[test]
    fn a_contract_whose_package_is_missing_has_no_term_and_says_why() {
        let mut lacking = contract("a", "2026-01-01", "2027-01-01");
        lacking.spec.package_ref = serde_json::from_value(serde_json::json!({"name": "gone"})).ok();
        let resources = Resources { contracts: vec![lacking], ..Resources::default() };
        let found = customers(&resources, at("2026-06-01"), 90);
        assert_eq!(found[0].contracts[0].after, After::Unknown);
        assert!(found[0].contracts[0].outlook.as_ref().unwrap_err().contains("package"));
    }
}
