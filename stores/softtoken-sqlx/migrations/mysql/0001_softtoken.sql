-- One row for each subject, and never one less: a reset writes a record, nothing deletes or expires one.
--
-- Subjects are compared byte for byte: no collation of text does so, since all pad or fold. Records are opaque, and have a format
-- version of their own, so that this table stays as it is. InnoDB, which has transactions. It may be run again.
CREATE TABLE IF NOT EXISTS softtoken (
    subject  VARBINARY(256) NOT NULL PRIMARY KEY,
    revision BIGINT         NOT NULL,
    record   MEDIUMBLOB     NOT NULL
) ENGINE = InnoDB;
