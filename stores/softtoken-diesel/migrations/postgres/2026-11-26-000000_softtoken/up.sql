-- One row for each subject, and never one less: a reset writes a record, nothing deletes or expires one.
--
-- Subjects are compared byte for byte: "C" is the collation that does, and the cheapest. Records are opaque, and have a format
-- version of their own, so that this table stays as it is. It may be run again.
CREATE TABLE IF NOT EXISTS softtoken (
    subject  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    revision BIGINT           NOT NULL,
    record   BYTEA            NOT NULL
);
