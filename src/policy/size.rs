//! Bounds how large a record can become: the sum of its parts, each at its largest.

use super::Policy;

/// Limits the challenge sessions that succeeded and that a record remembers until they expire.
pub(super) const SPENT_SESSIONS: usize = 64;

/// Counts one byte that says whether an optional part follows.
const PRESENT: usize = 1;
const TIME: usize = 8;
const GENERATION: usize = 8;
/// Streak, debt and since when time pays it off, suspicion, when the next attempt may be made.
const THROTTLE: usize = 4 + 4 + TIME + 4 + TIME;
/// Counts what a record holds whatever is in force: the format, how many tokens there are, whether
/// a secret waits, the generation, `factors_from`, `ever_verified`, the throttle, the preference,
/// `asked`, `off_from`, `grants_from`, `browsers_from`, `exported`.
const HEAD: usize = 1
    + 2
    + PRESENT
    + GENERATION
    + (PRESENT + GENERATION + TIME)
    + 1
    + THROTTLE
    + 1
    + 1
    + (PRESENT + TIME)
    + (PRESENT + TIME)
    + 8
    + (PRESENT + TIME);
/// Counts the identifier of a token, pending or in force: 128 random bits.
const TOKEN_ID: usize = 16;
/// Algorithm, digits and period; then the length of the key and the longest key that an import
/// brings.
const SECRET: usize = 3 + 2 + 128;
/// Counts the length of a name, before its bytes.
const NAME_LENGTH: usize = 2;
/// Counts the hash of the grant that proved a token, where there is one.
const PROVED_BY: usize = PRESENT + 16;
/// Counts the last step that was accepted.
const LAST_STEP: usize = 8;
const LAST_USED: usize = PRESENT + TIME;
const DRIFT: usize = 2;
/// Counts the mark whether the sign-in that set a token up may still be completed.
const SETUP_MARK: usize = 1;
/// Counts the token that a pending secret is to replace, where it names one.
const REPLACES: usize = PRESENT + TOKEN_ID;
/// Counts the user's recovery codes: a salt, how many there are, and a hash for each of the ten.
const RECOVERY_CODES: usize = PRESENT + 16 + 2 + 10 * 16;
/// Counts the temporary code: its salt, its hash and its end.
const TEMPORARY_CODE: usize = PRESENT + 16 + 16 + TIME;
/// Counts the number of wrong recovery codes in a row.
const WRONG_RECOVERY_CODES: usize = 4;
/// Counts the number of sessions; then a nonce and an expiry for each.
const SPENT: usize = 2 + SPENT_SESSIONS * (16 + TIME);
/// Counts what was proven: the method, the token, the step, when, the first factor's time, and
/// whether other logins should end.
const PROOF: usize = 1 + (PRESENT + TOKEN_ID) + (PRESENT + 8) + TIME + (PRESENT + TIME) + 1;
/// Counts the last answer, kept for a repetition of the same request: the hash of that request, the
/// generation, the end of its time, and what was proven.
const LAST_ANSWER: usize = PRESENT + 16 + GENERATION + TIME + PROOF;
/// Counts what sealing adds: format, key id, nonce and tag.
const SEAL: usize = 45;

impl Policy {
    /// Returns how many bytes a stored record can have at the most, in the clear or sealed by a
    /// `Keyring`: what a column or a value of your store has to hold.
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
    /// # Ok::<(), softtoken::policy::PolicyError>(())
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
        let pending = TOKEN_ID + SECRET + TIME + name + REPLACES;
        let recovery = RECOVERY_CODES + TEMPORARY_CODE + WRONG_RECOVERY_CODES;
        HEAD + self.0.max_tokens * token + pending + recovery + SPENT + LAST_ANSWER + SEAL
    }
}
