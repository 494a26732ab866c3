//! What was found, as data and in words.

use chrono::{DateTime, Utc};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt;
use serde_json::Value;

use super::super::super::paint::{Colour, Paint};
use crate::{
    api::{ProviderStatus, reasons::CREDENTIALS_VALID},
    overview::Standing,
    plan::render::plain,
    terms::Timestamp,
};

/// How far clocks may be apart, in seconds, before it is said; the API server's is told to the second.
const CLOCK_NOTED: i64 = 3;
/// How far they may be apart before times in contracts and Leases mean something else.
const CLOCK_WRONG: i64 = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Note,
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    verdict: Verdict,
    what: String,
    message: String,
    cure: Option<String>,
}

impl Finding {
    pub(super) fn good(what: impl Into<String>, message: impl Into<String>) -> Self {
        Self { verdict: Verdict::Good, what: what.into(), message: message.into(), cure: None }
    }

    /// Something that is worth knowing and need not be wrong.
    pub(super) fn note(what: impl Into<String>, message: impl Into<String>) -> Self {
        Self { verdict: Verdict::Note, what: what.into(), message: message.into(), cure: None }
    }

    pub(super) fn bad(what: impl Into<String>, message: impl Into<String>, cure: Option<&str>) -> Self {
        let cure = cure.map(str::to_owned);
        Self { verdict: Verdict::Bad, what: what.into(), message: message.into(), cure }
    }

    pub(super) fn is_bad(&self) -> bool {
        self.verdict == Verdict::Bad
    }
}

/// A right that people need.
#[derive(Clone, Copy, Debug)]
pub(super) struct Right {
    pub(super) verb: &'static str,
    pub(super) resource: &'static str,
    pub(super) is_namespaced: bool,
    /// What it is for.
    what: &'static str,
    /// Whether nothing of this command works without it.
    is_needed: bool,
}

impl Right {
    pub(super) const ALL: [Self; 6] = [
        Self::to("list", "billingcontracts", "see contracts", true),
        Self::to("list", "contractpackages", "see packages", false),
        Self::to("list", "billingproviders", "see providers", false),
        Self {
            is_namespaced: false,
            ..Self::to("list", "clusterbillingproviders", "see cluster providers", false)
        },
        Self::to("patch", "billingcontracts", "reconcile, suspend, resume", false),
        Self::to("create", "contractapprovals", "approve, deny", false),
    ];

    const fn to(verb: &'static str, resource: &'static str, what: &'static str, is_needed: bool) -> Self {
        Self { verb, resource, is_namespaced: true, what, is_needed }
    }

    pub(super) fn finding<E: std::fmt::Display>(self, allowed: Result<bool, E>) -> Finding {
        let (what, verb, resource) = ("your rights", self.verb, self.resource);
        match allowed {
            Ok(true) => Finding::good(what, format!("you may {verb} {resource} ({})", self.what)),
            Ok(false) if self.is_needed => Finding::bad(
                what,
                format!("you may not {verb} {resource} ({})", self.what),
                Some("ask for the role `view` of the namespace, which includes it"),
            ),
            Ok(false) => Finding::note(what, format!("you may not {verb} {resource} ({})", self.what)),
            Err(error) => {
                Finding::note(what, format!("whether you may {verb} {resource} is not known: {error}"))
            }
        }
    }
}

/// A billing account, as its provider's status tells of it.
#[derive(Clone, Debug)]
pub(super) struct Account {
    kind: &'static str,
    name: String,
    standing: Standing,
    credentials: Option<String>,
}

impl Account {
    pub(super) fn new(
        kind: &'static str,
        name: String,
        status: Option<&ProviderStatus>,
        standing: Standing,
    ) -> Self {
        let mut conditions = status.iter().flat_map(|status| &status.conditions);
        let credentials = conditions.find(|condition| condition.type_ == CREDENTIALS_VALID);
        Self { kind, name, standing, credentials: credentials.map(|condition| condition.status.clone()) }
    }

    fn what(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }

    /// Whether the billing API takes the token.
    pub(super) fn finding(&self) -> Finding {
        let standing = &self.standing;
        if standing.is_fine() && self.credentials.as_deref() == Some("True") {
            return Finding::good(self.what(), "the billing API accepts the token");
        }
        let reason = if standing.reason.is_empty() { standing.mark.word() } else { &standing.reason };
        Finding::bad(self.what(), format!("{reason}: {}", standing.message), standing.cure.as_deref())
    }
}

