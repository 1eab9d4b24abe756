-- Upkeep: what a CRM is logged in to with, and what was used of its limits. Instants are milliseconds since 1970, UTC.

UPDATE meta SET value = 4 WHERE name = 'schema_version';
UPDATE meta SET value = 4 WHERE name = 'min_reader_version';

-- What a target is logged in with. Tokens are sealed; the key is a file beside the store, and not in its backups.
CREATE TABLE logins (
    target     TEXT COLLATE "C"    PRIMARY KEY,
    sealed     BYTEA    NOT NULL,            -- the access token, the refresh token, and the one used before it
    generation BIGINT NOT NULL,            -- how often it was renewed or made anew
    renew_at   BIGINT,                     -- when a new access token is fetched; never, if it does not expire
    expires_at BIGINT,
    wait_until BIGINT,                     -- the token endpoint is left alone until then
    fault      TEXT COLLATE "C",                        -- why it is good for nothing any more
    changed_at BIGINT NOT NULL
);

-- What was used of an account's limits that outlast a restart, by spans of time. Several targets may write to one.
CREATE TABLE used (
    account TEXT COLLATE "C"    NOT NULL,
    budget  TEXT COLLATE "C"    NOT NULL,               -- the limit's name
    span    BIGINT NOT NULL,               -- when it began
    amount  BIGINT NOT NULL,
    PRIMARY KEY (account, budget, span)
);
