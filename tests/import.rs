//! Moving in and out: what an import brings, what it refuses, and that the way back is the way in.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use crate::world::{Device, START, World, admin};
use softtoken::association::{
    EventKind, ImportError, ImportedToken, Preference, State, StatusReport,
};
use softtoken::time::Step;
use softtoken::totp::{Algorithm, Digits, KeyUri, Secret, Totp};
use softtoken::{Administrator, Challenge, Code, Fault, Policy, Rejection, SignedIn, UnixTime};

/// Sixteen characters, as the most popular libraries have issued them.
const SHORT: &str = "JBSWY3DPEHPK3PXP";

fn secret(text: &str) -> Secret {
    Secret::from_base32_legacy(text).unwrap()
}

fn proven(text: &str) -> ImportedToken {
    ImportedToken::proven(secret(text), Totp::STANDARD)
}

fn phone(text: &str) -> Device {
    Device::new(&secret(text), Totp::STANDARD)
}

/// The last step that a code of some minutes ago had.
fn earlier(world: &World) -> Step {
    Totp::STANDARD.step(world.now()).saturating_offset(-10)
}

fn import(world: &World, tokens: impl IntoIterator<Item = ImportedToken>) -> Result<(), Rejection> {
    let import = world.mfa.import(&admin(), tokens);
    let answer = import.run_blocking(&world.store, "alice");
    answer.map_err(|error| error.rejection().unwrap())
}

fn fault(world: &World, tokens: impl IntoIterator<Item = ImportedToken>) -> Fault {
    let import = world.mfa.import(&admin(), tokens);
    match import.run_blocking(&world.store, "alice").unwrap_err() {
        softtoken::Error::Fault(fault) => fault,
        other => panic!("{other:?}"),
    }
}

fn status(world: &World) -> StatusReport {
    let status = world.mfa.status();
    status.run_blocking(&world.store, "alice").unwrap()
}

fn sign_in_with(world: &World, code: Code) -> Result<(), Rejection> {
    let sign_in = world.mfa.sign_in_with(Some(code.into()));
    match sign_in.run_blocking(&world.store, "alice") {
        Ok(SignedIn::Proven(_)) => Ok(()),
        Ok(other) => panic!("not judged: {other:?}"),
        Err(error) => Err(error.rejection().unwrap()),
    }
}

#[test]
fn users_with_short_and_long_secrets_move_in_and_do_not_notice() {
    let long = "A".repeat(204) + "A";
    for (text, bytes, weak) in [
        (SHORT, 10, true),
        ("MFRGGZDFMZTWQ2LKNNWG23TP", 15, true),
        ("K5QXEZ3TJBSWY3DPEHPK3PXPQB", 16, false),
        (long.as_str(), 128, false),
    ] {
        let world = World::standard();
        let token = proven(text);
        assert_eq!(token.secret().expose().len(), bytes, "{text}");
        import(&world, [token.named("phone").last_step(earlier(&world))]).unwrap();
        let report = status(&world);
        assert_eq!(report.tokens[0].weak, weak, "{text}");
        assert!(report.is_enabled(), "proven means enabled");
        assert_eq!(sign_in_with(&world, phone(text).code(world.now())), Ok(()));
        let imported = EventKind::Imported {
            pending: false,
            weak,
            replacing: false,
        };
        assert!(world.events().contains(&imported), "{text}");
    }
}

#[test]
fn an_imported_token_is_asked_for_unless_said_otherwise() {
    for (enabled, is_asked_for) in [(None, true), (Some(true), true), (Some(false), false)] {
        let world = World::standard();
        let import = world.mfa.import(&admin(), [proven(SHORT)]);
        let import = match enabled {
            Some(enabled) => import.enabled(enabled),
            None => import,
        };
        import.run_blocking(&world.store, "alice").unwrap();
        let challenge = world.mfa.sign_in().run_blocking(&world.store, "alice");
        let asked = matches!(challenge.unwrap(), Challenge::SoftwareToken { .. });
        assert_eq!(asked, is_asked_for, "{enabled:?}");
    }
}

