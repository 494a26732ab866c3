//! Rules of where invoices go and when usage is invoiced.

use super::schedules::check_span;
use crate::{
    terms::metronome::{
        Contract,
        billing::{ResellerRoyalty, ResellerType, StatementDay, UsageStatementSchedule},
    },
    validate::Violations,
};

pub(super) fn check_billing(contract: &Contract, found: &mut Violations) {
    if let Some(billing) = &contract.billing_provider_configuration {
        found.within("billingProviderConfiguration", |found| {
            check_route(
                ("billingProviderConfigurationId", billing.billing_provider_configuration_id.is_some()),
                [
                    ("billingProvider", billing.billing_provider.is_some()),
                    ("deliveryMethod", billing.delivery_method.is_some()),
                ],
                found,
            );
        });
    }
    if let Some(revenue) = &contract.revenue_system_configuration {
        found.within("revenueSystemConfiguration", |found| {
            check_route(
                ("revenueSystemConfigurationId", revenue.revenue_system_configuration_id.is_some()),
                [
                    ("provider", revenue.provider.is_some()),
                    ("deliveryMethod", revenue.delivery_method.is_some()),
                ],
                found,
            );
        });
    }
    if let Some(schedule) = &contract.usage_statement_schedule {
        found.within("usageStatementSchedule", |found| check_statements(schedule, found));
    }
    for (index, royalty) in contract.reseller_royalties.iter().enumerate() {
        found.within(&format!("resellerRoyalties[{index}]"), |found| check_royalty(royalty, found));
    }
}

/// A configuration is named by its ID, or by both of its parts.
fn check_route((id, has_id): (&str, bool), parts: [(&str, bool); 2], found: &mut Violations) {
    for (part, is_given) in parts {
        found.check(is_given != has_id, part, || {
            if is_given {
                format!("must be left out where `{id}` is given: it names the configuration")
            } else {
                format!("is required, unless `{id}` names the configuration")
            }
        });
    }
}

fn check_statements(schedule: &UsageStatementSchedule, found: &mut Violations) {
    let is_custom = schedule.day == Some(StatementDay::CustomDate);
    found.check(schedule.billing_anchor_date.is_some() == is_custom, "billingAnchorDate", || {
        let verb = if is_custom { "is required" } else { "must be left out" };
        format!("{verb}: it belongs to `day: CUSTOM_DATE`")
    });
}

fn check_royalty(royalty: &ResellerRoyalty, found: &mut Violations) {
    check_span(Some(royalty.starting_at), royalty.ending_before, found);
    let is_limited =
        !royalty.applicable_product_ids.is_empty() || !royalty.applicable_product_tags.is_empty();
    found.check(is_limited, "applicableProductIds", || {
        "is required, unless there are `applicableProductTags`".to_owned()
    });
    let kind = royalty.reseller_type;
    let is_aws = matches!(kind, ResellerType::Aws | ResellerType::AwsProService);
    for (options, is_given, fits) in [
        ("awsOptions", royalty.aws_options.is_some(), is_aws),
        ("gcpOptions", royalty.gcp_options.is_some(), !is_aws),
    ] {
        found.check(!is_given || fits, options, || {
            format!("must be left out when `resellerType` is `{kind}`")
        });
    }
}
