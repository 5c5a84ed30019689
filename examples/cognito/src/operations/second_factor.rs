//! The software token: every operation and challenge that the crate maps, with what it has to have looked up.

use softtoken::cognito::{Call, ChallengeAnswer, Exchange, Name, Reply, Response, Scope};
use softtoken::{Administrator, Session};

use super::sign_in::{SignedIn, tokens};
use super::signed_in::holder;
use crate::exception::{Answer, Exception};
use crate::server::Server;
use crate::tokens::{Authentication, INVALID_SESSION};

pub(super) async fn answer(server: &Server, call: Call, request_id: &str) -> Answer<Response> {
    match call {
        Call::AccessToken(call) => {
            let (user, claims) = holder(server, call.access_token()).await?;
            let id = user.pool.clone();
            let pool = server.directory().read(move |rows| rows.pool(&id)).await?;
            let mfa = server.mfa(&pool)?;
            let exchange = call.answer(&mfa, &user.subject(), claims.grant());
            told(run(server, exchange).await?, request_id)
        }
        Call::Session(call) => {
            let SignedIn { pool, client, user } = holder_of(server, call.session()).await?;
            let mfa = server.mfa_for(&pool, &client)?;
            told(
                run(server, call.answer(&mfa, &user.subject())).await?,
                request_id,
            )
        }
        Call::Administrator(call) => {
            let (id, name) = (call.user_pool_id().to_owned(), call.user_name().to_owned());
            let read = server
                .directory()
                .read(move |rows| Ok((rows.pool(&id)?, rows.known_user(&id, &name)?)));
            let (pool, user) = read.await?;
            let mfa = server.mfa(&pool)?;
            let exchange = call.answer(&mfa, &user.subject(), Administrator);
            told(run(server, exchange).await?, request_id)
        }
        Call::Challenge(call) => {
            let signed_in = who_answers(server, &call).await?;
            let SignedIn { pool, client, user } = &signed_in;
            let mfa = server.mfa_for(pool, client)?;
            let exchange = call.answer(&mfa, &scope(&signed_in)?, &user.subject());
            finished(server, &signed_in, run(server, exchange).await?, request_id).await
        }
    }
}

/// What follows the first factor: a challenge, or tokens.
pub(super) async fn begin(
    server: &Server,
    signed_in: &SignedIn,
    request_id: &str,
) -> Answer<Response> {
    let SignedIn { pool, client, user } = signed_in;
    let mfa = server.mfa_for(pool, client)?;
    let scope = scope(signed_in)?;
    let exchange = Exchange::sign_in(&mfa, &scope, &user.subject(), &user.username);
    let reply = run(server, exchange).await?;
    finished(server, signed_in, reply, request_id).await
}

/// Whose session it is. Whether it is alive, the machine decides.
async fn holder_of(server: &Server, session: &Session) -> Answer<SignedIn> {
    let invalid = || Exception::not_authorized(INVALID_SESSION);
    let claims = server.claims_of(session).ok_or_else(invalid)?;
    let scope = Scope::of(claims.context()).ok_or_else(invalid)?;
    let sub = claims
        .subject()
        .strip_prefix(scope.user_pool_id())
        .and_then(|rest| rest.strip_prefix('/'));
    let sub = sub.ok_or_else(invalid)?.to_owned();
    let read = server.directory().read(move |rows| {
        let pool = rows.pool(scope.user_pool_id())?;
        let client = rows.client_of(&pool.id, scope.client_id())?;
        let user = rows.holder(&pool.id, &sub)?;
        user.check_standing()?;
        if scope.password_version() != user.password_generation {
            return Err(Exception::not_authorized(INVALID_SESSION));
        }
        Ok(SignedIn { pool, client, user })
    });
    read.await
}

/// Who answers a challenge, by client and name. Whether the session is theirs, the machine decides.
async fn who_answers(server: &Server, call: &ChallengeAnswer) -> Answer<SignedIn> {
    let (id, name) = (call.client_id().to_owned(), call.user_name().to_owned());
    let (of_pool, hash) = (
        call.user_pool_id().map(str::to_owned),
        call.secret_hash().map(str::to_owned),
    );
    let holder = server
        .claims_of(call.session())
        .map(|claims| claims.subject().to_owned());
    let read = server.directory().read(move |rows| {
        let client = match &of_pool {
            None => rows.client(&id)?,
            Some(pool) => {
                rows.pool(pool)?;
                rows.client_of(pool, &id)?
            }
        };
        client.check_secret_hash(&name, hash.as_deref())?;
        let pool = rows.pool(&client.pool)?;
        let user = match rows.user(&pool.id, &name)? {
            None if client.hides_users && of_pool.is_none() => {
                return Err(Exception::not_authorized(INVALID_SESSION));
            }
            found => found.ok_or(Name::UserNotFound)?,
        };
        // Of a user's standing nobody is told who shows no session of theirs; the machine refuses that.
        if holder.as_deref() == Some(user.subject().as_str()) {
            user.check_standing()?;
        }
        Ok(SignedIn { pool, client, user })
    });
    read.await
}

/// A sign-in ends with the password that it began with.
fn scope(SignedIn { pool, client, user }: &SignedIn) -> Answer<Scope> {
    let scope = Scope::new(&pool.id, &client.id).map_err(Exception::internal)?;
    Ok(scope.with_password_version(user.password_generation))
}

async fn run(server: &Server, exchange: Exchange<'_>) -> Answer<Reply> {
    exchange.run(server.store()).await.map_err(|refusal| {
        let (exception, error) = (refusal.exception().clone(), refusal.error());
        let code = error.code();
        if exception.kind() == Name::InternalError {
            tracing::error!(code, %error, "no answer of the second factor's");
        } else {
            tracing::debug!(code, "refused");
        }
        exception.into()
    })
}

/// The answer of an operation that signs nobody in.
fn told(reply: Reply, request_id: &str) -> Answer<Response> {
    reply
        .response(request_id)
        .map_err(|_| Exception::internal("no tokens are to be issued here"))
}

async fn finished(
    server: &Server,
    signed_in: &SignedIn,
    reply: Reply,
    request_id: &str,
) -> Answer<Response> {
    let evidence = match reply.response(request_id) {
        Ok(challenge) => return Ok(challenge),
        Err(evidence) => evidence,
    };
    let authentication = match evidence {
        Some(evidence) => Authentication::second_factor(&evidence),
        None => Authentication::password(server.now()?),
    };
    // The user was read before the code was judged, or the password: who has changed meanwhile begins anew.
    let (pool, sub) = (signed_in.pool.id.clone(), signed_in.user.sub.clone());
    let version = signed_in.user.password_generation;
    let read = server.directory().read(move |rows| {
        let user = rows.holder(&pool, &sub)?;
        user.check_standing()?;
        if user.password_generation != version {
            return Err(Exception::not_authorized(INVALID_SESSION));
        }
        Ok(())
    });
    read.await?;
    let issued = tokens(server, signed_in, &authentication)?;
    Ok(Response::authenticated(&issued, request_id))
}
