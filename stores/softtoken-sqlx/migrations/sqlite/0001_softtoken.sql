-- One row for each subject, and never one less: a reset writes a record, nothing deletes or expires one.
--
-- Subjects are compared byte for byte, whatever the collation of other columns. Records are opaque, and have a format version of
-- their own, so that this table stays as it is. It may be run again.
CREATE TABLE IF NOT EXISTS softtoken (
    subject  TEXT COLLATE BINARY NOT NULL PRIMARY KEY,
    revision INTEGER             NOT NULL,
    record   BLOB                NOT NULL
);