#[test]
fn without_a_last_step_every_code_that_is_valid_now_counts_as_spent() {
    for drift in [-3, 0, 3] {
        let world = World::standard();
        import(&world, [proven(SHORT).drift(drift)]).unwrap();
        assert_eq!(status(&world).tokens[0].drift, drift);
        let latest = i64::from(drift.max(0)) + 1;
        for steps in [-1, 0, 1, latest] {
            let code = phone(SHORT).code_in(world.now(), steps);
            assert_eq!(
                sign_in_with(&world, code),
                Err(Rejection::Reused),
                "{drift} {steps}"
            );
        }
        world.time.advance(30);
        let code = phone(SHORT).code_in(world.now(), latest);
        assert_eq!(sign_in_with(&world, code), Ok(()), "{drift}");
    }
}

#[test]
fn a_last_step_in_the_future_is_refused_at_the_import_and_not_at_each_sign_in() {
    let now = Totp::STANDARD.step(UnixTime::from_secs(START));
    for (last, drift, allowed) in [
        (now.saturating_offset(1), 0, true),
        (now.saturating_offset(2), 0, false),
        (now.saturating_offset(6), 5, true),
        (now.saturating_offset(7), 5, false),
        (now.saturating_offset(2), -5, false),
        (Step::new(START), 0, false),         // seconds for steps
        (Step::new(1_699_913_640), 0, false), // the same, of another day
        (Step::new(u64::MAX), 0, false),      // -1 for none
    ] {
        let world = World::standard();
        let answer = import(&world, [proven(SHORT).drift(drift).last_step(last)]);
        let expected = if allowed {
            Ok(())
        } else {
            Err(Rejection::LastStepInFuture)
        };
        assert_eq!(answer, expected, "{last:?} {drift}");
        assert_eq!(status(&world).is_verified(), allowed);
    }
}

#[test]
fn several_tokens_move_in_by_one_swap() {
    let world = World::new(Policy::builder().max_tokens(2).build().unwrap());
    let last = earlier(&world);
    let tokens = [
        proven(SHORT).named("phone").last_step(last),
        proven("MFRGGZDFMZTWQ2LKNNWG23TP")
            .named("fob")
            .last_step(last),
    ];
    import(&world, tokens).unwrap();
    assert_eq!(world.row("alice").unwrap().revision.get(), 1);
    let names: Vec<_> = status(&world)
        .tokens
        .into_iter()
        .map(|token| token.name)
        .collect();
    assert_eq!(names, [Some("phone".into()), Some("fob".into())]);
    for text in [SHORT, "MFRGGZDFMZTWQ2LKNNWG23TP"] {
        assert_eq!(sign_in_with(&world, phone(text).code(world.now())), Ok(()));
    }

    let world = World::standard();
    let answer = import(&world, [proven(SHORT), proven("MFRGGZDFMZTWQ2LKNNWG23TP")]);
    assert_eq!(answer, Err(Rejection::TooManyTokens));
}

#[test]
fn a_pending_token_waits_for_its_first_code() {
    let world = World::standard();
    let token = ImportedToken::pending(secret(SHORT), Totp::STANDARD).named("phone");
    import(&world, [token]).unwrap();
    assert_eq!(status(&world).state, State::Pending);
    let code = phone(SHORT).code(world.now());
    let verify = world.mfa.verify(&world.password("alice"), code);
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
    let report = status(&world);
    assert_eq!(report.state, State::Verified);
    assert_eq!(report.tokens[0].name.as_deref(), Some("phone"));
}

#[test]
fn nothing_that_an_import_is_told_is_dropped_in_silence() {
    let world = World::standard();
    let pending = || ImportedToken::pending(secret(SHORT), Totp::STANDARD);
    let other = || proven("MFRGGZDFMZTWQ2LKNNWG23TP");
    for (tokens, error) in [
        (vec![], ImportError::Empty),
        (vec![pending(), other()], ImportError::PendingAmongOthers),
        (
            vec![pending().last_step(Step::new(1))],
            ImportError::PendingWithHistory,
        ),
        (vec![pending().drift(1)], ImportError::PendingWithHistory),
        (
            vec![proven(SHORT), other(), proven(SHORT)],
            ImportError::DuplicateSecret,
        ),
        (vec![proven(SHORT).drift(122)], ImportError::Drift),
        (vec![proven(SHORT).drift(i16::MIN)], ImportError::Drift),
    ] {
        assert_eq!(fault(&world, tokens), Fault::Import(error));
    }
    for enabled in [true, false] {
        let import = world.mfa.import(&admin(), [pending()]).enabled(enabled);
        let error = import.run_blocking(&world.store, "alice").unwrap_err();
        assert_eq!(error, Fault::Import(ImportError::PendingInForce).into());
    }
    let import = world
        .mfa
        .import(&admin(), [pending()])
        .replacing_everything();
    let error = import.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(error, Fault::Import(ImportError::PendingInForce).into());
    assert!(world.row("alice").is_none());
    assert_eq!(import_ok(&world, proven(SHORT).drift(-121)), Ok(()));
}

