//! Opening the file, with its checks and migrations.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

/// Marks the file as ours (`PRAGMA application_id`): `PSSR`.
const APPLICATION: i32 = 0x5053_5352;

/// What brings the schema from version n to n + 1. Versions that were published never change.
const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// How long to wait for another process that is about to leave the file.
const PATIENCE: Duration = Duration::from_secs(2);

/// The store's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be made or opened.
    #[error("cannot open the store {}: {source}", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has the file.
    #[error("the store {} is in use by another process: is a gateway running already?", .path.display())]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{} is not a store of Passerelle: remove it or choose another data directory", .path.display())]
    NotAStore {
        /// Which file.
        path: PathBuf,
    },
    /// The file was written by a later version.
    #[error(
        "the store {} has schema version {found} and this version of Passerelle knows up to {known}: \
         install the later version again, or restore the copy made before it",
        .path.display()
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The latest that is known.
        known: i64,
    },
    /// The data is not what was written.
    #[error("the store {} is damaged ({detail}): restore it from a copy, or remove it to start empty", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// SQLite failed in another way.
    #[error("cannot open the store {}: {detail}", .path.display())]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// What it said.
        detail: String,
    },
    /// The store's thread cannot be started.
    #[error("cannot start the store's thread: {0}")]
    Thread(#[source] io::Error),
}

pub(super) fn file(path: &Path) -> Result<Connection, OpenError> {
    make_private(path).map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| explain(path, &error))?;
    prepare(connection, path)
}

pub(super) fn memory() -> Result<Connection, OpenError> {
    let path = Path::new(":memory:");
    let connection = Connection::open_in_memory().map_err(|error| explain(path, &error))?;
    prepare(connection, path)
}

/// Makes the file if there is none, and closes it to others. SQLite gives its log the same mode.
fn make_private(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

fn prepare(mut connection: Connection, path: &Path) -> Result<Connection, OpenError> {
    let failed = |error: rusqlite::Error| explain(path, &error);
    connection.busy_timeout(PATIENCE).map_err(failed)?;
    // Also spares the shared-memory file of the write-ahead log.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(failed)?;

    let application: i32 = pragma(&connection, "application_id").map_err(failed)?;
    let version: i64 = pragma(&connection, "user_version").map_err(failed)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    let empty = application == 0 && version == 0 && tables == 0;
    if !empty && application != APPLICATION {
        return Err(OpenError::NotAStore { path: path.to_owned() });
    }
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if version > known {
        return Err(OpenError::Newer { path: path.to_owned(), found: version, known });
    }
    let verdict: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if verdict != "ok" {
        return Err(OpenError::Damaged { path: path.to_owned(), detail: verdict });
    }

    for (setting, value) in [
        ("journal_mode", "WAL"),
        ("synchronous", "FULL"),
        ("foreign_keys", "ON"),
        ("trusted_schema", "OFF"),
        ("cell_size_check", "ON"),
    ] {
        connection.pragma_update(None, setting, value).map_err(failed)?;
    }
    migrate(&mut connection, version).map_err(failed)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection, version: i64) -> rusqlite::Result<()> {
    // Takes the exclusive lock even if there is nothing to do, so that a second process fails now.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (step, migration) in (1i64..).zip(MIGRATIONS) {
        if step > version {
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", step)?;
        }
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.commit()
}

fn pragma<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> rusqlite::Result<T> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

fn explain(path: &Path, error: &rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    let detail = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::InUse { path },
        Some(ErrorCode::NotADatabase) => OpenError::NotAStore { path },
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path, detail },
        _ => OpenError::Sqlite { path, detail },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &Path, sql: &str) {
        Connection::open(path).unwrap().execute_batch(sql).unwrap();
    }

    #[test]
    fn only_the_owner_can_open_what_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let connection = file(&path).unwrap();
        let files: Vec<_> = fs::read_dir(directory.path()).unwrap().map(Result::unwrap).collect();
        assert!(files.len() >= 2, "the log stands beside the file: {files:?}");
        for entry in files {
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        }
        let mode: String = pragma(&connection, "journal_mode").unwrap();
        assert_eq!(mode, "wal");
    }

    #[test]
    fn files_of_later_versions_are_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        drop(file(&path).unwrap());
        change(&path, "PRAGMA user_version = 9000");
        let error = file(&path).unwrap_err();
        assert!(matches!(error, OpenError::Newer { found: 9000, .. }), "{error}");
        assert!(error.to_string().contains("9000"));
        change(&path, &format!("PRAGMA user_version = {}", MIGRATIONS.len()));
        drop(file(&path).unwrap());
    }

    #[test]
    fn other_files_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let text = directory.path().join("notes.txt");
        fs::write(&text, "milk, bread, and enough more to fill the hundred bytes of a header ".repeat(20))
            .unwrap();
        assert!(matches!(file(&text), Err(OpenError::NotAStore { .. })));
        let database = directory.path().join("other.db");
        change(&database, "CREATE TABLE shopping (item TEXT)");
        assert!(matches!(file(&database), Err(OpenError::NotAStore { .. })));
        let missing = directory.path().join("no/such/store.db");
        assert!(matches!(file(&missing), Err(OpenError::Io { .. })));
    }

    #[test]
    fn damage_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        drop(file(&path).unwrap());
        let mut bytes = fs::read(&path).unwrap();
        for byte in &mut bytes[4096..] {
            *byte = 0x5a;
        }
        fs::write(&path, bytes).unwrap();
        let error = file(&path).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    }

    #[test]
    fn a_second_process_is_told_so() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        let first = file(&path).unwrap();
        assert!(matches!(file(&path), Err(OpenError::InUse { .. })));
        drop(first);
        drop(file(&path).unwrap());
    }
}
