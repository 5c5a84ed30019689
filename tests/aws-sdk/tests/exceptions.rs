//! Every exception of the table, by something real, as the SDK types it.

use aws_sdk_cognitoidentityprovider::types::{
    ChallengeNameType, SoftwareTokenMfaSettingsType, UserPoolMfaType,
};

use crate::phone::Phone;
use crate::refused;
use crate::trouble::Trouble;
use crate::world::{Pool, User, World};

const UNKNOWN_CLIENT: &str = "0123456789abcdefghijklmnop";

/// Somebody in the pool that requires MFA who has verified a token in this session, which gives
/// tokens.
async fn verified<'p>(pool: &'p Pool<'p>) -> (User<'p>, Phone, String) {
    let user = pool.user("rosa").await;
    let session = user.challenge(ChallengeNameType::MfaSetup).await;
    let issued = user.associate_in(&session).await.expect("a secret");
    let phone = Phone::new(issued.secret_code().expect("a secret"));
    let code = phone.code(pool.world.now());
    let verified = user
        .verify_in(issued.session().expect("a session"), &code)
        .await
        .expect("verified");
    let session = verified.session().expect("a session").to_owned();
    (user, phone, session)
}

#[tokio::test]
async fn invalid_parameter() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::Optional).await;
    let user = pool.user("user").await;
    let token = user.access_token().await;
    let client = &world.client;

    let both = client
        .associate_software_token()
        .access_token(&token)
        .session("s".repeat(20))
        .send()
        .await;
    refused!(both, is_invalid_parameter_exception);
    let neither = client.associate_software_token().send().await;
    refused!(neither, is_invalid_parameter_exception);
    let neither = client
        .verify_software_token()
        .user_code("123456")
        .send()
        .await;
    refused!(neither, is_invalid_parameter_exception);
    for code in ["", "12345", "1234567", "12345a", "١٢٣٤٥٦"] {
        refused!(
            user.verify(&token, code).await,
            is_invalid_parameter_exception
        );
    }
    for session in ["s".repeat(19), "s".repeat(4097)] {
        refused!(
            user.verify_in(&session, "123456").await,
            is_invalid_parameter_exception
        );
    }
    let name = "n".repeat(131_073);
    let long = client
        .verify_software_token()
        .access_token(&token)
        .user_code("123456")
        .friendly_device_name(name);
    refused!(long.send().await, is_invalid_parameter_exception);
    refused!(
        user.prefer(&token, true).await,
        is_invalid_parameter_exception
    );
}

#[tokio::test]
async fn invalid_parameter_where_mfa_is_required() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::On).await;
    let (user, _, session) = verified(&pool).await;
    let answer = user.finish_setup(&session).await.expect("signed in");
    let token = answer
        .authentication_result()
        .and_then(|it| it.access_token())
        .expect("an access token");
    user.prefer(token, true).await.expect("preferred");
    refused!(
        user.prefer(token, false).await,
        is_invalid_parameter_exception
    );
    let off = SoftwareTokenMfaSettingsType::builder().enabled(false);
    world
        .client
        .admin_set_user_mfa_preference()
        .user_pool_id(&pool.id)
        .username(&user.name)
        .software_token_mfa_settings(off.build())
        .send()
        .await
        .expect("an administrator's off is no error");
    user.challenge(ChallengeNameType::SoftwareTokenMfa).await;
}

#[tokio::test]
async fn not_authorized() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::Optional).await;
    let (user, phone, _) = pool.enrolled("user").await;
    let password_only = pool.user("other").await.access_token().await;
    world.pass(30);

    refused!(
        user.begin_with("Incorrect-Horse-8").await,
        is_not_authorized_exception
    );
    refused!(
        user.associate("no-token").await,
        is_not_authorized_exception
    );
    refused!(
        user.associate(&format!("{password_only}A")).await,
        is_not_authorized_exception
    );
    refused!(
        user.associate_in(&"s".repeat(100)).await,
        is_not_authorized_exception
    );
    let session = user.challenge(ChallengeNameType::SoftwareTokenMfa).await;
    let other = User {
        pool: &pool,
        name: "other".into(),
    };
    let code = phone.code(world.now());
    refused!(
        other.answer(&session, &code).await,
        is_not_authorized_exception
    );
    user.answer(&session, &code).await.expect("signed in");
    world.pass(30);
    refused!(
        user.answer(&session, &phone.code(world.now())).await,
        is_not_authorized_exception
    );
}

