//! Moving tokens in and out, and several views of one row.

use core::time::Duration;

use softtoken::association::{ImportError, ImportedToken};
use softtoken::policy::{PolicyBuilder, PolicyError, Throttle};
use softtoken::time::Step;
use softtoken::totp::{Algorithm, Digits, Secret, Totp, Window};
use softtoken::{
    BlockingStore as _, Challenge, Error, Fault, Grant, Mfa, Policy, Rejection, Requirement,
    UnixTime,
};

use super::{Answer, no, sign_in_with, untouched};
use crate::world::{Device, START, World, admin};

const SECRET: &[u8] = b"12345678901234567890";

fn secret() -> Secret {
    Secret::from_bytes(SECRET).unwrap()
}

fn known() -> ImportedToken {
    ImportedToken::proven(secret(), Totp::STANDARD)
}

type Removal<'a> = &'a dyn Fn(&World, &Device);
type Change = fn(PolicyBuilder) -> PolicyBuilder;

fn import(world: &World, tokens: impl IntoIterator<Item = ImportedToken>) -> Answer {
    let import = world.mfa.import(&admin(), tokens);
    import.run_blocking(&world.store, "alice")
}

/// One secret twice, by import: refused, however else the two differ, and before anything is read.
#[test]
fn one_secret_is_not_imported_twice() {
    let world = World::new(Policy::builder().max_tokens(3).build().unwrap());
    let other = Secret::from_bytes(&[0xa5; 20]).unwrap();
    let longer = Totp::new(Algorithm::Sha512, Digits::Eight, Duration::from_secs(60)).unwrap();
    let written = Secret::from_base32("gezd-gnbv gy3t qojq GEZDGNBVGY3TQOJQ").unwrap();
    let twice: [Vec<ImportedToken>; 4] = [
        vec![known(), known()],
        vec![
            known().named("phone"),
            ImportedToken::proven(other.clone(), Totp::STANDARD),
            known().named("tablet").last_step(Step::new(1)).drift(3),
        ],
        vec![known(), ImportedToken::proven(secret(), longer)],
        vec![known(), ImportedToken::proven(written, Totp::STANDARD)],
    ];
    for tokens in twice {
        for replacing in [false, true] {
            let import = world.mfa.import(&admin(), tokens.clone());
            let import = if replacing {
                import.replacing_everything().even_if_verified_before()
            } else {
                import
            };
            let refused = import.run_blocking(&world.store, "alice").unwrap_err();
            let duplicate = Fault::Import(ImportError::DuplicateSecret);
            assert!(
                matches!(refused, Error::Fault(fault) if fault == duplicate),
                "{refused:?}"
            );
            assert_eq!(world.row("alice"), None);
        }
    }
    import(
        &world,
        [known(), ImportedToken::proven(other, Totp::STANDARD)],
    )
    .unwrap();
}

