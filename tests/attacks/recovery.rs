//! Recovery codes, each of which is good for one sign-in; the temporary code of an administrator
//! among them.

use core::time::Duration;

use softtoken::association::{EventKind, ImportedToken, Method, SessionFlaw};
use softtoken::totp::{Secret, Totp};
use softtoken::{Grant, Policy, RecoveryCode, Rejection, Vouched};

use super::{
    ROUNDS, THREADS, accepted, flaw, is_ignored, no, recovery_codes, replacement, respond,
    sign_in_with, step_up, untouched, wrong, wrong_recovery_code,
};
use crate::crowd::together;
use crate::world::{Device, World, admin};

/// Counts, by the status, codes of the set that are left and failures of the token's codes.
fn counted(world: &World, subject: &str) -> (u32, u32) {
    let status = world.mfa.status().run_blocking(&world.store, subject);
    let status = status.unwrap();
    (status.recovery_codes, status.failures)
}

fn temporary_code(world: &World, subject: &str) -> RecoveryCode {
    let issue = world.mfa.issue_temporary_code(&admin(), HOUR);
    issue.run_blocking(&world.store, subject).unwrap()
}

const HOUR: Duration = Duration::from_secs(3600);

type Change<'a> = &'a dyn Fn(&World, &Grant);

/// A recovery code twice: once.
#[test]
fn a_recovery_code_is_accepted_once_however_it_is_written() {
    let world = World::standard();
    let (_, grant) = world.enrolled("alice");
    let codes = recovery_codes(&world, &grant);
    for (code, left) in codes.iter().zip((0..10).rev()) {
        world.events();
        sign_in_with(&world, "alice", code.clone()).unwrap();
        let used = EventKind::RecoveryCodeUsed {
            left,
            temporary: false,
        };
        let signed_in = EventKind::SignedIn {
            method: Method::RecoveryCode,
            failures: 0,
        };
        assert_eq!(world.events(), [used, signed_in]);

        let shown = code.expose();
        let typed = shown.to_lowercase().replace('-', " ");
        let misread = shown.replace('0', "O").replace('1', "l");
        for again in [shown.as_str(), &typed, &misread] {
            let again = RecoveryCode::parse(again).unwrap();
            assert_eq!(again, *code);
            let session = world.challenge("alice");
            let grant = world.password("alice");
            let answers = [
                sign_in_with(&world, "alice", again.clone()),
                respond(&world, "alice", &session, again.clone()),
                step_up(&world, &grant, again),
            ];
            assert_eq!(answers.map(no), [Rejection::Mismatch; 3]);
            assert_eq!(counted(&world, "alice"), (left, 0));
        }
    }
}

/// A recovery code in parallel: once.
#[test]
fn one_recovery_code_in_parallel_is_accepted_once() {
    let world = World::standard();
    let device = world.enrol("alice");
    for _ in 0..ROUNDS {
        world.time.advance(180);
        let codes = recovery_codes(&world, &world.stepped_up("alice", &device));
        for code in &codes[..2] {
            let sessions: Vec<_> = (0..THREADS).map(|_| world.challenge("alice")).collect();
            let answers = together(THREADS, |thread| match thread % 3 {
                0 => sign_in_with(&world, "alice", code.clone()),
                1 => respond(&world, "alice", &sessions[thread], code.clone()),
                _ => step_up(&world, &world.password("alice"), code.clone()),
            });
            assert_eq!(accepted(&answers, &[Rejection::Mismatch]), 1);
        }
        assert_eq!(counted(&world, "alice"), (8, 0));
    }
}

/// A recovery code in parallel: once. Two codes in one session: one of them, and the other is not
/// lost.
#[test]
fn one_session_is_recovered_once() {
    let world = World::standard();
    let device = world.enrol("alice");
    for _ in 0..ROUNDS {
        world.time.advance(180);
        let codes = recovery_codes(&world, &world.stepped_up("alice", &device));
        let session = world.challenge("alice");
        let answers = together(2, |thread| {
            respond(&world, "alice", &session, codes[thread].clone())
        });
        assert_eq!(accepted(&answers, &[Rejection::InvalidSession]), 1);
        for (answer, code) in answers.iter().zip(&codes) {
            let left = sign_in_with(&world, "alice", code.clone());
            assert_eq!(left.is_ok(), answer.is_err());
        }
    }
}