#[tokio::test]
async fn not_authorized_without_the_second_factor() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::Optional).await;
    let user = pool.user("user").await;
    let (stolen, token) = (user.access_token().await, user.access_token().await);
    let phone = user.enrol(&token).await;
    user.prefer(&token, true).await.expect("preferred");
    world.pass(30);
    refused!(user.associate(&stolen).await, is_not_authorized_exception);
    refused!(
        user.verify(&stolen, &phone.code(world.now())).await,
        is_not_authorized_exception
    );
    refused!(
        user.prefer(&stolen, false).await,
        is_not_authorized_exception
    );
    user.associate(&token)
        .await
        .expect("the token that proved it is enough");
}

#[tokio::test]
async fn enable_software_token_mfa() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::Optional).await;
    let user = pool.user("user").await;
    let token = user.access_token().await;
    let phone = user.pending(&token).await;
    let wrong = phone.wrong(world.now());
    refused!(
        user.verify(&token, &wrong).await,
        is_enable_software_token_mfa_exception
    );
}

#[tokio::test]
async fn code_mismatch_and_expired_code() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::Optional).await;
    let (user, phone, _) = pool.enrolled("user").await;
    let session = user.challenge(ChallengeNameType::SoftwareTokenMfa).await;
    refused!(
        user.answer(&session, &phone.wrong(world.now())).await,
        is_code_mismatch_exception
    );
    refused!(
        user.answer_as_admin(&session, &phone.wrong(world.now()))
            .await,
        is_code_mismatch_exception
    );
    let spent = phone.code(world.now());
    let message = refused!(
        user.answer(&session, &spent).await,
        is_expired_code_exception
    );
    assert_eq!(message, "Your software token has already been used once.");
    refused!(
        user.answer_as_admin(&session, &spent).await,
        is_expired_code_exception
    );
}

#[tokio::test]
async fn software_token_mfa_not_found() {
    let world = World::new().await;
    let off = world.new_pool().await;
    let user = off.user("olga").await;
    let token = user.access_token().await;
    refused!(
        user.associate(&token).await,
        is_software_token_mfa_not_found_exception
    );
    refused!(
        user.verify(&token, "123456").await,
        is_software_token_mfa_not_found_exception
    );

    let optional = world.pool(UserPoolMfaType::Optional).await;
    let user = optional.user("otto").await;
    let token = user.access_token().await;
    refused!(
        user.verify(&token, "123456").await,
        is_software_token_mfa_not_found_exception
    );
}

#[tokio::test]
async fn just_verified_is_not_found_by_access_token_and_not_authorized_by_session() {
    let world = World::new().await;
    let optional = world.pool(UserPoolMfaType::Optional).await;
    let user = optional.user("otto").await;
    let token = user.access_token().await;
    let phone = user.enrol(&token).await;
    let code = phone.code(world.now());
    refused!(
        user.verify(&token, &code).await,
        is_software_token_mfa_not_found_exception
    );

    let required = world.pool(UserPoolMfaType::On).await;
    let user = required.user("rosa").await;
    let session = user.challenge(ChallengeNameType::MfaSetup).await;
    let issued = user.associate_in(&session).await.expect("a secret");
    let phone = Phone::new(issued.secret_code().expect("a secret"));
    let code = phone.code(world.now());
    let session = issued.session().expect("a session");
    let done = user.verify_in(session, &code).await.expect("verified");
    refused!(
        user.verify_in(session, &code).await,
        is_not_authorized_exception
    );
    user.finish_setup(done.session().expect("a session"))
        .await
        .expect("signed in");
}

