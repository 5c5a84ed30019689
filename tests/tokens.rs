//! Several tokens of one subject: how they are added, replaced, named and removed, and how a code
//! is judged against all of them.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::time::Duration;

use crate::world::{Device, START, World, admin};
use softtoken::association::{
    Authority, EventKind, ImportedToken, Issued, Preference, State, StatusReport,
};
use softtoken::policy::PolicyError;
use softtoken::time::Step;
use softtoken::totp::{Algorithm, Digits, Secret, Totp};
use softtoken::{
    Challenge, Code, Evidence, Factor, Grant, Policy, Rejection, SignedIn, TokenId, UnixTime,
    Vouched,
};

fn policy(max_tokens: usize) -> Policy {
    Policy::builder().max_tokens(max_tokens).build().unwrap()
}

fn report(world: &World) -> StatusReport {
    let status = world.mfa.status();
    status.run_blocking(&world.store, "alice").unwrap()
}

fn ids(world: &World) -> Vec<TokenId> {
    report(world).tokens.iter().map(|token| token.id).collect()
}

fn names(world: &World) -> Vec<Option<String>> {
    let tokens = report(world).tokens;
    tokens.into_iter().map(|token| token.name).collect()
}

fn revision(world: &World) -> softtoken::Revision {
    world.row("alice").unwrap().revision
}

fn issue(
    world: &World,
    by: impl Into<Authority>,
    replacing: Option<TokenId>,
) -> Result<Issued, Rejection> {
    let associate = world.mfa.associate(by);
    let associate = match replacing {
        Some(token) => associate.replacing(token),
        None => associate,
    };
    let issued = associate.run_blocking(&world.store, "alice");
    issued.map_err(|error| error.rejection().unwrap())
}

fn verify(world: &World, by: impl Into<Authority>, code: Code) -> Result<Evidence, Rejection> {
    match world
        .mfa
        .verify(by, code)
        .run_blocking(&world.store, "alice")
    {
        Ok(enrolled) => Ok(enrolled.evidence().clone()),
        Err(error) => Err(error.rejection().unwrap()),
    }
}

/// Sets up one token more on the word of an administrator.
fn add(world: &World, name: &str) -> (TokenId, Device) {
    let associate = world.mfa.associate(&admin()).named(name);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let device = Device::of(&issued);
    let evidence = verify(world, &admin(), device.code(world.now())).unwrap();
    assert_eq!(evidence.token(), Some(issued.token()));
    (issued.token(), device)
}

fn step_up(world: &World, factor: impl Into<Factor>) -> Result<Evidence, Rejection> {
    let step_up = world.mfa.step_up(&world.password("alice"), factor);
    let answer = step_up.run_blocking(&world.store, "alice");
    answer.map_err(|error| error.rejection().unwrap())
}

/// The token that a code was accepted for.
fn shown(world: &World, code: Code) -> Result<TokenId, Rejection> {
    step_up(world, code).map(|evidence| evidence.token().unwrap())
}

fn remove(world: &World, by: impl Into<Authority>, token: TokenId) -> Result<(), Rejection> {
    let remove = world.mfa.remove(by, token);
    let answer = remove.run_blocking(&world.store, "alice");
    answer.map_err(|error| error.rejection().unwrap())
}

fn rename(
    world: &World,
    by: impl Into<Authority>,
    token: TokenId,
    name: &str,
) -> Result<(), Rejection> {
    let rename = world.mfa.rename(by, token, name);
    let answer = rename.run_blocking(&world.store, "alice");
    answer.map_err(|error| error.rejection().unwrap())
}

/// A code that none of these devices shows for two minutes around now.
fn wrong_code(world: &World, devices: &[&Device]) -> Code {
    let close: Vec<Code> = devices
        .iter()
        .flat_map(|device| (-4..=4).map(|steps| device.code_in(world.now(), steps)))
        .collect();
    (0..1000_u32)
        .map(|number| Code::parse(&format!("{number:06}")).unwrap())
        .find(|candidate| !close.contains(candidate))
        .unwrap()
}

/// An id that no token of a test has.
fn nobodys() -> TokenId {
    "000102030405060708090a0b0c0d0e0f".parse().unwrap()
}

#[test]
fn a_policy_allows_one_to_ten_tokens() {
    for max in [0, 11, usize::MAX] {
        let refused = Policy::builder().max_tokens(max).build();
        assert_eq!(refused, Err(PolicyError::MaxTokens));
    }
    for max in 1..=10 {
        let world = World::new(policy(max));
        let tokens: Vec<(TokenId, Device)> = (0..max).map(|_| add(&world, "one more")).collect();
        let of_all: Vec<TokenId> = tokens.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids(&world), of_all, "in their order");
        world.time.advance(30);
        for (id, device) in &tokens {
            assert_eq!(shown(&world, device.code(world.now())), Ok(*id));
        }

        let one_more = issue(&world, &admin(), None);
        if max == 1 {
            assert!(one_more.is_ok(), "it is to replace the one in force");
            let pending = report(&world).pending.unwrap();
            assert_eq!(pending.replaces, Some(of_all[0]));
        } else {
            assert_eq!(one_more.unwrap_err(), Rejection::TooManyTokens);
            assert_eq!(report(&world).pending, None);
        }
    }
}

