//! Gives sentences for the screen: for each moment of a second factor, and for each rejection.
//!
//! Say what to do next, not what went wrong inside. Call the thing by one name on every page: "the
//! code from your authenticator app".
//!
//! # For each rejection
//!
//! Translate by [`name`](crate::Rejection::name). In one language, a match will do:
//!
//! ```
//! use softtoken::{Error, Rejection};
//!
//! /// Returns what to show for an error of the form of a code.
//! fn sentence<E>(error: &Error<E>) -> String {
//!     let wait = error.retry_after().map(|wait| wait.as_secs());
//!     match (error.rejection(), wait) {
//!         (Some(Rejection::Mismatch), None) => {
//!             "That code is not right. Type the one that the app shows now.".into()
//!         }
//!         (Some(Rejection::Mismatch | Rejection::Throttled { .. }), Some(seconds)) => {
//!             format!("There were too many wrong codes. Try again in {seconds} seconds.")
//!         }
//!         (Some(Rejection::Reused), _) => {
//!             "That code was used already. Wait until the app shows the next one.".into()
//!         }
//!         (Some(Rejection::CodeLength { expected }), _) => {
//!             format!("The code has {} digits.", expected.get())
//!         }
//!         (Some(Rejection::Locked), _) => {
//!             "Codes are locked. Use a recovery code, or ask our support.".into()
//!         }
//!         (Some(Rejection::RecoveryLocked), _) => {
//!             "Recovery codes are locked. Use your phone, or ask our support.".into()
//!         }
//!         (Some(Rejection::InvalidSession | Rejection::NotAuthorized), _) => {
//!             "That took too long. Sign in again.".into()
//!         }
//!         (Some(Rejection::Expired), _) => {
//!             "This QR code is no longer good. Start the set-up again.".into()
//!         }
//!         (Some(Rejection::AlreadyVerified), _) => {
//!             "A phone was set up a moment ago. Is it this one? Look at your settings.".into()
//!         }
//!         (Some(Rejection::NotAssociated | Rejection::NoSuchToken), _) => {
//!             "This phone is not set up any more. Load the page again.".into()
//!         }
//!         (Some(Rejection::TooManyTokens), _) => {
//!             "You have as many phones as you may. Remove or replace one first.".into()
//!         }
//!         (Some(Rejection::SecondFactorRequired), _) => {
//!             "Type the code from your authenticator app to go on.".into()
//!         }
//!         (Some(Rejection::ReauthenticationRequired), _) => {
//!             "Confirm that it is you to go on.".into()
//!         }
//!         (Some(Rejection::MfaRequired), _) => {
//!             "Your organisation requires a second factor. You can replace your phone, but not \
//!              turn it off."
//!                 .into()
//!         }
//!         (None, _) if matches!(error, Error::Malformed(_)) => {
//!             "Type the 6 digits from the app, or a recovery code of 25 characters.".into()
//!         }
//!         // Nothing that the user can change: a fault, the store, the server's clock.
//!         _ => "Something went wrong on our side. Try again later.".into(),
//!     }
//! }
//!
//! # use core::time::Duration;
//! let error: Error = Error::Rejected {
//!     rejection: Rejection::Mismatch,
//!     retry_after: Some(Duration::from_secs(5)),
//! };
//! assert_eq!(
//!     sentence(&error),
//!     "There were too many wrong codes. Try again in 5 seconds."
//! );
//! # let error: Error = Rejection::Mismatch.into();
//! # assert!(sentence(&error).starts_with("That code is not right."));
//! # let error: Error = Rejection::ClockBehind.into();
//! # assert!(sentence(&error).starts_with("Something went wrong"));
//! # let error: Error = softtoken::Factor::parse("12345").unwrap_err().into();
//! # assert!(sentence(&error).starts_with("Type the 6 digits"));
//! ```
//!
//! Say none of this before the password was right: "user or password is wrong" is all that a
//! stranger reads. Say nothing of how many attempts are left: the number helps nobody but a
//! guesser.
//!
//! # For each moment
//!
//! | moment | say |
//! |---|---|
//! | a set-up is offered | "Protect your account with a code from your phone. You need an authenticator app." |
//! | a set-up is announced (`required_from`) | "From 1 March you need a second factor to sign in. Set it up now, or later." |
//! | the QR code | "Scan this with your authenticator app. On this phone, open the link or type the key." |
//! | the first code | "Type the code that the app shows. Your phone is not set up before that." |
//! | recovery codes | "Keep these codes apart from your phone. Each one signs you in once. We cannot show them again." |
//! | the form of a code | "Type the code of *phone*." (the names of the challenge) "Lost it? Use a recovery code." |
//! | a browser may be remembered | "Do not ask on this browser for 30 days. Not on a computer that you share." |
//! | sudo mode | "You are about to delete your account. Type the code from your app first." |
//! | a phone was replaced | "Your old phone no longer works here. You can delete the entry in its app." |
//! | a second factor is turned off | "Your password alone will sign you in." |
//!
//! Let the field take a paste, spaces and hyphens ([`Factor::parse`](crate::Factor::parse) drops
//! them); mark it `inputmode="numeric" autocomplete="one-time-code"` where it takes codes alone,
//! and leave `inputmode` away where it takes recovery codes as well.
//!
//! # Recovery codes
//!
//! Show all ten at once, with a button to download and one to print, and go on only after "I have
//! kept them".
//!
//! Ask [`Evidence::method`](crate::Evidence::method) first: a temporary code is no recovery code.
//! After a sign-in with a recovery code, say how many are left
//! ([`recovery_codes_left`](crate::Evidence::recovery_codes_left)): "You have used a recovery code;
//! 6 are left. Have you lost your phone? Set up a new one now." At 2 or fewer offer a new set, and
//! say: "The old codes stop working." After a sign-in with a temporary code, of which
//! `recovery_codes_left` tells as well, say: "You have used the code from our support. It works
//! once. From the next sign-in on you need your phone again." Either of them ends the user's other
//! logins ([`should_end_other_logins`](crate::Evidence::should_end_other_logins)) and every
//! remembered browser: "You were signed out everywhere else."
//!
//! # A lost phone
//!
//! The link "I do not have my phone" leads to a page that asks for a recovery code, and says: "No
//! recovery code either? Ask our support. We will have to make sure that it is you." After a
//! recovery code signed the user in, lead to the set-up of a new phone; `verify` puts it in place
//! of the lost one. Where a policy allows several, name the lost one by
//! [`replacing`](crate::mfa::Request::replacing), or [`remove`](crate::Mfa::remove) it.
//!
//! # A clock that is off
//!
//! Codes that never fit, from a phone that did fit, mean a phone whose clock is off. After the
//! second wrong code in a row say: "Is the time of your phone set automatically? Codes depend on
//! it." Within a login, or after the password, offer "Type two codes, one after the other", which
//! [`resynchronise`](crate::Mfa::resynchronise) takes. Then the user waits for the next code, and
//! signs in.
//!
//! # By mail
//!
//! Tell the user what changed, at an address that did not change with it, and what to do if it was
//! somebody else:
//!
//! | event | say |
//! |---|---|
//! | `verified`, `added`, `replaced` | "A phone was set up for your account." |
//! | `removed`, `disassociated` | "A phone was removed from your account." |
//! | `preference_changed` with `enabled: false` | "Your second factor was turned off. Your password alone signs you in." |
//! | `preference_changed` with `enabled: true` | "Your second factor was turned on. A code is asked for when you sign in." |
//! | `recovery_code_used` | "A recovery code was used to sign in." |
//! | `recovery_code_used` with `temporary: true` | "The code from our support was used to sign in." |
//! | `recovery_codes_issued` | "You have new recovery codes. The old ones stopped working." |
//! | `password_probably_known` | "Somebody has typed your password and wrong codes. If it was not you, change your password." |
//! | `reset`, `temporary_code_issued` | "Our support has helped you to sign in." |
//!
//! Put no link to a sign-in page in these: they are what a phisher imitates.
