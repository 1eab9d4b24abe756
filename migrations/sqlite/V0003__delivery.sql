-- Delivery: what is to be written to CRMs, and what became of it. Instants are milliseconds since 1970, UTC.

UPDATE meta SET value = 3 WHERE name = 'schema_version';
UPDATE meta SET value = 3 WHERE name = 'min_reader_version';

-- Numbers every lease: who holds an old one settles nothing any more.
INSERT INTO meta VALUES ('leases', 0);

-- One operation for one lead and one target. Asked for again, it is a further revision of the same row; asked for
-- while it is leased or in doubt, the revision waits in `again` until that is over.
CREATE TABLE jobs (
    id             INTEGER PRIMARY KEY,
    target         TEXT    NOT NULL,
    lead           BLOB    NOT NULL,
    kind           TEXT    NOT NULL,            -- person, activity, deal
    subject        TEXT    NOT NULL,            -- '' for the person; the conversation; the deal
    revision       INTEGER NOT NULL,
    state          TEXT    NOT NULL,            -- pending, leased, doubt, held, dead; done, suppressed, discarded
    again          INTEGER,                     -- when the revision is due that waits
    again_priority INTEGER,
    priority       INTEGER NOT NULL,            -- 0 first, 1 urgent, 2 bulk
    wanted_at      INTEGER NOT NULL,
    due_at         INTEGER NOT NULL,
    attempts       INTEGER NOT NULL DEFAULT 0,
    doubtful       INTEGER NOT NULL DEFAULT 0,
    lease          INTEGER,                     -- its number
    leased_until   INTEGER,                     -- while it is leased
    cause          TEXT,                        -- pending with a cause: it backs off
    result         TEXT,                        -- JSON: record, matched_by, candidates, left_out of the last write
    trace_id       TEXT    NOT NULL,
    UNIQUE (target, lead, kind, subject)
);

CREATE INDEX jobs_due ON jobs (target, priority, due_at) WHERE state IN ('pending', 'doubt');
CREATE INDEX jobs_open ON jobs (state, id) WHERE state NOT IN ('done', 'suppressed', 'discarded');
CREATE INDEX jobs_of_lead ON jobs (lead);

-- The attempts at a job, the newest twenty.
CREATE TABLE attempts (
    job      INTEGER NOT NULL,
    lease    INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    began_at INTEGER NOT NULL,
    ended_at INTEGER,
    result   TEXT,
    PRIMARY KEY (job, lease)
) WITHOUT ROWID;

-- Whose record is whose: the local map that is asked before the CRM is.
CREATE TABLE records (
    target     TEXT NOT NULL,
    lead       BLOB NOT NULL,
    object     TEXT NOT NULL,
    id         TEXT NOT NULL,
    url        TEXT,
    matched_by TEXT NOT NULL,
    written    TEXT NOT NULL,               -- JSON: what we wrote last, by field
    PRIMARY KEY (target, lead)
) WITHOUT ROWID;

CREATE INDEX records_by_id ON records (id);
CREATE INDEX records_of_lead ON records (lead);

-- What one activity stands for. Frozen once its activity was tried: its start moves no more, though an act may
-- come to light that was before it.
CREATE TABLE conversations (
    id         TEXT    PRIMARY KEY,
    lead       BLOB    NOT NULL,
    place      TEXT    NOT NULL,            -- the business number, or chatbot:<bot>
    started_at INTEGER NOT NULL,
    first_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    frozen     INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE INDEX conversations_of_lead ON conversations (lead, place, last_at);

-- What is known of targets beside their configuration.
CREATE TABLE targets (
    name      TEXT PRIMARY KEY,
    paused    TEXT,
    schema    TEXT,
    schema_at INTEGER
) WITHOUT ROWID;

-- What a target in shadow mode would have been sent.
CREATE TABLE shadow (
    target TEXT    NOT NULL,
    lead   BLOB    NOT NULL,
    kind   TEXT    NOT NULL,
    at     INTEGER NOT NULL,
    row    TEXT    NOT NULL,                -- JSON: action, matched_by, diff
    PRIMARY KEY (target, lead, kind)
) WITHOUT ROWID;