#[test]
fn adding_a_token_leaves_the_others_their_codes_the_grants_and_the_settings() {
    let world = World::new(policy(3));
    let (phone, grant) = world.enrolled("alice");
    let codes = world.mfa.issue_recovery_codes(&grant);
    let _ = codes.run_blocking(&world.store, "alice").unwrap();
    let prefer = world.mfa.prefer(&grant, Preference::Preferred);
    prefer.run_blocking(&world.store, "alice").unwrap();
    let first = ids(&world)[0];

    world.events();
    let issued = issue(&world, &grant, None).unwrap();
    let pending = report(&world).pending.unwrap();
    assert_eq!((pending.id, pending.replaces), (issued.token(), None));
    assert_eq!(report(&world).state, State::Verified);
    let fob = Device::of(&issued);
    let evidence = verify(&world, &grant, fob.code(world.now())).unwrap();
    assert!(!evidence.should_end_other_logins(), "nothing was replaced");
    assert_eq!(
        world.events(),
        [
            EventKind::Associated {
                possession_waived: false
            },
            EventKind::Added { failures: 0 }
        ]
    );

    let after = report(&world);
    assert_eq!(ids(&world), [first, issued.token()]);
    assert_eq!(after.recovery_codes, 10);
    assert_eq!(after.preference, Preference::Preferred);
    assert_eq!(after.pending, None);
    let check = world.mfa.check(&grant, Duration::from_secs(60));
    assert!(check.run_blocking(&world.store, "alice").is_ok());
    world.time.advance(30);
    assert_eq!(shown(&world, phone.code(world.now())), Ok(first));
    assert_eq!(shown(&world, fob.code(world.now())), Ok(issued.token()));
}

#[test]
fn adding_ends_the_challenges_that_were_open_and_a_failed_attempt_does_not() {
    let world = World::new(policy(2));
    let (phone, grant) = world.enrolled("alice");
    let issued = issue(&world, &grant, None).unwrap();
    let fob = Device::of(&issued);
    world.time.advance(30);
    let session = world.challenge("alice");
    let wrong = wrong_code(&world, &[&phone, &fob]);
    assert_eq!(
        verify(&world, &grant, wrong).unwrap_err(),
        Rejection::Mismatch
    );
    let respond = world.mfa.respond(&session, phone.code(world.now()));
    assert!(respond.run_blocking(&world.store, "alice").is_ok());

    let session = world.challenge("alice");
    let _ = verify(&world, &grant, fob.code(world.now())).unwrap();
    world.time.advance(30);
    let respond = world.mfa.respond(&session, phone.code(world.now()));
    let refused = respond.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), Some(Rejection::InvalidSession));
}

#[test]
fn the_named_token_is_replaced_and_the_others_stay() {
    let world = World::new(policy(3));
    let (phone, phones) = add(&world, "phone");
    let (fob, fobs) = add(&world, "fob");
    world.time.advance(30);
    let grant = world.stepped_up("alice", &fobs);

    let issued = issue(&world, &grant, Some(phone)).unwrap();
    assert_eq!(report(&world).pending.unwrap().replaces, Some(phone));
    assert_eq!(
        shown(&world, phones.code(world.now())),
        Ok(phone),
        "until the new one is proven"
    );
    world.events();
    let new = Device::of(&issued);
    let evidence = verify(&world, &grant, new.code(world.now())).unwrap();
    assert!(evidence.should_end_other_logins());
    assert_eq!(
        world.events(),
        [EventKind::Replaced {
            failures: 0,
            replaced: phone,
            possession_waived: false
        }]
    );
    assert_eq!(ids(&world), [fob, issued.token()]);
    world.time.advance(30);
    assert_eq!(
        shown(&world, phones.code(world.now())),
        Err(Rejection::Mismatch)
    );
    assert_eq!(shown(&world, fobs.code(world.now())), Ok(fob));
    assert_eq!(shown(&world, new.code(world.now())), Ok(issued.token()));
}

#[test]
fn a_named_replacement_needs_no_room() {
    let world = World::new(policy(2));
    let (phone, _) = add(&world, "phone");
    let (fob, _) = add(&world, "fob");
    let issued = issue(&world, &admin(), Some(fob)).unwrap();
    let code = Device::of(&issued).code(world.now());
    let _ = verify(&world, &admin(), code).unwrap();
    assert_eq!(ids(&world), [phone, issued.token()]);
}

