//! Sorts requests about a second factor by what your application has to look up for them.

use alloc::string::String;

use super::exchange::Exchange;
use super::members::Text;
use super::refusal::{During, Used};
use super::scope::Scope;
use crate::association::{Administrator, Authority, Grant, Preference};
use crate::mfa::Mfa;
use crate::totp::Code;

/// Holds a request about a second factor, by what your application has to look up before the
/// request can be answered.
///
/// ```
/// use softtoken::cognito::Call;
///
/// let target = "AWSCognitoIdentityProviderService.AssociateSoftwareToken";
/// let Some(Call::AccessToken(call)) = Call::parse(target, br#"{"AccessToken": "a.b.c"}"#)? else {
///     panic!("the request names an access token");
/// };
/// assert_eq!(call.access_token(), "a.b.c"); // whose is it?
///
/// let both = br#"{"AccessToken": "a.b.c", "Session": "aaaaaaaaaaaaaaaaaaaa"}"#;
/// let exception = Call::parse(target, both).unwrap_err();
/// assert_eq!(exception.name(), "InvalidParameterException");
///
/// let sign_up = Call::parse("AWSCognitoIdentityProviderService.SignUp", b"{}")?;
/// assert!(sign_up.is_none()); // your application's own
/// # Ok::<(), softtoken::cognito::Exception>(())
/// ```
#[derive(Clone, Debug)]
pub enum Call {
    /// Asks you to look up whose access token it is, and the grant that is kept with that login.
    AccessToken(ByAccessToken),
    /// Asks you to look up whose session it is, and its pool and client.
    Session(BySession),
    /// Asks you to look up the pool of the client, and the user of that pool.
    Challenge(ChallengeAnswer),
    /// Asks you to look up the pool and its user, about whom an administrator speaks.
    Administrator(ByAdministrator),
}

/// Lists the requests that set up a token.
#[derive(Clone, Debug)]
pub(super) enum SetUp {
    Associate,
    Verify { code: Code, name: Option<String> },
}

impl SetUp {
    /// Makes the request on this authority; `verify` tells by what kind of authority it is.
    fn on(&self, mfa: &Mfa, subject: &str, by: impl Into<Authority>, verify: During) -> Exchange {
        match self {
            Self::Associate => Exchange::associate(mfa.associate(by), subject),
            Self::Verify { code, name } => {
                let request = mfa.verify(by, code.clone());
                let request = match name {
                    Some(name) => request.named(name),
                    None => request,
                };
                Exchange::verify(request, subject, verify)
            }
        }
    }
}

/// Holds `AssociateSoftwareToken`, `VerifySoftwareToken` or `SetUserMFAPreference` with an access
/// token.
///
/// ```
/// use softtoken::cognito::{Call, Reply};
/// use softtoken::{Grant, MemoryStore, Mfa, Policy, UnixTime};
///
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// let (store, mfa) = (MemoryStore::new(), Mfa::system(Policy::COGNITO));
/// let target = "AWSCognitoIdentityProviderService.AssociateSoftwareToken";
/// let Some(Call::AccessToken(call)) = Call::parse(target, br#"{"AccessToken": "a.b.c"}"#)? else {
///     panic!("the request names an access token");
/// };
/// // The token is user-1's, who gave a password at that time.
/// let password_at = UnixTime::from_secs(1_700_000_000);
/// let grant = Grant::first_factor("user-1", password_at).with_id("origin-jti-1");
/// let reply = call.answer(&mfa, &grant).run_blocking(&store)?;
/// assert!(matches!(reply, Reply::Body(_)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ByAccessToken {
    pub(super) access_token: Text,
    pub(super) asked: Asked,
}

#[derive(Clone, Debug)]
pub(super) enum Asked {
    SetUp(SetUp),
    Prefer(Option<Preference>),
}

impl ByAccessToken {
    /// Returns the access token, unchecked. You owe that it is one of yours, alive, an access token
    /// and no other, and that its user may still sign in.
    #[must_use]
    pub fn access_token(&self) -> &str {
        &self.access_token
    }

