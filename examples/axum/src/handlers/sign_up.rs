//! Creates an account.

use askama::Template;
use axum::Form;
use axum::extract::State;
use serde::Deserialize;
use tower_sessions::Session;

use crate::app::App;
use crate::gate::Open;
use crate::handlers::sign_in;
use crate::journal::Journal;
use crate::next::Next;
use crate::page::{Answer, Frame, show};
use crate::passwords;
use crate::problem::{Advice, Problem};
use crate::users::User;

#[derive(Template, Default)]
#[template(path = "sign_up.html")]
struct SignUp {
    frame: Frame,
    advice: Option<Advice>,
    email: String,
}

impl SignUp {
    const SHORTEST: usize = passwords::SHORTEST;
}

/// Shows the form.
pub(crate) async fn form(_: Open<App>) -> Answer {
    show(&SignUp::default(), None)
}

/// Holds what was typed.
#[derive(Deserialize)]
pub(crate) struct Typed {
    email: String,
    password: String,
}

/// Creates the account, and signs it in as any other.
pub(crate) async fn submit(
    _: Open<App>,
    State(app): State<App>,
    session: Session,
    journal: Journal,
    Form(typed): Form<Typed>,
) -> Answer {
    match create(&app, &typed.email, typed.password).await {
        Ok(user) => {
            journal.note(app.mfa().now()?, &user.id, "signed_up", None);
            sign_in::password_was_right(&app, &session, &journal, &user, None, Next::default())
                .await
        }
        Err(problem) => {
            let advice = Some(problem.advice()?);
            let form = SignUp {
                advice,
                email: typed.email,
                ..SignUp::default()
            };
            show(&form, form.advice.as_ref())
        }
    }
}

async fn create(app: &App, email: &str, password: String) -> Result<User, Problem> {
    let password = app.passwords().hash(password).await?;
    app.users().create(email, &password).await
}