/// A recovery code twice: once. One of a set that was replaced, of a token that is gone, or of
/// another user: never.
#[test]
fn a_recovery_code_is_good_for_nothing_but_the_token_it_was_issued_for() {
    let world = World::standard();
    let (_, alice) = world.enrolled("alice");
    let replaced = recovery_codes(&world, &alice);
    let codes = recovery_codes(&world, &alice);
    let (_, bob) = world.enrolled("bob");
    let _ = recovery_codes(&world, &bob);
    for code in &replaced {
        let attack = sign_in_with(&world, "alice", code.clone());
        assert_eq!(no(attack), Rejection::Mismatch);
    }
    let of_another = sign_in_with(&world, "bob", codes[0].clone());
    assert_eq!(no(of_another), Rejection::Mismatch);
    assert_eq!(counted(&world, "alice"), (10, 0));
    assert_eq!(counted(&world, "bob"), (10, 0));

    let remove = world.mfa.disassociate(&alice);
    remove.run_blocking(&world.store, "alice").unwrap();
    is_ignored(&world, "alice", codes[0].clone());
    let attack = || step_up(&world, &world.password("alice"), codes[0].clone());
    assert_eq!(untouched(&world, "alice", attack), Rejection::NotAssociated);
    let (_, alice) = world.enrolled("alice");
    assert_eq!(untouched(&world, "alice", attack), Rejection::Mismatch);

    let codes = recovery_codes(&world, &alice);
    let reset = world.mfa.reset(&admin());
    reset.run_blocking(&world.store, "alice").unwrap();
    let _ = world.enrol("alice");
    let attack = || sign_in_with(&world, "alice", codes[0].clone());
    assert_eq!(untouched(&world, "alice", attack), Rejection::Mismatch);
}

/// A hundred wrong recovery codes: the right one still works. They are counted by themselves, up to
/// a hundred and then no longer written, and keep no code of the token out.
#[test]
fn a_hundred_wrong_recovery_codes_keep_out_neither_the_right_one_nor_the_token() {
    let world = World::standard();
    let (device, grant) = world.enrolled("alice");
    let codes = recovery_codes(&world, &grant);
    let rejection = Rejection::Mismatch;
    for number in 1..=100 {
        let before = world.row("alice").unwrap();
        world.events();
        let attack = match number % 3 {
            0 => sign_in_with(&world, "alice", wrong_recovery_code()),
            1 => step_up(&world, &world.password("alice"), wrong_recovery_code()),
            _ => sign_in_with(&world, "alice", Vouched::recovery_code(false)),
        };
        assert_eq!(no(attack), Rejection::Mismatch);
        let after = world.row("alice").unwrap();
        assert_eq!(Some(after.revision), before.revision.next());
        assert_eq!(after.record.len(), before.record.len());
        let mut told = vec![EventKind::Refused {
            rejection,
            flaw: None,
        }];
        if number >= 5 {
            let probably = EventKind::PasswordProbablyKnown {
                failures: number,
                suspicion: 0,
            };
            told.insert(0, probably);
        }
        assert_eq!(world.events(), told);
    }
    for _ in 0..10 {
        let attack = || sign_in_with(&world, "alice", wrong_recovery_code());
        assert_eq!(untouched(&world, "alice", attack), Rejection::Mismatch);
        let told = world.events();
        let probably = |event: &EventKind| {
            matches!(
                event,
                EventKind::PasswordProbablyKnown { failures: 100, .. }
            )
        };
        assert!(told.iter().any(probably), "told every time");
    }
    assert_eq!(counted(&world, "alice"), (10, 0));
    sign_in_with(&world, "alice", device.code_in(world.now(), 1)).unwrap();

    for _ in 0..3 {
        let code = wrong(&[&device], &world);
        assert_eq!(no(sign_in_with(&world, "alice", code)), Rejection::Mismatch);
    }
    let session = world.challenge("alice");
    respond(&world, "alice", &session, codes[0].clone()).expect("it waits for no throttle");
    world.time.advance(60);
    let spent = respond(&world, "alice", &session, device.code(world.now()));
    assert_eq!(no(spent), Rejection::InvalidSession);
    assert_eq!(flaw(&world), SessionFlaw::Spent);
    sign_in_with(&world, "alice", device.code(world.now())).expect("the throttle is cleared");
}

/// A hundred wrong recovery codes, in parallel: the right one still works, among them.
#[test]
fn a_right_recovery_code_among_wrong_ones_in_parallel_is_accepted() {
    for _ in 0..ROUNDS {
        let world = World::standard();
        let (_, grant) = world.enrolled("alice");
        let codes = recovery_codes(&world, &grant);
        let answers = together(8, |thread| match thread {
            0 => sign_in_with(&world, "alice", codes[0].clone()),
            _ => sign_in_with(&world, "alice", wrong_recovery_code()),
        });
        assert!(answers[0].is_ok(), "{:?}", answers[0]);
        assert_eq!(accepted(&answers, &[Rejection::Mismatch]), 1);
    }
}

