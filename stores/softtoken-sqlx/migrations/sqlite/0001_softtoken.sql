-- One row for each subject, and never one less: a reset writes a record, nothing deletes or expires one.
--
-- Subjects are compared byte for byte, as BINARY does, the default: no NOCASE. Revisions are signed integers of 64 bits. Records
-- are opaque, and have a format version of their own, so that this table stays as it is.
CREATE TABLE IF NOT EXISTS softtoken (
    subject  TEXT    NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL,
    record   BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
