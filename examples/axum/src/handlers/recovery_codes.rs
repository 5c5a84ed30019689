//! Makes recovery codes, and shows them once.

use askama::Template;
use axum::extract::{Query, State};
use softtoken::association::RecoveryCodes;
use tower_sessions::Session;

use crate::app::App;
use crate::gate::Reauthenticated;
use crate::logins;
use crate::page::{Answer, Asked, Frame, show};

#[derive(Template)]
#[template(path = "recovery_codes.html")]
struct Page {
    frame: Frame,
    left: u32,
    is_verified: bool,
    codes: Option<RecoveryCodes>,
}

/// Says what recovery codes are for, and how many are left.
pub(crate) async fn form(
    login: Reauthenticated<App>,
    State(app): State<App>,
    Query(asked): Query<Asked>,
) -> Answer {
    let status = login.mfa.status().run(app.store(), &login.user.id).await?;
    let page = Page {
        frame: Frame::of(&login.user).saying(&asked),
        left: status.recovery_codes,
        is_verified: status.is_verified(),
        codes: None,
    };
    show(&page, None)
}

/// Makes ten codes, and shows them.
pub(crate) async fn issue(
    login: Reauthenticated<App>,
    State(app): State<App>,
    session: Session,
) -> Answer {
    let issue = login.mfa.issue_recovery_codes(&login.grant);
    let codes = logins::run(&app, &session, &login.user.id, issue).await?;
    let page = Page {
        frame: Frame::of(&login.user),
        left: 0,
        is_verified: true,
        codes: Some(codes),
    };
    show(&page, None)
}
