//! Watches: streams of changes in the order of their versions, each at its own pace.

use std::{collections::VecDeque, io, time::Duration};

use bytes::Bytes;
use fastrand::Rng;
use futures::stream::{self, BoxStream, StreamExt as _};
use http_body::Frame;
use serde_json::{Value, json};
use tokio::{
    sync::watch::Receiver,
    time::{Instant, sleep_until},
};

use super::{
    Server,
    read::shown,
    refusal::Refusal,
    request::Call,
    state::{Change, State},
    weather::{Weather, comes},
};

/// How long a watch lasts that says nothing of it: at least so many seconds, and at most twice as many.
const LASTS: u64 = 1800;
/// Bookmarks come this many seconds after one another at most.
const BOOKMARKS: u64 = 60;
/// Most milliseconds for which a change is held up, and rarely.
const HELD_UP: u64 = 5_000;
const HELD_UP_LONG: u64 = 30_000;

/// How a watch ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// In order.
    Clean,
    /// In the middle of a line.
    Cut,
    /// As the connection breaks.
    Reset,
    /// Not at all, but it tells nothing any more.
    Silent,
}

/// What is next on a watch.
enum Next {
    /// A line to send.
    Line(Value),
    /// It is over.
    End(Ending),
    /// Nothing before this instant, or before it is woken.
    Wait(Option<Instant>),
}

/// A watch that is open.
pub(super) struct Watch {
    server: Server,
    who: usize,
    call: Call,
    rng: Rng,
    /// The version up to which everything was told.
    position: u64,
    /// What goes first.
    first: VecDeque<Value>,
    /// How often every watch had been broken when it was opened.
    breaks: u64,
    wakes: Receiver<u64>,
    ends: (Instant, Ending),
    bookmark: Option<Instant>,
    /// The version of a change that is held up, and until when.
    held: Option<(u64, Instant)>,
    is_silent: bool,
    is_over: bool,
}

impl Watch {
    /// Opens a watch where the call says.
    pub(super) fn open(
        server: &Server,
        state: &mut State,
        who: usize,
        call: Call,
        mut rng: Rng,
    ) -> Result<Self, Refusal> {
        let now = Instant::now();
        let lasts = call.number("timeoutSeconds")?.filter(|seconds| *seconds > 0);
        let lasts = lasts.unwrap_or_else(|| rng.u64(LASTS..=2 * LASTS));
        let bookmarks = call.query.get("allowWatchBookmarks").is_some_and(|allowed| allowed == "true");
        let mut first = VecDeque::new();
        let asked = call.number("resourceVersion")?.filter(|version| *version > 0);
        if asked.is_none() {
            let all = state.all(&call.kind.plural).into_iter().filter(|(id, _)| call.covers(id));
            first.extend(all.map(|(_, object)| event("ADDED", &shown(&object, call.is_partial))));
        }
        let position = asked.unwrap_or_else(|| state.version());
        let ends = ends(&mut rng, state, who, lasts);
        Ok(Self {
            bookmark: bookmarks.then(|| now + Duration::from_secs(rng.u64(BOOKMARKS / 2..=BOOKMARKS))),
            breaks: state.breaks,
            wakes: state.listen(),
            server: server.clone(),
            ends: (now + ends.0, ends.1),
            held: None,
            is_silent: false,
            is_over: false,
            who,
            call,
            rng,
            position,
            first,
        })
    }

