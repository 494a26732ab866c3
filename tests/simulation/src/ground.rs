//! What is outside of every process: the API server, the billing APIs, the network between, and the notes of the run.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use countersign_core::{
    api::{Api, BillingContract},
    plan::{Call, Demands},
    protocol::claims,
};

use crate::{
    billing::{Account, Manner, Request},
    check,
    cluster::{Cluster, Name, Refused},
    mutant::Mutant,
    rules::{Rule, Rules},
    time,
};

/// A provider, as a namespace has it.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    pub(crate) namespace: &'static str,
    pub(crate) name: &'static str,
    /// Its address, as it was written.
    pub(crate) url: &'static str,
    /// Whether its token is accepted.
    pub(crate) is_ready: bool,
    /// Counts changes.
    pub(crate) epoch: u32,
    /// What it demands of every plan.
    pub(crate) demands: Demands,
}

/// Addresses of the accounts. Both providers of Zoo mean the first of them, in two spellings.
pub(crate) const ZOO: &str = "https://zoo.example";
pub(crate) const OTHER_ZOO: &str = "https://zoo.other.example";
const ZOO_AGAIN: &str = "HTTPS://ZOO.example:443/";
const METRONOME: &str = "https://metronome.example";
const METRONOME_AGAIN: &str = "https://Metronome.example/";

/// A request that is carried out later than its sender thinks.
pub(crate) struct Late {
    pub(crate) at: i64,
    pub(crate) what: Sent,
}

/// What was sent.
pub(crate) enum Sent {
    /// To a billing account.
    Write(usize, Request),
    /// To the API server.
    Status(Box<BillingContract>),
}

/// Everything outside of every process.
pub(crate) struct Ground {
    pub(crate) now: i64,
    pub(crate) cluster: Cluster,
    pub(crate) accounts: Vec<Account>,
    pub(crate) providers: Vec<Provider>,
    pub(crate) late: Vec<Late>,
    pub(crate) rules: Rules,
    pub(crate) mutant: Option<Mutant>,
    /// The lease says nothing of who wrote last before this moment: etcd was put back.
    pub(crate) lease_doubted_until: i64,
    /// Deals of which a write may have been carried out and nothing is on record.
    pub(crate) unrecorded: BTreeSet<usize>,
    /// Deals of which a write was carried out without a reply.
    pub(crate) unanswered: BTreeSet<usize>,
    /// Deals of which a write was carried out late, or once more.
    pub(crate) came_late: BTreeSet<usize>,
    /// Plans of which a contract has said that it was carried out and is in force, by the UID of its resource.
    pub(crate) carried_out: BTreeSet<(String, String)>,
    /// Calls that were shown along with a create that was sent, by its resource: whoever approves names no UID, and what was
    /// approved of a contract stays so when its resource is made anew and says the same.
    pub(crate) let_through: BTreeMap<Name, Vec<Call>>,
    /// Calls that are sent, each with whether billing took it, while somebody wants to know.
    pub(crate) sent: Option<Vec<(Call, bool)>>,
    /// Deals whose notes Git has set, so that it may take them out.
    pub(crate) notes_said: BTreeSet<usize>,
    /// How often each fault and each action came up.
    pub(crate) counts: BTreeMap<&'static str, u64>,
    /// Broken promises.
    pub(crate) findings: Vec<String>,
    /// What happened, in order, where somebody wants to know.
    pub(crate) trace: Option<Vec<String>>,
}

