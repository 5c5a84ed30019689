//! What clients and applications hand back: challenge sessions, remembered browsers, grants. Each
//! is taken as it was given, and nothing else is, nor makes its reader panic.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::time::Duration;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use softtoken::association::{BrowserKeys, GrantError, ImportedToken};
use softtoken::store::Snapshot;
use softtoken::totp::{Secret, Totp, Verifier};
use softtoken::{
    Administrator, BlockingStore as _, Challenge, ChallengeSession, Context, Grant, MemoryStore,
    Mfa, OsEntropy, Policy, SessionKeys, UnixTime,
};

const NOW: UnixTime = UnixTime::from_secs(1_700_000_025);

/// A view that signs, the row of somebody who is challenged, and what two browsers of theirs hold.
struct Given {
    mfa: Mfa,
    row: Snapshot,
    session: String,
    browser: String,
}

static GIVEN: LazyLock<Given> = LazyLock::new(|| {
    let day = Duration::from_secs(86_400);
    let mfa = Mfa::new(Policy::STANDARD, || Some(NOW), OsEntropy)
        .with_sessions(
            SessionKeys::from_bytes(1, &[7; 32]),
            Context::new("web").unwrap(),
        )
        .with_browsers(BrowserKeys::from_bytes(1, &[8; 32]), day)
        .unwrap();
    let store = MemoryStore::new();
    let secret = Secret::from_bytes(&[7; 20]).unwrap();
    let step = Totp::STANDARD.step(NOW);
    let code = Verifier::new(&secret, Totp::STANDARD).code(step);
    let token = ImportedToken::proven(secret, Totp::STANDARD);
    let token = token.last_step(step.saturating_offset(-1));
    let import = mfa.import(&Administrator::named("root"), [token]);
    import.run_blocking(&store, "alice").unwrap();
    let session = challenged(&mfa, &store, None).unwrap();
    let evidence = mfa
        .respond(&session, code)
        .run_blocking(&store, "alice")
        .unwrap();
    let browser = mfa.remember(&evidence).unwrap().unwrap();
    Given {
        row: store.load_blocking("alice").unwrap().unwrap(),
        session: challenged(&mfa, &store, None).unwrap().expose().to_owned(),
        browser: browser.expose().to_owned(),
        mfa,
    }
});

fn challenged(mfa: &Mfa, store: &MemoryStore, browser: Option<&str>) -> Option<ChallengeSession> {
    let sign_in = mfa.sign_in().from_browser(browser);
    match sign_in.run_blocking(store, "alice").unwrap() {
        Challenge::SoftwareToken { session, .. } => Some(session),
        Challenge::NotRequired { .. } | Challenge::Setup { .. } => None,
    }
}

impl Given {
    fn opens(&self, text: &str) -> bool {
        self.mfa.open(text).is_ok()
    }

    fn remembers(&self, text: &str) -> bool {
        let sign_in = self.mfa.sign_in().from_browser(Some(text));
        let decision = sign_in.decide("alice", Some(self.row.clone())).unwrap();
        matches!(
            decision.committed::<core::convert::Infallible>().unwrap(),
            Challenge::NotRequired {
                remembered: true,
                ..
            }
        )
    }
}

/// One character or several changed, something put in, something cut out.
fn tampered(text: &'static str) -> impl Strategy<Value = String> {
    let change = (any::<Index>(), any::<Index>(), "[a-z2-7A-Z018=-]{0,3}");
    change.prop_map(move |(from, length, instead)| {
        let from = from.index(text.len());
        let length = length.index((text.len() - from).min(4) + 1);
        format!("{}{instead}{}", &text[..from], &text[from + length..])
    })
}

fn grant() -> impl Strategy<Value = Grant> {
    let parts = (
        "[^\0]{1,40}",
        any::<u64>(),
        proptest::option::of(any::<u64>()),
        ".{0,40}",
    );
    parts.prop_map(|(subject, first, second, id)| {
        let first = UnixTime::from_secs(first);
        let grant = match second {
            None => Grant::first_factor(&subject, first),
            Some(second) => Grant::from_bare_times(&subject, first, UnixTime::from_secs(second)),
        };
        grant.with_id(&id)
    })
}

