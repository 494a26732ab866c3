//! A run: a seed makes what happens, in virtual time, and what must hold is looked at once all is at rest.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use countersign::{api, clock};
use http::Method;
use serde_json::{Value, json};
use tokio::{
    runtime::Builder,
    sync::mpsc::UnboundedReceiver,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    billing::{Billing, TOKEN, Trouble},
    operator::Operator,
    people::People,
    promises,
    server::{Entry, Server, Weather},
    version::{self, Version},
};

/// How long everything may take to come to rest.
const REST: Duration = Duration::from_hours(3);
/// How long after it was sent a request may be carried out.
const LATE: TimeDelta = TimeDelta::minutes(1);
/// How long nothing may be written then.
const QUIET: Duration = Duration::from_mins(45);

/// Switches of billing-sim for what the documentation of the APIs leaves open, and how each may stand.
const MANNERS: [(&str, &[&str]); 9] = [
    ("zoo_replace", &["keep_id", "new_id"]),
    ("zoo_view", &["as_sent", "retold"]),
    ("metronome_contract_keys", &["plain", "prefixed"]),
    ("metronome_conflict", &["message", "code", "id", "empty"]),
    ("metronome_edit_key", &["conflict", "unprocessable"]),
    ("metronome_reply", &["full", "id"]),
    ("metronome_archived_items", &["shown", "hidden"]),
    ("metronome_override_rates", &["as_sent", "filled"]),
    ("metronome_view", &["as_sent", "retold"]),
];

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Promises that were broken.
    pub broken: Vec<String>,
    /// How often each fault and each act came up.
    pub counts: BTreeMap<String, u64>,
    /// What happened and what was written, in the order of time.
    pub story: Vec<String>,
}

/// Runs a seed with so many events.
///
/// # Errors
/// When the run cannot be made.
pub fn run(seed: u64, events: usize) -> Result<Run, String> {
    // Every client of HTTP wants one, though nothing is encrypted here. It may have been chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(World::live(seed, events))
}

struct World {
    rng: fastrand::Rng,
    server: Server,
    billing: Billing,
    killed: UnboundedReceiver<usize>,
    operators: Vec<Operator>,
    people: People,
    /// Whether operators of the next version take turns with those of this one.
    has_versions: bool,
    /// When an operator of which version was started.
    started: Vec<(DateTime<Utc>, usize, Version)>,
    /// Whether etcd is ever put back: much is excused after that.
    puts_etcd_back: bool,
    /// When it was.
    restored: Vec<DateTime<Utc>>,
    counts: BTreeMap<String, u64>,
    story: Vec<(DateTime<Utc>, String)>,
}

impl World {
    async fn live(seed: u64, events: usize) -> Result<Run, String> {
        clock::follow_tokio("2026-03-01T00:00:00Z".parse().map_err(|_| "no time")?);
        fastrand::seed(seed);
        let definitions = api::crds().iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>();
        let mut definitions = definitions.map_err(|error| error.to_string())?;
        let has_versions = seed.is_multiple_of(3);
        if has_versions {
            version::widen(&mut definitions);
        }
        let server = Server::new(seed, &definitions, clock::now);
        let (billing, killed) = Billing::new(seed, &server)?;
        let people = People::new(&server);
        let mut world = Self {
            rng: fastrand::Rng::with_seed(seed ^ 0x5e11),
            server,
            billing,
            killed,
            operators: vec![Operator::new(0), Operator::new(1)],
            people,
            has_versions,
            started: Vec::new(),
            puts_etcd_back: !seed.is_multiple_of(2),
            restored: Vec::new(),
            counts: BTreeMap::new(),
            story: Vec::new(),
        };
        world.open_accounts().await?;
        world.start_all();
        for _ in 0..events {
            world.happen().await;
        }
        world.calm().await;
        let written = (world.billing.sent().len(), world.kept().len());
        sleep(QUIET).await;
        let mut broken = promises::sent(&world.people, &world.billing, &world.restored);
        if world.restored.is_empty() {
            broken.extend(promises::kept(&world.server.log(), |entry| world.is_of_this_version(entry)));
        }
        broken.extend(
            promises::rest(&world.people, &world.billing, &world.server, world.restored.is_empty()).await?,
        );
        let sent = world.billing.sent().len() - written.0;
        let kept = world.kept().split_off(written.1);
        if sent > 0 || !kept.is_empty() {
            broken.push(format!("at rest, {sent} writes to billing, and to the cluster {kept:?}"));
        }
        Ok(world.told(broken))
    }

