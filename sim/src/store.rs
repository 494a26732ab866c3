//! What is kept on disk: typed documents in collections, the version each had before its last write, and a log.
//!
//! A transaction sees and changes all of it or nothing. A committed transaction outlives the process, `kill -9`
//! included, because every page has been handed to the kernel by then; it is not forced to the disk, which
//! would cost milliseconds a request, so it may not outlive the machine. Knows no API.

use std::fs::{self, OpenOptions};
use std::io;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Database, ReadableTable, StorageBackend, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OwnedMutexGuard;

/// Documents as they are, by collection and key.
const DOCUMENTS: TableDefinition<(&str, &str), &str> = TableDefinition::new("documents");
/// Documents as they were before their last write; `None` when that write created them.
const PREVIOUS: TableDefinition<(&str, &str), Option<&str>> = TableDefinition::new("previous");
/// The log, by sequence number.
const LOG: TableDefinition<u64, &str> = TableDefinition::new("log");

/// Memory for pages read and written, in bytes.
const CACHE: usize = 64 << 20;

/// Why the store did not do as asked. None of these is the caller's fault.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data folder can't be made or its file opened.
    #[error("data folder: {0}")]
    Folder(#[from] io::Error),
    /// Two servers on one folder would overwrite each other.
    #[error("data folder: another billing-sim has it open; stop that one or choose another folder")]
    InUse,
    /// The database refused.
    #[error("database: {0}")]
    Database(#[from] redb::Error),
    /// A document does not have the form its collection says.
    #[error("stored document: {0}")]
    Document(#[from] serde_json::Error),
    /// The transaction was already committed.
    #[error("the transaction is over")]
    Over,
}

/// Names a collection and the type of its documents.
pub(crate) struct Collection<T> {
    name: &'static str,
    documents: PhantomData<fn() -> T>,
}

impl<T> Collection<T> {
    /// A collection called `name`, unique in the program.
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, documents: PhantomData }
    }
}

/// The open store.
pub(crate) struct Store {
    database: Arc<Database>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Store {
    /// Opens the store in `folder`, making both when missing.
    ///
    /// # Errors
    /// When the folder can't be written, another process has the store open, or its file is not a store.
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(folder)?;
        let path = folder.join("billing-sim.redb");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        // Held until the process ends, however it ends.
        file.try_lock().map_err(|_| StoreError::InUse)?;
        let backend = PageCache(FileBackend::new(file).map_err(redb::Error::from)?);
        Self::on(backend)
    }

    /// A store that nothing is left of once it is dropped.
    ///
    /// # Errors
    /// When the database can't be made.
    pub(crate) fn in_memory() -> Result<Self, StoreError> {
        Self::on(InMemoryBackend::new())
    }

    fn on(backend: impl StorageBackend) -> Result<Self, StoreError> {
        let database = open_database(backend)?;
        Ok(Self { database: Arc::new(database), turn: Arc::default() })
    }

    /// Waits for the transactions before it, then starts one.
    ///
    /// # Errors
    /// When the database can't be read.
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let transaction = self.database.begin_write().map_err(redb::Error::from)?;
        Ok(Tx { open: Arc::new(Mutex::new(Some((transaction, turn)))), stale: false })
    }
}

fn open_database(backend: impl StorageBackend) -> Result<Database, redb::Error> {
    let database = Database::builder().set_cache_size(CACHE).create_with_backend(backend)?;
    let transaction = database.begin_write()?;
    make_tables(&transaction)?;
    transaction.commit()?;
    Ok(database)
}

fn make_tables(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(DOCUMENTS)?;
    transaction.open_table(PREVIOUS)?;
    transaction.open_table(LOG)?;
    Ok(())
}

/// A transaction that is not over, with its turn.
type Open = (WriteTransaction, OwnedMutexGuard<()>);

/// One transaction. Clones are the same transaction; dropping all of them without a commit undoes it.
#[derive(Clone)]
pub(crate) struct Tx {
    open: Arc<Mutex<Option<Open>>>,
    stale: bool,
}

impl Tx {
    /// The same transaction, in which [`Tx::observe`] answers what was true before the last write.
    pub(crate) fn stale(self) -> Self {
        Self { stale: true, ..self }
    }

    /// Whether [`Tx::observe`] answers what was true before the last write.
    pub(crate) fn is_stale(&self) -> bool {
        self.stale
    }