/// What the API server's `Date` says of its clock, given ours before and after it was asked.
pub(super) fn clock(server: Option<DateTime<Utc>>, before: DateTime<Utc>, after: DateTime<Utc>) -> Finding {
    let what = "clock";
    let Some(server) = server else {
        return Finding::note(what, "the API server did not say what time it is");
    };
    // It is told without its fraction, and whenever between asking and answering.
    let ahead = (server - after).num_seconds().max(0);
    let behind = (before - server).num_seconds().max(0);
    let (seconds, which) = if ahead > 0 { (ahead, "ahead of") } else { (behind, "behind") };
    let message = format!("the API server's clock is {seconds} seconds {which} this machine's");
    match seconds {
        0..CLOCK_NOTED => Finding::good(what, "the API server's clock and this machine's agree"),
        CLOCK_NOTED..CLOCK_WRONG => Finding::note(what, message),
        _ => Finding::bad(
            what,
            message,
            Some("set the clock that is wrong; Leases, and terms that begin, go by it"),
        ),
    }
}

/// Whether a definition is installed, and is this version's.
pub(super) fn definition<E: std::fmt::Display>(
    found: Result<Option<CustomResourceDefinition>, E>,
    ours: &CustomResourceDefinition,
) -> Finding {
    const INSTALL: &str = "countersign crds | kubectl apply --server-side -f -";
    let what = format!("CRD {}", ours.spec.names.plural);
    let found = match found {
        Err(error) => return Finding::note(what, format!("not known: {error}")),
        Ok(None) => {
            return Finding::bad(what, format!("{} is not installed", ours.name_any()), Some(INSTALL));
        }
        Ok(Some(found)) => found,
    };
    let conditions = found.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let is_established = conditions
        .into_iter()
        .any(|condition| condition.type_ == "Established" && condition.status == "True");
    if !is_established {
        return Finding::bad(
            what,
            "it is installed, and the API server does not serve it yet",
            Some("try again; `kubectl describe crd` says why"),
        );
    }
    if schema(&found) == schema(ours) {
        Finding::good(what, "installed, of this version")
    } else {
        Finding::bad(
            what,
            format!("installed, of another version than this program ({})", env!("CARGO_PKG_VERSION")),
            Some(
                "install those of the operator's version, and use its program; or: countersign crds | kubectl apply --server-side -f -",
            ),
        )
    }
}

/// What a definition says of each version.
fn schema(definition: &CustomResourceDefinition) -> Vec<(&str, Value)> {
    let of = |version: &k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinitionVersion| {
        serde_json::to_value(&version.schema).unwrap_or_default()
    };
    definition.spec.versions.iter().map(|version| (version.name.as_str(), of(version))).collect()
}

/// Whether an operator runs, by its Lease.
pub(super) fn operator<E: std::fmt::Display>(
    lease: Result<Option<Value>, E>,
    namespace: &str,
    now: DateTime<Utc>,
) -> Finding {
    let what = "operator";
    let lease = match lease {
        Err(error) => return Finding::note(what, format!("whether it runs is not known: {error}")),
        Ok(None) => {
            return Finding::bad(
                what,
                format!("there is no Lease `countersign` in namespace {namespace}"),
                Some("install it, or name its namespace by --operator-namespace"),
            );
        }
        Ok(Some(lease)) => lease,
    };
    let text = |pointer: &str| lease.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let holder = text("/spec/holderIdentity");
    let renewed = text("/spec/renewTime").parse::<Timestamp>().ok();
    let seconds = lease.pointer("/spec/leaseDurationSeconds").and_then(Value::as_i64).unwrap_or(45);
    match renewed.map(|renewed| (now - renewed.0).num_seconds()) {
        Some(age) if age <= seconds && !holder.is_empty() => {
            Finding::good(what, format!("{holder} leads, and was heard of {} seconds ago", age.max(0)))
        }
        Some(age) => Finding::bad(
            what,
            format!("nobody leads; the Lease was last renewed {age} seconds ago"),
            Some("see why no replica runs: kubectl get pods and their logs, in the operator's namespace"),
        ),
        None => Finding::bad(what, "nobody has ever held the Lease", Some("see the logs of the operator")),
    }
}

/// Whether a provider's Secret is there.
pub(super) fn secret(
    is_there: Result<bool, kube::Error>,
    account: &Account,
    name: &str,
    namespace: &str,
) -> Finding {
    let what = account.what();
    match is_there {
        Ok(true) => Finding::good(what, format!("its Secret {namespace}/{name} is there")),
        Ok(false) => {
            let cure = format!(
                "kubectl create secret generic {name} --namespace {namespace} --from-file=token=FILE"
            );
            Finding::bad(what, format!("its Secret {namespace}/{name} does not exist"), Some(&cure))
        }
        Err(kube::Error::Api(status)) if status.code == 403 => Finding::note(
            what,
            format!("you may not see its Secret {namespace}/{name}; its status tells of the token"),
        ),
        Err(error) => Finding::note(
            what,
            format!("whether its Secret {namespace}/{name} is there is not known: {error}"),
        ),
    }
}

