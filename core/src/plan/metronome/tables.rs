//! Members of a contract and of its items that planning treats in a way of their own: what the API does with each of them,
//! as tables.
//!
//! Knows nothing of what is wanted or observed. The lists whose items have keys are in [`lists`](super::lists), and a test
//! holds every place of all tables against the shape of the terms.

use super::CUSTOM_FIELDS;

/// Members that an edit changes, with their verbs; null clears each.
pub(super) const CLEARABLE: [(&str, &str); 3] = [
    ("endingBefore", "update_contract_end_date"),
    ("name", "update_contract_name"),
    ("netPaymentTermsDays", "update_net_payment_terms_days"),
];
/// Places that no reply shows, and so cannot be compared with one.
pub(super) const UNSEEN: [&str; 4] = [
    "/transition/fromContractRef",
    "/transition/futureInvoiceBehavior",
    "/usageStatementSchedule/day",
    "/usageStatementSchedule/invoiceGenerationStartingAt",
];
/// Those of them, and of the members of the contract, that are recorded when the contract is first seen, so that a later
/// change of the spec is noticed.
pub(super) const REMEMBERED: [&str; 5] = [
    "/packageAlias",
    "/rateCardAlias",
    "/transition/futureInvoiceBehavior/trueup",
    "/usageStatementSchedule/day",
    "/usageStatementSchedule/invoiceGenerationStartingAt",
];
/// Names of the members that are thresholds.
pub(super) const THRESHOLD_NAMES: [&str; 2] =
    ["spendThresholdConfiguration", "prepaidBalanceThresholdConfiguration"];
/// Whether a threshold is watched.
pub(super) const IS_ENABLED: &str = "/isEnabled";
/// Members of an item that are compared by themselves, or that never come back.
pub(super) const APART: [&str; 6] =
    ["key", "temporaryId", CUSTOM_FIELDS, "initialQuantity", BACKDATE, PAYMENT_GATE];
/// Payment that a commit waits for, which no reply tells.
pub(super) const PAYMENT_GATE: &str = "paymentGateConfig";
/// Members that refer to other items by their ids.
pub(super) const REFERRING: [&str; 4] =
    ["anyCommitOrCreditIds", "commitIds", "recurringCommitIds", "subscriptionId"];
/// Member of an item by which its spec lets it begin in the past.
pub(super) const BACKDATE: &str = "backdate";
/// Lists whose items have ids but no key: matched by what they say.
pub(super) const KEYLESS: [&str; 4] = ["overrides", "discounts", "professionalServices", "resellerRoyalties"];