fn import_ok(world: &World, token: ImportedToken) -> Result<(), Rejection> {
    import(world, [token])
}

#[test]
fn a_migration_that_runs_twice_brings_nothing_back() {
    let world = World::standard();
    import(&world, [proven(SHORT)]).unwrap();
    assert_eq!(
        import(&world, [proven(SHORT)]),
        Err(Rejection::AlreadyVerified)
    );
    let disassociate = world.mfa.disassociate(&admin());
    disassociate.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(
        import(&world, [proven(SHORT)]),
        Err(Rejection::VerifiedBefore)
    );
    let replacing = || {
        world
            .mfa
            .import(&admin(), [proven(SHORT)])
            .replacing_everything()
    };
    let answer = replacing().run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(answer.rejection(), Some(Rejection::VerifiedBefore));

    let again = replacing().even_if_verified_before();
    world.events();
    again.run_blocking(&world.store, "alice").unwrap();
    let imported = |replacing| EventKind::Imported {
        pending: false,
        weak: true,
        replacing,
    };
    assert_eq!(world.events(), [imported(false)], "nothing was in force");
    replacing().run_blocking(&world.store, "alice").unwrap();
    assert_eq!(world.events(), [imported(true)]);
    assert!(status(&world).is_verified());
}

#[test]
fn replacing_everything_leaves_nothing_of_before() {
    let world = World::standard();
    let (old, grant) = world.enrolled("alice");
    let issue = world.mfa.issue_recovery_codes(&grant);
    let codes = issue.run_blocking(&world.store, "alice").unwrap();
    let session = world.challenge("alice");
    let associate = world.mfa.associate(&grant);
    let _ = associate.run_blocking(&world.store, "alice").unwrap();

    world.time.advance(30);
    let token = proven(SHORT).last_step(earlier(&world));
    let import = world.mfa.import(&admin(), [token]).replacing_everything();
    import.run_blocking(&world.store, "alice").unwrap();
    let report = status(&world);
    assert_eq!(
        (
            report.tokens.len(),
            report.pending.is_none(),
            report.recovery_codes
        ),
        (1, true, 0)
    );
    assert!(report.is_enabled());
    assert_eq!(
        sign_in_with(&world, old.code(world.now())),
        Err(Rejection::Mismatch)
    );
    assert_eq!(sign_in_with(&world, phone(SHORT).code(world.now())), Ok(()));
    let first = codes.iter().next().unwrap().clone();
    let respond = world.mfa.respond(&session, first);
    let refused = respond.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), Some(Rejection::InvalidSession));
    let rename = world.mfa.rename(&grant, report.tokens[0].id, "mine");
    let refused = rename.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), Some(Rejection::SecondFactorRequired));
}

#[test]
fn replacing_a_token_by_itself_does_not_lower_its_floor() {
    let world = World::standard();
    let last = earlier(&world);
    import(&world, [proven(SHORT).last_step(last)]).unwrap();
    let code = phone(SHORT).code(world.now());
    assert_eq!(sign_in_with(&world, code.clone()), Ok(()));
    let again = world.mfa.import(&admin(), [proven(SHORT).last_step(last)]);
    let again = again.replacing_everything();
    again.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(sign_in_with(&world, code), Err(Rejection::Reused));
}

#[test]
fn a_later_step_that_a_replacement_brings_is_its_floor() {
    let world = World::standard();
    import(&world, [proven(SHORT).last_step(earlier(&world))]).unwrap();
    let last = Totp::STANDARD.step(world.now());
    let again = world.mfa.import(&admin(), [proven(SHORT).last_step(last)]);
    let again = again.replacing_everything();
    again.run_blocking(&world.store, "alice").unwrap();
    let code = phone(SHORT).code(world.now());
    assert_eq!(sign_in_with(&world, code), Err(Rejection::Reused));
}

