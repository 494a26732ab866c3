//! What is counted, for Prometheus. Labels are few and bounded; nothing of a contract's content is among them.

use std::{sync::Arc, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::protocol::CallError;

/// Bounds of the histogram of billing calls, in seconds.
const CALL_SECONDS: [f64; 9] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0];

/// Handles to every metric; clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    calls: Family<CallLabels, Counter>,
    call_seconds: Family<MethodLabel, Histogram, fn() -> Histogram>,
    reconciles: Family<ReconcileLabels, Counter>,
    status_writes: Family<KindLabel, Counter>,
    record_writes: Counter,
    contracts: Family<StandingLabels, Gauge>,
    leader: Gauge,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CallLabels {
    method: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct MethodLabel {
    method: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReconcileLabels {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StandingLabels {
    ready: String,
    reason: String,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("countersign");
        let calls = Family::default();
        registry.register(
            "billing_requests",
            "Requests to billing APIs, by method and outcome",
            calls.clone(),
        );
        let call_seconds: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(CALL_SECONDS));
        registry.register_with_unit(
            "billing_request",
            "How long requests to billing APIs took",
            Unit::Seconds,
            call_seconds.clone(),
        );
        let reconciles = Family::default();
        registry.register(
            "reconciles",
            "Passes over a resource that did some work, by outcome",
            reconciles.clone(),
        );
        let status_writes = Family::default();
        registry.register("status_writes", "Statuses written to the API server", status_writes.clone());
        let record_writes = Counter::default();
        let about = "Writes of the record of what is about to be written to billing";
        registry.register("record_writes", about, record_writes.clone());
        let contracts = Family::default();
        registry.register("contracts", "BillingContracts, by their Ready condition", contracts.clone());
        let leader = Gauge::default();
        registry.register("leader", "Whether this replica holds the lease", leader.clone());
        Self {
            registry: Arc::new(registry),
            calls,
            call_seconds,
            reconciles,
            status_writes,
            record_writes,
            contracts,
            leader,
        }
    }
}

impl Metrics {
    /// Counts a billing call.
    pub fn billing_call(&self, method: &'static str, error: Option<&CallError>, took: Duration) {
        let outcome = error.map_or("done", CallError::label);
        self.calls.get_or_create(&CallLabels { method, outcome }).inc();
        self.call_seconds.get_or_create(&MethodLabel { method }).observe(took.as_secs_f64());
    }

    /// Counts a pass over a resource.
    pub fn reconciled(&self, kind: &'static str, outcome: &'static str) {
        self.reconciles.get_or_create(&ReconcileLabels { kind, outcome }).inc();
    }

    /// Counts a status write.
    pub fn status_written(&self, kind: &'static str) {
        self.status_writes.get_or_create(&KindLabel { kind }).inc();
    }

    /// Counts a write of the record of what is about to be written to billing.
    pub fn record_written(&self) {
        self.record_writes.inc();
    }

    /// Says whether this replica leads.
    pub fn leads(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    /// Replaces the count of contracts by their Ready condition.
    pub fn count_contracts(&self, standings: impl Iterator<Item = (String, String)>) {
        self.contracts.clear();
        for (ready, reason) in standings {
            self.contracts.get_or_create(&StandingLabels { ready, reason }).inc();
        }
    }

    /// Everything in the `OpenMetrics` text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        if let Err(error) = text::encode(&mut text, &self.registry) {
            tracing::error!(%error, "metrics cannot be rendered");
        }
        text
    }
}
