//! What the pools live by: in each of them several views of the same rows, which differ in who must
//! have a second factor, from when, and how fresh a grant has to be.

use core::fmt;

use softtoken::policy::{PolicyBuilder, Throttle};
use softtoken::totp::{Algorithm, Digits, Totp, Window};
use softtoken::{Policy, Requirement, UnixTime};

use crate::START;

#[derive(Clone, Copy)]
pub struct View {
    pub policy: Policy,
    /// For how many seconds it remembers a browser, if it does.
    pub remembers: Option<u64>,
}

pub const COGNITO: usize = 1;
pub const REQUIRED: usize = 2;
pub const LOCKING: usize = 9;
pub const WAIVING: usize = 7;
pub const SEVERAL: usize = 12;

/// The views of a pool, by their number.
pub const VIEWS: usize = 6;
/// That leaves it to the user.
pub const OPTIONAL: usize = 3;

pub fn pools() -> Vec<[View; VIEWS]> {
    let standard = Policy::builder();
    let cognito = Policy::COGNITO.to_builder();
    let window = |back, forward| Window::new(back, forward).unwrap();
    let tight = Throttle {
        free: 1,
        base: seconds(2),
        cap: seconds(5),
        debt_limit: 5,
        debt_decay: seconds(60),
        suspect_at: 2,
        ..Throttle::STANDARD
    };
    let eight = Totp::new(Algorithm::Sha256, Digits::Eight, seconds(60)).unwrap();
    [
        standard,
        cognito,
        standard.requirement(Requirement::Required).max_tokens(2),
        standard
            .requirement(Requirement::Off)
            .throttle(tight)
            .max_tokens(3),
        standard
            .learn_drift(true)
            .window(window(2, 1))
            .max_tokens(2),
        cognito.learn_drift(true).throttle(tight),
        standard
            .reauthenticate_within(Some(seconds(60)))
            .max_tokens(3)
            .recovery_limit(Some(5)),
        cognito
            .reauthenticate_within(Some(seconds(120)))
            .name_bytes(9)
            .max_tokens(2),
        standard.window(window(0, 0)).throttle(tight).name_bytes(0),
        standard
            .learn_drift(true)
            .window(window(1, 6))
            .resynchronise_reach(3)
            .throttle(Throttle {
                debt_limit: 2,
                debt_decay: seconds(3600),
                ..tight
            }),
        cognito
            .requirement(Requirement::Required)
            .pending_lifetime(seconds(60))
            .session_lifetime(seconds(900))
            .max_tokens(3),
        standard
            .totp(eight)
            .reauthenticate_within(Some(seconds(300)))
            .recovery_limit(Some(2))
            .max_tokens(2)
            .throttle(Throttle {
                free: 2,
                debt_decay: seconds(300),
                ..tight
            }),
        standard.max_tokens(3).throttle(Throttle {
            streak_limit: 4,
            debt_limit: 100,
            suspicion_limit: 3,
            suspect_at: 100,
            ..tight
        }),
    ]
    .map(views)
    .into()
}

fn views(rules: PolicyBuilder) -> [View; VIEWS] {
    let hour = 3600;
    let optional = rules.requirement(Requirement::Optional);
    let soon = UnixTime::from_secs(START + 400);
    let policy = rules.build().unwrap();
    let otherwise = optional
        .requirement(Requirement::Off)
        .waive_possession_of_unasked_token(!policy.waive_possession_of_unasked_token())
        .raise_preference_by_first_factor(!policy.raise_preference_by_first_factor())
        .enable_on_verify(!policy.enable_on_verify())
        .reauthenticate_within(Some(seconds(30)));
    [
        (rules, Some(hour)),
        (optional.software_tokens(false), None),
        (rules.requirement(Requirement::Required), Some(hour)),
        (optional, Some(2 * hour)),
        (
            rules.requirement(Requirement::RequiredFrom(soon)),
            Some(hour),
        ),
        (otherwise, Some(hour)),
    ]
    .map(|(rules, remembers)| View {
        policy: rules.build().unwrap(),
        remembers,
    })
}

fn seconds(seconds: u64) -> core::time::Duration {
    core::time::Duration::from_secs(seconds)
}

/// What sets a view apart, in a line.
impl fmt::Display for View {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = &self.policy;
        let throttle = policy.throttle();
        write!(
            formatter,
            "{:?}, at most {} tokens, window {}+{}, ",
            policy.requirement(),
            policy.max_tokens(),
            policy.window().back(),
            policy.window().forward(),
        )?;
        for (switch, on) in [
            ("learns drift, ", policy.learn_drift()),
            ("no software tokens, ", !policy.software_tokens()),
            ("enables on verify, ", policy.enable_on_verify()),
            (
                "waives possession, ",
                policy.waive_possession_of_unasked_token(),
            ),
            (
                "up by first factor, ",
                policy.raise_preference_by_first_factor(),
            ),
        ] {
            formatter.write_str(if on { switch } else { "" })?;
        }
        write!(
            formatter,
            "fresh within {:?}, remembers browsers for {:?}, locked by {} in a row or a debt of {}",
            policy.reauthenticate_within(),
            self.remembers,
            throttle.streak_limit,
            throttle.debt_limit,
        )
    }
}