#[test]
fn what_is_to_be_replaced_must_be_in_force() {
    for max in [1, 3] {
        let world = World::new(policy(max));
        for in_force in [false, true] {
            if in_force {
                add(&world, "phone");
            }
            let refused = issue(&world, &admin(), Some(nobodys())).unwrap_err();
            assert_eq!(refused, Rejection::NoSuchToken);
        }
        assert_eq!(report(&world).pending, None);
    }
    let world = World::new(policy(3));
    let (gone, _) = add(&world, "phone");
    add(&world, "fob");
    remove(&world, &admin(), gone).unwrap();
    let refused = issue(&world, &admin(), Some(gone)).unwrap_err();
    assert_eq!(refused, Rejection::NoSuchToken);
}

#[test]
fn whatever_takes_a_token_out_of_force_drops_what_is_pending() {
    let ways: [fn(&World, TokenId, TokenId); 4] = [
        |world, _, fob| remove(world, &admin(), fob).unwrap(),
        |world, phone, _| remove(world, &admin(), phone).unwrap(),
        |world, _, _| {
            let disassociate = world.mfa.disassociate(&admin());
            disassociate.run_blocking(&world.store, "alice").unwrap();
        },
        |world, _, _| {
            let reset = world.mfa.reset(&admin());
            reset.run_blocking(&world.store, "alice").unwrap();
        },
    ];
    for replaces_the_phone in [false, true] {
        for way in ways {
            let world = World::new(policy(3));
            let (phone, _) = add(&world, "phone");
            let (fob, _) = add(&world, "fob");
            let replacing = replaces_the_phone.then_some(phone);
            let issued = issue(&world, &admin(), replacing).unwrap();
            way(&world, phone, fob);
            assert_eq!(report(&world).pending, None);
            let code = Device::of(&issued).code(world.now());
            assert_eq!(
                verify(&world, &admin(), code).unwrap_err(),
                Rejection::NotAssociated
            );
        }
    }
}

#[test]
fn a_pending_token_for_which_there_is_no_room_any_more_is_refused_before_its_code_is_looked_at() {
    let three = World::new(policy(3));
    add(&three, "phone");
    add(&three, "fob");
    let pending = Device::of(&issue(&three, &admin(), None).unwrap());
    // The same store, under a policy that allows fewer.
    let mut two = World::new(policy(2));
    two.store = three.store;
    let before = revision(&two);
    for code in [
        pending.code(two.now()),
        pending.wrong_code(two.now()),
        Code::parse("12345678").unwrap(),
    ] {
        assert_eq!(
            verify(&two, &admin(), code).unwrap_err(),
            Rejection::TooManyTokens
        );
    }
    assert_eq!(revision(&two), before, "and nothing was counted");
}

#[test]
fn a_policy_that_allows_fewer_keeps_those_in_force_and_adds_none() {
    let two = World::new(policy(2));
    let (phone, phones) = add(&two, "phone");
    let (fob, fobs) = add(&two, "fob");
    let mut one = World::new(policy(1));
    one.store = two.store;
    assert_eq!(
        issue(&one, &admin(), None).unwrap_err(),
        Rejection::TooManyTokens,
        "which of the two it would replace is not said"
    );
    one.time.advance(30);
    assert_eq!(shown(&one, phones.code(one.now())), Ok(phone));
    assert_eq!(shown(&one, fobs.code(one.now())), Ok(fob));
    let issued = issue(&one, &admin(), Some(phone)).unwrap();
    let code = Device::of(&issued).code(one.now());
    let _ = verify(&one, &admin(), code).unwrap();
    assert_eq!(ids(&one), [fob, issued.token()]);
}

#[test]
fn a_code_of_another_token_does_not_prove_the_pending_one() {
    for replacing in [false, true] {
        let world = World::new(policy(3));
        let (phone, phones) = add(&world, "phone");
        world.time.advance(30);
        let issued = issue(&world, &admin(), replacing.then_some(phone)).unwrap();
        let code = phones.code(world.now());
        assert_eq!(
            verify(&world, &admin(), code.clone()).unwrap_err(),
            Rejection::Mismatch
        );
        assert_eq!(report(&world).failures, 1, "it is a guess like any other");
        assert_eq!(ids(&world), [phone]);
        assert_eq!(shown(&world, code), Ok(phone), "and it is not spent");
        let code = Device::of(&issued).code(world.now());
        assert!(verify(&world, &admin(), code).is_ok());
    }
}

#[test]
fn a_code_of_the_pending_token_signs_nobody_in() {
    let world = World::new(policy(2));
    let (_, phones) = add(&world, "phone");
    let issued = issue(&world, &admin(), None).unwrap();
    let code = Device::of(&issued).code(world.now());
    assert_eq!(shown(&world, code.clone()), Err(Rejection::Mismatch));
    let _ = verify(&world, &admin(), code.clone()).unwrap();
    assert_eq!(shown(&world, code), Err(Rejection::Reused));
    world.time.advance(30);
    assert!(shown(&world, phones.code(world.now())).is_ok());
}

