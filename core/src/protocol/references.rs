//! What an object depends on besides its own spec, and what it comes to when that is not there.

use std::time::Duration;

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
    /// Nothing is known of it yet: it may come along with the object.
    Unknown,
    /// There is none, and the object has been there for longer than [`MAY_COME`].
    Missing,
}

/// How long what an object refers to may come after the object itself: tools apply many resources in an order of their own.
/// After that, a name that leads nowhere is taken for a mistake, which nobody should have to wait for.
pub const MAY_COME: Duration = Duration::from_secs(15);

/// How long a new contract waits for its provider and its package before it says so.
pub const GRACE: Duration = Duration::from_secs(3);

/// How long a contract that has said nothing so far waits for a package that is being made before it says so: a new
/// contract costs one status write, however busy the machine or the billing API is.
pub const BEING_MADE: Duration = Duration::from_mins(1);

/// How much longer a contract of this age says nothing of the package that it cannot have; nothing when it is told at once.
/// `is_new` says that its status has said nothing so far.
#[must_use]
pub fn held_back(unusable: &Unusable, is_new: bool, age: Duration) -> Option<Duration> {
    let most = match unusable {
        Unusable::NotCreated(_) if is_new => BEING_MADE,
        Unusable::NotCreated(_) | Unusable::Missing(_) => GRACE,
        Unusable::NotReady(_) | Unusable::Wrong(_) => return None,
    };
    most.checked_sub(age).filter(|left| !left.is_zero())
}

/// Why a contract that another one renews is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotRenewable {
    /// There is no such resource; those of its namespace and billing API are called like these.
    Missing(Vec<String>),
    /// It has no contract yet.
    WithoutContract,
    /// It is of another billing API, by its name where it has one.
    OfAnotherApi(Option<String>),
}

/// Most names that a message suggests.
const MOST_NAMES: usize = 3;
/// How many letters a name may differ by and still be meant.
const MOST_LETTERS: usize = 3;

/// What a contract says that renews another one, by its name, which is not there.
#[must_use]
pub fn not_renewable(name: &str, why: &NotRenewable) -> String {
    let subject = format!("BillingContract {name}, which this one renews,");
    match why {
        NotRenewable::WithoutContract => format!("{subject} has no contract yet."),
        NotRenewable::OfAnotherApi(other) => {
            let other = other.as_ref().map_or_else(String::new, |other| format!(" ({other})"));
            format!("{subject} is a contract of another billing API{other}.")
        }
        NotRenewable::Missing(names) => {
            let mut near: Vec<_> = names
                .iter()
                .map(|known| (strsim::damerau_levenshtein(name, known), known))
                .filter(|(distance, _)| *distance <= MOST_LETTERS)
                .collect();
            near.sort();
            let near: Vec<_> = near.iter().take(MOST_NAMES).map(|(_, known)| format!("`{known}`")).collect();
            let question = if near.is_empty() {
                "correct `fromContractRef`, or create it".to_owned()
            } else {
                format!("did you mean {}?", near.join(" or "))
            };
            format!("{subject} does not exist in the namespace; it is waited for; {question}")
        }
    }
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
            Self::Unknown => Err(Box::new(ReconcileResult::waiting(
                reasons::PROVIDER_NOT_FOUND,
                no_provider(provider),
                Requeue::After(MAY_COME),
            ))),
            Self::Missing => {
                let refusal = Refusal { reason: reasons::PROVIDER_NOT_FOUND, message: no_provider(provider) };
                Err(Box::new(ReconcileResult::refused(refusal, Requeue::AfterSyncPeriod)))
            }
        }
    }
}

fn no_provider(provider: &str) -> String {
    format!("{provider} does not exist; create it or correct `spec.providerRef`")
}

