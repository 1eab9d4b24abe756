-- Upkeep: what a CRM is logged in to with, and what was used of its limits. Instants are milliseconds since 1970, UTC.

UPDATE meta SET value = 4 WHERE name = 'schema_version';
UPDATE meta SET value = 4 WHERE name = 'min_reader_version';

-- What a target is logged in with. Tokens are sealed; the key is a file beside the store, and not in its backups.
CREATE TABLE logins (
    target     TEXT    PRIMARY KEY,
    sealed     BLOB    NOT NULL,            -- the access token, the refresh token, and the one used before it
    generation INTEGER NOT NULL,            -- how often it was renewed or made anew
    renew_at   INTEGER,                     -- when a new access token is fetched; never, if it does not expire
    expires_at INTEGER,
    wait_until INTEGER,                     -- the token endpoint is left alone until then
    fault      TEXT,                        -- why it is good for nothing any more
    changed_at INTEGER NOT NULL
) WITHOUT ROWID;

-- What was used of an account's limits that outlast a restart, by spans of time. Several targets may write to one.
CREATE TABLE used (
    account TEXT    NOT NULL,
    budget  TEXT    NOT NULL,               -- the limit's name
    span    INTEGER NOT NULL,               -- when it began
    amount  INTEGER NOT NULL,
    PRIMARY KEY (account, budget, span)
) WITHOUT ROWID;
