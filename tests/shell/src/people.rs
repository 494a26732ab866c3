//! People: what they say in Git, and how it comes into the cluster.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use countersign::{api::Api, clock};
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use crate::{
    billing::{HOSTS, TOKEN},
    server::{Id, Server},
};

/// Where the resources are.
pub(crate) const NAMESPACE: &str = "billing";
const END: &str = "2036-01-01T00:00:00Z";
const PRODUCT: &str = "0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6a101";

/// What is billed to one customer.
pub(crate) struct Deal {
    pub(crate) api: Api,
    pub(crate) customer: String,
    index: usize,
    /// The resource's name has it: another one after each deletion.
    incarnation: u32,
    /// What was last said; it is in the contract's name.
    pub(crate) word: u32,
    /// When each was said.
    pub(crate) said: BTreeMap<u32, DateTime<Utc>>,
    /// Charges that are to come, by number.
    pub(crate) charges: Vec<u32>,
    /// Whether Git has the resource.
    pub(crate) is_there: bool,
    /// From when to when it was suspended; the last may not be over.
    pub(crate) suspended: Vec<(DateTime<Utc>, Option<DateTime<Utc>>)>,
    /// When what is billed begins: what ended is not billed again.
    begins: DateTime<Utc>,
}

/// A provider.
pub(crate) struct Provider {
    api: Api,
    /// The accounts that it has meant, and from when on.
    pub(crate) accounts: Vec<(DateTime<Utc>, usize)>,
}

/// What Git says.
pub(crate) struct People {
    pub(crate) deals: Vec<Deal>,
    pub(crate) providers: [Provider; 2],
    server: Server,
}

const fn word_of(api: Api) -> &'static str {
    match api {
        Api::Zoo => "zoo",
        Api::Metronome => "metronome",
    }
}

impl Deal {
    fn new(api: Api, index: usize) -> Self {
        Self {
            api,
            customer: format!("00000000-0000-4000-8000-{index:012x}"),
            index,
            incarnation: 0,
            word: 0,
            said: BTreeMap::new(),
            charges: Vec::new(),
            is_there: false,
            suspended: Vec::new(),
            begins: clock::now() - TimeDelta::days(59),
        }
    }

    /// Names the resource.
    pub(crate) fn id(&self) -> Id {
        let name = format!("{}-{}-{}", word_of(self.api), self.index, self.incarnation);
        Id::within("billingcontracts", NAMESPACE, &name)
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.suspended.last().is_some_and(|(_, until)| until.is_none())
    }

    /// The name that the contract has in billing.
    pub(crate) fn billed_name(&self) -> String {
        format!("deal {} as of {}", self.index, self.word)
    }

    fn manifest(&self) -> Value {
        let terms = match self.api {
            Api::Zoo => self.zoo(),
            Api::Metronome => self.metronome(),
        };
        let api = word_of(self.api);
        json!({
            "apiVersion": "billing.countersign.dev/v1alpha1",
            "kind": "BillingContract",
            "metadata": {"name": self.id().name, "namespace": NAMESPACE},
            "spec": {
                "providerRef": {"name": api}, "suspend": self.is_suspended(), "deletionPolicy": "Cancel", api: terms,
            },
        })
    }

    fn zoo(&self) -> Value {
        json!({
            "organizationId": self.customer, "name": self.billed_name(), "status": "active", "provider": "stripe",
            "billingCadence": "annual", "commitmentScope": "pooled", "rolloverPolicy": "none", "currency": "USD",
            "effectiveAt": self.begins, "termEndAt": END,
            "items": [{
                "code": "licensed_api_credits", "displayName": "API credits", "kind": "usage_tiered", "unit": "minute",
                "rateTiers": [{"tierStartInclusive": 0, "unitPrice": format!("0.5{:04}", self.word)}],
            }],
            "periods": [{
                "periodIndex": 0, "periodStartAt": self.begins, "periodEndAt": END, "commitmentAmount": "120000",
            }],
        })
    }

    fn metronome(&self) -> Value {
        let charge = |number: &u32| {
            json!({
                "key": format!("charge-{number}"), "productId": PRODUCT, "name": format!("charge {number}"),
                "schedule": {"scheduleItems": [{"timestamp": "2035-01-01T00:00:00Z", "amount": "99900"}]},
            })
        };
        json!({
            "customerId": self.customer, "startingAt": self.begins, "endingBefore": END, "name": self.billed_name(),
            "scheduledCharges": self.charges.iter().map(charge).collect::<Vec<_>>(),
        })
    }
}

impl Provider {
    fn new(api: Api) -> Self {
        Self { api, accounts: vec![(clock::now(), 0)] }
    }

    /// The account that it means.
    pub(crate) fn account(&self) -> usize {
        self.accounts.last().map_or(0, |(_, account)| *account)
    }

    fn manifest(&self) -> Value {
        let api = word_of(self.api);
        let host = HOSTS.get(self.account()).copied().unwrap_or_default();
        json!({
            "apiVersion": "billing.countersign.dev/v1alpha1",
            "kind": "BillingProvider",
            "metadata": {"name": api, "namespace": NAMESPACE},
            "spec": {
                api: {"baseUrl": format!("https://{host}")}, "tokenSecretRef": {"name": "token"},
                // Turns are waited for by the machine's clock: there are always some.
                "requestsPerSecond": 1000, "syncPeriodSeconds": 600,
            },
        })
    }
}

