-- What the hand-written peers keep: the evidence, one row for each message, one for each person.
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;

CREATE TABLE IF NOT EXISTS requests (
    id          INTEGER PRIMARY KEY,
    received_at INTEGER NOT NULL,
    signature   TEXT    NOT NULL,
    body        BLOB    NOT NULL
);

CREATE TABLE IF NOT EXISTS events (
    id         INTEGER PRIMARY KEY,
    message_id TEXT    NOT NULL UNIQUE,
    request    INTEGER NOT NULL REFERENCES requests (id),
    phone      TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    sent_at    INTEGER NOT NULL,
    ad_id      TEXT,
    click_id   TEXT
);

CREATE TABLE IF NOT EXISTS leads (
    phone           TEXT PRIMARY KEY,
    name            TEXT,
    first_seen_at   INTEGER NOT NULL,
    last_inbound_at INTEGER NOT NULL,
    messages        INTEGER NOT NULL,
    first_ad_id     TEXT,
    last_ad_id      TEXT
) WITHOUT ROWID;
