//! What is kept and comes back: records, in the clear and sealed, and grants.

use softtoken::association::{
    Environment, Operation as _, Record, Resynchronise, SignInWith, Status,
};
use softtoken::record::{self, Keyring, Place, RecordError, SEALED, Seal as _};
use softtoken::store::Snapshot;
use softtoken::totp::Code;
use softtoken::{Grant, Policy, Revision, UnixTime};

use crate::world::{NOW, SUBJECT, generator, mfa};

/// A record that is read has one encoding, and whatever it holds can be decided about, at whatever time.
pub fn record(data: &[u8]) {
    let Ok(read) = record::decode(data) else {
        return;
    };
    assert_eq!(record::encode(&read).as_slice(), data);
    for now in [NOW, UnixTime::from_secs(0), UnixTime::from_secs(u64::MAX)] {
        decide(&read, now);
    }
}

fn decide(read: &Record, now: UnixTime) {
    let policy = Policy::STANDARD;
    let environment = Environment::new(SUBJECT, &policy, now);
    let status = Status.apply(read.clone(), &environment);
    let report = status.outcome.expect("a status is never refused");
    assert!(status.next.is_none());

    let code = Code::parse("123456").expect("six digits");
    let signed_in = SignInWith::new(Some(code.clone().into())).apply(read.clone(), &environment);
    if let Some(next) = &signed_in.next {
        assert_ne!(next, read, "an attempt was judged");
        assert!(!report.locked && report.throttled_until.is_none());
        assert_eq!(record::decode(&record::encode(next)).as_ref(), Ok(next));
    }
    let grant = Grant::first_factor(SUBJECT, now);
    let pair = Resynchronise::new(&grant, code.clone(), code);
    let resynchronised = pair.apply(read.clone(), &environment);
    if let Some(next) = &resynchronised.next {
        assert_eq!(record::decode(&record::encode(next)).as_ref(), Ok(next));
    }
}

const KEY: [u8; 32] = [0x42; 32];
const LABEL: &[u8] = b"fuzz";

fn keyring() -> Keyring {
    Keyring::from_bytes(1, &KEY)
}

fn place(subject: &str) -> Place<'_> {
    Place::new(subject, revision()).labelled(LABEL)
}

fn revision() -> Revision {
    Revision::new(7).expect("from 1 on")
}

/// What opens is what was sealed for that very place, and a server with a seal reads nothing else, unless it adopts
/// records in the clear.
pub fn sealed(data: &[u8]) {
    if let Ok(plain) = keyring().open(place(SUBJECT), data) {
        let nonce = data[4..28].to_vec();
        assert_eq!(seal(nonce, &plain), data);
    }
    let strict = mfa(Policy::STANDARD).sealed(keyring()).seal_label(LABEL);
    let adopting = strict.clone().adopting_plain_records();
    let reads = |mfa: &softtoken::Mfa, record: Vec<u8>| {
        let revision = revision();
        let found = Some(Snapshot { revision, record });
        mfa.status().decide(SUBJECT, found).is_ok()
    };
    let is_record = record::decode(data).is_ok();
    if data.first() != Some(&SEALED) {
        assert!(!reads(&strict, data.to_vec()));
        assert_eq!(reads(&adopting, data.to_vec()), is_record);
    } else if reads(&strict, data.to_vec()) {
        assert!(keyring().open(place(SUBJECT), &data[1..]).is_ok());
    }

    // The same bytes as what is sealed: this is how a reader behind a seal is reached.
    let mut row = vec![SEALED];
    row.extend(seal(vec![3; 24], data));
    let opened = keyring().open(place(SUBJECT), &row[1..]);
    assert_eq!(
        opened.expect("it was sealed for this place").as_slice(),
        data
    );
    assert_eq!(reads(&strict, row.clone()), is_record);
    let elsewhere = keyring().open(place("bob"), &row[1..]);
    assert_eq!(elsewhere.err(), Some(RecordError::DoesNotOpen));
    // Any one bit, chosen by what was read.
    let bit = data.iter().fold(data.len(), |sum, byte| {
        sum * 31 % 65_521 + usize::from(*byte)
    });
    let bit = bit % ((row.len() - 1) * 8);
    row[1 + bit / 8] ^= 1 << (bit % 8);
    assert!(!reads(&strict, row.clone()));
    assert!(keyring().open(place(SUBJECT), &row[1..]).is_err());
}

fn seal(nonce: Vec<u8>, plain: &[u8]) -> Vec<u8> {
    let given = move |bytes: &mut [u8]| {
        bytes.copy_from_slice(&nonce);
        Ok(())
    };
    let sealed = keyring().seal(place(SUBJECT), &given, plain);
    sealed.expect("the nonce is given")
}

/// A sealed row of this record, for the seeds.
#[must_use]
pub fn sealed_row(plain: &[u8]) -> Vec<u8> {
    let mut row = vec![SEALED];
    let sealed = keyring().seal(place(SUBJECT), &generator(5), plain);
    row.extend(sealed.expect("the generator never fails"));
    row
}

/// A grant that is read, from bytes or from JSON, is written as it was read, and is good for nobody else.
pub fn grant(data: &[u8]) {
    if let Ok(grant) = Grant::from_bytes(data, SUBJECT) {
        assert_eq!(grant.to_bytes(), data);
        assert_eq!(grant.subject(), SUBJECT);
        authorise(&grant);
    }
    if let Ok(grant) = serde_json::from_slice::<Grant>(data) {
        let json = serde_json::to_string(&grant).expect("a grant is written as JSON");
        assert_eq!(
            serde_json::from_str::<Grant>(&json).ok().as_ref(),
            Some(&grant)
        );
        let bytes = grant.to_bytes();
        assert_eq!(
            Grant::from_bytes(&bytes, grant.subject()).as_ref(),
            Ok(&grant)
        );
        assert_ne!(grant.id(), Some(""));
        authorise(&grant);
    }
}

/// Whatever it says, a grant authorises nothing that is another subject's or given in the future.
fn authorise(grant: &Grant) {
    let enrolled = crate::signed::web();
    let mfa = mfa(Policy::STANDARD);
    let check = mfa.check(grant, core::time::Duration::MAX);
    let checked = check.decide(SUBJECT, Some(enrolled.row.clone()));
    let is_good = checked.is_ok_and(|decision| !decision.is_rejection());
    let latest = NOW.as_secs() + 60;
    let lies_ahead = |at: UnixTime| at.as_secs() > latest;
    if is_good {
        assert_eq!(grant.subject(), SUBJECT);
        assert!(!lies_ahead(grant.first_factor_at()));
        let second = grant.second_factor_at();
        // The login that proved the token is known by its id, whatever it says of a second factor.
        assert!(
            second.is_some() || grant.id().is_some(),
            "a password is no possession"
        );
        assert!(!second.is_some_and(lies_ahead));
    }
}