/// The limit of a policy that follows NIST to the letter is a dead end, which its docs name: then
/// the right one is refused too, until an administrator helps.
#[test]
fn a_limit_on_recovery_codes_holds_and_an_administrator_ends_it() {
    let policy = Policy::builder().recovery_limit(Some(10)).build().unwrap();
    for unlocks in [true, false] {
        let world = World::new(policy);
        let (device, grant) = world.enrolled("alice");
        let codes = recovery_codes(&world, &grant);
        for _ in 0..10 {
            let attack = sign_in_with(&world, "alice", wrong_recovery_code());
            assert_eq!(no(attack), Rejection::Mismatch);
        }
        for code in [wrong_recovery_code(), codes[0].clone()] {
            let attack = || sign_in_with(&world, "alice", code);
            assert_eq!(
                untouched(&world, "alice", attack),
                Rejection::RecoveryLocked
            );
        }
        for matched in [false, true] {
            let vouched = || sign_in_with(&world, "alice", Vouched::recovery_code(matched));
            assert_eq!(
                untouched(&world, "alice", vouched),
                Rejection::RecoveryLocked
            );
        }
        let code = device.code_in(world.now(), 1);
        sign_in_with(&world, "alice", code).expect("the token is not shut out");
        if unlocks {
            let unlock = world.mfa.unlock(&admin());
            unlock.run_blocking(&world.store, "alice").unwrap();
        } else {
            let code = temporary_code(&world, "alice");
            sign_in_with(&world, "alice", code).unwrap();
        }
        sign_in_with(&world, "alice", codes[0].clone()).unwrap();
    }
}

/// A recovery code where no token is in force: it is no second factor of its own.
#[test]
fn no_recovery_code_is_issued_or_taken_without_a_token() {
    let world = World::new(Policy::COGNITO);
    let _ = world.associate("alice");
    let attack = || {
        let issue = world.mfa.issue_recovery_codes(&admin());
        issue.run_blocking(&world.store, "alice")
    };
    assert_eq!(untouched(&world, "alice", attack), Rejection::NotAssociated);
    let attack = || {
        let issue = world.mfa.issue_temporary_code(&admin(), HOUR);
        issue.run_blocking(&world.store, "alice")
    };
    assert_eq!(untouched(&world, "alice", attack), Rejection::NotAssociated);
    is_ignored(&world, "alice", wrong_recovery_code());
    for factor in [
        softtoken::Factor::from(wrong_recovery_code()),
        Vouched::recovery_code(false).into(),
        Vouched::recovery_code(true).into(),
        Vouched::factor(&["hwk"]).into(),
    ] {
        let attack = || step_up(&world, &world.password("alice"), factor);
        assert_eq!(untouched(&world, "alice", attack), Rejection::NotAssociated);
    }
}

/// A wrong recovery code where there is none to guess: it is written nowhere.
#[test]
fn a_recovery_code_where_there_is_none_is_not_counted() {
    let world = World::standard();
    let _ = world.enrol("alice");
    for _ in 0..10 {
        let attack = || sign_in_with(&world, "alice", wrong_recovery_code());
        assert_eq!(untouched(&world, "alice", attack), Rejection::Mismatch);
    }
}

/// A temporary code twice, or in parallel: once.
#[test]
fn a_temporary_code_is_accepted_once() {
    let world = World::standard();
    let _ = world.enrol("alice");
    for _ in 0..ROUNDS {
        world.time.advance(180);
        let code = temporary_code(&world, "alice");
        let sessions: Vec<_> = (0..THREADS).map(|_| world.challenge("alice")).collect();
        let answers = together(THREADS, |thread| match thread % 3 {
            0 => sign_in_with(&world, "alice", code.clone()),
            1 => respond(&world, "alice", &sessions[thread], code.clone()),
            _ => step_up(&world, &world.password("alice"), code.clone()),
        });
        assert_eq!(accepted(&answers, &[Rejection::Mismatch]), 1);
        let again = || sign_in_with(&world, "alice", code.clone());
        assert_eq!(untouched(&world, "alice", again), Rejection::Mismatch);
    }
}

