//! The software token: every operation and challenge that the crate maps, with what is looked up
//! for it.

use softtoken::Administrator;
use softtoken::cognito::{Call, ChallengeAnswer, Exchange, Name, Reply, Response, Scope};

use super::sign_in::{SignedIn, tokens};
use super::signed_in::holder;
use crate::directory::User;
use crate::exception::{Answer, Exception};
use crate::server::Server;
use crate::tokens::Authentication;

pub(super) async fn answer(server: &Server, call: Call, request_id: &str) -> Answer<Response> {
    match call {
        Call::AccessToken(call) => {
            let (user, claims) = holder(server, call.access_token()).await?;
            let id = user.pool.clone();
            let pool = server.directory().read(move |rows| rows.pool(&id)).await?;
            let mfa = server.second_factors().view_of(&pool)?;
            let exchange = call.answer(&mfa, &claims.grant(&user.subject())?);
            told(run(server, exchange).await?, request_id)
        }
        Call::Session(call) => {
            let signed_in = holder_of(server, call.session()).await?;
            let SignedIn { pool, client, user } = &signed_in;
            let mfa = server.second_factors().view_for(pool, client)?;
            let exchange = call.answer(&mfa, &scope(&signed_in)?, &user.subject());
            told(run(server, exchange).await?, request_id)
        }
        Call::Administrator(call) => {
            let (id, name) = (call.user_pool_id().to_owned(), call.user_name().to_owned());
            let read = server
                .directory()
                .read(move |rows| Ok((rows.pool(&id)?, rows.known_user(&id, &name)?)));
            let (pool, user) = read.await?;
            let mfa = server.second_factors().view_of(&pool)?;
            // Nobody checks who it is: see the README.
            let administrator = Administrator::named("unchecked");
            let exchange = call.answer(&mfa, &user.subject(), &administrator);
            told(run(server, exchange).await?, request_id)
        }
        Call::Challenge(call) => {
            let signed_in = who_answers(server, &call).await?;
            let SignedIn { pool, client, user } = &signed_in;
            let mfa = server.second_factors().view_for(pool, client)?;
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
    let mfa = server.second_factors().view_for(pool, client)?;
    let scope = scope(signed_in)?;
    let exchange = Exchange::sign_in(&mfa, &scope, &user.subject(), &user.username);
    let reply = run(server, exchange).await?;
    finished(server, signed_in, reply, request_id).await
}

/// Whose session it is, in which pool and by which client. Whether it is still good, the machine
/// decides.
async fn holder_of(server: &Server, session: &str) -> Answer<SignedIn> {
    let session = server.second_factors().open(session)?;
    let began = Scope::of(session.context()).ok_or_else(Exception::invalid_session)?;
    let sub = User::of_subject(session.subject()).filter(|(pool, _)| *pool == began.user_pool_id());
    let (_, sub) = sub.ok_or_else(Exception::invalid_session)?;
    let sub = sub.to_owned();
    let read = server.directory().read(move |rows| {
        let pool = rows.pool(began.user_pool_id())?;
        let client = rows.client_of(&pool.id, began.client_id())?;
        let user = rows.holder(&pool.id, &sub)?;
        user.check_standing()?;
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
    let session = server.second_factors().peek(call.session());
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
                return Err(Exception::invalid_session());
            }
            found => found.ok_or(Name::UserNotFound)?,
        };
        // A user's standing is told to the holder of a session of theirs alone; the machine
        // refuses everybody else.
        if session.is_some_and(|session| session.subject() == user.subject()) {
            user.check_standing()?;
        }
        Ok(SignedIn { pool, client, user })
    });
    read.await
}

/// The scope that a sign-in has now: it is completed with the password that it began with.
fn scope(SignedIn { pool, client, user }: &SignedIn) -> Answer<Scope> {
    let scope = Scope::new(&pool.id, &client.id).map_err(Exception::internal)?;
    Ok(scope.with_password_version(user.password_generation))
}

async fn run(server: &Server, exchange: Exchange) -> Answer<Reply> {
    exchange.run(server.store()).await.map_err(|refusal| {
        let (exception, error) = (refusal.exception().clone(), refusal.error());
        let name = error.name();
        if exception.kind() == Name::InternalError {
            tracing::error!(name, %error, "the second factor gave no answer");
        } else {
            tracing::debug!(name, "refused");
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
        None => Authentication::password(&signed_in.user.subject(), server.now()?),
    };
    // The user was read before the code or the password was judged, and may have changed since.
    let (pool, sub) = (signed_in.pool.id.clone(), signed_in.user.sub.clone());
    let version = signed_in.user.password_generation;
    let read = server.directory().read(move |rows| {
        let user = rows.holder(&pool, &sub)?;
        user.check_standing()?;
        if user.password_generation != version {
            return Err(Exception::invalid_session());
        }
        Ok(())
    });
    read.await?;
    let issued = tokens(server, signed_in, &authentication)?;
    Ok(Response::authenticated(&issued, request_id))
}