    /// Makes the request, on the grant that is kept with the login of the checked access token.
    ///
    /// Keep the grant's [bytes](Grant::to_bytes) with the login, in a claim that a refresh does not
    /// change, under the [id](Grant::with_id) `origin_jti`: so the login that verifies a token may
    /// go on to replace it. After a sign-in with a second factor, keep `Grant::from(&evidence)`.
    pub fn answer(&self, mfa: &Mfa, grant: &Grant) -> Exchange {
        match &self.asked {
            Asked::SetUp(set_up) => set_up.on(mfa, grant.subject(), grant, During::Verify),
            Asked::Prefer(preference) => Exchange::prefer(mfa, grant.subject(), grant, *preference),
        }
    }
}

/// Holds `AssociateSoftwareToken` or `VerifySoftwareToken` within a sign-in.
///
/// ```
/// use softtoken::cognito::{Call, Exchange, Reply, Scope};
/// use softtoken::{Context, MemoryStore, Mfa, OsEntropy, Policy, SessionKeys};
///
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// let store = MemoryStore::new();
/// let keys = SessionKeys::generate(1, &OsEntropy)?;
/// let mfa = Mfa::system(Policy::COGNITO.required()).with_sessions(keys, Context::new("cognito")?);
/// # let scope = Scope::new("local_required", "webclient")?;
/// # let challenge = Exchange::sign_in(&mfa, &scope, "user-1", "alice").run_blocking(&store)?;
/// # let Reply::Body(challenge) = challenge else { panic!("the pool requires MFA") };
/// # let body = serde_json::to_vec(&challenge)?;
/// let target = "AWSCognitoIdentityProviderService.AssociateSoftwareToken";
/// let Some(Call::Session(call)) = Call::parse(target, &body)? else {
///     panic!("the request names a session");
/// };
/// let session = mfa.open(call.session())?;
/// let began = Scope::of(session.context()).ok_or("another context")?;
/// assert_eq!((session.subject(), began.client_id()), ("user-1", "webclient"));
///
/// // What your application knows of that pool, client and user now.
/// let scope = Scope::new("local_required", "webclient")?;
/// let reply = call.answer(&mfa, &scope, session.subject()).run_blocking(&store)?;
/// assert!(matches!(reply, Reply::Body(_)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct BySession {
    pub(super) session: Text,
    pub(super) asked: SetUp,
}

impl BySession {
    /// Returns the session, unchecked. [`Mfa::open`] tells whose it is, and [`Scope::of`] in which
    /// pool and client it was made. You owe that its user may still sign in there.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.session
    }

    /// Makes the request for the session's subject, in the scope that a sign-in of that user by
    /// that client has now. A session of another user or scope is refused: of another pool or
    /// client, or begun with an old password.
    pub fn answer(&self, mfa: &Mfa, scope: &Scope, subject: &str) -> Exchange {
        let mfa = mfa.with_context(scope.context().clone());
        match mfa.open(&self.session) {
            Ok(session) => self
                .asked
                .on(&mfa, subject, &session, During::VerifyBySession),
            Err(error) => Exchange::unopened(error),
        }
    }
}

/// Holds `RespondToAuthChallenge` or `AdminRespondToAuthChallenge`, for `SOFTWARE_TOKEN_MFA` or
/// `MFA_SETUP`.
///
/// ```
/// use softtoken::cognito::Call;
///
/// let target = "AWSCognitoIdentityProviderService.RespondToAuthChallenge";
/// let body = br#"{
///     "ClientId": "webclient",
///     "ChallengeName": "SOFTWARE_TOKEN_MFA",
///     "Session": "aaaaaaaaaaaaaaaaaaaa",
///     "ChallengeResponses": {"USERNAME": "alice", "SOFTWARE_TOKEN_MFA_CODE": "123456"}
/// }"#;
/// let Some(Call::Challenge(call)) = Call::parse(target, body)? else {
///     panic!("the request answers a challenge");
/// };
/// assert_eq!(call.client_id(), "webclient"); // of which pool?
/// assert_eq!(call.user_name(), "alice"); // and who is that there?
/// # Ok::<(), softtoken::cognito::Exception>(())
/// ```
#[derive(Clone, Debug)]
pub struct ChallengeAnswer {
    pub(super) user_pool_id: Option<String>,
    pub(super) client_id: String,
    pub(super) user_name: String,
    pub(super) secret_hash: Option<Text>,
    pub(super) session: Text,
    pub(super) answer: Answer,
}

