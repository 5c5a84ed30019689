//! Lists every route with its handler. What a handler asks for stands in its first argument.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state, map_response_with_state};
use tower_sessions::cookie::SameSite;
use tower_sessions::cookie::time::Duration;
use tower_sessions::{Expiry, SessionManagerLayer};

use crate::app::App;
use crate::gate::Routes;
use crate::handlers::{
    about, account, administration, authenticators, clock, password, recovery_codes, set_up,
    sign_in, sign_up, step_up,
};
use crate::problem::{self, Problem};
use crate::{assets, body, headers, journal, origin};

/// Returns every route.
#[must_use]
pub fn routes() -> Routes<App> {
    Routes::new()
        .get("/", about::home)
        .get("/second-factor", about::second_factor)
        .get("/static/{file}", assets::file)
        .get("/sign-up", sign_up::form)
        .post("/sign-up", sign_up::submit)
        .get("/sign-in", sign_in::form)
        .post("/sign-in", sign_in::submit)
        .get("/sign-in/code", sign_in::code_form)
        .post("/sign-in/code", sign_in::submit_code)
        .get("/sign-in/clock", clock::form)
        .post("/sign-in/clock", clock::submit)
        .get("/sign-in/set-up", set_up::form)
        .post("/sign-in/set-up", set_up::begin)
        .post("/sign-in/set-up/confirm", set_up::confirm)
        .post("/sign-in/set-up/later", set_up::later)
        .post("/sign-out", account::sign_out)
        .get("/account", account::overview)
        .get("/account/activity", account::activity)
        .get("/account/step-up", step_up::form)
        .post("/account/step-up", step_up::submit)
        .get("/account/password", password::form)
        .post("/account/password", password::submit)
        .get("/account/authenticators/new", authenticators::new)
        .post("/account/authenticators/new", authenticators::begin)
        .get(
            "/account/authenticators/confirm",
            authenticators::confirm_form,
        )
        .post("/account/authenticators/confirm", authenticators::confirm)
        .get("/account/authenticators/{id}", authenticators::show_one)
        .post(
            "/account/authenticators/{id}/rename",
            authenticators::rename,
        )
        .post(
            "/account/authenticators/{id}/replace",
            authenticators::replace,
        )
        .post(
            "/account/authenticators/{id}/remove",
            authenticators::remove,
        )
        .get("/account/recovery-codes", recovery_codes::form)
        .post("/account/recovery-codes", recovery_codes::issue)
        .get("/account/turn-off", account::turn_off_form)
        .post("/account/turn-off", account::turn_off)
        .get("/account/browsers/forget", account::forget_browsers_form)
        .post("/account/browsers/forget", account::forget_browsers)
        .get("/admin", administration::search)
        .get("/admin/log", administration::log)
        .post("/admin/requirement", administration::require)
        .get("/admin/users/{id}", administration::user)
        .post("/admin/users/{id}/unlock", administration::unlock)
        .post("/admin/users/{id}/reset", administration::reset)
        .post(
            "/admin/users/{id}/temporary-code",
            administration::temporary_code,
        )
        .post(
            "/admin/users/{id}/administrator",
            administration::make_administrator,
        )
}

/// Returns the server: the routes, and around them what holds for each.
pub fn server(app: App) -> Router {
    let sessions = SessionManagerLayer::new(app.sessions().clone())
        .with_name(if app.is_secure() {
            "__Host-session"
        } else {
            "session"
        })
        .with_secure(app.is_secure())
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_expiry(Expiry::OnInactivity(Duration::days(1)));
    // From the inside out.
    routes()
        .into_router()
        .fallback(async || Problem::NotFound)
        .layer(from_fn(body::read))
        .layer(DefaultBodyLimit::max(body::LONGEST))
        .layer(from_fn(origin::check))
        .layer(from_fn_with_state(app.clone(), problem::show))
        .layer(sessions)
        .layer(from_fn_with_state(app.clone(), journal::keep))
        .layer(map_response_with_state(app.clone(), headers::add))
        .with_state(app)
}
