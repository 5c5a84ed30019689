//! Requests in the protocol of Amazon Cognito.

use std::sync::LazyLock;

use softtoken::cognito::{AuthenticationResult, Call, Exception, Exchange, Name, Response, Scope};
use softtoken::{Administrator, Mfa, Policy, Rejection};

use crate::world::{self, Enrolled, Row, SUBJECT, mfa};

const SERVICE: &str = "AWSCognitoIdentityProviderService.";

fn scope() -> Scope {
    Scope::new("local_pool", "webclient").expect("of a length that a scope has")
}

fn known() -> &'static Enrolled {
    static ENROLLED: LazyLock<Enrolled> = LazyLock::new(|| world::enrolled(scope().context()));
    &ENROLLED
}

/// The sessions that the server of this target has made, for the seeds.
#[must_use]
pub fn cognito_sessions() -> [String; 4] {
    known().sessions.clone()
}

/// The code that is valid there, for the seeds.
#[must_use]
pub fn cognito_code() -> String {
    let code = world::code_at(
        &known().secret,
        softtoken::totp::Totp::STANDARD,
        world::START,
    );
    code.expose().to_string()
}

/// A request, an operation's name in its first line and a body in the rest, has an answer in JSON, which is no failure
/// of the server's.
pub fn cognito_request(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n');
    let (name, body) = data.split_at(end.unwrap_or(data.len()));
    let Ok(name) = core::str::from_utf8(name) else {
        return;
    };
    // A name with a service before it is taken as it is.
    let target = if name.contains('.') {
        name.to_owned()
    } else {
        format!("{SERVICE}{name}")
    };
    let Some(call) = Call::parse(&target, body.get(1..).unwrap_or_default()).transpose() else {
        return;
    };
    let response = match call {
        Ok(call) => answered(&call),
        Err(exception) => Err(exception),
    };
    let response = response.unwrap_or_else(|exception| Response::refused(&exception, "d3b07384"));
    assert!(
        matches!(response.status, 200 | 400),
        "the server failed: {}",
        response.status
    );
    let body: serde_json::Value = serde_json::from_slice(&response.body).expect("JSON");
    assert!(body.is_object());
}

fn answered(call: &Call) -> Result<Response, Exception> {
    let mfa = mfa(Policy::COGNITO.required());
    let row = Row::of(Some(known().row.clone()));
    let reply = exchange(call, &mfa)?.run_blocking(&row);
    let reply = reply.map_err(|refusal| refusal.exception().clone())?;
    Ok(reply.response("d3b07384").unwrap_or_else(|evidence| {
        let evidence = evidence.expect("this pool requires a second factor");
        assert_eq!(evidence.subject(), SUBJECT);
        assert_eq!(evidence.context(), scope().context());
        let tokens = AuthenticationResult {
            access_token: "a.b.c".into(),
            expires_in: 3600,
            token_type: "Bearer".into(),
            refresh_token: None,
            id_token: None,
        };
        Response::authenticated(&tokens, "d3b07384")
    }))
}

fn exchange(call: &Call, mfa: &Mfa) -> Result<Exchange, Exception> {
    Ok(match call {
        Call::AccessToken(call) => {
            let grant = Some(&known().grant).filter(|_| call.access_token() == "valid");
            call.answer(mfa, grant.ok_or(Name::NotAuthorized)?)
        }
        Call::Session(call) => {
            let session = mfa.open(call.session())?;
            let began = Scope::of(session.context()).ok_or(Rejection::InvalidSession)?;
            assert_eq!(began.context(), session.context());
            call.answer(mfa, &scope(), session.subject())
        }
        Call::Challenge(call) => call.answer(mfa, &scope(), SUBJECT),
        Call::Administrator(call) => call.answer(mfa, SUBJECT, &Administrator::named("root")),
    })
}