/// A temporary code after its end: refused.
#[test]
fn a_temporary_code_after_its_end_is_refused() {
    let world = World::standard();
    let _ = world.enrol("alice");
    let row = |code: &RecoveryCode| {
        let request = world.mfa.sign_in_with(Some(code.clone().into()));
        let decision = request.decide("alice", world.row("alice")).unwrap();
        !decision.is_rejection()
    };
    let code = temporary_code(&world, "alice");
    world.time.advance(3599);
    assert!(row(&code), "the last second is in time");
    world.time.advance(1);
    assert!(!row(&code));
    let late = || sign_in_with(&world, "alice", code.clone());
    assert_eq!(untouched(&world, "alice", late), Rejection::Mismatch);
    world.time.advance(86_400 * 400);
    assert_eq!(untouched(&world, "alice", late), Rejection::Mismatch);

    for seconds in [0, 59, 7 * 86_400 + 1] {
        let lifetime = Duration::from_secs(seconds);
        let issue = world.mfa.issue_temporary_code(&admin(), lifetime);
        let refused = issue.run_blocking(&world.store, "alice").unwrap_err();
        assert_eq!(refused.name(), "temporary_code_lifetime");
    }
}

/// A temporary code after a new set, after a newer one, after any change of what is in force:
/// refused. Adding, which voids no grant, is such a change.
#[test]
fn a_temporary_code_dies_with_whatever_changes() {
    let several = Policy::builder().max_tokens(3).build().unwrap();
    let secret = || Secret::from_bytes(b"12345678901234567890").unwrap();
    let add = |world: &World, grant: &Grant, replacing| {
        let associate = world.mfa.associate(grant);
        let associate = if replacing {
            associate.replacing(super::token(world, "alice"))
        } else {
            associate
        };
        let device = Device::of(&associate.run_blocking(&world.store, "alice").unwrap());
        let verify = world.mfa.verify(grant, device.code(world.now()));
        let _ = verify.run_blocking(&world.store, "alice").unwrap();
    };
    let changes: [(&str, Change<'_>); 8] = [
        ("a new set", &|world, grant| {
            recovery_codes(world, grant);
        }),
        ("a newer one", &|world, _| {
            temporary_code(world, "alice");
        }),
        ("a token more", &|world, grant| add(world, grant, false)),
        ("another token", &|world, grant| add(world, grant, true)),
        ("a token less", &|world, grant| {
            add(world, grant, false);
            let remove = world.mfa.remove(grant, super::token(world, "alice"));
            remove.run_blocking(&world.store, "alice").unwrap();
        }),
        ("none, and one again", &|world, grant| {
            let remove = world.mfa.disassociate(grant);
            remove.run_blocking(&world.store, "alice").unwrap();
            let _ = world.enrol("alice");
        }),
        ("a reset", &|world, _| {
            let reset = world.mfa.reset(&admin());
            reset.run_blocking(&world.store, "alice").unwrap();
            let _ = world.enrol("alice");
        }),
        ("an import", &|world, _| {
            let token = ImportedToken::proven(secret(), Totp::STANDARD);
            let import = world.mfa.import(&admin(), [token]).replacing_everything();
            import.run_blocking(&world.store, "alice").unwrap();
        }),
    ];
    for (what, change) in changes {
        let world = World::new(several);
        let (_, grant) = world.enrolled("alice");
        let code = temporary_code(&world, "alice");
        change(&world, &grant);
        let dead = sign_in_with(&world, "alice", code);
        assert_eq!(no(dead), Rejection::Mismatch, "after {what}");
    }

    // Other writes leave it alone.
    let world = World::standard();
    let (_, grant) = world.enrolled("alice");
    let code = temporary_code(&world, "alice");
    let _ = replacement(&world, &grant);
    let token = super::token(&world, "alice");
    let rename = world.mfa.rename(&grant, token, "phone");
    rename.run_blocking(&world.store, "alice").unwrap();
    sign_in_with(&world, "alice", code).unwrap();
}

/// A temporary code of another user, or what a grant made from one proves once a token was taken
/// out of force: nothing.
#[test]
fn a_temporary_code_is_its_subjects_alone_and_its_grant_ends_with_what_was_in_force() {
    let world = World::standard();
    let _ = world.enrol("alice");
    let _ = world.enrol("bob");
    let code = temporary_code(&world, "alice");
    let attack = || sign_in_with(&world, "bob", code.clone());
    assert_eq!(untouched(&world, "bob", attack), Rejection::Mismatch);

    let step_up = world.mfa.step_up(&world.password("alice"), code);
    let evidence = step_up.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(evidence.method(), Method::TemporaryCode);
    assert!(evidence.should_end_other_logins());
    let grant = Grant::from(&evidence);
    let new = replacement(&world, &grant);
    let verify = world.mfa.verify(&grant, new.code(world.now()));
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
    let attack = || {
        let remove = world.mfa.disassociate(&grant);
        remove.run_blocking(&world.store, "alice")
    };
    assert_eq!(
        untouched(&world, "alice", attack),
        Rejection::SecondFactorRequired
    );
}