    /// Writes to the cluster that say something: all but those of the Lease, and events.
    fn kept(&self) -> Vec<(DateTime<Utc>, String)> {
        let says =
            |entry: &Entry| entry.who.is_some() && !matches!(entry.id.plural.as_str(), "leases" | "events");
        let log = self.server.log().into_iter().filter(says);
        log.map(|entry| {
            let (who, part) = (entry.who.unwrap_or_default(), entry.subresource.unwrap_or("object"));
            let what = format!("operator {who}: {} of {} {}", part, entry.id.plural, entry.id.name);
            (entry.at, what)
        })
        .collect()
    }

    /// Whether an operator of this version has made a write, and no other one can have sent it before that was started.
    fn is_of_this_version(&self, write: &Entry) -> bool {
        let mut starts =
            self.started.iter().filter(|(at, who, _)| Some(*who) == write.who && *at <= write.at);
        let last = starts.next_back();
        last.is_some_and(|(at, _, version)| *version == Version::This && write.at - *at > LATE)
    }

    /// Accounts with customers, each of which reads back in its own way where the documentation leaves it open.
    async fn open_accounts(&mut self) -> Result<(), String> {
        let customers = self.people.deals.iter().map(|deal| deal.customer.clone()).collect::<Vec<_>>();
        let named: serde_json::Map<_, _> =
            customers.iter().map(|id| (id.clone(), json!({"name": "somebody"}))).collect();
        for account in 0..2 {
            let mut manners = serde_json::Map::new();
            for (switch, manner) in MANNERS {
                manners.insert(switch.to_owned(), json!(self.rng.choice(manner)));
            }
            self.billing.control(account, Method::PUT, "/settings", &manners.into()).await?;
            let organizations = json!({"ids": customers});
            self.billing.control(account, Method::POST, "/zoo/orgs", &organizations).await?;
            let named = json!({"customers": named});
            self.billing.control(account, Method::POST, "/metronome/customers", &named).await?;
            let token = json!({"token": TOKEN, "role": "admin"});
            self.billing.control(account, Method::POST, "/tokens", &token).await?;
        }
        Ok(())
    }

