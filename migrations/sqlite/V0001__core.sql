-- Instants are milliseconds since 1970, UTC. JSON is kept as text so that an operator can read it.

-- Ours, beside refinery's own history: schema_version, min_reader_version, projected_through.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO meta VALUES ('schema_version', 1), ('min_reader_version', 1), ('projected_through', 0);

-- The raw verified requests, in the order of their commits. No further index: an acknowledgement is one
-- sequential append.
CREATE TABLE requests (
    id           INTEGER PRIMARY KEY,
    received_at  INTEGER NOT NULL,
    channel      TEXT    NOT NULL,
    proof        TEXT    NOT NULL,
    secret_index INTEGER NOT NULL,
    query        TEXT    NOT NULL,
    headers      TEXT    NOT NULL,  -- [[name, value], ...]: the proof and the content type
    body         BLOB    NOT NULL
);

-- What became of each item of a projected request. Duplicates too: this is what ties a body to a person.
CREATE TABLE items (
    request INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    event   INTEGER,
    result  TEXT    NOT NULL,       -- applied, duplicate, skipped, quarantined
    reason  TEXT,
    PRIMARY KEY (request, ordinal)
) WITHOUT ROWID;

CREATE INDEX items_without_person ON items (event) WHERE reason = 'no_identity';

-- What could not be understood, and where; `ordinal` -1 is the request as a whole.
CREATE TABLE quarantine (
    request INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    reason  TEXT    NOT NULL,
    path    TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (request, ordinal)
) WITHOUT ROWID;

-- Requests that were in hand when the process died.
CREATE TABLE crashes (
    request INTEGER PRIMARY KEY,
    count   INTEGER NOT NULL
);

-- The books: requests and items by result and reason.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

-- One row per distinct event, with all that was reported of it. `event_id` is derived from the event's
-- key: its uniqueness is the deduplication.
CREATE TABLE events (
    id       INTEGER PRIMARY KEY,
    event_id BLOB    NOT NULL UNIQUE,
    cluster  INTEGER,
    evidence TEXT    NOT NULL
);

CREATE INDEX events_by_cluster ON events (cluster) WHERE cluster IS NOT NULL;

-- Folded state: the people whose names ever occurred together.
CREATE TABLE clusters (
    id    INTEGER PRIMARY KEY,
    state TEXT NOT NULL
);

-- The names that decide whose an event is.
CREATE TABLE names (
    kind    TEXT    NOT NULL,
    scope   TEXT    NOT NULL,
    value   TEXT    NOT NULL,
    cluster INTEGER NOT NULL,
    PRIMARY KEY (kind, scope, value)
) WITHOUT ROWID;

CREATE INDEX names_by_cluster ON names (cluster);

-- E-mail addresses and chatbot conversations, with the first evidence that says whom they stand for.
CREATE TABLE aliases (
    alias       TEXT PRIMARY KEY,
    cluster     INTEGER NOT NULL,
    claimed_at  INTEGER,
    claimed_key TEXT
) WITHOUT ROWID;

CREATE INDEX aliases_by_cluster ON aliases (cluster);

-- Usernames and e-mail addresses, for look-up: many people may have used one.
CREATE TABLE handles (
    kind    TEXT    NOT NULL,
    value   TEXT    NOT NULL,
    cluster INTEGER NOT NULL,
    PRIMARY KEY (kind, value, cluster)
) WITHOUT ROWID;

CREATE INDEX handles_by_cluster ON handles (cluster);

-- Lead ids, drawn once for each holder of a name; a rebuild keeps them.
CREATE TABLE lead_ids (
    kind   TEXT    NOT NULL,
    scope  TEXT    NOT NULL,
    value  TEXT    NOT NULL,
    tenure INTEGER NOT NULL,
    id     BLOB    NOT NULL UNIQUE,
    PRIMARY KEY (kind, scope, value, tenure)
) WITHOUT ROWID;

-- The touches of all leads by time, derived from `clusters`.
CREATE TABLE touches (
    occurred_at INTEGER NOT NULL,
    id          BLOB    NOT NULL,
    cluster     INTEGER NOT NULL,
    lead_id     BLOB    NOT NULL,
    phone       TEXT,
    touch       TEXT    NOT NULL,
    PRIMARY KEY (occurred_at, id)
) WITHOUT ROWID;

CREATE INDEX touches_by_cluster ON touches (cluster);

-- API tokens, hashed.
CREATE TABLE tokens (
    name       TEXT PRIMARY KEY,
    hash       BLOB    NOT NULL UNIQUE,
    scopes     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) WITHOUT ROWID;