#[test]
fn removing_a_token_ends_its_codes_and_leaves_the_others() {
    let world = World::new(policy(3));
    let (phone, phones) = add(&world, "phone");
    let (fob, fobs) = add(&world, "fob");
    let issue = world.mfa.issue_recovery_codes(&admin());
    let _ = issue.run_blocking(&world.store, "alice").unwrap();
    world.time.advance(30);
    let grant = world.stepped_up("alice", &fobs);
    world.events();
    assert_eq!(remove(&world, &grant, phone), Ok(()));
    assert_eq!(world.events(), [EventKind::Removed]);
    let left = report(&world);
    assert_eq!(ids(&world), [fob]);
    assert_eq!(left.recovery_codes, 10, "they are the user's");
    assert_eq!(left.preference, Preference::Enabled);
    assert_eq!(
        shown(&world, phones.code(world.now())),
        Err(Rejection::Mismatch)
    );
    world.time.advance(30);
    assert_eq!(shown(&world, fobs.code(world.now())), Ok(fob));
    assert_eq!(
        remove(&world, &grant, phone),
        Err(Rejection::NoSuchToken),
        "a double click"
    );
    let check = world.mfa.check(&grant, Duration::from_secs(60));
    assert!(
        check.run_blocking(&world.store, "alice").is_ok(),
        "the fob that proved this grant is in force"
    );
}

#[test]
fn removing_the_last_token_leaves_as_little_as_disassociating() {
    let world = World::new(policy(3));
    let (_, grant) = world.enrolled("alice");
    let issue = world.mfa.issue_recovery_codes(&grant);
    let _ = issue.run_blocking(&world.store, "alice").unwrap();
    world.events();
    assert_eq!(remove(&world, &grant, ids(&world)[0]), Ok(()));
    assert_eq!(world.events(), [EventKind::Disassociated]);
    let left = report(&world);
    assert_eq!((left.state, left.tokens), (State::Unassociated, vec![]));
    assert_eq!(left.preference, Preference::Disabled);
    assert_eq!(left.recovery_codes, 0);
    assert_eq!(
        remove(&world, &grant, nobodys()),
        Err(Rejection::NotAssociated)
    );
}

#[test]
fn a_policy_that_requires_lets_no_user_remove_the_last_token() {
    let world = World::new(policy(3).required());
    let (phone, phones) = add(&world, "phone");
    let (fob, _) = add(&world, "fob");
    world.time.advance(30);
    let grant = world.stepped_up("alice", &phones);
    assert_eq!(remove(&world, &grant, fob), Ok(()), "one is left");
    assert_eq!(remove(&world, &grant, phone), Err(Rejection::MfaRequired));
    assert_eq!(
        remove(&world, &grant, fob),
        Err(Rejection::NoSuchToken),
        "told apart from the last"
    );
    assert_eq!(ids(&world), [phone]);
    assert_eq!(remove(&world, &admin(), phone), Ok(()));
    assert_eq!(report(&world).state, State::Unassociated);
}

#[test]
fn a_token_is_renamed_as_far_as_names_are_kept_and_voids_no_grant() {
    let policy = policy(3).to_builder().name_bytes(8).build().unwrap();
    let world = World::new(policy);
    let (phone, grant) = world.enrolled("alice");
    let id = ids(&world)[0];
    let (other, _) = add(&world, "fob");
    world.events();
    let name = |name: Option<&str>| [name.map(String::from), Some("fob".into())];
    assert_eq!(rename(&world, &grant, id, "phone"), Ok(()));
    assert_eq!(world.events(), [EventKind::Renamed]);
    assert_eq!(names(&world), name(Some("phone")));
    let before = revision(&world);
    assert_eq!(rename(&world, &grant, id, "phone"), Ok(()));
    assert_eq!(revision(&world), before, "the same name is a read");
    assert_eq!(world.events(), []);
    assert_eq!(rename(&world, &grant, id, "hööööchst"), Ok(()));
    assert_eq!(names(&world), name(Some("hööö")), "whole characters");
    assert_eq!(rename(&world, &grant, id, "fob"), Ok(()));
    assert_eq!(names(&world), name(Some("fob")), "two may share a name");
    assert_eq!(rename(&world, &grant, id, ""), Ok(()));
    assert_eq!(names(&world), name(None), "an empty name is none");

    let session = world.challenge("alice");
    let by_other = world.stepped_up("alice", &{
        world.time.advance(30);
        phone.clone()
    });
    assert_eq!(rename(&world, &by_other, other, "key fob"), Ok(()));
    world.time.advance(30);
    let respond = world.mfa.respond(&session, phone.code(world.now()));
    assert!(
        respond.run_blocking(&world.store, "alice").is_ok(),
        "nor does it end a challenge"
    );
    assert_eq!(rename(&world, &grant, id, "phone"), Ok(()));
}