/// What a contract comes to that cannot have its package; it is woken when a package changes. `may_come` says whether one
/// that does not exist may still be applied along with the contract.
#[must_use]
pub fn without_package<S>(unusable: &Unusable, may_come: bool) -> ReconcileResult<S> {
    let wait = |reason, why: &str| ReconcileResult::waiting(reason, sentence(why), Requeue::After(RARELY));
    match unusable {
        Unusable::Missing(why) if may_come => {
            ReconcileResult::waiting(reasons::PACKAGE_NOT_FOUND, sentence(why), Requeue::After(MAY_COME))
        }
        Unusable::Missing(why) => {
            let refusal = Refusal { reason: reasons::PACKAGE_NOT_FOUND, message: sentence(why) };
            ReconcileResult::refused(refusal, Requeue::AfterSyncPeriod)
        }
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
        let (later, sync) = (Requeue::After(MAY_COME), Requeue::AfterSyncPeriod);
        assert_eq!(of(ProviderLookup::Unknown), ("ProviderNotFound", false, unknown.to_owned(), later));
        assert_eq!(of(ProviderLookup::Missing), ("ProviderNotFound", true, unknown.to_owned(), sync));
        assert_eq!(ProviderLookup::Ready(7).account::<()>("p", "n").unwrap(), &7);
    }

    #[test]
    fn a_package_that_cannot_be_had_is_waited_for_unless_the_contract_is_wrong() {
        let why = || "contractPackage pro is not there".to_owned();
        let said = "ContractPackage pro is not there.".to_owned();
        let rarely = Requeue::After(RARELY);
        for (unusable, expected) in [
            (Unusable::NotReady(why()), ("PackageNotReady", false, said.clone(), rarely)),
            (Unusable::NotCreated(why()), ("PackageNotReady", false, said.clone(), rarely)),
            (Unusable::Wrong(why()), ("InvalidSpec", true, said.clone(), Requeue::AfterSyncPeriod)),
        ] {
            assert_eq!(parts(&without_package(&unusable, true)), expected, "{unusable:?}");
            assert_eq!(parts(&without_package(&unusable, false)), expected, "{unusable:?}");
        }
        let missing = |may_come| parts(&without_package(&Unusable::Missing(why()), may_come));
        assert_eq!(missing(true), ("PackageNotFound", false, said.clone(), Requeue::After(MAY_COME)));
        assert_eq!(missing(false), ("PackageNotFound", true, said, Requeue::AfterSyncPeriod));
        assert_eq!(sentence(""), ".");
        assert_eq!(sentence("été"), "Été.");
    }

    #[test]
    fn a_new_contract_says_nothing_of_a_package_that_is_being_made_for_a_minute() {
        let why = || "not there".to_owned();
        let left = |unusable: &Unusable, is_new, age| {
            held_back(unusable, is_new, Duration::from_secs(age)).map(|left| left.as_secs())
        };
        let made = Unusable::NotCreated(why());
        assert_eq!(
            [0, 3, 59, 60, 600].map(|age| left(&made, true, age)),
            [Some(60), Some(57), Some(1), None, None]
        );
        assert_eq!(
            [0, 2, 3].map(|age| left(&made, false, age)),
            [Some(3), Some(1), None],
            "it has said something"
        );
        let missing = Unusable::Missing(why());
        assert_eq!([0, 2, 3].map(|age| left(&missing, true, age)), [Some(3), Some(1), None]);
        for refused in [Unusable::NotReady(why()), Unusable::Wrong(why())] {
            assert_eq!(left(&refused, true, 0), None, "that does not pass by itself");
        }
    }

    #[test]
    fn a_renewal_of_what_does_not_exist_names_what_is_called_like_it() {
        let missing = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            not_renewable("acme-2025", &NotRenewable::Missing(names))
        };
        let said =
            missing(&["acme-2026", "acme-2025-q1", "globex-2025", "amce-2025", "acme-225", "acme-2027"]);
        assert_eq!(
            said,
            "BillingContract acme-2025, which this one renews, does not exist in the namespace; it is waited for; \
             did you mean `acme-2026` or `acme-2027` or `acme-225`?"
        );
        assert!(missing(&["globex"]).ends_with("correct `fromContractRef`, or create it"));
        let without = not_renewable("acme", &NotRenewable::WithoutContract);
        assert_eq!(without, "BillingContract acme, which this one renews, has no contract yet.");
        let other = not_renewable("acme", &NotRenewable::OfAnotherApi(Some("Zoo".into())));
        assert!(other.ends_with("is a contract of another billing API (Zoo)."), "{other}");
    }
}
