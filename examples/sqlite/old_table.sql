-- The table of a system of before, as such tables are: one row for each phone, hashes of backup codes beside them.
CREATE TABLE old_totp (
    user_id      TEXT    NOT NULL,
    secret       TEXT    NOT NULL, -- base32 as it was typed, or a whole key URI
    algorithm    TEXT,
    digits       INTEGER,
    period       INTEGER,
    last_counter INTEGER NOT NULL DEFAULT -1, -- in steps
    drift        INTEGER NOT NULL DEFAULT 0,
    name         TEXT,
    confirmed    INTEGER NOT NULL,
    enabled      INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX old_totp_user ON old_totp (user_id);
-- These stay where they are: only the old algorithm checks them.
CREATE TABLE old_backup_code (
    user_id TEXT NOT NULL,
    hash    BLOB NOT NULL, -- SHA-256
    PRIMARY KEY (user_id, hash)
);
