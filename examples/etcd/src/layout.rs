//! Keys and values: the revision in eight bytes, the highest first; the byte 1, which is the number
//! of the layout; the record.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use softtoken::Revision;
use softtoken::store::{Snapshot, Swap, Write};

use crate::EtcdError;

/// Of this layout. It is not 0, nor absent: each value is greater than its revision alone, also
/// with an empty record.
const VERSION: u8 = 1;

/// Keep: byte for byte, under a prefix that nothing else writes.
pub(crate) fn key(subject: &str) -> String {
    encode(format!("softtoken/{subject}").as_bytes())
}

/// Less than every value under this revision, and greater than every value under an earlier one.
pub(crate) fn bound(revision: Revision) -> String {
    encode(&revision.get().to_be_bytes())
}

/// What is stored for a write.
pub(crate) fn value(write: &Write) -> String {
    let revision = write.next().get().to_be_bytes();
    encode(&[&revision[..], &[VERSION], write.record()].concat())
}

fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

fn decode(value: &str) -> Option<Snapshot> {
    let value = BASE64.decode(value).ok()?;
    let (revision, rest) = value.split_first_chunk()?;
    let (&VERSION, record) = rest.split_first()? else {
        return None;
    };
    Some(Snapshot {
        // Keep: a revision that was never written is an error, not a record to begin anew.
        revision: Revision::new(u64::from_be_bytes(*revision))?,
        record: record.to_vec(),
    })
}

/// What the gateway answers to a range, and to a transaction. It leaves out what is empty, zero or
/// false.
#[derive(Deserialize)]
pub(crate) struct Answer {
    /// Keep: without it, something else has answered, and what it leaves out means nothing.
    #[serde(rename = "header")]
    _header: Header,
    #[serde(default)]
    succeeded: bool,
    #[serde(default)]
    kvs: Vec<Pair>,
}

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "cluster_id")]
    _cluster: String,
}

#[derive(Deserialize)]
struct Pair {
    #[serde(default)]
    value: String,
}

impl Answer {
    pub(crate) fn snapshot(&self) -> Result<Option<Snapshot>, EtcdError> {
        let pair = self.kvs.first();
        pair.map(|pair| decode(&pair.value).ok_or(EtcdError::Layout))
            .transpose()
    }

    pub(crate) fn swap(&self) -> Swap {
        if self.succeeded {
            Swap::Stored
        } else {
            Swap::Conflict
        }
    }
}

#[cfg(test)]
mod tests {
    use softtoken::Revision;
    use softtoken::association::Events;
    use softtoken::store::Write;

    use super::{bound, decode, encode, value};

    #[test]
    fn the_layout_is_what_it_was() {
        let (expected, record) = (Revision::new(0x0102), b"record".to_vec());
        let write = Write::new("alice", expected, record, Events::default());
        let write = write.expect("one of many");
        let bytes = b"\0\0\0\0\0\0\x01\x03\x01record";
        assert_eq!(value(&write), encode(bytes));
        assert_eq!(decode(&encode(bytes)), Some(write.snapshot()));
        assert_eq!(bound(Revision::FIRST), encode(b"\0\0\0\0\0\0\0\x01"));
    }

    #[test]
    fn what_no_store_has_written_is_nothing() {
        for bytes in [
            &b""[..],
            b"\0\0\0\0\0\0\x01",
            b"\0\0\0\0\0\0\0\x01",
            b"\0\0\0\0\0\0\0\x01\0record",
            b"\0\0\0\0\0\0\0\x01\x02record",
            b"\0\0\0\0\0\0\0\0\x01record",
            b"\x80\0\0\0\0\0\0\0\x01record",
        ] {
            assert_eq!(decode(&encode(bytes)), None, "{bytes:?}");
        }
        assert_eq!(decode("not base64"), None);
    }
}
