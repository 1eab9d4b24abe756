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

-- Attribution rollups: sums of what each cluster adds (`leads/rollup.rs`), kept beside `clusters`. A text is
-- empty where there is none; `model` is empty where all models say the same.
CREATE TABLE rollups (
    model             TEXT    NOT NULL,
    day               TEXT    NOT NULL,  -- in the time zone of rollup_state
    ad_id             TEXT    NOT NULL,
    business_number   TEXT    NOT NULL,
    provider          TEXT    NOT NULL,
    state             TEXT    NOT NULL,
    cause             TEXT    NOT NULL,
    conversations     INTEGER NOT NULL,
    leads             INTEGER NOT NULL,
    click_id_present  INTEGER NOT NULL,
    answered_5m       INTEGER NOT NULL,
    answered_unknown  INTEGER NOT NULL,
    free_entry_opened INTEGER NOT NULL,
    qualified         INTEGER NOT NULL,  -- on the day of the touch
    qualified_then    INTEGER NOT NULL,  -- on the day of the qualification
    PRIMARY KEY (model, day, ad_id, business_number, provider, state, cause)
) WITHOUT ROWID;

-- One row. Clusters up to `through` are counted in `rollups`, those after it are not yet. Leads of an older
-- version are folded anew as they are counted: they know nothing of answers and links.
CREATE TABLE rollup_state (
    timezone TEXT    NOT NULL,           -- an IANA name, or seconds east of UTC
    through  INTEGER NOT NULL
);

INSERT INTO rollup_state
SELECT 'Asia/Kolkata', CASE WHEN EXISTS (SELECT 1 FROM clusters) THEN 0 ELSE 9223372036854775807 END;

-- The words of people's names, in small letters, for look-up by their beginnings. Derived from `clusters`;
-- filled by the first start after the migration (`search_filled`), since SQL folds no letters but a to z.
CREATE TABLE search (
    kind    TEXT    NOT NULL,
    value   TEXT    NOT NULL,
    cluster INTEGER NOT NULL,
    PRIMARY KEY (kind, value, cluster)
) WITHOUT ROWID;

INSERT INTO meta VALUES ('search_filled', 0);

-- An older version would not know what some of the new events mean.
UPDATE meta SET value = 2 WHERE name IN ('schema_version', 'min_reader_version');
