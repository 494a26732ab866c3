//! What can be read from Metronome, as calls on its wire.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use crate::terms::shape::in_usual_letters;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The ID, in the letters in which IDs are compared.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(in_usual_letters(id))
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self(in_usual_letters(&id))
            }
        }

        impl From<&$name> for String {
            fn from(id: &$name) -> Self {
                id.0.clone()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

// Two texts side by side can be mixed up, and a call about a contract of the wrong customer is answered with a 404.
ids! {
    /// ID of a customer.
    CustomerId;
    /// ID of a contract.
    ContractId;
}

/// What lies beside a customer's contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Balances {
    /// Commits of the customer.
    Commits,
    /// Credits of the customer.
    Credits,
}

impl Balances {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Commits, Self::Credits];
}

/// A fact of a Metronome account. Contracts and their parts are named by customer and contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// ID of the customer that has an ingest alias.
    CustomerByAlias {
        /// The alias.
        alias: String,
        /// Whether what was read of it before must not be used.
        is_fresh: bool,
    },
    /// A contract, complete.
    Contract(ContractRef),
    /// A contract as `v1/contracts/get` has it, for what the newer read lacks.
    LegacyContract(ContractRef),
    /// Every contract of a customer, archived ones as well.
    Contracts {
        /// ID of the customer.
        customer_id: CustomerId,
    },
    /// Every edit of a contract.
    Edits(ContractRef),
    /// Final invoices of a contract, newest first; asked for only where a plan touches what is past.
    Invoices(ContractRef),
    /// Who sits on a subscription from a time on, period by period.
    Seats {
        /// The contract.
        contract: ContractRef,
        /// ID of the subscription.
        subscription_id: String,
        /// From when on.
        from: DateTime<Utc>,
    },
    /// The customer's own commits or credits, archived ones as well, without those of its contracts.
    Balances {
        /// ID of the customer.
        customer_id: CustomerId,
        /// Which of them.
        kind: Balances,
    },
    /// How a customer is billed.
    BillingConfigurations {
        /// ID of the customer.
        customer_id: CustomerId,
    },
    /// Keys of custom fields that are registered for the entities that a stamp is put on.
    CustomFieldKeys,
    /// A package.
    Package {
        /// Its ID.
        package_id: String,
    },
    /// Every package of the account, archived ones as well.
    Packages,
    /// Every contract from a package that is not archived.
    ContractsOnPackage {
        /// ID of the package.
        package_id: String,
    },
}

/// Names a contract: the API wants its customer as well.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContractRef {
    /// ID of the customer.
    pub customer_id: CustomerId,
    /// ID of the contract.
    pub contract_id: ContractId,
}

impl ContractRef {
    /// Names a contract of a customer.
    #[must_use]
    pub fn new(customer_id: &CustomerId, contract_id: &str) -> Self {
        Self { customer_id: customer_id.clone(), contract_id: contract_id.into() }
    }

    /// The body of a read of the contract.
    #[must_use]
    pub fn query(&self) -> Value {
        json!({"customer_id": self.customer_id, "contract_id": self.contract_id})
    }
}

/// Path of the read of a contract's rates.
pub const RATE_SCHEDULE: &str = "v1/contracts/getContractRateSchedule";

/// A moment as a query has it.
#[must_use]
pub fn query_time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
