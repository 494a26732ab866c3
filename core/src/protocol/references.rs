//! What an object depends on besides its own spec, and what it comes to when that is not there.

use super::{
    ReconcileResult, Requeue,
    failure::{LOOK_AGAIN, RARELY},
};
use crate::{
    api::reasons,
    plan::{Refusal, package::Unusable},
};

/// What an object finds when it looks up its provider.
#[derive(Clone, Debug)]
pub enum ProviderLookup<A> {
    /// Ready to be used.
    Ready(A),
    /// Not ready, and why.
    NotReady(String),
    /// The provider does not name the object's namespace.
    NotAllowed,
    /// Nothing is known of it (yet).
    Unknown,
}

impl<A> ProviderLookup<A> {
    /// The account, if it may be used now; `provider` and `namespace` name it for people.
    ///
    /// # Errors
    /// What the object comes to without it.
    pub fn account<S>(&self, provider: &str, namespace: &str) -> Result<&A, Box<ReconcileResult<S>>> {
        let wait = |reason, message: String| {
            Err(Box::new(ReconcileResult::waiting(reason, message, Requeue::After(LOOK_AGAIN))))
        };
        match self {
            Self::Ready(account) => Ok(account),
            Self::NotReady(why) => {
                wait(reasons::PROVIDER_NOT_READY, format!("{provider} is not ready: {why}"))
            }
            Self::NotAllowed => {
                let message = format!(
                    "{provider} does not name namespace {namespace}; add it to its `spec.allowedNamespaces`"
                );
                let refusal = Refusal { reason: reasons::PROVIDER_NOT_ALLOWED, message };
                Err(Box::new(ReconcileResult::refused(refusal, Requeue::AfterSyncPeriod)))
            }
            Self::Unknown => wait(
                reasons::PROVIDER_NOT_FOUND,
                format!("{provider} does not exist; create it or correct `spec.providerRef`"),
            ),
        }
    }
}

/// What a contract comes to that cannot have its package; it is woken when a package changes.
#[must_use]
pub fn without_package<S>(unusable: &Unusable) -> ReconcileResult<S> {
    let wait = |reason, why: &str| ReconcileResult::waiting(reason, sentence(why), Requeue::After(RARELY));
    match unusable {
        Unusable::Missing(why) => wait(reasons::PACKAGE_NOT_FOUND, why),
        Unusable::NotReady(why) | Unusable::NotCreated(why) => wait(reasons::PACKAGE_NOT_READY, why),
        Unusable::Wrong(why) => {
            let refusal = Refusal { reason: reasons::INVALID_SPEC, message: sentence(why) };
            ReconcileResult::refused(refusal, Requeue::AfterSyncPeriod)
        }
    }
}

/// A message as a sentence of its own.
fn sentence(why: &str) -> String {
    let mut letters = why.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Outcome;

    /// Reason, message and next look of a result that waits or is refused.
    fn parts(result: &ReconcileResult<()>) -> (&'static str, bool, String, Requeue) {
        match &result.outcome {
            Outcome::Waiting { reason, message } => (reason.as_str(), false, message.clone(), result.requeue),
            Outcome::Refused { refusal, blocked_plan: None } => {
                (refusal.reason.as_str(), true, refusal.message.clone(), result.requeue)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_provider_that_cannot_be_used_says_why_and_when_it_is_looked_up_again() {
        let of = |lookup: ProviderLookup<u8>| {
            let result = lookup.account::<()>("BillingProvider prod", "billing");
            parts(&result.unwrap_err())
        };
        let soon = Requeue::After(LOOK_AGAIN);
        let not_ready = "BillingProvider prod is not ready: no Secret".to_owned();
        assert_eq!(
            of(ProviderLookup::NotReady("no Secret".into())),
            ("ProviderNotReady", false, not_ready, soon)
        );
        let not_allowed =
            "BillingProvider prod does not name namespace billing; add it to its `spec.allowedNamespaces`";
        assert_eq!(
            of(ProviderLookup::NotAllowed),
            ("ProviderNotAllowed", true, not_allowed.to_owned(), Requeue::AfterSyncPeriod)
        );
        let unknown = "BillingProvider prod does not exist; create it or correct `spec.providerRef`";
        assert_eq!(of(ProviderLookup::Unknown), ("ProviderNotFound", false, unknown.to_owned(), soon));
        assert_eq!(ProviderLookup::Ready(7).account::<()>("p", "n").unwrap(), &7);
    }

    #[test]
    fn a_package_that_cannot_be_had_is_waited_for_unless_the_contract_is_wrong() {
        let why = || "contractPackage pro is not there".to_owned();
        let said = "ContractPackage pro is not there.".to_owned();
        let rarely = Requeue::After(RARELY);
        for (unusable, expected) in [
            (Unusable::Missing(why()), ("PackageNotFound", false, said.clone(), rarely)),
            (Unusable::NotReady(why()), ("PackageNotReady", false, said.clone(), rarely)),
            (Unusable::NotCreated(why()), ("PackageNotReady", false, said.clone(), rarely)),
            (Unusable::Wrong(why()), ("InvalidSpec", true, said, Requeue::AfterSyncPeriod)),
        ] {
            assert_eq!(parts(&without_package(&unusable)), expected, "{unusable:?}");
        }
        assert_eq!(sentence(""), ".");
        assert_eq!(sentence("été"), "Été.");
    }
}
