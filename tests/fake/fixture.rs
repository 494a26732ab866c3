//! A world with an account of the Fake billing API.

use std::ops::{Deref, DerefMut};

use serde_json::{Value, json};

use crate::{
    api::FakeApi,
    support::{World, sim::TOKEN, terms::secret},
};

/// The customer of [`acme`].
pub(crate) const CUSTOMER: &str = "acme-corp";
pub(crate) const NAME: &str = "/spec/fake/name";
pub(crate) const PRICE: &str = "/spec/fake/price";

/// A world for one test, and its billing API.
pub(crate) struct FakeWorld {
    pub(crate) api: FakeApi,
    world: World,
}

impl FakeWorld {
    /// A namespace with a provider whose token is right, and an operator.
    pub(crate) async fn start() -> Self {
        let api = FakeApi::start().await;
        let mut world = World::bare().await;
        world.apply(&secret(TOKEN)).await;
        world.apply(&provider(&api.url)).await;
        world.start_operator().await;
        Self { api, world }
    }
}

impl Deref for FakeWorld {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for FakeWorld {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

/// A contract that is in good order.
pub(crate) fn acme() -> Value {
    contract("acme", CUSTOMER)
}

pub(crate) fn contract(name: &str, customer: &str) -> Value {
    json!({
        "apiVersion": "billing.countersign.dev/v1alpha1",
        "kind": "BillingContract",
        "metadata": {"name": name},
        "spec": {
            "providerRef": {"name": "fake"},
            "fake": {"customerId": customer, "name": "Acme 2026", "price": "0.50"},
        },
    })
}

pub(crate) fn provider(url: &str) -> Value {
    json!({
        "apiVersion": "billing.countersign.dev/v1alpha1",
        "kind": "BillingProvider",
        "metadata": {"name": "fake"},
        "spec": {
            "fake": {"baseUrl": url},
            // The operator may read the Secrets that `manifests/` names, and no other.
            "tokenSecretRef": {"name": "zoo-token"},
            "requestsPerSecond": 1000,
            "syncPeriodSeconds": 86_400,
        },
    })
}
