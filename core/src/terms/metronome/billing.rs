//! Billing: where invoices and revenue go, when usage is invoiced, and how customers and resellers hang together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BillingFrequency, CustomFields, Id, Name, Text};
use crate::terms::{
    Decimal, Timestamp,
    api_enum::api_enums,
    decimal::{fraction, non_negative},
    text::TextMap,
};

/// Where invoices go: the ID of one of the customer's configurations, or a provider and a delivery method
/// that only one of them has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BillingProviderConfiguration {
    /// Who collects the money. Not together with `billingProviderConfigurationId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_provider: Option<BillingProvider>,
    /// ID of the customer's billing configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_provider_configuration_id: Option<Id>,
    /// How invoices reach the provider. Not together with `billingProviderConfigurationId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_method: Option<DeliveryMethod>,
}

/// Where revenue records go: the ID of one of the customer's configurations, or a provider and a delivery
/// method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevenueSystemConfiguration {
    /// How records reach the system: `direct_to_billing_provider`. Not together with
    /// `revenueSystemConfigurationId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_method: Option<RevenueDeliveryMethod>,
    /// System for revenue recognition: `netsuite`. Not together with `revenueSystemConfigurationId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<RevenueSystem>,
    /// ID of the customer's revenue configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revenue_system_configuration_id: Option<Id>,
}

/// When usage is invoiced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageStatementSchedule {
    /// How often: `MONTHLY`, `QUARTERLY`, `ANNUAL` or `WEEKLY`.
    pub frequency: BillingFrequency,
    /// Date that periods are counted from, with `day: CUSTOM_DATE` and only then; a full hour. It may be
    /// before the contract's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_anchor_date: Option<Timestamp>,
    /// When a period begins: `FIRST_OF_MONTH` (the default), on the day of `CONTRACT_START`, or counted from
    /// `billingAnchorDate` (`CUSTOM_DATE`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<StatementDay>,
    /// From when on usage invoices are made; a full hour. The contract's start when left out; later if
    /// earlier invoices are imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_generation_starting_at: Option<Timestamp>,
}

/// Which of the customer's usage belongs to this contract, for customers with several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageFilter {
    /// Property of usage events that tells contracts apart; a group key of the metrics.
    pub group_key: Name,
    /// Values of the property that belong to this contract.
    #[schemars(length(min = 1, max = 500), extend("x-kubernetes-list-type" = "set"))]
    pub group_values: Vec<Text>,
    /// From when on; a full hour. The contract's start when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting_at: Option<Timestamp>,
}

/// Place of the contract between parent and child customers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hierarchy {
    /// The parent's contract, for a child.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentContract>,
    /// How a parent's invoices are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_behavior: Option<ParentBehavior>,
    /// Who pays what a child is charged: the child (`SELF`) or its `PARENT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<Payer>,
    /// Whether a child's statements go on the parent's invoices (`CONSOLIDATE`) or not (`SEPARATE`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_statement_behavior: Option<UsageStatementBehavior>,
}

/// A parent's contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParentContract {
    /// ID of the contract.
    pub contract_id: Id,
    /// ID of its customer.
    pub customer_id: Id,
}

/// How a parent's invoices are made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParentBehavior {
    /// Whether the children's statements are appended to one invoice (`CONCATENATE`) or not (`NONE`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_consolidation_type: Option<InvoiceConsolidation>,
}

/// Work that is sold by the unit. Only for accounts that have it enabled; the API cannot change or remove it
/// later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfessionalService {
    /// Most that the term may cost, in the unit of the credit type (USD: cents).
    #[schemars(schema_with = "non_negative")]
    pub max_amount: Decimal,
    /// ID of the product.
    pub product_id: Id,
    /// Number of units.
    #[schemars(schema_with = "non_negative")]
    pub quantity: Decimal,
    /// Price of one unit (USD: cents).
    #[schemars(schema_with = "non_negative")]
    pub unit_price: Decimal,
    /// Your own fields by their keys, which must be registered in Metronome first; values have at most 200
    /// characters.
    #[serde(default, skip_serializing_if = "TextMap::is_empty")]
    pub custom_fields: CustomFields,
    /// Note for people who work with Metronome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
    /// NetSuite sales order. Only for accounts that have the field enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netsuite_sales_order_id: Option<Id>,
}