#[derive(Clone, Debug)]
pub(super) enum Answer {
    Code(Code),
    SetUp,
}

impl ChallengeAnswer {
    /// Returns the pool, where an administrator answers for the user.
    #[must_use]
    pub fn user_pool_id(&self) -> Option<&str> {
        self.user_pool_id.as_deref()
    }

    /// Returns the client. You owe that it is one of a pool of yours.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Returns the user, by the name given. You owe that it is one of that pool, who may sign in.
    #[must_use]
    pub fn user_name(&self) -> &str {
        &self.user_name
    }

    /// Returns `SECRET_HASH`, which you owe to check where the client has a secret.
    #[must_use]
    pub fn secret_hash(&self) -> Option<&str> {
        self.secret_hash.as_deref()
    }

    /// Returns the session, unchecked.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.session
    }

    /// Makes the request for this user's subject, in the scope that a sign-in of that user by that
    /// client has now. A session of another user or scope is refused: of another pool or client,
    /// or begun with an old password.
    pub fn answer(&self, mfa: &Mfa, scope: &Scope, subject: &str) -> Exchange {
        let used = Used::default();
        let mfa = used.watching(&mfa.with_context(scope.context().clone()));
        match (mfa.open(&self.session), &self.answer) {
            (Ok(session), Answer::Code(code)) => {
                Exchange::respond(mfa.respond(&session, code.clone()), subject, used)
            }
            (Ok(session), Answer::SetUp) => {
                Exchange::finish_setup(mfa.finish_setup(&session), subject, used)
            }
            (Err(error), _) => Exchange::unopened(error),
        }
    }
}

/// Holds `AdminSetUserMFAPreference` or `AdminDeleteSoftwareToken`.
///
/// ```
/// use softtoken::cognito::Call;
///
/// let target = "AWSCognitoIdentityProviderService.AdminSetUserMFAPreference";
/// let body = br#"{
///     "UserPoolId": "local_pool", "Username": "alice",
///     "SoftwareTokenMfaSettings": {"Enabled": true}
/// }"#;
/// let Some(Call::Administrator(call)) = Call::parse(target, body)? else {
///     panic!("an administrator speaks");
/// };
/// assert_eq!((call.user_pool_id(), call.user_name()), ("local_pool", "alice"));
/// # Ok::<(), softtoken::cognito::Exception>(())
/// ```
#[derive(Clone, Debug)]
pub struct ByAdministrator {
    pub(super) user_pool_id: String,
    pub(super) user_name: String,
    pub(super) ordered: Ordered,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Ordered {
    Prefer(Option<Preference>),
    Delete,
}

impl ByAdministrator {
    /// Returns the pool. You owe that it is one of yours.
    #[must_use]
    pub fn user_pool_id(&self) -> &str {
        &self.user_pool_id
    }

    /// Returns the user, by the name given. You owe that it is one of that pool.
    #[must_use]
    pub fn user_name(&self) -> &str {
        &self.user_name
    }

    /// Makes the request, by an administrator whom you have authenticated and authorised.
    ///
    /// Turning MFA off where the pool requires it changes nothing, and is no error. Nor is deleting
    /// a token that is not there.
    pub fn answer(&self, mfa: &Mfa, subject: &str, by: &Administrator) -> Exchange {
        match self.ordered {
            Ordered::Prefer(preference) => Exchange::prefer(mfa, subject, by, preference),
            Ordered::Delete => Exchange::disassociate(mfa.disassociate(by), subject),
        }
    }
}
