//! What this process may still do: begin a write while it leads, and wait for replies until it is told to stop.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// How long a write under way may go on once the process is told to stop. Its outcome is looked up later if it takes longer.
const WRITE_GRACE: Duration = Duration::from_secs(10);
/// How long writes that were cut off may take to notice.
const CUT_OFF: Duration = Duration::from_secs(1);

/// Says whether a write that may take this long may start now.
pub type WriteGate = Arc<dyn Fn(Duration) -> bool + Send + Sync>;

/// Whether the process was told to stop. Clones hear of it alike.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Set once `shutdown` ends.
    pub fn when(shutdown: impl Future<Output = ()> + Send + 'static) -> Self {
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(async move {
            shutdown.await;
            stop.send_replace(true);
        });
        Self(stopped)
    }

    /// Whether it is set.
    #[must_use]
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is set.
    pub async fn set(&self) {
        if self.0.clone().wait_for(|stopped| *stopped).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// One term as the leader. Clones share it.
#[derive(Clone)]
pub struct Tenure {
    gate: WriteGate,
    stop: Stop,
    grace: Duration,
    writes: Arc<Writes>,
}

#[derive(Default)]
struct Writes {
    under_way: AtomicUsize,
    late: AtomicBool,
    given_up: AtomicBool,
}

/// A write to a billing API that is under way.
pub struct WriteUnderWay {
    tenure: Tenure,
    began: bool,
}

impl Tenure {
    /// Lasts while the gate is open, and ends when the process is told to stop.
    #[must_use]
    pub fn new(gate: WriteGate, stop: Stop) -> Self {
        Self { gate, stop, grace: WRITE_GRACE, writes: Arc::default() }
    }

    /// Whoever only looks never writes, whatever a plan says.
    #[must_use]
    pub fn of_a_reader() -> Self {
        Self::new(Arc::new(|_| false), Stop(watch::channel(false).1))
    }

    /// Whether this process leads now.
    #[must_use]
    pub fn leads(&self) -> bool {
        (self.gate)(Duration::ZERO)
    }

    /// The order to stop.
    #[must_use]
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Whether a write that may take this long may start now; kept until its outcome is known.
    #[must_use]
    pub fn begin_write(&self, takes: Duration) -> Option<WriteUnderWay> {
        // Counted first: whoever asks for late writes must not miss one between the gate and the count.
        self.writes.under_way.fetch_add(1, Ordering::SeqCst);
        let mut write = WriteUnderWay { tenure: self.clone(), began: false };
        write.began = !self.stop.is_set() && (self.gate)(takes);
        write.began.then_some(write)
    }

    /// The answer, or nothing when the process has to stop before it comes.
    pub async fn read<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            answer = answer => Some(answer),
            () = self.stop.set() => None,
        }
    }

    /// The reply to a write under way, or nothing when it takes too long for a process that has to stop.
    pub async fn write<T>(&self, reply: impl Future<Output = T>) -> Option<T> {
        let out_of_time = async {
            self.stop.set().await;
            sleep(self.grace).await;
        };
        tokio::select! {
            reply = reply => Some(reply),
            () = out_of_time => {
                self.writes.given_up.store(true, Ordering::SeqCst);
                None
            }
        }
    }

    /// Whether the reply to a write was given up because the process had to stop: it may still be carried out.
    #[must_use]
    pub fn gave_up(&self) -> bool {
        self.writes.given_up.load(Ordering::SeqCst)
    }

    /// Whether a write was under way when the tenure had ended: it may have changed what a later leader wrote or compared.
    /// Asked when all work was stopped.
    pub async fn wrote_late(&self) -> bool {
        let done = async {
            while self.writes.under_way.load(Ordering::SeqCst) > 0 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(CUT_OFF, done).await.is_err() || self.writes.late.load(Ordering::SeqCst)
    }
}

impl Drop for WriteUnderWay {
    fn drop(&mut self) {
        let Tenure { gate, writes, .. } = &self.tenure;
        if self.began && !gate(Duration::ZERO) {
            writes.late.store(true, Ordering::SeqCst);
        }
        writes.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    const TAKES: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(60);

    fn tenure(shutdown: impl Future<Output = ()> + Send + 'static) -> (Tenure, Arc<AtomicBool>) {
        let leads = Arc::new(AtomicBool::new(true));
        let gate = Arc::clone(&leads);
        let tenure = Tenure::new(Arc::new(move |_| gate.load(Ordering::SeqCst)), Stop::when(shutdown));
        (Tenure { grace: SHORT, ..tenure }, leads)
    }

    #[tokio::test]
    async fn a_process_that_has_to_stop_gives_up_reads_at_once_and_writes_after_a_while() {
        let (tenure, _) = tenure(sleep(SHORT));
        let started = tokio::time::Instant::now();
        assert_eq!(tenure.read(pending::<()>()).await, None);
        assert!(started.elapsed() >= SHORT);
        assert!(tenure.begin_write(TAKES).is_none(), "nothing new is written");
        assert_eq!(tenure.write(pending::<()>()).await, None);
        assert!(started.elapsed() >= SHORT * 2);
        assert_eq!(tenure.write(ready(1)).await, Some(1));
    }

    #[tokio::test]
    async fn a_write_that_is_under_way_when_the_lease_is_lost_is_known_as_late() {
        let (tenure, leads) = tenure(pending());
        drop(tenure.begin_write(TAKES).unwrap());
        leads.store(false, Ordering::SeqCst);
        assert!(tenure.begin_write(TAKES).is_none());
        assert!(!tenure.wrote_late().await, "one was over in time, and the other never began");
        leads.store(true, Ordering::SeqCst);
        let write = tenure.begin_write(TAKES).unwrap();
        leads.store(false, Ordering::SeqCst);
        drop(write);
        assert!(tenure.begin_write(TAKES).is_none());
        assert!(tenure.wrote_late().await);
    }

    #[tokio::test]
    async fn a_write_that_does_not_notice_its_end_counts_as_late() {
        let (tenure, _) = tenure(pending());
        let _write = tenure.begin_write(TAKES).unwrap();
        assert!(tenure.wrote_late().await);
    }
}
