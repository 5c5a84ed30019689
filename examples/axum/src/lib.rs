//! Runs a small server with accounts and second factors, for a browser.
//!
//! Each file answers one question:
//!
//! | file | question |
//! |---|---|
//! | `routes` | which pages are there? |
//! | `gate` | who gets in? |
//! | `logins` | how is a login kept? |
//! | `app` | which policy holds for whom? |
//! | `handlers` | what happens on each page? |
//! | `problem` | what does the user read when it does not? |
//! | `journal`, `mail` | who learns of it? |
//! | `users`, `passwords`, `sessions`, `keys` | what is kept where? |
//! | `origin`, `body`, `headers`, `browser`, `next` | what may a browser do, send, keep, ask for? |
//! | `page`, `assets` | how does it look? |

mod app;
mod assets;
mod body;
mod browser;
pub mod gate;
mod handlers;
mod headers;
mod journal;
mod keys;
mod logins;
mod mail;
mod next;
mod origin;
mod page;
mod passwords;
mod problem;
mod routes;
mod sessions;
mod users;

pub use app::App;
pub use problem::Problem;
pub use routes::{routes, server};
pub use users::User;