/// An import run again after the user removed the token: refused, whoever removed it and whatever
/// is imported.
#[test]
fn an_import_that_runs_again_brings_nothing_back() {
    let removals: [(&str, Removal<'_>); 4] = [
        ("removed", &|world, device| {
            let owner = world.stepped_up("alice", device);
            let remove = world.mfa.remove(&owner, super::token(world, "alice"));
            remove.run_blocking(&world.store, "alice").unwrap();
        }),
        ("disassociated", &|world, device| {
            let owner = world.stepped_up("alice", device);
            let remove = world.mfa.disassociate(&owner);
            remove.run_blocking(&world.store, "alice").unwrap();
        }),
        ("reset", &|world, _| {
            let reset = world.mfa.reset(&admin());
            reset.run_blocking(&world.store, "alice").unwrap();
        }),
        ("replaced, and then removed", &|world, device| {
            let owner = world.stepped_up("alice", device);
            let new = super::replacement(world, &owner);
            let verify = world.mfa.verify(&owner, new.code(world.now()));
            let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
            let owner = Grant::from(enrolled.evidence());
            let remove = world.mfa.disassociate(&owner);
            remove.run_blocking(&world.store, "alice").unwrap();
        }),
    ];
    for (what, removal) in removals {
        let world = World::standard();
        let device = Device::new(&secret(), Totp::STANDARD);
        import(&world, [known()]).unwrap();
        let again = || import(&world, [known()]);
        assert_eq!(
            untouched(&world, "alice", again),
            Rejection::AlreadyVerified
        );
        world.time.advance(60);
        removal(&world, &device);
        for days in [0, 1, 4000] {
            world.time.advance(86_400 * days);
            let before = Rejection::VerifiedBefore;
            assert_eq!(untouched(&world, "alice", again), before, "{what}");
            let another = Secret::from_bytes(&[0xa5; 20]).unwrap();
            let tokens = [
                ImportedToken::proven(another, Totp::STANDARD),
                ImportedToken::pending(secret(), Totp::STANDARD),
            ];
            for token in tokens {
                let attack = || import(&world, [token]);
                assert_eq!(untouched(&world, "alice", attack), before, "{what}");
            }
            let attack = || {
                let import = world.mfa.import(&admin(), [known()]).replacing_everything();
                import.run_blocking(&world.store, "alice")
            };
            assert_eq!(untouched(&world, "alice", attack), before, "{what}");
        }
        let said = world
            .mfa
            .import(&admin(), [known()])
            .even_if_verified_before();
        said.run_blocking(&world.store, "alice").unwrap();
    }
}

/// An import run again after a record was lost that did not open: refused. A token was in force
/// there, for all that is known.
#[test]
fn an_import_after_a_record_that_did_not_open_has_to_be_meant() {
    let world = World::standard();
    let _ = world.enrol("alice");
    let row = world.row("alice").unwrap();
    let damaged = softtoken::store::Write::new(
        "alice",
        Some(row.revision),
        b"\x01damaged".to_vec(),
        softtoken::association::Events::default(),
    );
    let damaged = damaged.unwrap();
    let revision = damaged.next();
    let _ = world.store.compare_and_swap_blocking(damaged).unwrap();
    let import = || import(&world, [known()]);
    assert_eq!(import().unwrap_err().name(), "record_damaged");
    let reset = world.mfa.reset(&admin()).unreadable(revision);
    reset.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(
        untouched(&world, "alice", import),
        Rejection::VerifiedBefore
    );
}

/// A last step in the future, of an import: seconds taken for steps, -1 for none. It would lock the
/// user out, or hide that codes may be spent.
#[test]
fn an_import_with_a_last_step_that_cannot_be_is_refused() {
    let now = Totp::STANDARD.step(UnixTime::from_secs(START));
    for (drift, latest) in [(0, 1), (5, 6), (-5, 1)] {
        let world = World::standard();
        let token = |step| known().drift(drift).last_step(step);
        for step in [
            now.saturating_offset(latest + 1),
            Step::new(START),
            Step::new(START * 1000),
            Step::new(u64::MAX),
        ] {
            let attack = || import(&world, [token(step)]);
            assert_eq!(
                untouched(&world, "alice", attack),
                Rejection::LastStepInFuture
            );
        }
        import(&world, [token(now.saturating_offset(latest))]).unwrap();
    }
}

fn view(
    world: &World,
    change: impl FnOnce(PolicyBuilder) -> PolicyBuilder,
) -> Result<Mfa, PolicyError> {
    let policy = change(world.mfa.policy().to_builder()).build()?;
    world.mfa.with_policy(policy)
}

/// A lenient view of a strict row: refused when it is made; in everything that the row depends on,
/// and in nothing else.
#[test]
fn a_view_that_differs_in_what_the_row_depends_on_is_not_made() {
    let throttle = |change: fn(&mut Throttle)| {
        let mut throttle = Throttle::STANDARD;
        change(&mut throttle);
        throttle
    };
    let world = World::standard();
    let throttles = [
        throttle(|throttle| throttle.free = 10),
        throttle(|throttle| throttle.base = Duration::from_secs(1)),
        throttle(|throttle| throttle.cap = Duration::from_secs(10)),
        throttle(|throttle| throttle.streak_limit = 50),
        throttle(|throttle| throttle.debt_limit = 50),
        throttle(|throttle| throttle.debt_decay = Duration::from_secs(60)),
        throttle(|throttle| throttle.suspect_at = 1000),
        throttle(|throttle| throttle.suspicion_limit = 1000),
    ];
    for other in throttles {
        let lenient = view(&world, |policy| policy.throttle(other));
        assert_eq!(lenient.unwrap_err(), PolicyError::OtherRecordRules);
    }
    let others: [Change; 9] = [
        |policy| policy.window(Window::new(1, 2).unwrap()),
        |policy| policy.window(Window::new(2, 1).unwrap()),
        |policy| policy.resynchronise_reach(120),
        |policy| policy.learn_drift(true),
        |policy| policy.max_tokens(2),
        |policy| policy.session_lifetime(Duration::from_secs(600)),
        |policy| policy.recovery_limit(Some(100)),
        |policy| policy.name_bytes(255),
        |policy| {
            policy
                .requirement(Requirement::Required)
                .window(Window::new(2, 2).unwrap())
        },
    ];
    for other in others {
        let refused = view(&world, other).unwrap_err();
        assert_eq!(refused, PolicyError::OtherRecordRules);
    }
    let same: [Change; 6] = [
        |policy| policy.requirement(Requirement::Required),
        |policy| policy.requirement(Requirement::Off),
        |policy| policy.reauthenticate_within(None),
        |policy| policy.waive_possession_of_unasked_token(true),
        |policy| policy.raise_preference_by_first_factor(true),
        |policy| policy.software_tokens(false),
    ];
    for other in same {
        let _ = view(&world, other).unwrap();
    }
    // No detour leads there: a view of a view is one of the same row.
    let strict = view(&world, |policy| policy.requirement(Requirement::Required)).unwrap();
    let wide = Policy::builder().window(Window::new(10, 10).unwrap());
    let detour = strict.with_policy(wide.build().unwrap());
    assert_eq!(detour.unwrap_err(), PolicyError::OtherRecordRules);
}

/// The waiver by an optional view for a token that a strict view asks for: refused, once it was set
/// up under the strict view, or has answered there; and by the strict view itself in any case.
#[test]
fn an_optional_view_waives_no_possession_of_what_a_strict_view_asks_for() {
    for set_up_strictly in [false, true] {
        let world = World::new(Policy::COGNITO);
        let strict = world.mfa.with_policy(Policy::COGNITO.required()).unwrap();
        let device = Device::of(&world.associate("alice"));
        let (by, code) = (world.password("alice"), device.code(world.now()));
        let verify = if set_up_strictly {
            strict.verify(&by, code)
        } else {
            world.mfa.verify(&by, code)
        };
        let _ = verify.run_blocking(&world.store, "alice").unwrap();
        world.time.advance(60);

        let associate = |view: &Mfa| {
            let associate = view.associate(&world.password("alice"));
            associate.run_blocking(&world.store, "alice").map(drop)
        };
        let refused = Rejection::SecondFactorRequired;
        let strictly = || associate(&strict);
        assert_eq!(untouched(&world, "alice", strictly), refused);
        if !set_up_strictly {
            let session = match strict.sign_in().run_blocking(&world.store, "alice") {
                Ok(Challenge::SoftwareToken { session, .. }) => session,
                other => panic!("no challenge for a code: {other:?}"),
            };
            let respond = strict.respond(&session, device.code(world.now()));
            let _ = respond.run_blocking(&world.store, "alice").unwrap();
        }
        let optional = world.mfa.sign_in().run_blocking(&world.store, "alice");
        let optional = optional.unwrap();
        assert!(
            matches!(optional, Challenge::NotRequired { .. }),
            "{optional:?}"
        );
        let leniently = || associate(&world.mfa);
        assert_eq!(untouched(&world, "alice", leniently), refused);
    }
}

/// The waiver by an optional view, begun before a strict view asked: the secret that waits is
/// proven by the password no longer.
#[test]
fn what_the_waiver_has_begun_ends_when_a_strict_view_has_asked() {
    let world = World::new(Policy::COGNITO);
    let strict = world.mfa.with_policy(Policy::COGNITO.required()).unwrap();
    let device = world.enrol("alice");
    world.time.advance(60);
    let begun = Device::of(&world.associate("alice"));
    let session = match strict.sign_in().run_blocking(&world.store, "alice") {
        Ok(Challenge::SoftwareToken { session, .. }) => session,
        other => panic!("no challenge for a code: {other:?}"),
    };
    let respond = strict.respond(&session, device.code(world.now()));
    let _ = respond.run_blocking(&world.store, "alice").unwrap();
    for view in [&world.mfa, &strict] {
        let attack = || {
            let verify = view.verify(&world.password("alice"), begun.code(world.now()));
            verify.run_blocking(&world.store, "alice").map(drop)
        };
        assert_eq!(
            untouched(&world, "alice", attack),
            Rejection::SecondFactorRequired
        );
    }
    sign_in_with(&world, "alice", device.code_in(world.now(), 1)).unwrap();
}

/// The waiver is for a token that has guarded nothing: an imported one that nobody asks for here
/// has guarded something elsewhere.
#[test]
fn an_imported_token_that_is_off_is_not_replaced_by_a_password_alone() {
    let world = World::new(Policy::COGNITO);
    let off = world.mfa.import(&admin(), [known()]).enabled(false);
    off.run_blocking(&world.store, "alice").unwrap();
    world.time.advance(60);
    let attack = || {
        let associate = world.mfa.associate(&world.password("alice"));
        associate.run_blocking(&world.store, "alice").map(drop)
    };
    assert_eq!(
        untouched(&world, "alice", attack),
        Rejection::SecondFactorRequired
    );
}

/// The waiver is for replacing: where there could be several tokens, the password alone puts none
/// beside the owner's, who would not see it.
#[test]
fn the_waiver_puts_no_second_token_beside_the_owners() {
    let policy = Policy::COGNITO.to_builder().max_tokens(2).build().unwrap();
    let world = World::new(policy);
    let old = world.enrol("alice");
    world.time.advance(60);
    let by = world.password("alice");
    let attack = || {
        let associate = world.mfa.associate(&by);
        associate.run_blocking(&world.store, "alice").map(drop)
    };
    assert_eq!(
        untouched(&world, "alice", attack),
        Rejection::SecondFactorRequired
    );
    let associate = world.mfa.associate(&by);
    let associate = associate.replacing(super::token(&world, "alice"));
    let begun = Device::of(&associate.run_blocking(&world.store, "alice").unwrap());
    let verify = world.mfa.verify(&by, begun.code(world.now()));
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
    let status = world.mfa.status().run_blocking(&world.store, "alice");
    assert_eq!(status.unwrap().tokens.len(), 1);
    let dead = sign_in_with(&world, "alice", old.code(world.now()));
    assert_eq!(no(dead), Rejection::Mismatch);

    // Nor does it prove what the owner has begun to add.
    let world = World::new(policy);
    let (_, owner) = world.enrolled("alice");
    world.time.advance(60);
    let begun = super::replacement(&world, &owner);
    let attack = || {
        let verify = world.mfa.verify(&by, begun.code(world.now()));
        verify.run_blocking(&world.store, "alice").map(drop)
    };
    assert_eq!(
        untouched(&world, "alice", attack),
        Rejection::SecondFactorRequired
    );
    let verify = world.mfa.verify(&owner, begun.code(world.now()));
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
}

#[cfg(feature = "export")]
mod export {
    use core::fmt;

    use softtoken::association::EventKind;
    use softtoken::store::{Snapshot, Swap, Write};
    use softtoken::{BlockingStore, MemoryStore};

    use super::*;

    /// A store that does everything but store.
    struct Refusing<'a> {
        rows: &'a MemoryStore,
        conflicts: bool,
    }

    #[derive(Debug)]
    struct Broken;

    impl fmt::Display for Broken {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("broken")
        }
    }

    impl core::error::Error for Broken {}

    impl BlockingStore for Refusing<'_> {
        type Error = Broken;

        fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Broken> {
            self.rows
                .load_blocking(subject)
                .map_err(|never| match never {})
        }

        fn compare_and_swap_blocking(&self, _: Write) -> Result<Swap, Broken> {
            if self.conflicts {
                Ok(Swap::Conflict)
            } else {
                Err(Broken)
            }
        }
    }

    /// An exported secret without an event in the row: impossible. Where the swap fails, nothing
    /// leaves.
    #[test]
    fn no_secret_leaves_before_its_export_is_stored() {
        let world = World::standard();
        let _ = world.enrol("alice");
        let before = world.row("alice");
        world.events();
        for conflicts in [false, true] {
            let rows = &world.store;
            let store = Refusing { rows, conflicts };
            let export = world.mfa.export(&admin());
            match export.run_blocking(&store, "alice") {
                Err(Error::Store(Broken)) if !conflicts => {}
                Err(Error::Fault(Fault::Contended)) if conflicts => {}
                other => panic!("{:?}", other.map(|tokens| tokens.len())),
            }
            assert_eq!(world.row("alice"), before);
            assert_eq!(world.events(), []);
        }

        let found = world.row("alice");
        let decision = world.mfa.export(&admin()).decide("alice", found).unwrap();
        let write = decision.write().expect("it is a swap");
        let told: Vec<_> = write.events().iter().map(|event| &event.kind).collect();
        assert_eq!(told, [&EventKind::Exported]);
        assert!(!format!("{decision:?}").contains(known_base32(&world).as_str()));

        for seconds in [0, 60] {
            world.time.advance(seconds);
            let row = world.row("alice").unwrap();
            let export = world.mfa.export(&admin());
            let tokens = export.run_blocking(&world.store, "alice").unwrap();
            assert_eq!(tokens.len(), 1);
            let after = world.row("alice").unwrap();
            assert_eq!(Some(after.revision), row.revision.next(), "every time");
            let status = world.mfa.status().run_blocking(&world.store, "alice");
            assert_eq!(status.unwrap().exported, Some(world.now()));
            assert_eq!(world.events(), [EventKind::Exported]);
        }
    }

    fn known_base32(world: &World) -> String {
        let found = world.row("alice");
        let decision = world.mfa.export(&admin()).decide("alice", found).unwrap();
        let tokens = decision.committed::<core::convert::Infallible>().unwrap();
        world.events();
        tokens[0].secret().expose_base32().to_string()
    }

    /// An export of what is not in force: refused. A secret that waits was handed out already.
    #[test]
    fn what_nobody_has_proven_is_not_exported() {
        let world = World::standard();
        for _ in 0..2 {
            let attack = || {
                let export = world.mfa.export(&admin());
                export.run_blocking(&world.store, "alice").map(drop)
            };
            assert_eq!(untouched(&world, "alice", attack), Rejection::NotAssociated);
            let _ = world.associate("alice");
        }
    }

    /// A code that was spent before the move: spent after it.
    #[test]
    fn a_code_that_was_spent_here_is_spent_where_its_token_has_moved_to() {
        let world = World::standard();
        let device = world.enrol("alice");
        let ahead = device.code_in(world.now(), 1);
        sign_in_with(&world, "alice", ahead.clone()).unwrap();
        let export = world.mfa.export(&admin());
        let tokens = export.run_blocking(&world.store, "alice").unwrap();

        let elsewhere = World::standard();
        import(&elsewhere, tokens).unwrap();
        for steps in -1..=1 {
            let code = device.code_in(elsewhere.now(), steps);
            let attack = || sign_in_with(&elsewhere, "alice", code);
            assert_eq!(untouched(&elsewhere, "alice", attack), Rejection::Reused);
        }
        elsewhere.time.advance(60);
        assert_eq!(
            no(sign_in_with(&elsewhere, "alice", ahead)),
            Rejection::Reused
        );
        let code = device.code(elsewhere.now());
        sign_in_with(&elsewhere, "alice", code).unwrap();
    }
}