#[tokio::test]
async fn concurrent_modification_and_too_many_requests_where_others_are_always_faster() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::Optional).await;
    let (user, phone, token) = pool.enrolled("user").await;
    let replacement = user.pending(&token).await;
    world.pass(30);
    let session = user.challenge(ChallengeNameType::SoftwareTokenMfa).await;
    let code = phone.code(world.now());

    world.trouble(Trouble::Conflicts);
    refused!(
        user.associate(&token).await,
        is_concurrent_modification_exception
    );
    refused!(
        user.answer(&session, &code).await,
        is_too_many_requests_exception
    );
    let verify = user.verify(&token, &replacement.code(world.now())).await;
    refused!(verify, is_too_many_requests_exception);

    world.trouble(Trouble::None);
    user.answer(&session, &code)
        .await
        .expect("nothing was accepted, so nothing is spent");
}

#[tokio::test]
async fn resource_not_found() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::Optional).await;
    let (user, phone, _) = pool.enrolled("user").await;
    world.pass(30);
    let session = user.challenge(ChallengeNameType::SoftwareTokenMfa).await;
    let nowhere = Pool {
        world: &world,
        id: "local_nosuchpool".into(),
        client: UNKNOWN_CLIENT.into(),
    };
    let user = User {
        pool: &nowhere,
        name: user.name,
    };
    refused!(user.begin().await, is_resource_not_found_exception);
    let code = phone.code(world.now());
    refused!(
        user.answer(&session, &code).await,
        is_resource_not_found_exception
    );
    refused!(
        user.answer_as_admin(&session, &code).await,
        is_resource_not_found_exception
    );
    let told = world
        .client
        .admin_get_user()
        .user_pool_id(&nowhere.id)
        .username("user")
        .send()
        .await;
    refused!(told, is_resource_not_found_exception);
}

#[tokio::test]
async fn user_not_found_and_not_confirmed() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::Optional).await;
    let nobody = User {
        pool: &pool,
        name: "nobody".into(),
    };
    refused!(nobody.begin().await, is_user_not_found_exception);
    let told = world
        .client
        .admin_get_user()
        .user_pool_id(&pool.id)
        .username("nobody")
        .send()
        .await;
    refused!(told, is_user_not_found_exception);
    let user = pool.sign_up("user").await;
    refused!(user.begin().await, is_user_not_confirmed_exception);

    let (user, phone, _) = pool.enrolled("deleted").await;
    world.pass(30);
    let session = user.challenge(ChallengeNameType::SoftwareTokenMfa).await;
    user.delete().await;
    let code = phone.code(world.now());
    refused!(
        user.answer(&session, &code).await,
        is_user_not_found_exception
    );
    refused!(
        user.answer_as_admin(&session, &code).await,
        is_user_not_found_exception
    );
}

#[tokio::test]
async fn password_reset_required() {
    let world = World::new().await;
    let optional = world.pool(UserPoolMfaType::Optional).await;
    let (user, phone, token) = optional.enrolled("otto").await;
    world.pass(30);
    let session = user.challenge(ChallengeNameType::SoftwareTokenMfa).await;
    user.reset_password().await;
    refused!(user.begin().await, is_password_reset_required_exception);
    let code = phone.code(world.now());
    refused!(
        user.answer(&session, &code).await,
        is_password_reset_required_exception
    );
    refused!(
        user.answer_as_admin(&session, &code).await,
        is_password_reset_required_exception
    );
    assert!(user.verify(&token, &code).await.is_err());

    let required = world.pool(UserPoolMfaType::On).await;
    let (user, _, session) = verified(&required).await;
    user.reset_password().await;
    refused!(
        user.finish_setup(&session).await,
        is_password_reset_required_exception
    );
}

