//! The lists of a contract whose items have ids, and what the API can do to an item of each.
//!
//! One table, so that matching, editing and recording treat all of them alike.

use super::{EDIT_COMMIT, EDIT_CREDIT, tables::KEYLESS};
use crate::terms::{Shape, metronome::CONTRACT};

/// A list of a contract whose items have a key in the spec and an id in the API.
#[derive(Debug)]
pub(super) struct List {
    /// Member of the terms.
    pub name: &'static str,
    /// One item, for people.
    pub noun: &'static str,
    /// How items are added and changed.
    pub writes: Writes,
    /// Name of an item's id where it is changed.
    pub id: &'static str,
    /// How an item is taken out.
    pub removal: Removal,
    /// What an item is for custom fields, if it has any.
    pub entity: Option<&'static str>,
    /// Call that sets the filters of usage of an item, and the name of its id there.
    pub specifiers: Option<(&'static str, &'static str)>,
    /// Member with the schedule of what may be used, whose items have ids.
    pub access: Option<&'static str>,
    /// Member with the schedule of what is invoiced, whose items have ids.
    pub invoice: Option<&'static str>,
    /// Places of an item that the API can change, and where the verb has each.
    pub updatable: &'static [(&'static str, &'static [&'static str])],
    /// Places by which an item that differs is still recognised.
    pub identity: &'static [&'static str],
}

/// How the items of a list are added and changed.
#[derive(Debug)]
pub(super) enum Writes {
    /// By verbs of an edit of the contract.
    Edit {
        /// The one that adds.
        add: &'static str,
        /// The one that changes.
        update: &'static str,
    },
    /// By calls of their own: they are the customer's, beside the contract.
    Beside(Beside),
}

/// Paths of the calls for items that are beside the contract.
#[derive(Debug)]
pub(super) struct Beside {
    /// Makes one.
    pub create: &'static str,
    /// Changes one.
    pub edit: &'static str,
    /// Ends one.
    pub end: &'static str,
}

impl List {
    /// Whether its items are the customer's, beside the contract.
    pub(super) fn is_beside(&self) -> bool {
        matches!(self.writes, Writes::Beside(_))
    }
}

/// How an item of a list is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removal {
    /// By a verb that archives it. `replaces` when what cannot be changed is archived and added again.
    Archive {
        /// The verb.
        verb: &'static str,
        /// Whether an item may be replaced to change it.
        replaces: bool,
    },
    /// By an end date: the API cannot remove it.
    End,
    /// By a call that ends its schedules early.
    Shorten,
}

/// Members that say which usage draws a balance down. What a spec leaves out of them means all usage.
pub(super) const USAGE: [&str; 3] = ["applicableProductIds", "applicableProductTags", "specifiers"];

const BALANCE: &[(&str, &[&str])] = &[
    ("/applicableProductIds", &["applicable_product_ids"]),
    ("/applicableProductTags", &["applicable_product_tags"]),
    ("/description", &["description"]),
    ("/hierarchyConfiguration", &["hierarchy_configuration"]),
    ("/name", &["name"]),
    ("/netsuiteSalesOrderId", &["netsuite_sales_order_id"]),
    ("/priority", &["priority"]),
    ("/productId", &["product_id"]),
    ("/rateType", &["rate_type"]),
    ("/rolloverFraction", &["rollover_fraction"]),
    ("/specifiers", &["specifiers"]),
];

const RECURRING: &[(&str, &[&str])] = &[
    ("/accessAmount/quantity", &["access_amount", "quantity"]),
    ("/accessAmount/unitPrice", &["access_amount", "unit_price"]),
    ("/endingBefore", &["ending_before"]),
    ("/invoiceAmount/quantity", &["invoice_amount", "quantity"]),
    ("/invoiceAmount/unitPrice", &["invoice_amount", "unit_price"]),
    ("/prorationRounding", &["proration_rounding"]),
    ("/rateType", &["rate_type"]),
];

const CUSTOMER_CREDIT: &[(&str, &[&str])] = &[
    ("/applicableContractIds", &["applicable_contract_ids"]),
    ("/applicableProductIds", &["applicable_product_ids"]),
    ("/applicableProductTags", &["applicable_product_tags"]),
    ("/description", &["description"]),
    ("/name", &["name"]),
    ("/priority", &["priority"]),
    ("/productId", &["product_id"]),
    ("/rateType", &["rate_type"]),
    ("/specifiers", &["specifiers"]),
];

const CUSTOMER_COMMIT: &[(&str, &[&str])] = &[
    ("/applicableContractIds", &["applicable_contract_ids"]),
    ("/applicableProductIds", &["applicable_product_ids"]),
    ("/applicableProductTags", &["applicable_product_tags"]),
    ("/description", &["description"]),
    ("/invoiceContractId", &["invoice_contract_id"]),
    ("/name", &["name"]),
    ("/priority", &["priority"]),
    ("/productId", &["product_id"]),
    ("/rateType", &["rate_type"]),
    ("/specifiers", &["specifiers"]),
];

/// The names of all lists of items, with keys and without.
pub(super) fn list_names() -> impl Iterator<Item = &'static str> {
    LISTS.iter().map(|list| list.name).chain(KEYLESS)
}

