//! What only time brings about.

use aws_sdk_cognitoidentityprovider::types::{AuthFlowType, ChallengeNameType, UserPoolMfaType};

use crate::phone::Phone;
use crate::refused;
use crate::world::World;

const INVALID_SESSION: &str = "Invalid session for the user, session is expired or invalid.";
const USED_CODE: &str = "Your software token has already been used once.";

#[tokio::test]
async fn a_session_lives_three_minutes() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::Optional).await;
    let (user, phone, _) = pool.enrolled("user").await;
    world.pass(30);
    let session = user.challenge(ChallengeNameType::SoftwareTokenMfa).await;
    let expired = user.challenge(ChallengeNameType::SoftwareTokenMfa).await;
    world.pass(179);
    user.answer(&session, &phone.code(world.now()))
        .await
        .expect("signed in");
    world.pass(30);
    let message = refused!(
        user.answer(&expired, &phone.code(world.now())).await,
        is_not_authorized_exception
    );
    assert_eq!(message, INVALID_SESSION);
}

#[tokio::test]
async fn so_does_that_of_a_setup_until_it_has_a_secret_and_then_as_long_as_the_secret() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::On).await;
    let user = pool.user("user").await;
    let session = user.challenge(ChallengeNameType::MfaSetup).await;
    world.pass(200);
    refused!(
        user.associate_in(&session).await,
        is_not_authorized_exception
    );

    let session = user.challenge(ChallengeNameType::MfaSetup).await;
    let issued = user.associate_in(&session).await.expect("a secret");
    let phone = Phone::new(issued.secret_code().expect("a secret"));
    let pending = issued.session().expect("a session");
    world.pass(10 * 60);
    let message = refused!(
        user.verify_in(pending, &phone.code(world.now())).await,
        is_not_authorized_exception
    );
    assert_eq!(message, INVALID_SESSION);

    let session = user.challenge(ChallengeNameType::MfaSetup).await;
    let issued = user.associate_in(&session).await.expect("a secret");
    let phone = Phone::new(issued.secret_code().expect("a secret"));
    let pending = issued.session().expect("a session");
    world.pass(10 * 60 - 1);
    user.verify_in(pending, &phone.code(world.now()))
        .await
        .expect("verified");
}

#[tokio::test]
async fn a_pending_secret_lives_ten_minutes() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::Optional).await;
    let user = pool.user("user").await;
    let token = user.access_token().await;
    let phone = user.pending(&token).await;
    world.pass(11 * 60);
    let late = user.verify(&token, &phone.code(world.now())).await;
    refused!(late, is_software_token_mfa_not_found_exception);
}

#[tokio::test]
async fn an_access_token_expires() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::Optional).await;
    let user = pool.user("user").await;
    let answer = user.begin().await.expect("a sign-in");
    let tokens = answer.authentication_result().expect("tokens");
    let token = tokens.access_token().expect("an access token");
    world.pass(u64::try_from(tokens.expires_in()).expect("a lifetime") + 1);
    refused!(user.associate(token).await, is_not_authorized_exception);
    refused!(
        user.verify(token, "123456").await,
        is_not_authorized_exception
    );
    refused!(user.prefer(token, true).await, is_not_authorized_exception);
    refused!(
        world.client.get_user().access_token(token).send().await,
        is_not_authorized_exception
    );

    let refreshed = world
        .client
        .initiate_auth()
        .client_id(&pool.client)
        .auth_flow(AuthFlowType::RefreshTokenAuth)
        .auth_parameters(
            "REFRESH_TOKEN",
            tokens.refresh_token().expect("a refresh token"),
        )
        .send()
        .await
        .expect("refreshed");
    let token = refreshed
        .authentication_result()
        .and_then(|it| it.access_token())
        .expect("an access token");
    assert!(user.associate(token).await.is_ok());
}

#[tokio::test]
async fn a_used_code_is_used_as_long_as_it_is_in_the_window() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::Optional).await;
    let (user, phone, _) = pool.enrolled("user").await;
    world.pass(30);
    let code = phone.code(world.now());
    let session = user.challenge(ChallengeNameType::SoftwareTokenMfa).await;
    user.answer(&session, &code).await.expect("signed in");
    let session = user.challenge(ChallengeNameType::SoftwareTokenMfa).await;
    for _ in 0..2 {
        let message = refused!(
            user.answer(&session, &code).await,
            is_expired_code_exception
        );
        assert_eq!(message, USED_CODE);
        world.pass(30);
    }
    refused!(
        user.answer(&session, &code).await,
        is_code_mismatch_exception
    );
}

#[tokio::test]
async fn the_window_is_one_step_either_way() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::Optional).await;
    let (user, phone, _) = pool.enrolled("user").await;
    world.pass(300);
    let session = user.challenge(ChallengeNameType::SoftwareTokenMfa).await;
    for outside in [world.now() - 60, world.now() + 60] {
        refused!(
            user.answer(&session, &phone.code(outside)).await,
            is_code_mismatch_exception
        );
    }
    user.answer(&session, &phone.code(world.now() - 30))
        .await
        .expect("signed in");
    let session = user.challenge(ChallengeNameType::SoftwareTokenMfa).await;
    user.answer(&session, &phone.code(world.now() + 30))
        .await
        .expect("signed in");
}

#[tokio::test]
async fn after_three_wrong_codes_the_next_attempt_waits_five_seconds_then_ten() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::Optional).await;
    let (user, phone, _) = pool.enrolled("user").await;
    world.pass(30);
    let session = user.challenge(ChallengeNameType::SoftwareTokenMfa).await;
    let wrong = phone.wrong(world.now());
    for _ in 0..3 {
        refused!(
            user.answer(&session, &wrong).await,
            is_code_mismatch_exception
        );
    }
    world.pass(4);
    refused!(
        user.answer(&session, &wrong).await,
        is_too_many_requests_exception
    );
    world.pass(1);
    refused!(
        user.answer(&session, &wrong).await,
        is_code_mismatch_exception
    );
    world.pass(9);
    refused!(
        user.answer(&session, &phone.code(world.now())).await,
        is_too_many_requests_exception
    );
    world.pass(1);
    user.answer(&session, &phone.code(world.now()))
        .await
        .expect("signed in");
}

#[tokio::test]
async fn a_hundred_wrong_codes_lock_the_token() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::Optional).await;
    let (user, phone, _) = pool.enrolled("user").await;
    let mut judged = 0;
    // A little more than a day of one guess every quarter of an hour, which pays two of them back.
    loop {
        world.pass(15 * 60);
        let session = user.challenge(ChallengeNameType::SoftwareTokenMfa).await;
        let error = user
            .answer(&session, &phone.wrong(world.now()))
            .await
            .expect_err("a wrong code");
        if !error.into_service_error().is_code_mismatch_exception() {
            break;
        }
        judged += 1;
        assert!(judged <= 110, "nothing ends it");
    }
    assert!(judged >= 100, "{judged}");
    world.pass(15 * 60);
    let session = user.challenge(ChallengeNameType::SoftwareTokenMfa).await;
    refused!(
        user.answer(&session, &phone.code(world.now())).await,
        is_not_authorized_exception
    );
}
