-- Keeps accounts. Second factors are kept by softtoken's store, in a table of its own.
CREATE TABLE IF NOT EXISTS users (
    id               TEXT PRIMARY KEY,      -- the subject of the second factor: never changes
    email            TEXT NOT NULL UNIQUE,  -- in lower case; may change
    password         TEXT NOT NULL,         -- Argon2id, as a PHC string
    password_version INTEGER NOT NULL,      -- a new one ends logins, challenges and remembered browsers
    is_administrator INTEGER NOT NULL
) STRICT;

-- Keeps which browser is signed in. The key is the hash of the cookie, so that a copy of this table opens nothing.
CREATE TABLE IF NOT EXISTS sessions (
    key     BLOB PRIMARY KEY,
    user    TEXT,                           -- whose it is from the password on, so that logins can be ended
    data    TEXT NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS sessions_by_user ON sessions (user);
CREATE INDEX IF NOT EXISTS sessions_by_end ON sessions (expires);

-- Keeps what happened, for the user and for administrators.
CREATE TABLE IF NOT EXISTS events (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    user    TEXT NOT NULL,
    name    TEXT NOT NULL,
    token   TEXT,                           -- the name of the authenticator
    by      TEXT,                           -- the administrator
    address TEXT                            -- of the client
) STRICT;
CREATE INDEX IF NOT EXISTS events_by_user ON events (user, id);

-- Keeps the mail that was sent.
CREATE TABLE IF NOT EXISTS mail (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    email   TEXT NOT NULL,
    subject TEXT NOT NULL,
    text    TEXT NOT NULL
) STRICT;

-- Keeps what administrators have set: one row.
CREATE TABLE IF NOT EXISTS settings (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    required_from INTEGER                   -- from when on everybody must have a second factor
) STRICT;
INSERT OR IGNORE INTO settings (id, required_from) VALUES (1, NULL);