/// What was found, a line each, and a count.
pub(super) fn text(found: &[Finding], paint: Paint) -> String {
    let mut text = String::new();
    for Finding { verdict, what, message, cure } in found {
        let (mark, colour) = match verdict {
            Verdict::Good => ("ok  ", Colour::Green),
            Verdict::Note => ("note", Colour::Yellow),
            Verdict::Bad => ("FAIL", Colour::Red),
        };
        text.extend([format!("{}  {}: {}\n", paint.text(colour, mark), plain(what), plain(message))]);
        if let Some(cure) = cure {
            text.extend([format!("      cure: {}\n", plain(cure))]);
        }
    }
    let bad = found.iter().filter(|finding| finding.is_bad()).count();
    let end = match bad {
        0 => "Nothing is missing.".to_owned(),
        1 => "1 thing is missing.".to_owned(),
        bad => format!("{bad} things are missing."),
    };
    text + "\n" + &end + "\n"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn clocks_that_agree_to_a_few_seconds_are_good_and_half_a_minute_is_bad() {
        let now = at("2026-06-01T00:00:00.9Z");
        let verdict = |server: &str| clock(Some(at(server)), now, now).verdict;
        assert_eq!(verdict("2026-06-01T00:00:00Z"), Verdict::Good);
        assert_eq!(verdict("2026-06-01T00:00:12Z"), Verdict::Note);
        assert_eq!(verdict("2026-06-01T00:00:40Z"), Verdict::Bad);
        assert_eq!(verdict("2026-05-31T23:50:00Z"), Verdict::Bad);
        assert_eq!(clock(None, now, now).verdict, Verdict::Note);
        // A slow answer is no wrong clock.
        assert_eq!(
            clock(Some(at("2026-06-01T00:00:10Z")), now, at("2026-06-01T00:00:20Z")).verdict,
            Verdict::Good
        );
    }

    #[test]
    fn a_definition_must_be_installed_served_and_of_this_version() {
        let ours = api::crds().remove(0);
        let established = json!({"conditions": [{"type": "Established", "status": "True"}]});
        let mut found = ours.clone();
        let definition =
            |found: Option<&CustomResourceDefinition>| definition(Ok::<_, String>(found.cloned()), &ours);
        assert!(definition(None).is_bad());
        assert!(definition(Some(&found)).message.contains("does not serve it yet"));
        found.status = serde_json::from_value(established).ok();
        assert_eq!(definition(Some(&found)).verdict, Verdict::Good);
        found.spec.versions[0].schema = None;
        assert!(definition(Some(&found)).message.contains("of another version"));
    }

    #[test]
    fn an_operator_is_who_has_renewed_its_lease() {
        let now = at("2026-06-01T00:01:00Z");
        let lease = |holder: &str, renewed: &str| json!({"spec": {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 45}});
        let found = |lease| operator(Ok::<_, String>(lease), "countersign-system", now);
        assert_eq!(found(Some(lease("a-1", "2026-06-01T00:00:50.123456Z"))).verdict, Verdict::Good);
        assert!(found(Some(lease("a-1", "2026-06-01T00:00:00Z"))).message.contains("nobody leads"));
        assert!(found(Some(lease("", "2026-06-01T00:00:50Z"))).is_bad());
        assert!(found(None).message.contains("no Lease"));
        assert_eq!(operator(Err("forbidden"), "x", now).verdict, Verdict::Note);
    }

    #[test]
    fn only_a_right_without_which_nothing_works_is_missing() {
        let [needed, other, ..] = Right::ALL;
        assert!(needed.finding(Ok::<_, String>(false)).is_bad());
        assert_eq!(other.finding(Ok::<_, String>(false)).verdict, Verdict::Note);
        assert_eq!(needed.finding(Ok::<_, String>(true)).verdict, Verdict::Good);
        assert_eq!(needed.finding(Err("gone")).verdict, Verdict::Note);
    }

    #[test]
    fn what_was_found_is_a_line_each_with_its_cure_and_a_count() {
        let found = [
            Finding::good("clock", "agrees"),
            Finding::note("your rights", "you may not patch billingcontracts"),
            Finding::bad("BillingProvider billing/zoo", "its Secret\nis gone", Some("create it")),
        ];
        assert_eq!(
            text(&found, Paint::with(false)),
            "ok    clock: agrees\nnote  your rights: you may not patch billingcontracts\nFAIL  BillingProvider billing/zoo: its \
             Secret is gone\n      cure: create it\n\n1 thing is missing.\n"
        );
    }
}