impl People {
    pub(crate) fn new(server: &Server) -> Self {
        let deals = (0..6).map(|index| Deal::new(if index < 3 { Api::Zoo } else { Api::Metronome }, index));
        let people = Self {
            deals: deals.collect(),
            providers: [Provider::new(Api::Zoo), Provider::new(Api::Metronome)],
            server: server.clone(),
        };
        people.apply_all();
        people
    }

    /// The provider of an API.
    pub(crate) fn provider(&self, api: Api) -> &Provider {
        let [zoo, metronome] = &self.providers;
        if api == Api::Zoo { zoo } else { metronome }
    }

    /// Everything that Git says, as tools apply it again and again; what Git does not say goes.
    pub(crate) fn apply_all(&self) {
        let token = ByteString(TOKEN.as_bytes().to_vec());
        self.server.apply(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token", "namespace": NAMESPACE},
            "data": {"token": token},
        }));
        for provider in &self.providers {
            self.server.apply(provider.manifest());
        }
        let wanted: Vec<_> = self.deals.iter().filter(|deal| deal.is_there).collect();
        for deal in &wanted {
            self.server.apply(deal.manifest());
        }
        for found in self.server.list("billingcontracts") {
            let name = found["metadata"]["name"].as_str().unwrap_or_default();
            if !wanted.iter().any(|deal| deal.id().name == name) {
                let id = Id::within("billingcontracts", NAMESPACE, name);
                // What a backup has brought back may be suspended, and what is suspended is not ended.
                self.server.patch(&id, json!({"spec": {"suspend": false}}));
                self.server.delete(&id);
            }
        }
    }

    /// Somebody does something by chance; its name.
    pub(crate) fn act(&mut self, rng: &mut fastrand::Rng) -> &'static str {
        let chosen = rng.usize(..self.deals.len());
        let Some(deal) = self.deals.get(chosen) else { return "nothing" };
        let (api, is_there, is_suspended) = (deal.api, deal.is_there, deal.is_suspended());
        match rng.u32(..100) {
            // One that comes while another one goes would be the same under another name, and is held back.
            _ if !is_there && self.server.get(&deal.id()).is_some() => "waited",
            _ if !is_there => {
                self.say(chosen, rng);
                "created"
            }
            0..60 => {
                self.say(chosen, rng);
                "edited"
            }
            60..72 => {
                self.delete(chosen);
                "deleted"
            }
            72..86 => {
                self.suspend(chosen, !is_suspended);
                if is_suspended { "resumed" } else { "suspended" }
            }
            // Back again, an account may have what nobody remembers.
            86..92 if self.provider(api).accounts.len() == 1 => {
                // The account moves and contracts change in one commit, in whatever order they are applied.
                self.move_provider(api);
                if rng.bool() {
                    self.server.apply(self.provider(api).manifest());
                }
                self.say(chosen, rng);
                self.server.apply(self.provider(api).manifest());
                "moved to another account"
            }
            _ => {
                self.apply_all();
                "applied again"
            }
        }
    }

    fn move_provider(&mut self, api: Api) {
        let [zoo, metronome] = &mut self.providers;
        let provider = if api == Api::Zoo { zoo } else { metronome };
        let account = 1 - provider.account();
        provider.accounts.push((clock::now(), account));
    }

    /// Git says something new of a deal.
    fn say(&mut self, chosen: usize, rng: &mut fastrand::Rng) {
        let Some(deal) = self.deals.get_mut(chosen) else { return };
        if !deal.is_there {
            deal.is_there = true;
            deal.incarnation += 1;
            deal.charges.clear();
            if deal.incarnation > 1 {
                let hour = clock::now().duration_trunc(TimeDelta::hours(1)).unwrap_or(deal.begins);
                deal.begins = hour + TimeDelta::hours(2);
            }
        }
        deal.word += 1;
        deal.said.insert(deal.word, clock::now());
        if deal.api == Api::Metronome && rng.u32(..3) == 0 {
            if rng.bool() && !deal.charges.is_empty() {
                deal.charges.remove(rng.usize(..deal.charges.len()));
            } else {
                deal.charges.push(deal.word);
            }
        }
        self.server.apply(deal.manifest());
    }

    fn suspend(&mut self, chosen: usize, is_suspended: bool) {
        let Some(deal) = self.deals.get_mut(chosen) else { return };
        let now = clock::now();
        match deal.suspended.last_mut().filter(|(_, until)| until.is_none()) {
            Some((_, until)) if !is_suspended => *until = Some(now),
            None if is_suspended => deal.suspended.push((now, None)),
            _ => {}
        }
        self.server.apply(deal.manifest());
    }

    fn delete(&mut self, chosen: usize) {
        // What is suspended is not ended either.
        self.suspend(chosen, false);
        let Some(deal) = self.deals.get_mut(chosen) else { return };
        deal.is_there = false;
        self.server.delete(&deal.id());
    }
}
