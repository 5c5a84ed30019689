//! A server in this process, the SDK's client of it, and a user.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::config::retry::RetryConfig;
use aws_sdk_cognitoidentityprovider::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_cognitoidentityprovider::error::SdkError;
use aws_sdk_cognitoidentityprovider::operation::admin_respond_to_auth_challenge::AdminRespondToAuthChallengeError;
use aws_sdk_cognitoidentityprovider::operation::associate_software_token::{
    AssociateSoftwareTokenError, AssociateSoftwareTokenOutput,
};
use aws_sdk_cognitoidentityprovider::operation::initiate_auth::{
    InitiateAuthError, InitiateAuthOutput,
};
use aws_sdk_cognitoidentityprovider::operation::respond_to_auth_challenge::{
    RespondToAuthChallengeError, RespondToAuthChallengeOutput,
};
use aws_sdk_cognitoidentityprovider::operation::set_user_mfa_preference::{
    SetUserMFAPreferenceError, SetUserMfaPreferenceOutput,
};
use aws_sdk_cognitoidentityprovider::operation::verify_software_token::{
    VerifySoftwareTokenError, VerifySoftwareTokenOutput,
};
use aws_sdk_cognitoidentityprovider::types::{
    AuthFlowType, ChallengeNameType, ExplicitAuthFlowsType, SoftwareTokenMfaConfigType,
    SoftwareTokenMfaSettingsType, UserPoolMfaType,
};
use softtoken::UnixTime;
use softtoken_cognito::{Server, ServerBuilder, serve};

use crate::phone::Phone;
use crate::trouble::{Trouble, TroubledStore};

pub const PASSWORD: &str = "Correct-Horse-7";

/// When every test begins: the beginning of a step.
const BEGINNING: u64 = 1_800_000_000;

/// What the clock says when it does not know.
const UNKNOWN: u64 = u64::MAX;

pub type Answer<T, E> = Result<T, SdkError<E>>;

/// A server of the test's own, its clock, its store, and a client of it.
pub struct World {
    pub client: Client,
    clock: Arc<AtomicU64>,
    store: Arc<TroubledStore>,
}

impl World {
    pub async fn new() -> Self {
        Self::with(|server| server).await
    }

    /// One that is built in this way.
    pub async fn with(build: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let clock = Arc::new(AtomicU64::new(BEGINNING));
        let store = Arc::new(TroubledStore::new());
        let reading = clock.clone();
        let now = move || {
            let seconds = reading.load(Ordering::SeqCst);
            (seconds != UNKNOWN).then(|| UnixTime::from_secs(seconds))
        };
        let builder = Server::builder().clock(now).store(store.clone());
        let server = build(builder).build().expect("a server");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(serve(server, listener, core::future::pending()));

        let config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "local"))
            .endpoint_url(endpoint)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(RetryConfig::disabled())
            .build();
        Self {
            client: Client::from_conf(config),
            clock,
            store,
        }
    }

    pub fn now(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    pub fn pass(&self, seconds: u64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn go_back(&self, seconds: u64) {
        self.clock.fetch_sub(seconds, Ordering::SeqCst);
    }

    pub fn forget_the_time(&self) {
        self.clock.store(UNKNOWN, Ordering::SeqCst);
    }

    pub fn trouble(&self, trouble: Trouble) {
        self.store.set(trouble);
    }

    /// A new pool with this configuration, and software tokens.
    pub async fn pool(&self, mfa: UserPoolMfaType) -> Pool<'_> {
        let pool = self.new_pool().await;
        pool.configure(mfa, true).await;
        pool
    }

    /// A pool as it is when new.
    pub async fn new_pool(&self) -> Pool<'_> {
        let made = self
            .client
            .create_user_pool()
            .pool_name("pool")
            .send()
            .await
            .expect("a pool");
        let id = made.user_pool().and_then(|pool| pool.id()).expect("an id");
        self.client_of(id.to_owned()).await
    }

    /// This pool, with a new client.
    pub async fn client_of(&self, id: String) -> Pool<'_> {
        let made = self
            .client
            .create_user_pool_client()
            .user_pool_id(&id)
            .client_name("app")
            .explicit_auth_flows(ExplicitAuthFlowsType::AllowUserPasswordAuth)
            .explicit_auth_flows(ExplicitAuthFlowsType::AllowAdminUserPasswordAuth)
            .explicit_auth_flows(ExplicitAuthFlowsType::AllowRefreshTokenAuth)
            .send()
            .await
            .expect("a client");
        let client = made
            .user_pool_client()
            .and_then(|client| client.client_id())
            .expect("an id");
        Pool {
            world: self,
            id,
            client: client.to_owned(),
        }
    }
}