#[test]
fn a_floor_is_not_lowered_by_a_replacement_of_another_code_length() {
    let world = World::standard();
    let last = earlier(&world);
    import(&world, [proven(SHORT).last_step(last)]).unwrap();
    let code = phone(SHORT).code(world.now());
    assert_eq!(sign_in_with(&world, code), Ok(()));
    let eight = Totp::new(Algorithm::Sha1, Digits::Eight, Totp::STANDARD.period()).unwrap();
    let longer = ImportedToken::proven(secret(SHORT), eight).last_step(last);
    let again = world.mfa.import(&admin(), [longer]).replacing_everything();
    again.run_blocking(&world.store, "alice").unwrap();
    let longer = Device::new(&secret(SHORT), eight).code(world.now());
    assert_eq!(sign_in_with(&world, longer), Err(Rejection::Reused));
}

#[test]
fn the_event_of_an_import_says_whether_it_waits_for_a_code_and_replaced_everything() {
    let world = World::standard();
    let told = |world: &World| {
        let told = world.events();
        match told[..] {
            [
                EventKind::Imported {
                    pending, replacing, ..
                },
            ] => (pending, replacing),
            _ => panic!("one token was imported: {told:?}"),
        }
    };
    let pending = ImportedToken::pending(secret(SHORT), Totp::STANDARD);
    import(&world, [pending]).unwrap();
    assert_eq!(told(&world), (true, false));
    import(&world, [proven(SHORT)]).unwrap();
    assert_eq!(told(&world), (false, false));
    let again = world.mfa.import(&admin(), [proven(SHORT)]);
    let again = again.replacing_everything();
    again.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(told(&world), (false, true));
}

#[test]
fn the_name_of_a_pending_import_is_kept_as_far_as_names_are() {
    let world = World::new(Policy::builder().name_bytes(5).build().unwrap());
    let pending = ImportedToken::pending(secret(SHORT), Totp::STANDARD);
    import(&world, [pending.named("telephone")]).unwrap();
    let pending = status(&world).pending.unwrap();
    assert_eq!(pending.name.as_deref(), Some("telep"));
}

#[test]
fn more_tokens_than_any_policy_allows_are_too_many() {
    let most = Policy::MAX_TOKENS;
    let world = World::new(Policy::builder().max_tokens(most).build().unwrap());
    let tokens = |count: usize| {
        (0..count).map(|number| {
            let bytes = [u8::try_from(number).unwrap(); 20];
            ImportedToken::proven(Secret::from_bytes(&bytes).unwrap(), Totp::STANDARD)
        })
    };
    let too_many = Err(Rejection::TooManyTokens);
    assert_eq!(import(&world, tokens(most + 1)), too_many);
    assert_eq!(import(&world, tokens(most + 2)), too_many);
    assert_eq!(import(&world, tokens(most)), Ok(()));
}

#[test]
fn replacing_everything_leaves_what_is_preferred() {
    let world = World::standard();
    import(&world, [proven(SHORT)]).unwrap();
    let prefer = world.mfa.prefer(&admin(), Preference::Preferred);
    prefer.run_blocking(&world.store, "alice").unwrap();
    let again = world.mfa.import(&admin(), [proven(SHORT)]);
    let again = again.replacing_everything();
    again.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(status(&world).preference, Preference::Preferred);
}

#[test]
fn what_a_password_reaches_does_not_replace_an_imported_token() {
    let world = World::new(Policy::COGNITO);
    let import = world.mfa.import(&admin(), [proven(SHORT)]).enabled(false);
    import.run_blocking(&world.store, "alice").unwrap();
    let associate = world.mfa.associate(&world.password("alice"));
    let refused = associate.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), Some(Rejection::SecondFactorRequired));
}

#[test]
fn where_software_tokens_are_off_nothing_is_imported() {
    let policy = Policy::builder().software_tokens(false).build().unwrap();
    let world = World::new(policy);
    assert_eq!(
        import(&world, [proven(SHORT)]),
        Err(Rejection::SoftwareTokenDisabled)
    );
}