#[test]
fn renaming_is_refused_for_a_token_that_is_not_in_force_and_without_possession() {
    let world = World::new(policy(3));
    assert_eq!(
        rename(&world, &world.password("alice"), nobodys(), "mine"),
        Err(Rejection::NotAssociated)
    );
    let (_, grant) = world.enrolled("alice");
    let id = ids(&world)[0];
    let pending = issue(&world, &grant, None).unwrap().token();
    for (token, by, expected) in [
        (nobodys(), &grant, Rejection::NoSuchToken),
        (pending, &grant, Rejection::NoSuchToken),
        (
            id,
            &world.password("alice"),
            Rejection::SecondFactorRequired,
        ),
        (id, &world.password("bob"), Rejection::NotAuthorized),
    ] {
        assert_eq!(rename(&world, by, token, "mine"), Err(expected));
        assert_eq!(remove(&world, by, token), Err(expected));
    }
    assert_eq!(
        rename(&world, &admin(), nobodys(), "mine"),
        Err(Rejection::NoSuchToken)
    );
    world.time.advance(15 * 60 + 1);
    let stale = Rejection::ReauthenticationRequired;
    assert_eq!(rename(&world, &grant, id, "mine"), Err(stale));
    assert_eq!(remove(&world, &grant, id), Err(stale));
    assert_eq!(names(&world), [None]);
}

#[test]
fn a_challenge_has_the_names_of_the_tokens_in_their_order() {
    let world = World::new(policy(4));
    add(&world, "phone");
    add(&world, "");
    let (fob, _) = add(&world, "fob");
    let (_, devices) = add(&world, "tablet");
    let challenged = |world: &World| {
        let sign_in = world.mfa.sign_in();
        match sign_in.run_blocking(&world.store, "alice").unwrap() {
            Challenge::SoftwareToken { names, .. } => names,
            other => panic!("tokens are in force: {other:?}"),
        }
    };
    let asked = |world: &World| {
        let sign_in = world.mfa.sign_in_with(None);
        match sign_in.run_blocking(&world.store, "alice").unwrap() {
            SignedIn::FactorRequired { names, .. } => names,
            other => panic!("tokens are in force: {other:?}"),
        }
    };
    assert_eq!(challenged(&world), ["phone", "fob", "tablet"]);
    assert_eq!(asked(&world), ["phone", "fob", "tablet"]);
    rename(&world, &admin(), fob, "key").unwrap();
    assert_eq!(challenged(&world), ["phone", "key", "tablet"]);
    remove(&world, &admin(), fob).unwrap();
    assert_eq!(challenged(&world), ["phone", "tablet"]);
    world.time.advance(30);
    let evidence = step_up(&world, devices.code(world.now())).unwrap();
    assert_eq!(evidence.token_name(), Some("tablet"));
}

#[test]
fn events_name_the_token_that_they_are_about() {
    use std::sync::{Arc, Mutex};

    let world = World::new(policy(3));
    let (phone, phones) = add(&world, "phone");
    add(&world, "fob");
    world.time.advance(30);
    let log = Arc::<Mutex<Vec<_>>>::default();
    let told = Arc::clone(&log);
    let mfa = world.mfa.with_audit(move |_, event| {
        let token = event.token.as_ref().unwrap();
        let told_of = (
            event.name(),
            token.id,
            token.name.as_deref().map(String::from),
        );
        told.lock().unwrap().push(told_of);
    });
    let store = &world.store;
    let by = world.password("alice");
    let code = phones.code(world.now());
    let _ = mfa.step_up(&by, code.clone()).run_blocking(store, "alice");
    let _ = mfa.step_up(&by, code).run_blocking(store, "alice");
    let _ = mfa
        .rename(&admin(), phone, "old phone")
        .run_blocking(store, "alice");
    let _ = mfa.remove(&admin(), phone).run_blocking(store, "alice");
    let named = |name: &'static str, token: &str| (name, phone, Some(token.to_owned()));
    assert_eq!(
        *log.lock().unwrap(),
        [
            named("signed_in", "phone"),
            named("reused_code", "phone"),
            named("renamed", "old phone"),
            named("removed", "old phone"),
        ]
    );
}

/// Two secrets, found by search, of which both have the codes 904377 and 991630 for the step of
/// [`START`] and the one after.
fn twins() -> [Secret; 2] {
    [418_063_u64, 2_075_495].map(|seed| {
        let mut bytes = [0; 20];
        bytes[12..].copy_from_slice(&seed.to_be_bytes());
        Secret::from_bytes(&bytes).unwrap()
    })
}

fn step() -> Step {
    Totp::STANDARD.step(UnixTime::from_secs(START))
}

