//! Shows what there is to read before an account.

use askama::Template;

use crate::app::App;
use crate::gate::Open;
use crate::page::{Answer, Frame, show};

fn frame(open: &Open<App>) -> Frame {
    open.login()
        .map_or_else(Frame::default, |login| Frame::of(&login.user))
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    frame: Frame,
}

/// Shows the first page.
pub(crate) async fn home(open: Open<App>) -> Answer {
    show(
        &Home {
            frame: frame(&open),
        },
        None,
    )
}

#[derive(Template)]
#[template(path = "second_factor.html")]
struct SecondFactor {
    frame: Frame,
}

/// Explains what a second factor is.
pub(crate) async fn second_factor(open: Open<App>) -> Answer {
    show(
        &SecondFactor {
            frame: frame(&open),
        },
        None,
    )
}