#[test]
fn key_uris_whose_label_is_in_doubt_move_in() {
    for uri in [
        "otpauth://totp/Acme+Inc%3aalice%40example.net?secret=JBSWY3DPEHPK3PXP&issuer=Microsoft",
        "otpauth://totp/Acme%20Inc:alice@example.com?secret=JBSWY3DPEHPK3PXP&issuer=Acme+Inc",
        "otpauth://totp/alice?secret=JBSWY3DPEHPK3PXP&issuer=",
        "otpauth://totp/Müller:alice?secret=JBSWY3DPEHPK3PXP&issuer=Müller",
    ] {
        let world = World::standard();
        let key = KeyUri::parse_legacy(uri).unwrap();
        let token = ImportedToken::proven(key.secret().clone(), key.totp());
        import(&world, [token.last_step(earlier(&world))]).unwrap();
        assert_eq!(
            sign_in_with(&world, phone(SHORT).code(world.now())),
            Ok(()),
            "{uri}"
        );
    }
}

#[test]
fn a_drifted_fob_is_proven_by_two_codes_in_a_row() {
    let world = World::standard();
    let token = ImportedToken::pending(secret(SHORT), Totp::STANDARD);
    import(&world, [token]).unwrap();
    let fob = phone(SHORT);
    let code = |steps| fob.code_in(world.now(), steps);
    let verify = |code, next| {
        let verify = world
            .mfa
            .verify(&world.password("alice"), code)
            .followed_by(next);
        let answer = verify.run_blocking(&world.store, "alice");
        answer
            .map(|_| ())
            .map_err(|error| error.rejection().unwrap())
    };
    assert_eq!(
        verify(code(21), code(22)),
        Err(Rejection::Mismatch),
        "beyond the reach"
    );
    assert_eq!(
        verify(code(15), code(17)),
        Err(Rejection::Mismatch),
        "not in a row"
    );
    assert_eq!(verify(code(15), code(16)), Ok(()));
    let report = status(&world);
    assert_eq!(report.tokens[0].drift, 16);
    assert_eq!(sign_in_with(&world, code(16)), Err(Rejection::Reused));
    world.time.advance(30);
    let later = fob.code_in(world.now(), 16);
    assert_eq!(sign_in_with(&world, later), Ok(()));
}

#[test]
fn the_administrator_of_an_import_is_named() {
    let world = World::standard();
    let by = Administrator::named("migration");
    let import = world.mfa.import(&by, [proven(SHORT)]);
    let decision = import.decide("alice", None).unwrap();
    let events = decision.write().unwrap().events().clone();
    let event = events.iter().next().unwrap();
    assert_eq!(event.operation, "import");
    assert!(format!("{:?}", event.actor).contains("migration"));
}

#[cfg(feature = "export")]
#[test]
fn what_is_exported_moves_in_again() {
    let world = World::new(Policy::builder().max_tokens(2).build().unwrap());
    let last = earlier(&world);
    let tokens = [
        proven(SHORT).named("phone").last_step(last).drift(2),
        proven("MFRGGZDFMZTWQ2LKNNWG23TP").last_step(last).drift(0),
    ];
    import(&world, tokens.clone()).unwrap();
    let export = world.mfa.export(&admin());
    let exported = export.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(exported, tokens);
    assert_eq!(status(&world).exported, Some(world.now()));

    let elsewhere = World::new(Policy::builder().max_tokens(2).build().unwrap());
    import(&elsewhere, exported).unwrap();
    assert_eq!(
        sign_in_with(&elsewhere, phone(SHORT).code(elsewhere.now())),
        Ok(())
    );
}

#[cfg(feature = "export")]
#[test]
fn an_export_is_decided_with_a_write_and_told_with_it() {
    let world = World::standard();
    let export = || world.mfa.export(&admin());
    let refused = export().run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), Some(Rejection::NotAssociated));
    world.enrol("alice");
    let decision = export().decide("alice", world.row("alice")).unwrap();
    let events = decision.write().expect("a swap comes first").events();
    assert!(events.iter().any(|event| event.name() == "exported"));
}

/// What was spent of one secret says nothing of another's codes.
#[test]
fn an_imported_token_has_no_floor_of_another_tokens() {
    const OTHER: &str = "MFRGGZDFMZTWQ2LKNNWG23TP";
    let world = World::standard();
    import(&world, [proven(SHORT).last_step(earlier(&world))]).unwrap();
    assert_eq!(sign_in_with(&world, phone(SHORT).code(world.now())), Ok(()));
    let other = proven(OTHER).last_step(earlier(&world));
    let replace = world.mfa.import(&admin(), [other]).replacing_everything();
    replace.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(sign_in_with(&world, phone(OTHER).code(world.now())), Ok(()));
}