/// A subject with the twins in force, with these last steps, counted from now.
fn world_of_twins(last_steps: [i64; 2]) -> (World, [TokenId; 2], [Device; 2]) {
    let world = World::new(policy(2));
    let tokens = twins().into_iter().zip(last_steps).map(|(secret, last)| {
        let last = step().saturating_offset(last);
        ImportedToken::proven(secret, Totp::STANDARD).last_step(last)
    });
    let import = world.mfa.import(&admin(), tokens);
    import.run_blocking(&world.store, "alice").unwrap();
    let [first, second] = ids(&world).try_into().unwrap();
    let devices = twins().map(|secret| Device::new(&secret, Totp::STANDARD));
    for steps in 0..=1 {
        let [one, other] = devices
            .each_ref()
            .map(|device| device.code_in(world.now(), steps));
        assert_eq!(one, other, "they were found by search");
    }
    assert_ne!(
        devices[0].code_in(world.now(), 2),
        devices[1].code_in(world.now(), 2)
    );
    (world, [first, second], devices)
}

#[test]
fn an_accepted_code_raises_the_floor_of_every_token_that_it_matches() {
    let (world, [first, second], [device, _]) = world_of_twins([-2, -2]);
    let code = device.code(world.now());
    let evidence = step_up(&world, code.clone()).unwrap();
    assert_eq!(evidence.token(), Some(first), "the first is named");
    assert_eq!(evidence.step(), Some(step()));
    let used: Vec<_> = report(&world).tokens;
    for token in &used {
        assert_eq!(token.last_used, Some(world.now()));
    }
    for gone in [first, second] {
        let (world, [first, second], _) = world_of_twins([-2, -2]);
        assert_eq!(shown(&world, code.clone()), Ok(first));
        let removed = if gone == used[0].id { first } else { second };
        remove(&world, &admin(), removed).unwrap();
        assert_eq!(
            shown(&world, code.clone()),
            Err(Rejection::Reused),
            "by neither of them, once more"
        );
    }
}

#[test]
fn accepted_by_any_beats_reused_beats_mismatch() {
    // Spent at the first, new at the second.
    let (world, [_, second], [device, _]) = world_of_twins([0, -1]);
    let code = device.code(world.now());
    assert_eq!(shown(&world, code.clone()), Ok(second));
    assert_eq!(shown(&world, code), Err(Rejection::Reused));

    // And the other way round.
    let (world, [first, _], [device, _]) = world_of_twins([-1, 0]);
    let code = device.code(world.now());
    assert_eq!(shown(&world, code), Ok(first));

    // Spent at one, wrong at the other.
    let (world, _, devices) = world_of_twins([0, 0]);
    world.time.advance(60);
    for device in devices {
        let code = device.code(world.now());
        assert!(shown(&world, code.clone()).is_ok());
        let before = revision(&world);
        world.events();
        assert_eq!(shown(&world, code), Err(Rejection::Reused));
        assert_eq!(revision(&world), before, "it is no guess");
        assert!(matches!(
            world.events().as_slice(),
            [EventKind::ReusedCode { .. }]
        ));
    }
}

#[test]
fn each_token_has_a_floor_of_its_own() {
    let world = World::new(policy(2));
    let (phone, phones) = add(&world, "phone");
    let (fob, fobs) = add(&world, "fob");
    world.time.advance(60);
    let ahead = phones.code_in(world.now(), 1);
    assert_eq!(shown(&world, ahead), Ok(phone));
    assert_eq!(
        shown(&world, phones.code(world.now())),
        Err(Rejection::Reused)
    );
    assert_eq!(shown(&world, fobs.code(world.now())), Ok(fob));
    assert_eq!(
        shown(&world, fobs.code_in(world.now(), -1)),
        Err(Rejection::Reused)
    );
}

#[test]
fn all_tokens_share_one_throttle() {
    let world = World::new(policy(2));
    let (_, phones) = add(&world, "phone");
    let (_, fobs) = add(&world, "fob");
    world.time.advance(30);
    let wrong = wrong_code(&world, &[&phones, &fobs]);
    for failed in 1..=3 {
        assert_eq!(shown(&world, wrong.clone()), Err(Rejection::Mismatch));
        assert_eq!(report(&world).failures, failed, "one guess, one failure");
    }
    for device in [&phones, &fobs] {
        assert!(matches!(
            shown(&world, device.code(world.now())),
            Err(Rejection::Throttled { .. })
        ));
    }
    world.time.advance(5);
    assert!(shown(&world, fobs.code(world.now())).is_ok());
    assert_eq!(report(&world).failures, 0, "of either");
    assert!(shown(&world, phones.code(world.now())).is_ok());
}

/// A subject with a token of six digits, one of eight and one of seven, in this order.
fn world_of_lengths() -> (World, [TokenId; 3], [Device; 3]) {
    let world = World::new(policy(3));
    let digits = [Digits::Six, Digits::Eight, Digits::Seven];
    let totps = digits.map(|digits| {
        let period = Duration::from_secs(30);
        Totp::new(Algorithm::Sha1, digits, period).unwrap()
    });
    let secrets = [1, 2, 3].map(|byte| Secret::from_bytes(&[byte; 20]).unwrap());
    let tokens = secrets
        .clone()
        .into_iter()
        .zip(totps)
        .map(|(secret, totp)| {
            ImportedToken::proven(secret, totp).last_step(step().saturating_offset(-2))
        });
    let import = world.mfa.import(&admin(), tokens);
    import.run_blocking(&world.store, "alice").unwrap();
    let devices = [0, 1, 2].map(|index| Device::new(&secrets[index], totps[index]));
    let tokens = ids(&world).try_into().unwrap();
    (world, tokens, devices)
}

