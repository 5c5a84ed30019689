//! Keeps the keys of the server: in a file beside the database, readable for the server alone.
//!
//! Whoever runs more than one process gives the same keys to each; a secret manager is a better
//! place for them than the disk on which the database is.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use softtoken::association::BrowserKeys;
use softtoken::entropy::Entropy as _;
use softtoken::record::Keyring;
use softtoken::{OsEntropy, SessionKeys};

/// Counts the bytes of a key.
const KEY: usize = 32;

/// Holds the three keys of the second factors.
#[derive(Debug)]
pub(crate) struct Keys {
    /// Sign the steps of a sign-in.
    pub(crate) sessions: SessionKeys,
    /// Sign the cookies of remembered browsers.
    pub(crate) browsers: BrowserKeys,
    /// Encrypt the secrets in the database.
    pub(crate) records: Keyring,
}

impl Keys {
    /// Reads the keys, or makes them where there are none.
    ///
    /// # Errors
    ///
    /// Fails where the file cannot be read or written, or is not a file of keys. Nothing is made
    /// anew over a damaged file, since the secrets in the database are lost with its keys.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::make(path)?,
            Err(error) => return Err(error),
        };
        let ([sessions, browsers, records], []) = bytes.as_chunks::<KEY>() else {
            let told = format!("{} is not a file of three keys", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, told));
        };
        Ok(Self {
            sessions: SessionKeys::from_bytes(1, sessions),
            browsers: BrowserKeys::from_bytes(1, browsers),
            records: Keyring::from_bytes(1, records),
        })
    }

    fn make(path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; 3 * KEY];
        OsEntropy.fill(&mut bytes).map_err(io::Error::other)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_for_the_server_alone() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("example.keys");
        Keys::open(&file).expect("they are made");
        let mode = fs::metadata(&file).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_of_keys_is_neither_taken_nor_made_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("example.keys");
        for length in [0, 95, 97] {
            fs::write(&file, vec![7; length]).expect("it is written");
            let refused = Keys::open(&file).expect_err("it is damaged");
            assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
            assert_eq!(fs::read(&file).expect("it is there").len(), length);
        }
    }
}