    /// Makes the changes last.
    ///
    /// # Errors
    /// When the database can't be written, or the transaction is over.
    pub(crate) fn commit(&self) -> Result<(), StoreError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (transaction, turn) = open.take().ok_or(StoreError::Over)?;
        transaction.commit().map_err(redb::Error::from)?;
        drop(turn);
        Ok(())
    }

    /// The document under `key`.
    ///
    /// # Errors
    /// When the database can't be read, or the document is not a `T`.
    pub(crate) fn get<T: DeserializeOwned>(
        &self,
        of: &Collection<T>,
        key: &str,
    ) -> Result<Option<T>, StoreError> {
        let text = self.with(|transaction| {
            let table = transaction.open_table(DOCUMENTS)?;
            Ok(table.get((of.name, key))?.map(|text| text.value().to_owned()))
        })?;
        parse(text)
    }

    /// The document under `key` as an API shows it: the last version, or under a `stale_read` fault the one before.
    ///
    /// # Errors
    /// When the database can't be read, or the document is not a `T`.
    pub(crate) fn observe<T: DeserializeOwned>(
        &self,
        of: &Collection<T>,
        key: &str,
    ) -> Result<Option<T>, StoreError> {
        if !self.stale {
            return self.get(of, key);
        }
        let text = self.with(|transaction| {
            let table = transaction.open_table(PREVIOUS)?;
            Ok(table.get((of.name, key))?.and_then(|text| text.value().map(str::to_owned)))
        })?;
        parse(text)
    }

    /// Every document with its key, in the order of the keys.
    ///
    /// # Errors
    /// When the database can't be read, or a document is not a `T`.
    pub(crate) fn all<T: DeserializeOwned>(
        &self,
        of: &Collection<T>,
    ) -> Result<Vec<(String, T)>, StoreError> {
        let texts = self.with(|transaction| {
            let table = transaction.open_table(DOCUMENTS)?;
            let mut texts = Vec::new();
            for entry in table.range((of.name, "")..)? {
                let (key, text) = entry?;
                let (collection, key) = key.value();
                if collection != of.name {
                    break;
                }
                texts.push((key.to_owned(), text.value().to_owned()));
            }
            Ok(texts)
        })?;
        texts.into_iter().map(|(key, text)| Ok((key, serde_json::from_str(&text)?))).collect()
    }

    /// Creates or replaces the document under `key`.
    ///
    /// # Errors
    /// When the database can't be written.
    pub(crate) fn put<T: Serialize>(
        &self,
        of: &Collection<T>,
        key: &str,
        document: &T,
    ) -> Result<(), StoreError> {
        let text = serde_json::to_string(document)?;
        self.with(|transaction| {
            let mut table = transaction.open_table(DOCUMENTS)?;
            let before = table.insert((of.name, key), text.as_str())?;
            let before = before.as_ref().map(redb::AccessGuard::value);
            transaction.open_table(PREVIOUS)?.insert((of.name, key), before)?;
            Ok(())
        })
    }

    /// Removes the document under `key`, if it is there.
    ///
    /// # Errors
    /// When the database can't be written.
    pub(crate) fn remove<T>(&self, of: &Collection<T>, key: &str) -> Result<bool, StoreError> {
        self.with(|transaction| {
            let mut table = transaction.open_table(DOCUMENTS)?;
            let before = table.remove((of.name, key))?;
            let Some(before) = before else { return Ok(false) };
            transaction.open_table(PREVIOUS)?.insert((of.name, key), Some(before.value()))?;
            Ok(true)
        })
    }

    /// Writes a line to the end of the log, with the sequence number that is its own.
    ///
    /// # Errors
    /// When the database can't be written.
    pub(crate) fn append(
        &self,
        line: impl FnOnce(u64) -> Result<String, serde_json::Error>,
    ) -> Result<(), StoreError> {
        let last = self.with(last_line)?;
        let sequence = last + 1;
        let line = line(sequence)?;
        self.with(|transaction| {
            transaction.open_table(LOG)?.insert(sequence, line.as_str())?;
            Ok(())
        })
    }

    /// Shows the log's lines after the sequence number `after` to `visit`, oldest first, for as long as it says true.
    ///
    /// # Errors
    /// When the database can't be read, or `visit` fails.
    pub(crate) fn lines(
        &self,
        after: u64,
        mut visit: impl FnMut(&str) -> Result<bool, serde_json::Error>,
    ) -> Result<(), StoreError> {
        let visited = self.with(|transaction| {
            let table = transaction.open_table(LOG)?;
            for entry in table.range(after.saturating_add(1)..)? {
                let (_, line) = entry?;
                if line.value().is_empty() {
                    continue; // The mark that `clear_log` leaves.
                }
                match visit(line.value()) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => return Ok(Err(error)),
                }
            }
            Ok(Ok(()))
        })?;
        visited.map_err(StoreError::from)
    }

    /// Empties the log. Sequence numbers go on, so that a reader who asks for "after 7" misses nothing.
    ///
    /// # Errors
    /// When the database can't be written.
    pub(crate) fn clear_log(&self) -> Result<(), StoreError> {
        self.with(|transaction| {
            let last = last_line(transaction)?;
            transaction.delete_table(LOG)?;
            transaction.open_table(LOG)?.insert(last, "")?;
            Ok(())
        })
    }

    /// Removes everything.
    ///
    /// # Errors
    /// When the database can't be written.
    pub(crate) fn clear(&self) -> Result<(), StoreError> {
        self.with(|transaction| {
            transaction.delete_table(DOCUMENTS)?;
            transaction.delete_table(PREVIOUS)?;
            transaction.delete_table(LOG)?;
            make_tables(transaction)
        })
    }

    fn with<R>(
        &self,
        operate: impl FnOnce(&WriteTransaction) -> Result<R, redb::Error>,
    ) -> Result<R, StoreError> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (transaction, _) = open.as_ref().ok_or(StoreError::Over)?;
        Ok(operate(transaction)?)
    }
}

fn parse<T: DeserializeOwned>(text: Option<String>) -> Result<Option<T>, StoreError> {
    text.map(|text| serde_json::from_str(&text).map_err(StoreError::from)).transpose()
}

fn last_line(transaction: &WriteTransaction) -> Result<u64, redb::Error> {
    let table = transaction.open_table(LOG)?;
    Ok(table.last()?.map_or(0, |(sequence, _)| sequence.value()))
}

/// A file whose writes reach the kernel but are not forced to the disk.
#[derive(Debug)]
struct PageCache(FileBackend);

impl StorageBackend for PageCache {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}