#[test]
fn a_token_of_another_length_is_passed_over_and_a_length_that_none_has_is_refused() {
    let (world, tokens, devices) = world_of_lengths();
    for (token, device) in tokens.iter().zip(&devices) {
        assert_eq!(shown(&world, device.code(world.now())), Ok(*token));
    }
    let [six, eight, seven] = tokens;
    for (gone, length, expected) in [(six, 6, Digits::Eight), (eight, 8, Digits::Seven)] {
        remove(&world, &admin(), gone).unwrap();
        let before = revision(&world);
        let none_has = Code::parse(&"1".repeat(length)).unwrap();
        assert_eq!(
            shown(&world, none_has),
            Err(Rejection::CodeLength { expected }),
            "the first token's"
        );
        assert_eq!(revision(&world), before, "not counted");
    }
    world.time.advance(30);
    assert_eq!(shown(&world, devices[2].code(world.now())), Ok(seven));
}

#[test]
fn a_wrong_code_of_the_length_of_one_token_is_a_guess() {
    let (world, _, [_, eight, _]) = world_of_lengths();
    let wrong = eight.wrong_code(world.now());
    assert_eq!(shown(&world, wrong), Err(Rejection::Mismatch));
    assert_eq!(report(&world).failures, 1);
}

#[test]
fn a_token_that_the_clock_is_behind_is_passed_over_and_refused_by_name_where_all_are() {
    let world = World::new(policy(2));
    let (phone, phones) = add(&world, "phone");
    let (fob, fobs) = add(&world, "fob");
    world.time.advance(3600);
    let code = phones.code(world.now());
    assert_eq!(shown(&world, code), Ok(phone));
    world.time.go_back(1800);
    let before = revision(&world);
    let of_phone = shown(&world, phones.code(world.now()));
    assert_eq!(
        of_phone,
        Err(Rejection::Mismatch),
        "judged by the fob alone"
    );
    assert_ne!(revision(&world), before, "and counted");
    assert_eq!(shown(&world, fobs.code(world.now())), Ok(fob));

    world.time.go_back(1200);
    let before = revision(&world);
    world.events();
    for device in [&phones, &fobs] {
        let code = device.code(world.now());
        assert_eq!(shown(&world, code), Err(Rejection::ClockBehind));
    }
    assert_eq!(revision(&world), before, "nothing judged, nothing counted");
    let last = Totp::STANDARD.step(UnixTime::from_secs(START + 3600));
    assert_eq!(
        world.events(),
        [
            EventKind::ClockBehind { last },
            EventKind::ClockBehind { last }
        ]
    );
}

#[test]
fn where_several_tokens_are_ahead_of_the_clock_the_latest_step_is_told() {
    for latest in 0..2 {
        let world = World::new(policy(2));
        let devices = [add(&world, "phone").1, add(&world, "fob").1];
        for (device, later) in devices.iter().zip([latest, 1 - latest]) {
            world.time.set(START + 3600 + 600 * later);
            assert!(shown(&world, device.code(world.now())).is_ok());
        }
        world.time.set(START);
        world.events();
        let code = devices[0].code(world.now());
        assert_eq!(shown(&world, code), Err(Rejection::ClockBehind));
        let last = Totp::STANDARD.step(UnixTime::from_secs(START + 4200));
        assert_eq!(world.events(), [EventKind::ClockBehind { last }]);
    }
}

#[test]
fn of_several_tokens_whose_code_was_used_already_the_event_names_the_first() {
    let (world, [first, _], [device, _]) = world_of_twins([0, 0]);
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = std::sync::Arc::clone(&told);
    let mfa = world.mfa.with_audit(move |_, event| {
        let token = event.token.as_ref().map(|token| token.id);
        log.lock().unwrap().push((event.name(), token));
    });
    let code = device.code(world.now());
    let step_up = mfa.step_up(&world.password("alice"), code);
    let refused = step_up.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), Some(Rejection::Reused));
    assert_eq!(*told.lock().unwrap(), [("reused_code", Some(first))]);
}

#[test]
fn a_drift_is_learned_of_every_token_that_a_code_matches() {
    let (world, _, [device, _]) = world_of_twins([-2, -2]);
    let policy = Policy::builder().max_tokens(2).learn_drift(true);
    let mut learns = World::new(policy.build().unwrap());
    learns.store = world.store;
    let code = device.code_in(learns.now(), 1);
    assert!(shown(&learns, code).is_ok());
    let drifts = report(&learns).tokens;
    let drifts: Vec<i16> = drifts.iter().map(|token| token.drift).collect();
    assert_eq!(drifts, [1, 1]);
}

