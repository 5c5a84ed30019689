//! From sign-up to the second sign-in.

use aws_sdk_cognitoidentityprovider::types::{
    AuthFlowType, ChallengeNameType, UserPoolMfaType, VerifySoftwareTokenResponseType,
};

use crate::phone::Phone;
use crate::world::World;

#[tokio::test]
async fn the_optional_pool() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::Optional).await;
    let user = pool.user("otto").await;

    let token = user.access_token().await;
    let phone = user.pending(&token).await;
    let verified = world
        .client
        .verify_software_token()
        .access_token(&token)
        .user_code(phone.code(world.now()))
        .friendly_device_name("Otto's phone")
        .send()
        .await
        .expect("verified");
    assert_eq!(
        verified.status(),
        Some(&VerifySoftwareTokenResponseType::Success)
    );
    assert!(verified.session().is_none());
    assert!(
        user.begin()
            .await
            .expect("a sign-in")
            .authentication_result()
            .is_some()
    );
    user.prefer(&token, true).await.expect("preferred");

    world.pass(30);
    let challenge = user.begin().await.expect("a challenge");
    assert_eq!(
        challenge.challenge_name(),
        Some(&ChallengeNameType::SoftwareTokenMfa)
    );
    let parameters = challenge.challenge_parameters().expect("parameters");
    assert_eq!(parameters["FRIENDLY_DEVICE_NAME"], "Otto's phone");
    assert_eq!(parameters["USER_ID_FOR_SRP"], "otto");
    let session = challenge.session().expect("a session");
    let answer = user
        .answer(session, &phone.code(world.now()))
        .await
        .expect("signed in");
    let tokens = answer.authentication_result().expect("tokens");

    let told = world
        .client
        .get_user()
        .access_token(tokens.access_token().expect("an access token"))
        .send()
        .await
        .expect("the user");
    assert_eq!(told.username(), "otto");
    assert_eq!(told.user_mfa_setting_list(), ["SOFTWARE_TOKEN_MFA"]);
    assert_eq!(told.preferred_mfa_setting(), Some("SOFTWARE_TOKEN_MFA"));
}

#[tokio::test]
async fn the_required_pool() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::On).await;
    let user = pool.user("rosa").await;

    let challenge = user.begin().await.expect("a challenge");
    assert_eq!(
        challenge.challenge_name(),
        Some(&ChallengeNameType::MfaSetup)
    );
    let parameters = challenge.challenge_parameters().expect("parameters");
    assert_eq!(parameters["MFAS_CAN_SETUP"], r#"["SOFTWARE_TOKEN_MFA"]"#);
    let issued = user
        .associate_in(challenge.session().expect("a session"))
        .await
        .expect("a secret");
    let phone = Phone::new(issued.secret_code().expect("a secret"));
    let code = phone.code(world.now());
    let verified = user
        .verify_in(issued.session().expect("a session"), &code)
        .await
        .expect("verified");
    let answer = user
        .finish_setup(verified.session().expect("a session"))
        .await
        .expect("signed in");
    assert!(answer.authentication_result().is_some());

    world.pass(30);
    let session = user.challenge(ChallengeNameType::SoftwareTokenMfa).await;
    let answer = user
        .answer(&session, &phone.code(world.now()))
        .await
        .expect("signed in");
    let tokens = answer.authentication_result().expect("tokens");

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
    assert!(
        refreshed
            .authentication_result()
            .and_then(|it| it.access_token())
            .is_some()
    );
}

#[tokio::test]
async fn the_pool_without_mfa() {
    let world = World::new().await;
    let pool = world.new_pool().await;
    let user = pool.user("olga").await;
    assert!(
        user.begin()
            .await
            .expect("a sign-in")
            .authentication_result()
            .is_some()
    );
    let told = world
        .client
        .get_user_pool_mfa_config()
        .user_pool_id(&pool.id)
        .send()
        .await
        .expect("told");
    assert_eq!(told.mfa_configuration(), Some(&UserPoolMfaType::Off));
    assert!(
        !told
            .software_token_mfa_configuration()
            .is_some_and(|tokens| tokens.enabled())
    );
}

#[tokio::test]
async fn by_an_administrator() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::Optional).await;
    let (user, phone, _) = pool.enrolled("anna").await;
    world.pass(30);
    let challenge = world
        .client
        .admin_initiate_auth()
        .user_pool_id(&pool.id)
        .client_id(&pool.client)
        .auth_flow(AuthFlowType::AdminUserPasswordAuth)
        .auth_parameters("USERNAME", &user.name)
        .auth_parameters("PASSWORD", crate::world::PASSWORD)
        .send()
        .await
        .expect("a challenge");
    assert_eq!(
        challenge.challenge_name(),
        Some(&ChallengeNameType::SoftwareTokenMfa)
    );
    let session = challenge.session().expect("a session");
    user.answer_as_admin(session, &phone.code(world.now()))
        .await
        .expect("signed in");
    let told = world
        .client
        .admin_get_user()
        .user_pool_id(&pool.id)
        .username(&user.name)
        .send()
        .await
        .expect("the user");
    assert_eq!(told.user_mfa_setting_list(), ["SOFTWARE_TOKEN_MFA"]);
}
