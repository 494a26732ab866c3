//! The status of a provider: whether its account can be used, and whether the billing API accepts its token.

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{ConditionUpdate, Summary, conditions};
use crate::{
    api::{
        Api, ProviderStatus,
        provider::BillingProviderSpec,
        reasons::{self, CREDENTIALS_VALID, Reason},
        requested_at,
    },
    protocol::{CallError, During, Failure},
};

/// What a check of an account came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountCheck {
    /// How the provider stands.
    pub summary: Summary,
    /// Whether the token is accepted.
    pub credentials: ConditionUpdate,
}

impl AccountCheck {
    /// The billing API accepts the token.
    #[must_use]
    pub fn ready() -> Self {
        let message = "The billing API accepts the token.";
        Self {
            summary: Summary::ready(reasons::PROVIDER_READY, message),
            credentials: credentials(Some(true), reasons::ACCEPTED, message),
        }
    }

    /// There is no token that could be tried.
    #[must_use]
    pub fn without_token(reason: Reason, why: &str) -> Self {
        Self { summary: Summary::waiting(reason, why), credentials: credentials(Some(false), reason, why) }
    }

    /// The spec says what cannot be.
    #[must_use]
    pub fn invalid(why: &str) -> Self {
        Self {
            summary: Summary::stalled(reasons::INVALID_SPEC, why),
            credentials: credentials(None, reasons::NOT_TRIED, ""),
        }
    }

    /// The spec has fields that this version does not know, which may be about where the token may go.
    #[must_use]
    pub fn unknown_field(why: &str) -> Self {
        Self {
            summary: Summary::stalled(reasons::UNKNOWN_FIELD, why),
            credentials: credentials(None, reasons::NOT_TRIED, ""),
        }
    }

    /// The token may not be sent to the account's address, and was not.
    #[must_use]
    pub fn not_allowed(why: &str) -> Self {
        Self {
            summary: Summary::stalled(reasons::ADDRESS_NOT_ALLOWED, why),
            credentials: credentials(None, reasons::NOT_TRIED, ""),
        }
    }

    /// The token was tried, and that failed.
    #[must_use]
    pub fn failed(error: &CallError, api: Api) -> Self {
        let failure = Failure::of(error, During::Probe, api);
        if failure.stalls {
            let credentials = credentials(Some(false), failure.reason, &failure.message);
            return Self { summary: Summary::stalled(failure.reason, failure.message), credentials };
        }
        let reason = match failure.reason {
            reasons::NOT_THE_BILLING_API => failure.reason,
            _ => reasons::BILLING_UNREACHABLE,
        };
        Self {
            summary: Summary::waiting(reason, failure.message),
            credentials: credentials(None, reasons::NOT_TRIED, ""),
        }
    }
}

fn credentials(holds: Option<bool>, reason: Reason, message: &str) -> ConditionUpdate {
    ConditionUpdate { type_: CREDENTIALS_VALID, holds, reason, message: message.to_owned() }
}

/// The status of a provider after a check.
#[must_use]
pub fn status(
    metadata: &ObjectMeta,
    spec: &BillingProviderSpec,
    previous: &ProviderStatus,
    check: &AccountCheck,
    now: DateTime<Utc>,
) -> ProviderStatus {
    let updates = std::slice::from_ref(&check.credentials);
    let generation = metadata.generation;
    ProviderStatus {
        conditions: conditions(&previous.conditions, &check.summary, updates, generation, now),
        observed_generation: generation,
        fence: previous.fence,
        base_url: spec.base_url().map(str::to_owned),
        last_handled_reconcile_at: requested_at(metadata),
    }
}
