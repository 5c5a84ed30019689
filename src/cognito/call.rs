//! A request about a second factor, by what the embedder has to look up for it.

use alloc::string::String;

use super::exchange::Exchange;
use super::members::Text;
use super::scope::Scope;
use crate::association::{Administrator, Authority, Grant, Preference, Session};
use crate::mfa::Mfa;
use crate::totp::Code;

/// A request about a second factor, by what the embedder has to look up before it can be answered.
///
/// ```
/// use softtoken::cognito::Call;
///
/// let target = "AWSCognitoIdentityProviderService.AssociateSoftwareToken";
/// let Some(Call::AccessToken(call)) = Call::parse(target, br#"{"AccessToken": "a.b.c"}"#)? else {
///     unreachable!("it names an access token");
/// };
/// assert_eq!(call.access_token(), "a.b.c"); // whose is it?
///
/// let both = br#"{"AccessToken": "a.b.c", "Session": "aaaaaaaaaaaaaaaaaaaa"}"#;
/// let exception = Call::parse(target, both).unwrap_err();
/// assert_eq!(exception.name(), "InvalidParameterException");
///
/// let sign_up = Call::parse("AWSCognitoIdentityProviderService.SignUp", b"{}")?;
/// assert!(sign_up.is_none()); // the embedder's
/// # Ok::<(), softtoken::cognito::Exception>(())
/// ```
#[derive(Clone, Debug)]
pub enum Call {
    /// Whose access token it is, and how they have authenticated.
    AccessToken(ByAccessToken),
    /// Whose session it is, and in which pool.
    Session(BySession),
    /// Which user of which pool answers a challenge.
    Challenge(ChallengeAnswer),
    /// Which user of which pool an administrator speaks of.
    Administrator(ByAdministrator),
}

/// What sets up a token.
#[derive(Clone, Debug)]
pub(super) enum SetUp {
    Associate,
    Verify { code: Code, name: Option<String> },
}

impl SetUp {
    fn on<'m>(&self, mfa: &'m Mfa, subject: &str, authority: Authority) -> Exchange<'m> {
        match self {
            Self::Associate => Exchange::associate(mfa.associate(authority), subject),
            Self::Verify { code, name } => {
                let verify = mfa.verify(authority, code.clone());
                let verify = match name {
                    Some(name) => verify.named(name),
                    None => verify,
                };
                Exchange::verify(verify, subject)
            }
        }
    }
}

/// `AssociateSoftwareToken`, `VerifySoftwareToken` or `SetUserMFAPreference` with an access token.
///
/// ```
/// use softtoken::cognito::{Call, Reply};
/// use softtoken::{Grant, MemoryStore, Mfa, Policy, UnixTime};
///
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// let (store, mfa) = (MemoryStore::new(), Mfa::system(Policy::COGNITO));
/// let target = "AWSCognitoIdentityProviderService.AssociateSoftwareToken";
/// let Some(Call::AccessToken(call)) = Call::parse(target, br#"{"AccessToken": "a.b.c"}"#)? else {
///     unreachable!("it names an access token");
/// };
/// // The token is user-1's, who gave a password at that time.
/// let grant = Grant::first_factor(UnixTime::from_secs(1_700_000_000)).id("d7b1");
/// let reply = call.answer(&mfa, "user-1", grant).run_blocking(&store)?;
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
    /// The access token, unchecked. You owe that it is one of yours, alive, an access token and no other, and that its user
    /// may still sign in.
    #[must_use]
    pub fn access_token(&self) -> &str {
        &self.access_token
    }

    /// The request, once the access token is known to be this subject's, and how they have authenticated: the
    /// [`Grant`] with the token's id (`jti`), so that who verifies a token by it may go on with it.
    pub fn answer<'m>(&self, mfa: &'m Mfa, subject: &str, grant: Grant) -> Exchange<'m> {
        match &self.asked {
            Asked::SetUp(set_up) => set_up.on(mfa, subject, grant.into()),
            Asked::Prefer(preference) => Exchange::prefer(mfa, subject, grant, *preference),
        }
    }
}

/// `AssociateSoftwareToken` or `VerifySoftwareToken` within a sign-in.
///
/// ```
/// use softtoken::cognito::Call;
///
/// let target = "AWSCognitoIdentityProviderService.VerifySoftwareToken";
/// let body = br#"{"Session": "aaaaaaaaaaaaaaaaaaaa", "UserCode": "123456"}"#;
/// let Some(Call::Session(call)) = Call::parse(target, body)? else {
///     unreachable!("it names a session");
/// };
/// assert_eq!(call.session().expose(), "aaaaaaaaaaaaaaaaaaaa"); // whose is it?
/// # Ok::<(), softtoken::cognito::Exception>(())
/// ```
#[derive(Clone, Debug)]
pub struct BySession {
    pub(super) session: Session,
    pub(super) asked: SetUp,
}

