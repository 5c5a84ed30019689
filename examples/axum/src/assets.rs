//! Serves the files that pages load: compiled in, so that nothing has to be installed.

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use crate::app::App;
use crate::gate::Open;
use crate::problem::Problem;

/// Serves a file.
pub(crate) async fn file(_: Open<App>, Path(name): Path<String>) -> Result<Response, Problem> {
    let (kind, text) = match name.as_str() {
        "app.css" => ("text/css", include_str!("../static/app.css")),
        "app.js" => ("text/javascript", include_str!("../static/app.js")),
        "icon.svg" => ("image/svg+xml", include_str!("../static/icon.svg")),
        _ => return Err(Problem::NotFound),
    };
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")];
    Ok((headers, text).into_response())
}
