//! What an application writes by hand around `totp-rs`: a map behind a lock, a floor against
//! replay, and a wait that doubles with each wrong code.

use std::collections::HashMap;
use std::sync::Mutex;

use softtoken::Policy;

#[derive(Default)]
pub(crate) struct Glue {
    users: Mutex<HashMap<String, Row>>,
}

struct Row {
    secret: [u8; 20],
    last_step: u64,
    failures: u32,
    not_before: u64,
}

#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    SignedIn,
    Wrong,
    Reused,
    TooEarly,
    NoToken,
}

impl Glue {
    pub(crate) fn enrol(&self, subject: &str, secret: [u8; 20]) {
        let row = Row {
            secret,
            last_step: 0,
            failures: 0,
            not_before: 0,
        };
        self.users.lock().unwrap().insert(subject.to_owned(), row);
    }

    pub(crate) fn sign_in(&self, subject: &str, code: &str, now: u64) -> Answer {
        let mut users = self.users.lock().unwrap();
        let Some(row) = users.get_mut(subject) else {
            return Answer::NoToken;
        };
        if now < row.not_before {
            return Answer::TooEarly;
        }
        let totp = totp_rs::Builder::new()
            .with_algorithm(totp_rs::Algorithm::SHA1)
            .with_step_duration(30)
            .with_skew(1)
            .with_secret(row.secret)
            .build()
            .unwrap();
        match totp.check(code, now) {
            Some(step) if step <= row.last_step => Answer::Reused,
            Some(step) => {
                row.last_step = step;
                row.failures = 0;
                Answer::SignedIn
            }
            None => {
                row.failures += 1;
                let free = Policy::STANDARD.throttle().free;
                if let Some(beyond) = row.failures.checked_sub(free) {
                    row.not_before = now + (1 << beyond.min(16));
                }
                Answer::Wrong
            }
        }
    }
}
