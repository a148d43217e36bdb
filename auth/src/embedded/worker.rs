//! The thread that owns the database.

use std::thread::{self, JoinHandle};

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::OpenError;
use crate::StoreError;

/// Calls that may wait for the thread before further callers wait for room.
const QUEUE: usize = 256;

type Job = Box<dyn FnOnce(&mut Database) + Send>;

/// What a change must survive once the call has returned. Either survives the end of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// A loss of power.
    Full,
    /// Nothing more.
    Relaxed,
}

/// A way to the thread. Dropping it waits for the calls that were made.
#[derive(Debug)]
pub(super) struct Worker {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub(super) fn start(connection: Connection) -> Result<Self, OpenError> {
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        let thread = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                let mut database = Database { connection, durability: None };
                while let Some(job) = queue.blocking_recv() {
                    job(&mut database);
                }
            })
            .map_err(OpenError::Thread)?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs `change` in a transaction, which is undone when it fails.
    pub(super) async fn run<T, F>(&self, durability: Durability, change: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, Failure> + Send + 'static,
    {
        let ended = || StoreError::Unavailable { detail: "its thread has ended".to_owned() };
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |database| {
            // Nobody listens when the caller has been cancelled. The change is made all the same.
            drop(answer.send(database.run(durability, change)));
        });
        self.jobs.as_ref().ok_or_else(ended)?.send(job).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?.map_err(|Failure(error)| error)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has told so already and has nothing left to lose.
            drop(thread.join());
        }
    }
}

struct Database {
    connection: Connection,
    durability: Option<Durability>,
}

impl Database {
    fn run<T>(
        &mut self,
        durability: Durability,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        // With a write-ahead log, NORMAL leaves out the sync at each commit and FULL does it.
        if self.durability != Some(durability) {
            let synchronous = match durability {
                Durability::Full => "FULL",
                Durability::Relaxed => "NORMAL",
            };
            self.connection.pragma_update(None, "synchronous", synchronous)?;
            self.durability = Some(durability);
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let answer = change(&transaction)?;
        transaction.commit()?;
        Ok(answer)
    }
}

/// Why a change failed.
pub(super) struct Failure(pub(super) StoreError);

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error::{
            FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, SqliteFailure,
        };
        let detail = error.to_string();
        Self(match error {
            SqliteFailure(cause, _) => match cause.code {
                ErrorCode::DiskFull => StoreError::Full,
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Damaged { detail },
                _ => StoreError::Unavailable { detail },
            },
            FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) => {
                StoreError::Damaged { detail }
            }
            _ => StoreError::Unavailable { detail },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn failed_changes_are_undone_and_later_ones_work() {
        let worker = Worker::start(Connection::open_in_memory().unwrap()).unwrap();
        let create =
            |tx: &Transaction<'_>| Ok(tx.execute_batch("CREATE TABLE numbers (number INTEGER) STRICT")?);
        worker.run(Durability::Full, create).await.unwrap();
        let fail = |tx: &Transaction<'_>| -> Result<(), Failure> {
            tx.execute("INSERT INTO numbers VALUES (1)", [])?;
            tx.execute("INSERT INTO numbers VALUES ('one')", [])?;
            Ok(())
        };
        assert!(worker.run(Durability::Relaxed, fail).await.is_err());
        let count =
            |tx: &Transaction<'_>| Ok(tx.query_row("SELECT count(*) FROM numbers", [], |row| row.get(0))?);
        let counted: i64 = worker.run(Durability::Full, count).await.unwrap();
        assert_eq!(counted, 0);
    }

    #[tokio::test]
    async fn changes_whose_caller_has_gone_are_made() {
        let worker = Worker::start(Connection::open_in_memory().unwrap()).unwrap();
        let (entered, is_in) = std::sync::mpsc::channel();
        let (go_on, gate) = std::sync::mpsc::channel::<()>();
        let create = move |tx: &Transaction<'_>| {
            entered.send(()).unwrap();
            gate.recv().unwrap();
            Ok(tx.execute_batch("CREATE TABLE made (number INTEGER)")?)
        };
        {
            let call = worker.run(Durability::Relaxed, create);
            tokio::pin!(call);
            let waited = tokio::time::timeout(std::time::Duration::from_millis(50), &mut call).await;
            assert!(waited.is_err());
            is_in.recv().unwrap();
        }
        go_on.send(()).unwrap();
        let count =
            |tx: &Transaction<'_>| Ok(tx.query_row("SELECT count(*) FROM made", [], |row| row.get(0))?);
        let counted: i64 = worker.run(Durability::Relaxed, count).await.unwrap();
        assert_eq!(counted, 0);
    }

    #[tokio::test]
    async fn failures_say_what_to_do() {
        let worker = Worker::start(Connection::open_in_memory().unwrap()).unwrap();
        let fill = |tx: &Transaction<'_>| {
            tx.execute_batch("CREATE TABLE IF NOT EXISTS texts (text TEXT); INSERT INTO texts VALUES (hex(zeroblob(100000)))")?;
            Ok(())
        };
        let pages = |count: u32| {
            move |tx: &Transaction<'_>| {
                tx.query_row(&format!("PRAGMA max_page_count = {count}"), [], |_| Ok(()))?;
                Ok(())
            }
        };
        worker.run(Durability::Full, pages(10)).await.unwrap();
        let full = worker.run(Durability::Full, fill).await.unwrap_err();
        assert!(matches!(full, StoreError::Full), "{full}");
        worker.run(Durability::Full, pages(1000)).await.unwrap();
        worker.run(Durability::Full, fill).await.unwrap();

        let read = |tx: &Transaction<'_>| {
            Ok(tx.query_row("SELECT text FROM texts", [], |row| row.get::<_, i64>(0))?)
        };
        let damaged = worker.run(Durability::Full, read).await.unwrap_err();
        assert!(matches!(damaged, StoreError::Damaged { .. }), "{damaged}");
    }
}
