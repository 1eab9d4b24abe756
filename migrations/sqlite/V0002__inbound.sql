-- All providers, and everything a person does with what came in.

-- Requests whose path token was right and whose signature was not, from providers that would not send them
-- again. Bounded; verified again by `replay --parked`.
CREATE TABLE parked (
    id          INTEGER PRIMARY KEY,
    received_at INTEGER NOT NULL,
    channel     TEXT    NOT NULL,
    query       TEXT    NOT NULL,
    headers     TEXT    NOT NULL,
    body        BLOB    NOT NULL
);

-- The business numbers that account ids stood for which no channel named, as first projected: keys are made
-- of them, so they stay.
CREATE TABLE account_numbers (
    channel    TEXT    NOT NULL,
    account_id TEXT    NOT NULL,
    number     TEXT    NOT NULL,
    first_seen INTEGER NOT NULL,
    PRIMARY KEY (channel, account_id)
) WITHOUT ROWID;

UPDATE meta SET value = 2 WHERE name IN ('schema_version', 'min_reader_version');
