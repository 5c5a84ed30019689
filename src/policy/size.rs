//! How large a record can become: the sum of its parts, each at its largest.

use super::Policy;

/// How many challenge sessions that succeeded a record remembers until they expire.
pub(super) const SPENT_SESSIONS: usize = 64;

/// The format's version, the state, the generation, the times and counts that a record holds
/// whatever is in force: throttle, suspicion, preference, `factors_from`, `grants_from`,
/// `browsers_from`, `exported`.
const HEAD: usize = 120;
/// One byte that says whether an optional part follows.
const PRESENT: usize = 1;
const TIME: usize = 8;
/// The identifier of a token, pending or in force: 128 random bits.
const TOKEN_ID: usize = 16;
/// Algorithm, digits and period; then the length of the key and the longest key that an import
/// brings.
const SECRET: usize = 3 + 2 + 128;
/// The length of a name, before its bytes.
const NAME_LENGTH: usize = 2;
/// The hash of the grant that proved a token, where there is one.
const PROVED_BY: usize = PRESENT + 16;
/// The last step that was accepted.
const LAST_STEP: usize = 8;
const LAST_USED: usize = PRESENT + TIME;
const DRIFT: usize = 2;
/// Whether the sign-in that set a token up may still be completed.
const SETUP_MARK: usize = 1;
/// The token that a pending secret is to replace, where it names one.
const REPLACES: usize = PRESENT + TOKEN_ID;
/// The user's recovery codes: a salt, how many there are, and a hash for each of the ten.
const RECOVERY_CODES: usize = PRESENT + 16 + 2 + 10 * 16;
/// The temporary code: its salt, its hash and its end.
const TEMPORARY_CODE: usize = PRESENT + 16 + 16 + TIME;
/// How many wrong recovery codes were given in a row.
const WRONG_RECOVERY_CODES: usize = 4;
/// How many sessions there are; then a nonce and an expiry for each.
const SPENT: usize = 2 + SPENT_SESSIONS * (16 + TIME);
/// The last answer, kept for a repetition of the same request: the hash of that request, the
/// generation, the end of its time, and what was proven.
const LAST_ANSWER: usize = PRESENT + 16 + 8 + TIME + 60;
/// What sealing adds: format, key id, nonce and tag.
const SEAL: usize = 45;

impl Policy {
    /// Returns how many bytes a stored record can have at the most, sealed or not: what a column or
    /// a value of your store has to hold.
    ///
    /// The number depends on [`max_tokens`](Self::max_tokens) and [`name_bytes`](Self::name_bytes).
    /// It does not grow with the number of sign-ins. A record that was written under a policy with
    /// greater numbers stays larger until what it holds is removed.
    ///
    /// ```
    /// use softtoken::Policy;
    ///
    /// let three = Policy::builder().max_tokens(3).name_bytes(64).build()?;
    /// assert!(Policy::STANDARD.max_record_bytes() < 4096 && three.max_record_bytes() < 4096);
    /// # Ok::<(), softtoken::PolicyError>(())
    /// ```
    #[must_use]
    pub const fn max_record_bytes(&self) -> usize {
        let name = PRESENT + NAME_LENGTH + self.0.name_bytes;
        let token = TOKEN_ID
            + SECRET
            + TIME
            + PROVED_BY
            + LAST_STEP
            + LAST_USED
            + DRIFT
            + name
            + SETUP_MARK;
        let pending = PRESENT + TOKEN_ID + SECRET + TIME + name + REPLACES;
        let recovery = RECOVERY_CODES + TEMPORARY_CODE + WRONG_RECOVERY_CODES;
        HEAD + self.0.max_tokens * token + pending + recovery + SPENT + LAST_ANSWER + SEAL
    }
}
