//! When a leader looks again at everything: a write of an earlier one may have come after its own.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// When to look again; clones share it.
#[derive(Clone, Default)]
pub struct Again {
    due: Arc<Mutex<Due>>,
    changed: Arc<Notify>,
}

#[derive(Default)]
struct Due {
    now: bool,
    later: Option<Instant>,
}

impl Again {
    /// A look after so long, if at all.
    #[must_use]
    pub fn after(wait: Option<Duration>) -> Self {
        let later = wait.and_then(|wait| Instant::now().checked_add(wait));
        Self { due: Arc::new(Mutex::new(Due { now: false, later })), changed: Arc::default() }
    }

    /// A look now, and one more after so long: what was cut off may still be carried out.
    pub fn now(&self, settles: Duration) {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        *due = Due { now: true, later: Instant::now().checked_add(settles) };
        drop(due);
        self.changed.notify_one();
    }

    /// Waits for the next look.
    pub async fn due(&self) {
        loop {
            let later = {
                let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
                if std::mem::take(&mut due.now) {
                    return;
                }
                if due.later.is_some_and(|later| later <= Instant::now()) {
                    due.later = None;
                    return;
                }
                due.later
            };
            let its_time = async {
                match later {
                    Some(later) => sleep_until(later).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = its_time => {}
                () = self.changed.notified() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_millis(60);

    #[tokio::test]
    async fn a_leader_looks_again_once_no_write_of_an_earlier_one_can_be_under_way() {
        let again = Again::after(Some(LEASE));
        let started = Instant::now();
        again.due().await;
        assert!(started.elapsed() >= LEASE);
        assert!(tokio::time::timeout(LEASE * 3, again.due()).await.is_err(), "once");
        assert!(tokio::time::timeout(LEASE * 3, Again::after(None).due()).await.is_err());
    }

    #[tokio::test]
    async fn a_late_write_is_looked_for_at_once_and_when_it_has_settled() {
        let again = Again::default();
        let started = Instant::now();
        let late = again.clone();
        tokio::spawn(async move {
            tokio::time::sleep(LEASE / 2).await;
            late.now(LEASE);
        });
        again.due().await;
        assert!(started.elapsed() >= LEASE / 2 && started.elapsed() < LEASE);
        again.due().await;
        assert!(started.elapsed() >= LEASE + LEASE / 2);
    }
}
