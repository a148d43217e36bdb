-- Derived from the recordings; removed and made anew when it is of another version.
CREATE TABLE recordings (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    -- Milliseconds since 1970.
    started INTEGER NOT NULL,
    technician TEXT NOT NULL,
    target TEXT NOT NULL,
    state TEXT NOT NULL,
    -- What a list shows of it, in JSON: all of it is in clear in the recording's header, too.
    shown TEXT NOT NULL,
    -- Of which state of its keys the text is; nothing as long as it was not read.
    keys TEXT,
    -- What was said and done, sealed.
    text BLOB,
    -- The last verification in JSON, and of which state of the files it is.
    verified TEXT,
    verified_stamp TEXT
) STRICT;
CREATE INDEX by_start ON recordings (started, id);
CREATE INDEX by_technician ON recordings (technician, started, id);
CREATE INDEX by_target ON recordings (target, started, id);
CREATE INDEX by_state ON recordings (state, started, id);
CREATE INDEX unread ON recordings (no) WHERE keys IS NULL;
-- Every word that occurs, sealed.
CREATE TABLE words (no INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
-- Which word occurs in which recording.
CREATE TABLE places (
    word INTEGER NOT NULL,
    recording INTEGER NOT NULL,
    PRIMARY KEY (word, recording)
) STRICT, WITHOUT ROWID;