/// Every kind of proof, as bytes that a grant may have.
fn bytes_of_a_grant() -> impl Strategy<Value = Vec<u8>> {
    let proof = prop_oneof![
        Just(vec![0]),
        vec(any::<u8>(), 24).prop_map(|rest| [&[1][..], &rest].concat()),
        vec(any::<u8>(), 16).prop_map(|rest| [&[2][..], &rest].concat()),
        vec(any::<u8>(), 8).prop_map(|rest| [&[3][..], &rest].concat()),
        vec(any::<u8>(), 0..30),
    ];
    let parts = (
        prop_oneof![9 => Just(1), 1 => any::<u8>()],
        any::<u64>(),
        proof,
        ".{0,9}",
    );
    (
        parts,
        prop_oneof![3 => Just(None), 1 => any::<u32>().prop_map(Some)],
        ".{0,9}",
    )
        .prop_map(|((format, first, proof, id), length, subject)| {
            let length = length.unwrap_or_else(|| u32::try_from(id.len()).unwrap());
            let parts: [&[u8]; 6] = [
                &[format],
                &first.to_be_bytes(),
                &proof,
                &length.to_be_bytes(),
                id.as_bytes(),
                subject.as_bytes(),
            ];
            parts.concat()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_but_the_one_that_was_signed_is_a_challenge_session(
        text in prop_oneof![
            4 => tampered(&GIVEN.session),
            1 => Just(GIVEN.browser.clone()),
            1 => "[a-z2-7]{0,300}",
            1 => any::<String>(),
        ],
    ) {
        prop_assert_eq!(GIVEN.opens(&text), text == GIVEN.session);
    }

    #[test]
    fn no_text_but_the_one_that_was_signed_is_a_remembered_browser(
        text in prop_oneof![
            4 => tampered(&GIVEN.browser),
            1 => Just(GIVEN.session.clone()),
            1 => "[a-z2-7]{0,300}",
            1 => any::<String>(),
        ],
    ) {
        prop_assert_eq!(GIVEN.remembers(&text), text == GIVEN.browser);
    }

    #[test]
    fn a_grant_is_read_from_its_bytes_for_its_subject_and_for_no_other(
        grant in grant(),
        other in ".{0,40}",
        cut in any::<Index>(),
    ) {
        let bytes = grant.to_bytes();
        let read = Grant::from_bytes(&bytes, grant.subject());
        prop_assert_eq!(read.as_ref(), Ok(&grant));
        if other != grant.subject() {
            prop_assert_eq!(Grant::from_bytes(&bytes, &other), Err(GrantError::OtherSubject));
        }
        let cut = &bytes[..cut.index(bytes.len())];
        prop_assert_ne!(Grant::from_bytes(cut, grant.subject()), Ok(grant));
    }

    /// Or two values would be one grant, and what is signed could be read otherwise.
    #[test]
    fn no_bytes_make_the_reader_of_grants_panic_and_what_is_read_is_written_the_same(
        bytes in prop_oneof![3 => bytes_of_a_grant(), 1 => vec(any::<u8>(), 0..80)],
        subject in ".{0,9}",
    ) {
        match Grant::from_bytes(&bytes, &subject) {
            Ok(grant) => prop_assert_eq!(grant.to_bytes(), bytes),
            Err(GrantError::OtherSubject) => {
                let owner = (0..=bytes.len()).filter_map(|at| core::str::from_utf8(&bytes[at..]).ok());
                let grants = owner.filter_map(|owner| Grant::from_bytes(&bytes, owner).ok());
                for grant in grants {
                    prop_assert_eq!(grant.to_bytes(), bytes.clone());
                }
            }
            Err(GrantError::UnknownFormat { format }) => prop_assert!(format > 1),
            Err(GrantError::Damaged) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