    /// Its body: a line for each event.
    pub(super) fn body(self) -> BoxStream<'static, io::Result<Frame<Bytes>>> {
        stream::unfold(self, |mut watch| async move { Some((watch.next().await?, watch)) }).boxed()
    }

    /// Tells that the version is too old, and ends.
    pub(super) fn tell_gone(&mut self, refusal: &Refusal) {
        self.first = [event("ERROR", &refusal.status())].into();
        self.ends = (Instant::now(), Ending::Clean);
    }

    async fn next(&mut self) -> Option<io::Result<Frame<Bytes>>> {
        loop {
            if self.is_over {
                return None;
            }
            self.wakes.mark_unchanged();
            match self.look() {
                Next::Line(line) => return Some(Ok(Frame::data(format!("{line}\n").into()))),
                Next::End(ending) => {
                    self.is_over = true;
                    return match ending {
                        Ending::Clean | Ending::Silent => None,
                        Ending::Cut => {
                            Some(Ok(Frame::data(Bytes::from_static(br#"{"type":"MODIFIED","obj"#))))
                        }
                        Ending::Reset => Some(Err(io::ErrorKind::ConnectionReset.into())),
                    };
                }
                Next::Wait(until) => {
                    let until = async {
                        match until {
                            Some(until) => sleep_until(until).await,
                            None => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        biased;
                        // It lives as long as the server does, which this watch holds.
                        _ = self.wakes.changed() => {}
                        () = until => {}
                    }
                }
            }
        }
    }

    fn look(&mut self) -> Next {
        let server = self.server.clone();
        server.with(|state| {
            let weather = state.weathers.of(self.who).clone();
            if state.breaks != self.breaks || weather.away {
                return Next::End(Ending::Reset);
            }
            if self.is_silent {
                return Next::Wait(None);
            }
            if let Some(line) = self.first.pop_front() {
                return Next::Line(line);
            }
            let now = Instant::now();
            if now >= self.ends.0 {
                self.is_silent = matches!(self.ends.1, Ending::Silent);
                return if self.is_silent { Next::Wait(None) } else { Next::End(self.ends.1) };
            }
            self.tell(state, &weather, now)
        })
    }

    /// The next change, or a bookmark when there is none.
    fn tell(&mut self, state: &mut State, weather: &Weather, now: Instant) -> Next {
        let forgotten = state.forgotten(&self.call.kind.plural);
        if self.position < forgotten {
            self.tell_gone(&Refusal::expired(self.position, forgotten));
            return self.first.pop_front().map_or(Next::End(Ending::Clean), Next::Line);
        }
        while let Some(change) = state.next(&self.call.kind.plural, self.position).cloned() {
            if !self.call.covers(&change.id) {
                self.position = change.version;
                continue;
            }
            let until = self.held_until(state, weather, &change, now);
            if now < until {
                return Next::Wait(Some(until.min(self.ends.0)));
            }
            self.position = change.version;
            return Next::Line(event(change.event(), &shown(&change.object, self.call.is_partial)));
        }
        let is_ahead = self.position > state.version();
        self.position = self.position.max(state.version());
        if self.bookmark.is_some_and(|due| due <= now) {
            self.bookmark = Some(now + Duration::from_secs(self.rng.u64(BOOKMARKS / 2..=BOOKMARKS)));
            // One that was opened ahead of everything hears nothing before its version comes.
            if !is_ahead {
                return Next::Line(self.bookmark_event());
            }
        }
        Next::Wait(Some(self.bookmark.map_or(self.ends.0, |due| due.min(self.ends.0))))
    }

    /// Until when a change is held up; drawn once.
    fn held_until(&mut self, state: &mut State, weather: &Weather, change: &Change, now: Instant) -> Instant {
        if let Some((_, until)) = self.held.filter(|(version, _)| *version == change.version) {
            return until;
        }
        let most = if self.rng.u8(..) < 32 { HELD_UP_LONG } else { HELD_UP };
        let long = Duration::from_millis(self.rng.u64(1..=most));
        let is_held = comes(&mut self.rng, weather.held_up);
        if is_held {
            state.weathers.count("watch held up");
        }
        let until = if is_held { now + long } else { now };
        self.held = Some((change.version, until));
        until
    }

    fn bookmark_event(&self) -> Value {
        let kind = &self.call.kind;
        let (api_version, name) = if self.call.is_partial {
            ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadata")
        } else {
            (kind.api_version(), &*kind.name)
        };
        let metadata = json!({"resourceVersion": self.position.to_string(), "creationTimestamp": null});
        event("BOOKMARK", &json!({"apiVersion": api_version, "kind": name, "metadata": metadata}))
    }
}

fn event(kind: &str, object: &Value) -> Value {
    json!({"type": kind, "object": object})
}

/// When a watch ends, and how.
fn ends(rng: &mut Rng, state: &mut State, who: usize, lasts: u64) -> (Duration, Ending) {
    let weather = state.weathers.of(who).clone();
    let early = Duration::from_millis(rng.u64(1..=lasts.saturating_mul(1000).max(1)));
    let ending = rng.choice([Ending::Clean, Ending::Cut, Ending::Reset]).unwrap_or(Ending::Clean);
    let (closes, is_silenced) = (comes(rng, weather.watch_closed), comes(rng, weather.watch_silent));
    if is_silenced {
        state.weathers.count("watch silent");
        (early, Ending::Silent)
    } else if closes {
        state.weathers.count("watch closed");
        (early, ending)
    } else {
        (Duration::from_secs(lasts), Ending::Clean)
    }
}