#[test]
fn of_those_with_the_right_length_all_are_behind() {
    let (world, _, [six, eight, _]) = world_of_lengths();
    world.time.advance(3600);
    assert!(shown(&world, six.code(world.now())).is_ok());
    world.time.go_back(3600);
    assert_eq!(
        shown(&world, six.code(world.now())),
        Err(Rejection::ClockBehind)
    );
    assert!(shown(&world, eight.code(world.now())).is_ok());
}

#[test]
fn resynchronising_finds_the_token_whose_clock_is_off_and_touches_no_other() {
    let world = World::new(policy(3));
    add(&world, "phone");
    let (_, fobs) = add(&world, "fob");
    let (_, tablets) = add(&world, "tablet");
    world.time.advance(3600);
    let (code, next) = (fobs.code_in(world.now(), 15), fobs.code_in(world.now(), 16));
    world.events();
    let by = world.password("alice");
    let resynchronise = world.mfa.resynchronise(&by, code, next.clone());
    resynchronise.run_blocking(&world.store, "alice").unwrap();
    let drifts: Vec<i16> = report(&world)
        .tokens
        .iter()
        .map(|token| token.drift)
        .collect();
    assert_eq!(drifts, [0, 16, 0]);
    assert_eq!(
        world.events(),
        [EventKind::Resynchronised {
            drift: 16,
            failures: 0
        }]
    );
    assert_eq!(shown(&world, next), Err(Rejection::Reused));
    assert!(shown(&world, fobs.code_in(world.now(), 17)).is_ok());
    assert!(shown(&world, tablets.code(world.now())).is_ok());
}

#[test]
fn two_codes_that_two_tokens_have_in_a_row_tell_nothing_of_either_clock() {
    let (world, _, [device, other]) = world_of_twins([-30, -30]);
    world.time.advance(300);
    let pair = |from: i64| {
        (
            device.code_in(world.now(), from),
            device.code_in(world.now(), from + 1),
        )
    };
    let by = world.password("alice");
    let resynchronise = |(code, next)| {
        let resynchronise = world.mfa.resynchronise(&by, code, next);
        let answer = resynchronise.run_blocking(&world.store, "alice");
        answer.map_err(|error| error.rejection().unwrap())
    };
    assert_eq!(resynchronise(pair(-10)), Err(Rejection::Mismatch));
    assert_eq!(report(&world).failures, 1, "counted as one guess");
    let drifts = |world: &World| {
        report(world)
            .tokens
            .iter()
            .map(|t| t.drift)
            .collect::<Vec<_>>()
    };
    assert_eq!(drifts(&world), [0, 0]);
    // The next two are the device's own.
    assert_eq!(resynchronise(pair(-9)), Ok(()));
    assert_eq!(drifts(&world), [-8, 0]);
    assert!(shown(&world, other.code(world.now())).is_ok());
}

#[test]
fn two_codes_that_are_spent_at_one_of_two_tokens_set_the_clock_of_the_other() {
    let (world, [_, second], [device, _]) = world_of_twins([1, -2]);
    let (code, next) = (device.code(world.now()), device.code_in(world.now(), 1));
    let by = world.password("alice");
    let resynchronise = world.mfa.resynchronise(&by, code, next);
    resynchronise.run_blocking(&world.store, "alice").unwrap();
    let tokens = report(&world).tokens;
    assert_eq!((tokens[0].drift, tokens[1].drift), (0, 1));
    assert_eq!((tokens[0].last_used, tokens[1].id), (None, second));
}

#[test]
fn what_proves_the_second_factor_without_a_token_names_none() {
    let world = World::new(policy(2));
    add(&world, "phone");
    add(&world, "fob");
    let evidence = step_up(&world, Vouched::factor(&["hwk"])).unwrap();
    assert_eq!((evidence.token(), evidence.token_name()), (None, None));
    let grant = Grant::from(&evidence);
    assert!(issue(&world, &grant, Some(ids(&world)[0])).is_ok());
}

#[test]
fn as_many_tokens_as_are_allowed_are_imported_at_once() {
    let tokens = |number: u8| {
        (1..=number).map(|byte| {
            let secret = Secret::from_bytes(&[byte; 20]).unwrap();
            ImportedToken::proven(secret, Totp::STANDARD).named(&format!("token {byte}"))
        })
    };
    let world = World::new(policy(3));
    let import = world.mfa.import(&admin(), tokens(4));
    let refused = import.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), Some(Rejection::TooManyTokens));
    assert!(world.row("alice").is_none());
    let import = world.mfa.import(&admin(), tokens(3));
    import.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(
        names(&world),
        ["token 1", "token 2", "token 3"].map(|name| Some(name.into()))
    );
    assert_eq!(
        issue(&world, &admin(), None).unwrap_err(),
        Rejection::TooManyTokens
    );
}