/// A pool and its client.
pub struct Pool<'w> {
    pub world: &'w World,
    pub id: String,
    pub client: String,
}

impl Pool<'_> {
    pub async fn configure(&self, mfa: UserPoolMfaType, software_tokens: bool) {
        let tokens = SoftwareTokenMfaConfigType::builder()
            .enabled(software_tokens)
            .build();
        self.world
            .client
            .set_user_pool_mfa_config()
            .user_pool_id(&self.id)
            .mfa_configuration(mfa)
            .software_token_mfa_configuration(tokens)
            .send()
            .await
            .expect("a configuration");
    }

    /// Somebody who is not confirmed yet.
    pub async fn sign_up(&self, name: &str) -> User<'_> {
        self.world
            .client
            .sign_up()
            .client_id(&self.client)
            .username(name)
            .password(PASSWORD)
            .send()
            .await
            .expect("a user");
        User {
            pool: self,
            name: name.to_owned(),
        }
    }

    /// Somebody who may sign in.
    pub async fn user(&self, name: &str) -> User<'_> {
        let user = self.sign_up(name).await;
        self.world
            .client
            .admin_confirm_sign_up()
            .user_pool_id(&self.id)
            .username(name)
            .send()
            .await
            .expect("confirmed");
        user
    }

    /// Somebody who is asked for a code, with the phone and the access token that proved it. Its
    /// code of now is spent.
    pub async fn enrolled(&self, name: &str) -> (User<'_>, Phone, String) {
        let user = self.user(name).await;
        let token = user.access_token().await;
        let phone = user.enrol(&token).await;
        user.prefer(&token, true).await.expect("preferred");
        (user, phone, token)
    }
}

/// A user by name.
pub struct User<'p> {
    pub pool: &'p Pool<'p>,
    pub name: String,
}