/// A reseller's share of the revenue. Only for accounts that have it enabled; the API cannot change or remove
/// it later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResellerRoyalty {
    /// The reseller's share, from 0 to 1.
    #[schemars(schema_with = "fraction")]
    pub fraction: Decimal,
    /// NetSuite ID of the reseller.
    pub netsuite_reseller_id: Id,
    /// Marketplace: `AWS`, `AWS_PRO_SERVICE`, `GCP` or `GCP_PRO_SERVICE`.
    pub reseller_type: ResellerType,
    /// From when on; a full hour.
    pub starting_at: Timestamp,
    /// IDs of the products that have the royalty; these or `applicableProductTags` are required.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "set"))]
    pub applicable_product_ids: Vec<Id>,
    /// Tags of the products that have the royalty; these or `applicableProductIds` are required.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "set"))]
    pub applicable_product_tags: Vec<Text>,
    /// What AWS needs to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_options: Option<AwsOptions>,
    /// Until when; a full hour. The contract's end when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending_before: Option<Timestamp>,
    /// What Google Cloud needs to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcp_options: Option<GcpOptions>,
    /// Value of the contract with the reseller (USD: cents).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "non_negative")]
    pub reseller_contract_value: Option<Decimal>,
}

/// What AWS needs to know of a resale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsOptions {
    /// Number of the AWS account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_account_number: Option<Id>,
    /// ID of the private offer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_offer_id: Option<Id>,
    /// Reference of the payer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_payer_reference_id: Option<Id>,
}

/// What Google Cloud needs to know of a resale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GcpOptions {
    /// ID of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcp_account_id: Option<Id>,
    /// ID of the private offer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcp_offer_id: Option<Id>,
}

api_enums! { "snake_case"
    /// Who collects the money.
    BillingProvider {
        /// AWS Marketplace.
        AwsMarketplace,
        /// Azure Marketplace.
        AzureMarketplace,
        /// Google Cloud Marketplace.
        GcpMarketplace,
        /// Stripe.
        Stripe,
        /// NetSuite.
        Netsuite,
    }

    /// How invoices reach who collects the money.
    DeliveryMethod {
        /// Metronome calls the provider.
        DirectToBillingProvider,
        /// By a queue in Amazon SQS.
        AwsSqs,
        /// By Tackle.
        Tackle,
        /// By a topic in Amazon SNS.
        AwsSns,
    }

    /// How records reach a system for revenue recognition.
    RevenueDeliveryMethod {
        /// Metronome calls the system.
        DirectToBillingProvider,
    }

    /// Systems for revenue recognition.
    RevenueSystem {
        /// NetSuite.
        Netsuite,
    }
}

api_enums! { "SCREAMING_SNAKE_CASE"
    /// When a period of usage begins.
    StatementDay {
        /// On the first of the month.
        FirstOfMonth,
        /// On the day on which the contract starts.
        ContractStart,
        /// Counted from a date that is given.
        CustomDate,
    }

    /// Who pays what a child is charged.
    Payer {
        /// The child.
        @"SELF"
        Child,
        /// Its parent.
        Parent,
    }

    /// Whether a child's statements go on the parent's invoices.
    UsageStatementBehavior {
        /// They do.
        Consolidate,
        /// They do not.
        Separate,
    }

    /// Whether the children's statements are appended to the parent's invoice.
    InvoiceConsolidation {
        /// They are.
        Concatenate,
        /// They are not.
        None,
    }

    /// Marketplaces of resellers.
    ResellerType {
        /// AWS Marketplace.
        Aws,
        /// AWS Marketplace, professional services.
        AwsProService,
        /// Google Cloud Marketplace.
        Gcp,
        /// Google Cloud Marketplace, professional services.
        GcpProService,
    }
}