impl BySession {
    /// The session, unchecked. [`SessionKeys::open`](crate::SessionKeys::open) and [`Mfa::claims_of`] say whose it is, and
    /// [`Scope::of`] in which pool; you owe that its user may still sign in there.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The request, once it is known whose session it is. Whether it is alive, the machine decides.
    pub fn answer<'m>(&self, mfa: &'m Mfa, subject: &str) -> Exchange<'m> {
        self.asked.on(mfa, subject, (&self.session).into())
    }
}

/// `RespondToAuthChallenge` or `AdminRespondToAuthChallenge`, for `SOFTWARE_TOKEN_MFA` or `MFA_SETUP`.
///
/// ```
/// use softtoken::cognito::Call;
///
/// let target = "AWSCognitoIdentityProviderService.RespondToAuthChallenge";
/// let body = br#"{
///     "ClientId": "webclient", "ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": "aaaaaaaaaaaaaaaaaaaa",
///     "ChallengeResponses": {"USERNAME": "alice", "SOFTWARE_TOKEN_MFA_CODE": "123456"}
/// }"#;
/// let Some(Call::Challenge(call)) = Call::parse(target, body)? else {
///     unreachable!("it answers a challenge");
/// };
/// assert_eq!((call.client_id(), call.user_name()), ("webclient", "alice")); // of which pool, and who is that there?
/// # Ok::<(), softtoken::cognito::Exception>(())
/// ```
#[derive(Clone, Debug)]
pub struct ChallengeAnswer {
    pub(super) user_pool_id: Option<String>,
    pub(super) client_id: String,
    pub(super) user_name: String,
    pub(super) secret_hash: Option<Text>,
    pub(super) session: Session,
    pub(super) answer: Answer,
}

#[derive(Clone, Debug)]
pub(super) enum Answer {
    Code(Code),
    SetUp,
}

impl ChallengeAnswer {
    /// The pool, where an administrator answers for the user.
    #[must_use]
    pub fn user_pool_id(&self) -> Option<&str> {
        self.user_pool_id.as_deref()
    }

    /// The client. You owe that it is one of a pool of yours.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The user, by the name given. You owe that it is one of that pool, who may sign in.
    #[must_use]
    pub fn user_name(&self) -> &str {
        &self.user_name
    }

    /// `SECRET_HASH`, which you owe to check where the client has a secret.
    #[must_use]
    pub fn secret_hash(&self) -> Option<&str> {
        self.secret_hash.as_deref()
    }

    /// The session, unchecked.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The request, once the pool of the client is known and the user's subject there. A session of another user, pool or
    /// client is refused.
    pub fn answer<'m>(&self, mfa: &'m Mfa, scope: &Scope, subject: &str) -> Exchange<'m> {
        let session = self.session.clone().expecting(scope.context());
        match &self.answer {
            Answer::Code(code) => Exchange::respond(mfa.respond(&session, code.clone()), subject),
            Answer::SetUp => Exchange::finish_setup(mfa.finish_setup(&session), subject),
        }
    }
}

/// `AdminSetUserMFAPreference`.
///
/// ```
/// use softtoken::cognito::Call;
///
/// let target = "AWSCognitoIdentityProviderService.AdminSetUserMFAPreference";
/// let body = br#"{"UserPoolId": "local_pool", "Username": "alice", "SoftwareTokenMfaSettings": {"Enabled": true}}"#;
/// let Some(Call::Administrator(call)) = Call::parse(target, body)? else {
///     unreachable!("an administrator speaks");
/// };
/// assert_eq!((call.user_pool_id(), call.user_name()), ("local_pool", "alice"));
/// # Ok::<(), softtoken::cognito::Exception>(())
/// ```
#[derive(Clone, Debug)]
pub struct ByAdministrator {
    pub(super) user_pool_id: String,
    pub(super) user_name: String,
    pub(super) preference: Option<Preference>,
}

impl ByAdministrator {
    /// The pool. You owe that it is one of yours.
    #[must_use]
    pub fn user_pool_id(&self) -> &str {
        &self.user_pool_id
    }

    /// The user, by the name given. You owe that it is one of that pool.
    #[must_use]
    pub fn user_name(&self) -> &str {
        &self.user_name
    }

    /// The request, by an administrator whom you have authenticated and authorised.
    pub fn answer<'m>(&self, mfa: &'m Mfa, subject: &str, by: Administrator) -> Exchange<'m> {
        Exchange::prefer(mfa, subject, by, self.preference)
    }
}