impl User<'_> {
    fn client(&self) -> &Client {
        &self.pool.world.client
    }

    pub async fn begin(&self) -> Answer<InitiateAuthOutput, InitiateAuthError> {
        self.begin_with(PASSWORD).await
    }

    pub async fn begin_with(
        &self,
        password: &str,
    ) -> Answer<InitiateAuthOutput, InitiateAuthError> {
        self.client()
            .initiate_auth()
            .client_id(&self.pool.client)
            .auth_flow(AuthFlowType::UserPasswordAuth)
            .auth_parameters("USERNAME", &self.name)
            .auth_parameters("PASSWORD", password)
            .send()
            .await
    }

    /// The access token of a sign-in that asks for no code.
    pub async fn access_token(&self) -> String {
        let answer = self.begin().await.expect("a sign-in");
        let tokens = answer.authentication_result().expect("tokens");
        tokens.access_token().expect("an access token").to_owned()
    }

    /// The session of this challenge.
    pub async fn challenge(&self, name: ChallengeNameType) -> String {
        let answer = self.begin().await.expect("a challenge");
        assert_eq!(answer.challenge_name(), Some(&name));
        assert!(answer.authentication_result().is_none());
        answer.session().expect("a session").to_owned()
    }

    pub async fn answer(
        &self,
        session: &str,
        code: &str,
    ) -> Answer<RespondToAuthChallengeOutput, RespondToAuthChallengeError> {
        self.client()
            .respond_to_auth_challenge()
            .client_id(&self.pool.client)
            .challenge_name(ChallengeNameType::SoftwareTokenMfa)
            .session(session)
            .challenge_responses("USERNAME", &self.name)
            .challenge_responses("SOFTWARE_TOKEN_MFA_CODE", code)
            .send()
            .await
    }

    pub async fn answer_as_admin(
        &self,
        session: &str,
        code: &str,
    ) -> Result<(), SdkError<AdminRespondToAuthChallengeError>> {
        self.client()
            .admin_respond_to_auth_challenge()
            .user_pool_id(&self.pool.id)
            .client_id(&self.pool.client)
            .challenge_name(ChallengeNameType::SoftwareTokenMfa)
            .session(session)
            .challenge_responses("USERNAME", &self.name)
            .challenge_responses("SOFTWARE_TOKEN_MFA_CODE", code)
            .send()
            .await
            .map(drop)
    }

    pub async fn finish_setup(
        &self,
        session: &str,
    ) -> Answer<RespondToAuthChallengeOutput, RespondToAuthChallengeError> {
        self.client()
            .respond_to_auth_challenge()
            .client_id(&self.pool.client)
            .challenge_name(ChallengeNameType::MfaSetup)
            .session(session)
            .challenge_responses("USERNAME", &self.name)
            .send()
            .await
    }

    pub async fn associate(
        &self,
        token: &str,
    ) -> Answer<AssociateSoftwareTokenOutput, AssociateSoftwareTokenError> {
        self.client()
            .associate_software_token()
            .access_token(token)
            .send()
            .await
    }

    pub async fn associate_in(
        &self,
        session: &str,
    ) -> Answer<AssociateSoftwareTokenOutput, AssociateSoftwareTokenError> {
        self.client()
            .associate_software_token()
            .session(session)
            .send()
            .await
    }

    pub async fn verify(
        &self,
        token: &str,
        code: &str,
    ) -> Answer<VerifySoftwareTokenOutput, VerifySoftwareTokenError> {
        self.client()
            .verify_software_token()
            .access_token(token)
            .user_code(code)
            .send()
            .await
    }

    pub async fn verify_in(
        &self,
        session: &str,
        code: &str,
    ) -> Answer<VerifySoftwareTokenOutput, VerifySoftwareTokenError> {
        self.client()
            .verify_software_token()
            .session(session)
            .user_code(code)
            .send()
            .await
    }

    /// A phone with a new secret that waits for its code.
    pub async fn pending(&self, token: &str) -> Phone {
        let issued = self.associate(token).await.expect("a secret");
        assert!(issued.session().is_none());
        Phone::new(issued.secret_code().expect("a secret"))
    }

    /// A phone whose secret is in force; its code of now is spent.
    pub async fn enrol(&self, token: &str) -> Phone {
        let phone = self.pending(token).await;
        let code = phone.code(self.pool.world.now());
        self.verify(token, &code).await.expect("verified");
        phone
    }

    pub async fn prefer(
        &self,
        token: &str,
        enabled: bool,
    ) -> Answer<SetUserMfaPreferenceOutput, SetUserMFAPreferenceError> {
        let settings = SoftwareTokenMfaSettingsType::builder()
            .enabled(enabled)
            .preferred_mfa(enabled)
            .build();
        self.client()
            .set_user_mfa_preference()
            .access_token(token)
            .software_token_mfa_settings(settings)
            .send()
            .await
    }

    pub async fn delete(&self) {
        self.client()
            .admin_delete_user()
            .user_pool_id(&self.pool.id)
            .username(&self.name)
            .send()
            .await
            .expect("deleted");
    }

    pub async fn reset_password(&self) {
        self.client()
            .admin_reset_user_password()
            .user_pool_id(&self.pool.id)
            .username(&self.name)
            .send()
            .await
            .expect("reset");
    }
}

/// The answer must be this exception of the operation's, with the status that it has.
#[macro_export]
macro_rules! refused {
    ($answer:expr, $is:ident) => {
        $crate::refused!($answer, $is, 400)
    };
    ($answer:expr, $is:ident, $status:expr) => {{
        let error = $answer.err().expect("it has to be refused");
        assert_eq!(
            error.raw_response().map(|raw| raw.status().as_u16()),
            Some($status),
            "{error:?}"
        );
        let error = error.into_service_error();
        assert!(error.$is(), "{error:?}");
        // Most callers need it not.
        let message = error.meta().message().unwrap_or_default().to_owned();
        message
    }};
}
