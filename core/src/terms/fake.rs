//! The terms of a Fake contract: of a billing API that is as small as one can be, for tests only.

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Decimal, Shape, decimal::non_negative};

/// Shape of a contract's terms, without the customer, which travels in the path.
pub static SHAPE: LazyLock<Shape> = LazyLock::new(|| Shape::of::<Contract>().without("customerId"));

/// A Fake contract of one customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Contract {
    /// ID of the customer.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[-a-z0-9]+$"))]
    pub customer_id: String,
    /// Label.
    #[schemars(length(min = 1, max = 512))]
    pub name: String,
    /// What a month costs, in the currency of the account.
    #[schemars(schema_with = "non_negative")]
    pub price: Decimal,
}
