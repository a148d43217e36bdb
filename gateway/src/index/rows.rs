//! The index's file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use passerelle_auth::Seal;
use passerelle_recorder::{Header, State, Summary};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};
use serde::{Deserialize, Serialize};

use super::words::{self, Text};
use super::{Found, IndexError, Query, Verified, started};
use crate::ambient;

/// What a list shows, as it is kept.
#[derive(Serialize, Deserialize)]
struct Shown {
    header: Header,
    duration_ms: u64,
    bytes: u64,
    offloaded: bool,
    state: String,
    end: Option<String>,
}

impl Shown {
    fn of(summary: &Summary) -> Self {
        let (state, end) = match &summary.state {
            State::Open => ("open", None),
            State::Sealed { end } => ("sealed", Some(end.clone())),
            State::Interrupted => ("interrupted", None),
        };
        Self {
            header: summary.header.clone(),
            duration_ms: u64::try_from(summary.duration.as_millis()).unwrap_or(u64::MAX),
            bytes: summary.bytes,
            offloaded: summary.offloaded,
            state: state.to_owned(),
            end,
        }
    }

    fn summary(self) -> Summary {
        let state = match (self.state.as_str(), self.end) {
            ("sealed", end) => State::Sealed { end: end.unwrap_or_default() },
            ("interrupted", _) => State::Interrupted,
            _ => State::Open,
        };
        let duration = Duration::from_millis(self.duration_ms);
        Summary { header: self.header, duration, bytes: self.bytes, offloaded: self.offloaded, state }
    }
}

/// Changes with the schema.
const VERSION: i64 = 1;

/// How many words one beginning may stand for.
const MEANT: usize = 1000;

/// Which recordings are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) technician: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) state: Option<String>,
    /// In milliseconds since 1970.
    pub(crate) from: Option<i64>,
    pub(crate) until: Option<i64>,
    pub(crate) query: Option<Query>,
    pub(crate) oldest_first: bool,
    /// Those behind this one.
    pub(crate) behind: Option<String>,
    pub(crate) limit: usize,
}

/// A recording that is wanted.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) summary: Summary,
    /// What the last verification found, and of which state of the files.
    pub(crate) verified: Option<(Verified, String)>,
    /// Where what was asked for occurs.
    pub(crate) matches: Vec<Found>,
}

pub(super) struct Rows {
    connection: Connection,
    seal: Arc<Seal>,
    words: BTreeMap<String, i64>,
}

impl Rows {
    pub(super) fn open(path: &Path, seal: Arc<Seal>) -> Result<Self, IndexError> {
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // What is lost is made anew, and what is removed shall be gone.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "secure_delete", true)?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let mut rows = Self { connection, seal, words: BTreeMap::new() };
        match version {
            VERSION => rows.load_words()?,
            0 => {
                rows.connection.execute_batch(include_str!("schema.sql"))?;
                rows.connection.pragma_update(None, "user_version", VERSION)?;
            }
            _ => return Err(rusqlite::Error::InvalidQuery.into()),
        }
        Ok(rows)
    }