/// Every list whose items have a key.
pub(super) static LISTS: [List; 8] = [
    List {
        name: "subscriptions",
        noun: "subscription",
        writes: Writes::Edit { add: "add_subscriptions", update: "update_subscriptions" },
        id: "subscription_id",
        removal: Removal::End,
        entity: Some("subscription"),
        specifiers: None,
        access: None,
        invoice: None,
        updatable: &[
            ("/endingBefore", &["ending_before"]),
            ("/name", &["name"]),
            ("/proration/rounding", &["proration_rounding"]),
        ],
        identity: &["/subscriptionRate/productId", "/subscriptionRate/billingFrequency"],
    },
    List {
        name: "commits",
        noun: "commit",
        writes: Writes::Edit { add: "add_commits", update: "update_commits" },
        id: "commit_id",
        removal: Removal::Archive { verb: "archive_commits", replaces: false },
        entity: Some("commit"),
        specifiers: Some((EDIT_COMMIT, "commit_id")),
        access: Some("accessSchedule"),
        invoice: Some("invoiceSchedule"),
        updatable: BALANCE,
        identity: &["/productId", "/type"],
    },
    List {
        name: "credits",
        noun: "credit",
        writes: Writes::Edit { add: "add_credits", update: "update_credits" },
        id: "credit_id",
        removal: Removal::Archive { verb: "archive_credits", replaces: false },
        entity: Some("contract_credit"),
        specifiers: Some((EDIT_CREDIT, "credit_id")),
        access: Some("accessSchedule"),
        invoice: None,
        updatable: BALANCE,
        identity: &["/productId"],
    },
    List {
        name: "recurringCommits",
        noun: "recurring commit",
        writes: Writes::Edit { add: "add_recurring_commits", update: "update_recurring_commits" },
        id: "recurring_commit_id",
        removal: Removal::End,
        entity: None,
        specifiers: None,
        access: None,
        invoice: None,
        updatable: RECURRING,
        identity: &["/productId", "/startingAt"],
    },
    List {
        name: "recurringCredits",
        noun: "recurring credit",
        writes: Writes::Edit { add: "add_recurring_credits", update: "update_recurring_credits" },
        id: "recurring_credit_id",
        removal: Removal::End,
        entity: None,
        specifiers: None,
        access: None,
        invoice: None,
        updatable: RECURRING,
        identity: &["/productId", "/startingAt"],
    },
    List {
        name: "scheduledCharges",
        noun: "scheduled charge",
        writes: Writes::Edit { add: "add_scheduled_charges", update: "update_scheduled_charges" },
        id: "scheduled_charge_id",
        removal: Removal::Archive { verb: "archive_scheduled_charges", replaces: true },
        entity: Some("scheduled_charge"),
        specifiers: None,
        access: None,
        invoice: Some("schedule"),
        updatable: &[("/netsuiteSalesOrderId", &["netsuite_sales_order_id"])],
        identity: &["/productId"],
    },
    List {
        name: "customerCommits",
        noun: "customer commit",
        writes: Writes::Beside(Beside {
            create: "v1/contracts/customerCommits/create",
            edit: EDIT_COMMIT,
            end: "v1/contracts/customerCommits/updateEndDate",
        }),
        id: "commit_id",
        removal: Removal::Shorten,
        entity: Some("commit"),
        specifiers: None,
        access: Some("accessSchedule"),
        invoice: Some("invoiceSchedule"),
        updatable: CUSTOMER_COMMIT,
        identity: &["/productId", "/type"],
    },
    List {
        name: "customerCredits",
        noun: "customer credit",
        writes: Writes::Beside(Beside {
            create: "v1/contracts/customerCredits/create",
            edit: EDIT_CREDIT,
            end: "v1/contracts/customerCredits/updateEndDate",
        }),
        id: "credit_id",
        removal: Removal::Shorten,
        entity: Some("contract_credit"),
        specifiers: None,
        access: Some("accessSchedule"),
        invoice: None,
        updatable: CUSTOMER_CREDIT,
        identity: &["/productId"],
    },
];

/// Every list of a contract whose items have a key in the spec, and what people call one of them.
pub fn keyed_lists() -> impl Iterator<Item = (&'static str, &'static str)> {
    LISTS.iter().map(|list| (list.name, list.noun))
}

/// Shape of one item of a list of the contract.
pub(super) fn item_shape(list: &str) -> &'static Shape {
    match CONTRACT.member(list) {
        Some(Shape::List { item, .. }) => item,
        _ => &Shape::Any,
    }
}

/// Shape of a place below another: names of members, lists passed through.
pub(super) fn shape_at(shape: &'static Shape, pointer: &str) -> &'static Shape {
    pointer.split('/').skip(1).fold(shape, |shape, name| shape.member(name).unwrap_or(&Shape::Any))
}

/// Name on the wire of a member of an object.
pub(super) fn wire_name(shape: &'static Shape, name: &str) -> &'static str {
    shape.members().find(|(found, _)| *found == name).map_or("", |(_, member)| member.wire.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_the_table_is_in_the_terms() {
        for list in &LISTS {
            let item = item_shape(list.name);
            let places = list.updatable.iter().map(|(place, _)| place).chain(list.identity);
            for place in places.filter(|place| !place.starts_with("/invoiceAmount")) {
                assert_ne!(shape_at(item, place), &Shape::Any, "{}{place}", list.name);
            }
            for schedule in [list.access, list.invoice].into_iter().flatten() {
                assert!(item.member(schedule).is_some(), "{}/{schedule}", list.name);
            }
        }
    }
}