impl Ground {
    pub(crate) fn new(seed: u64, rules: Rules, mutant: Option<Mutant>, traced: bool) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut manner = || {
            let mut manner = Manner::drawn(&mut rng);
            manner.trimmed = rules.has(Rule::Trim) && rng.bool();
            manner
        };
        let accounts = vec![
            Account::new(Api::Zoo, ZOO, manner()),
            Account::new(Api::Zoo, OTHER_ZOO, manner()),
            Account::new(Api::Metronome, METRONOME, manner()),
        ];
        let provider = |namespace, name, url| {
            let demands = Demands::default();
            Provider { namespace, name, url, is_ready: true, epoch: 0, demands }
        };
        Self {
            now: time::START,
            cluster: Cluster::default(),
            accounts,
            providers: vec![
                provider("billing", "zoo", ZOO),
                provider("sales", "zoo", ZOO_AGAIN),
                provider("billing", "metronome", METRONOME),
                provider("sales", "metronome", METRONOME_AGAIN),
            ],
            late: Vec::new(),
            rules,
            mutant,
            lease_doubted_until: 0,
            unrecorded: BTreeSet::new(),
            unanswered: BTreeSet::new(),
            came_late: BTreeSet::new(),
            carried_out: BTreeSet::new(),
            let_through: BTreeMap::new(),
            sent: None,
            notes_said: BTreeSet::new(),
            counts: BTreeMap::new(),
            findings: Vec::new(),
            trace: traced.then(Vec::new),
        }
    }

    /// The provider that a contract names.
    pub(crate) fn provider_of(&self, contract: &BillingContract) -> Option<&Provider> {
        let namespace = contract.metadata.namespace.as_deref()?;
        let name = &contract.spec.provider_ref.name;
        self.providers.iter().find(|provider| provider.namespace == namespace && provider.name == name)
    }

    /// An address as the operator compares it.
    pub(crate) fn account_name(&self, url: &str) -> String {
        if self.mutant == Some(Mutant::ClaimByText) { url.to_owned() } else { claims::account(url) }
    }

    /// The account at an address.
    pub(crate) fn account_at(&self, url: &str) -> Option<usize> {
        let url = claims::account(url);
        self.accounts.iter().position(|account| account.url == url)
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub(crate) fn find(&mut self, finding: String) {
        self.note(|| format!("BROKEN: {finding}"));
        self.findings.push(finding);
    }

    /// A write was sent, and the status that was to follow is not written.
    pub(crate) fn lost_record(&mut self, slot: usize) {
        self.count("write not put on record");
        self.unrecorded.insert(slot);
    }

    /// Notes what happened, if somebody wants to know.
    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(trace) = &mut self.trace {
            let what = what();
            trace.push(format!("{} {what}", time::wall(now).format("%m-%d %H:%M:%S%.3f")));
        }
    }

    /// Carries a write out in an account.
    pub(crate) fn carry(&mut self, account: usize, request: &Request) -> crate::billing::Reply {
        let now = self.now;
        let Some(found) = self.accounts.get_mut(account) else {
            return crate::billing::Reply::foreign(502);
        };
        let reply = found.write(request, now);
        self.note(|| {
            let body = request.body.to_string();
            format!("  billing: {} {} -> {}", request.path, body, reply.status)
        });
        self.hear();
        reply
    }

    /// Takes up what the billing APIs' own history shows.
    pub(crate) fn hear(&mut self) {
        let found: Vec<_> =
            self.accounts.iter_mut().flat_map(|account| std::mem::take(&mut account.findings)).collect();
        for finding in found {
            self.find(finding);
        }
    }

    /// Lets time pass, and what was on its way arrive.
    pub(crate) fn pass(&mut self, milliseconds: i64) {
        let until = self.now + milliseconds;
        while let Some(index) = self.late.iter().position(|late| late.at <= until) {
            let first = (0..self.late.len()).min_by_key(|index| self.late.get(*index).map(|late| late.at));
            let late = self.late.swap_remove(first.unwrap_or(index));
            self.now = self.now.max(late.at);
            self.note(|| "a late request arrives".to_owned());
            match late.what {
                Sent::Write(account, request) => {
                    self.came_late.insert(request.slot);
                    self.carry(account, &request);
                }
                Sent::Status(object) => {
                    let is_taken = self.write_status(&object).is_ok();
                    self.count(if is_taken { "status came late" } else { "late status not taken" });
                }
            }
        }
        self.now = until;
        for account in &mut self.accounts {
            account.pass(until);
        }
        self.hear();
    }

    /// Replaces a status, and looks at what it says.
    pub(crate) fn write_status(&mut self, object: &BillingContract) -> Result<Arc<BillingContract>, Refused> {
        let before = self.cluster.get(&crate::cluster::Name::of(object)).cloned();
        let written = self.cluster.replace_status(object)?;
        for finding in before.iter().flat_map(|before| check::status(before, &written)) {
            self.find(finding);
        }
        let applied = written.status.as_ref().and_then(|status| status.applied_plan.as_ref());
        if let (Some(applied), Some(uid)) = (applied, &written.metadata.uid) {
            self.carried_out.insert((uid.clone(), applied.to_string()));
        }
        Ok(written)
    }
}