    /// Removes the file at `path` with what belongs to it.
    pub(super) fn remove(path: &Path) -> Result<(), IndexError> {
        for suffix in ["", "-wal", "-shm"] {
            let mut file = path.as_os_str().to_owned();
            file.push(suffix);
            match std::fs::remove_file(PathBuf::from(file)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn load_words(&mut self) -> Result<(), IndexError> {
        let mut statement = self.connection.prepare("SELECT no, sealed FROM words")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (no, sealed): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let word = self.seal.open("word", &sealed).and_then(|word| String::from_utf8(word.to_vec()).ok());
            // Sealed by another key: all of it is worthless.
            self.words.insert(word.ok_or(rusqlite::Error::InvalidQuery)?, no);
        }
        Ok(())
    }

    /// Every recording that is known.
    pub(super) fn names(&self) -> Result<BTreeSet<String>, IndexError> {
        let mut statement = self.connection.prepare_cached("SELECT id FROM recordings")?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// Those that were not over when they were last looked at.
    pub(super) fn open_ones(&self) -> Result<Vec<String>, IndexError> {
        let mut statement =
            self.connection.prepare_cached("SELECT id FROM recordings WHERE state = 'open'")?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// Those whose text was read, and of which state of their keys.
    pub(super) fn read(&self) -> Result<Vec<(String, String)>, IndexError> {
        let mut statement =
            self.connection.prepare("SELECT id, keys FROM recordings WHERE keys IS NOT NULL")?;
        Ok(statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
    }

    /// The last one that is over and whose text was not read.
    pub(super) fn unread(&self) -> Result<Option<String>, IndexError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM recordings WHERE keys IS NULL AND state <> 'open' ORDER BY no DESC LIMIT 1",
        )?;
        Ok(statement.query_row([], |row| row.get(0)).optional()?)
    }

    /// Takes in or replaces what a list shows of a recording.
    pub(super) fn put(&self, summary: &Summary) -> Result<(), IndexError> {
        let shown = Shown::of(summary);
        let fact =
            |name: &str| summary.header.facts.get(name).and_then(|fact| fact.as_str()).unwrap_or_default();
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO recordings (id, started, technician, target, state, shown) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, shown = excluded.shown",
        )?;
        statement.execute(params![
            summary.header.id,
            started(summary),
            fact("technician"),
            fact("target"),
            shown.state,
            serde_json::to_string(&shown).unwrap_or_default(),
        ])?;
        Ok(())
    }

    /// Removes all that is known of a recording.
    pub(super) fn remove_recording(&mut self, id: &str) -> Result<(), IndexError> {
        self.unlearn(id)?;
        self.connection.execute("DELETE FROM recordings WHERE id = ?", [id])?;
        Ok(())
    }

    /// Takes in what a recording says.
    pub(super) fn learn(&mut self, id: &str, keys: &str, texts: &[Text]) -> Result<(), IndexError> {
        self.unlearn(id)?;
        let clear = serde_json::to_vec(texts).unwrap_or_default();
        let sealed = self.seal.seal(id, &clear, &mut ambient::random);
        let transaction = self.connection.transaction()?;
        let no: Option<i64> = transaction
            .query_row("SELECT no FROM recordings WHERE id = ?", [id], |row| row.get(0))
            .optional()?;
        let Some(no) = no else { return Ok(()) };
        let mut new = Vec::new();
        {
            let mut word_row = transaction.prepare_cached("INSERT INTO words (sealed) VALUES (?)")?;
            let mut place_row =
                transaction.prepare_cached("INSERT OR IGNORE INTO places (word, recording) VALUES (?, ?)")?;
            for word in words::of(texts) {
                let known = self.words.get(&word).copied();
                let word_no = match known {
                    Some(known) => known,
                    None => {
                        word_row.execute([self.seal.seal("word", word.as_bytes(), &mut ambient::random)])?;
                        let made = transaction.last_insert_rowid();
                        new.push((word, made));
                        made
                    }
                };
                place_row.execute([word_no, no])?;
            }
        }
        transaction
            .execute("UPDATE recordings SET keys = ?, text = ? WHERE no = ?", params![keys, sealed, no])?;
        transaction.commit()?;
        self.words.extend(new);
        Ok(())
    }

    /// Forgets what a recording says.
    pub(super) fn unlearn(&mut self, id: &str) -> Result<(), IndexError> {
        let Some((no, texts)) = self.texts(id)? else { return Ok(()) };
        let transaction = self.connection.transaction()?;
        let mut unused = Vec::new();
        for word in words::of(&texts) {
            let Some(&word_no) = self.words.get(&word) else { continue };
            transaction.execute("DELETE FROM places WHERE word = ? AND recording = ?", [word_no, no])?;
            let left: bool = transaction.query_row(
                "SELECT EXISTS (SELECT 1 FROM places WHERE word = ?)",
                [word_no],
                |row| row.get(0),
            )?;
            if !left {
                transaction.execute("DELETE FROM words WHERE no = ?", [word_no])?;
                unused.push(word);
            }
        }
        transaction.execute("UPDATE recordings SET keys = NULL, text = NULL WHERE no = ?", [no])?;
        transaction.commit()?;
        for word in unused {
            self.words.remove(&word);
        }
        Ok(())
    }

    /// A recording's number and what it says, if that was read.
    fn texts(&self, id: &str) -> Result<Option<(i64, Vec<Text>)>, IndexError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT no, text FROM recordings WHERE id = ? AND text IS NOT NULL")?;
        let row: Option<(i64, Vec<u8>)> =
            statement.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        Ok(row.map(|(no, sealed)| (no, self.open_texts(id, &sealed))))
    }

    fn open_texts(&self, id: &str, sealed: &[u8]) -> Vec<Text> {
        let clear = self.seal.open(id, sealed);
        clear.and_then(|clear| serde_json::from_slice(&clear).ok()).unwrap_or_default()
    }

    /// What the last verification of a recording found, and of which state of the files.
    pub(super) fn verified(&self, id: &str) -> Result<Option<(Verified, String)>, IndexError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT verified, verified_stamp FROM recordings WHERE id = ? AND verified IS NOT NULL",
        )?;
        let row: Option<(String, String)> =
            statement.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        Ok(row.and_then(|(verified, stamp)| Some((serde_json::from_str(&verified).ok()?, stamp))))
    }

    /// Keeps what a verification found.
    pub(super) fn verify(&self, id: &str, stamp: &str, verified: &Verified) -> Result<(), IndexError> {
        let verified = serde_json::to_string(verified).unwrap_or_default();
        let mut statement = self
            .connection
            .prepare_cached("UPDATE recordings SET verified = ?, verified_stamp = ? WHERE id = ?")?;
        statement.execute([verified.as_str(), stamp, id])?;
        Ok(())
    }

    /// The recordings that are wanted.
    pub(super) fn list(&self, wanted: &Wanted) -> Result<Vec<Item>, IndexError> {
        let mut sql = "SELECT id, shown, text, verified, verified_stamp FROM recordings WHERE 1".to_owned();
        let mut values: Vec<Value> = Vec::new();
        let mut and = |condition: &str, value: Value| {
            sql.push_str(" AND ");
            sql.push_str(condition);
            values.push(value);
        };
        for (condition, text) in [
            ("technician = ?", &wanted.technician),
            ("target = ?", &wanted.target),
            ("state = ?", &wanted.state),
        ] {
            if let Some(text) = text {
                and(condition, text.clone().into());
            }
        }
        for (condition, time) in [("started >= ?", wanted.from), ("started < ?", wanted.until)] {
            if let Some(time) = time {
                and(condition, time.into());
            }
        }
        let (order, further) = if wanted.oldest_first { ("ASC", ">") } else { ("DESC", "<") };
        if let Some(behind) = &wanted.behind {
            let started: Option<i64> = self
                .connection
                .query_row("SELECT started FROM recordings WHERE id = ?", [behind], |row| row.get(0))
                .optional()?;
            let started = started.ok_or(IndexError::Cursor)?;
            sql.push_str(&format!(" AND (started, id) {further} (?, ?)"));
            values.extend([Value::from(started), Value::from(behind.clone())]);
        }
        for asked in wanted.query.iter().flat_map(Query::words) {
            let meant: Vec<i64> = self
                .words
                .range(asked.clone()..)
                .take_while(|(word, _)| word.starts_with(asked.as_str()))
                .map(|(_, no)| *no)
                .collect();
            if meant.len() > MEANT {
                return Err(IndexError::Vague(meant.len()));
            }
            let places = vec!["?"; meant.len()].join(", ");
            sql.push_str(&format!(" AND no IN (SELECT recording FROM places WHERE word IN ({places}))"));
            values.extend(meant.into_iter().map(Value::from));
        }
        sql.push_str(&format!(" ORDER BY started {order}, id {order} LIMIT ?"));
        values.push(i64::try_from(wanted.limit).unwrap_or(i64::MAX).into());
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut items = Vec::new();
        while let Some(row) = rows.next()? {
            let (id, shown): (String, String) = (row.get(0)?, row.get(1)?);
            let Ok(shown) = serde_json::from_str::<Shown>(&shown) else { continue };
            let (verified, of): (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
            let verified = verified.zip(of);
            let text: Option<Vec<u8>> = row.get(2)?;
            let matches = match (&wanted.query, text) {
                (Some(query), Some(sealed)) => query.places(&self.open_texts(&id, &sealed)),
                _ => Vec::new(),
            };
            let verified =
                verified.and_then(|(verified, of)| Some((serde_json::from_str(&verified).ok()?, of)));
            items.push(Item { summary: shown.summary(), verified, matches });
        }
        Ok(items)
    }
}