#[tokio::test]
async fn invalid_user_pool_configuration() {
    let world = World::new().await;
    let made = world
        .client
        .create_user_pool()
        .pool_name("contradiction")
        .mfa_configuration(UserPoolMfaType::On)
        .send()
        .await
        .expect("a pool that requires what it does not offer");
    let id = made.user_pool().and_then(|pool| pool.id()).expect("an id");
    let pool = world.client_of(id.to_owned()).await;
    let user = pool.user("user").await;
    refused!(
        user.begin().await,
        is_invalid_user_pool_configuration_exception
    );
}

#[tokio::test]
async fn forbidden_by_the_agent() {
    let world = World::with(|server| server.forbid_agent("aws-sdk-rust")).await;
    let client = &world.client;
    let associate = client
        .associate_software_token()
        .access_token("token")
        .send()
        .await;
    refused!(associate, is_forbidden_exception);
    let verify = client
        .verify_software_token()
        .access_token("token")
        .user_code("123456")
        .send()
        .await;
    refused!(verify, is_forbidden_exception);
    refused!(
        client.get_user().access_token("token").send().await,
        is_forbidden_exception
    );
}

#[tokio::test]
async fn forbidden_to_the_client() {
    let world = World::with(|server| server.forbid_client(UNKNOWN_CLIENT)).await;
    let pool = Pool {
        world: &world,
        id: "local_nosuchpool".into(),
        client: UNKNOWN_CLIENT.into(),
    };
    let user = User {
        pool: &pool,
        name: "user".into(),
    };
    refused!(user.begin().await, is_forbidden_exception);
    refused!(
        user.answer(&"s".repeat(100), "123456").await,
        is_forbidden_exception
    );
    let allowed = world.pool(UserPoolMfaType::Optional).await;
    assert!(!allowed.user("user").await.access_token().await.is_empty());
}

#[tokio::test]
async fn internal_error_where_the_store_fails() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::Optional).await;
    let (user, phone, token) = pool.enrolled("user").await;
    let replacement = user.pending(&token).await;
    world.pass(30);
    let session = user.challenge(ChallengeNameType::SoftwareTokenMfa).await;
    let code = phone.code(world.now());

    world.trouble(Trouble::Fails);
    refused!(user.begin().await, is_internal_error_exception, 500);
    refused!(
        user.answer(&session, &code).await,
        is_internal_error_exception,
        500
    );
    refused!(
        user.associate(&token).await,
        is_internal_error_exception,
        500
    );
    let verify = user.verify(&token, &replacement.code(world.now())).await;
    refused!(verify, is_internal_error_exception, 500);
    refused!(
        user.prefer(&token, false).await,
        is_internal_error_exception,
        500
    );
    let told = world.client.get_user().access_token(&token).send().await;
    let message = refused!(told, is_internal_error_exception, 500);
    assert!(!message.contains("database"), "{message}");

    world.trouble(Trouble::None);
    user.answer(&session, &code).await.expect("signed in");
}

#[tokio::test]
async fn internal_error_where_the_clock_has_gone_back() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::Optional).await;
    let (user, phone, _) = pool.enrolled("user").await;
    world.go_back(600);
    let session = user.challenge(ChallengeNameType::SoftwareTokenMfa).await;
    let code = phone.code(world.now());
    refused!(
        user.answer(&session, &code).await,
        is_internal_error_exception,
        500
    );
}

#[tokio::test]
async fn internal_error_where_the_time_is_not_known() {
    let world = World::new().await;
    let pool = world.pool(UserPoolMfaType::Optional).await;
    let (user, phone, token) = pool.enrolled("user").await;
    world.pass(30);
    let session = user.challenge(ChallengeNameType::SoftwareTokenMfa).await;
    let code = phone.code(world.now());
    world.forget_the_time();
    refused!(
        user.answer(&session, &code).await,
        is_internal_error_exception,
        500
    );
    refused!(
        user.associate(&token).await,
        is_internal_error_exception,
        500
    );
    refused!(user.begin().await, is_internal_error_exception, 500);
}