    /// Time passes, for those whom a fault kills as well.
    async fn pass(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            tokio::select! {
                biased;
                Some(who) = self.killed.recv() => {
                    self.count("operator killed before a reply");
                    if let Some(operator) = self.operators.get_mut(who) {
                        operator.kill();
                    }
                }
                () = sleep_until(until) => return,
            }
        }
    }

    fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
        self.story.push((clock::now(), what.to_owned()));
    }

    async fn happen(&mut self) {
        let time = match self.rng.u32(..100) {
            0..50 => self.rng.u64(1..3_000),
            50..85 => self.rng.u64(3_000..60_000),
            85..97 => self.rng.u64(60_000..600_000),
            _ => self.rng.u64(3_600_000..20_000_000),
        };
        self.pass(Duration::from_millis(time)).await;
        let chosen = self.rng.usize(..self.operators.len());
        match self.rng.u32(..100) {
            0..8 => {
                if let Some(operator) =
                    self.operators.get_mut(chosen).filter(|operator| operator.is_running())
                {
                    operator.kill();
                    self.count("operator killed");
                }
            }
            8..25 => self.start_all(),
            25..30 => {
                let time = Duration::from_millis(self.rng.u64(1_000..120_000));
                self.count("operator stood still");
                if let Some(operator) = self.operators.get(chosen) {
                    operator.stand_still(true);
                }
                self.pass(time).await;
                if let Some(operator) = self.operators.get(chosen) {
                    operator.stand_still(false);
                }
            }
            30..40 => self.change_weather(),
            40..43 => {
                self.count("API server away");
                self.server.set_weather(Weather { away: true, ..Weather::default() });
                let time = Duration::from_millis(self.rng.u64(500..90_000));
                self.pass(time).await;
                self.change_weather();
            }
            43..46 => {
                self.count("etcd backed up");
                self.server.back_up();
            }
            46 | 47 if self.puts_etcd_back => {
                self.count("etcd put back");
                self.server.restore();
                self.restored.push(clock::now());
                // Whoever applies what is in Git does so again.
                self.people.apply_all();
            }
            _ => {
                let act = self.people.act(&mut self.rng);
                self.count(act);
            }
        }
    }

    fn start_all(&mut self) {
        let all = self.operators.iter_mut().enumerate();
        for (who, operator) in all.filter(|(_, operator)| !operator.is_running()) {
            let is_next = self.has_versions && self.rng.bool();
            let version = if is_next { Version::Next } else { Version::This };
            operator.start(version, &self.server, &self.billing);
            self.started.push((clock::now(), who, version));
            if self.has_versions {
                *self.counts.entry(format!("operator of version {version:?} started")).or_default() += 1;
            }
        }
    }

    /// Every operator is of the next version from now on.
    fn upgrade(&mut self) {
        for (who, operator) in self.operators.iter_mut().enumerate() {
            operator.kill();
            operator.start(Version::Next, &self.server, &self.billing);
            self.started.push((clock::now(), who, Version::Next));
        }
    }

    fn change_weather(&mut self) {
        let rng = &mut self.rng;
        let mut chance = |most: u32| if rng.bool() { rng.u32(..most) } else { 0 };
        let weather = Weather {
            away: false,
            latency_ms: 1 + chance(300),
            breaks_after_s: 300,
            request_lost: chance(40),
            reply_lost: chance(40),
            late: chance(20),
            conflict: chance(40),
            too_many: chance(30),
            internal: chance(30),
            unavailable: chance(30),
            failed_after: chance(20),
            compaction: chance(60),
            watch_gone: chance(200),
            watch_closed: chance(100),
            watch_silent: chance(20),
            held_up: chance(300),
            stale_list: chance(300),
        };
        let trouble = Trouble {
            request_lost: chance(80),
            reply_lost: chance(100),
            late: chance(60),
            twice: chance(60),
            unavailable: chance(80),
            failed_after: chance(60),
            killed: chance(30),
            slow: chance(60),
        };
        self.server.set_weather(weather);
        self.billing.set_trouble(trouble);
    }

    /// Faults and people stop.
    async fn calm(&mut self) {
        self.server.set_weather(Weather { latency_ms: 5, breaks_after_s: 300, ..Weather::default() });
        self.billing.set_trouble(Trouble::default());
        self.pass(Duration::from_mins(1)).await;
        if self.has_versions {
            self.upgrade();
        } else {
            self.start_all();
        }
        self.people.apply_all();
        self.pass(REST).await;
    }

    fn told(mut self, broken: Vec<String>) -> Run {
        for (name, count) in self.server.counts() {
            *self.counts.entry(format!("API server: {name}")).or_default() += count;
        }
        for (name, count) in self.billing.counts() {
            *self.counts.entry(name.to_owned()).or_default() += count;
        }
        let log = self.server.log();
        let left = log.iter().filter(|entry| entry.verb == "patch" && entry.subresource == Some("status"));
        let had_format = |before: &Value| !before["status"]["format"].is_null();
        let left =
            left.filter(|entry| entry.who.is_some() && entry.before.as_ref().is_some_and(had_format)).count();
        *self.counts.entry("contracts left to a later version".to_owned()).or_default() +=
            u64::try_from(left).unwrap_or(u64::MAX);
        let sent = self.billing.sent();
        let said = self.kept();
        for (what, count) in [("writes sent to billing", sent.len()), ("writes to the cluster", said.len())] {
            self.counts.insert(what.to_owned(), u64::try_from(count).unwrap_or(u64::MAX));
        }
        let sent = sent.into_iter().map(|sent| {
            (
                sent.at,
                format!(
                    "operator {} sends {} to account {}: {}",
                    sent.who, sent.path, sent.account, sent.body
                ),
            )
        });
        let mut story: Vec<_> = self.story.into_iter().chain(said).chain(sent).collect();
        story.sort_by_key(|(at, _)| *at);
        let story = story.into_iter().map(|(at, what)| format!("{at} {what}")).collect();
        Run { broken, counts: self.counts, story }
    }
}
