//! What of MFA a user's attributes show.

use alloc::vec;
use alloc::vec::Vec;

use serde::Serialize;

use crate::association::{State, StatusReport};

/// The members of `GetUser` and `AdminGetUser` that speak of MFA, to stand among the embedder's own: from a
/// [status](crate::Mfa::status).
///
/// ```
/// use softtoken::cognito::MfaSettings;
/// use softtoken::{Administrator, Import, MemoryStore, Mfa, OsEntropy, Policy, Preference};
/// use softtoken::totp::{Secret, Totp};
///
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let store = MemoryStore::new();
/// # let mfa = Mfa::system(Policy::COGNITO);
/// let import = Import::proven(Administrator, Secret::generate(32, &OsEntropy)?, Totp::STANDARD);
/// mfa.import(import).run_blocking(&store, "user-1")?;
/// mfa.prefer(Administrator, Preference::Preferred).run_blocking(&store, "user-1")?;
/// let settings = MfaSettings::from(&mfa.status().run_blocking(&store, "user-1")?);
/// assert_eq!(settings.user_mfa_setting_list, ["SOFTWARE_TOKEN_MFA"]);
/// assert_eq!(settings.preferred_mfa_setting, Some("SOFTWARE_TOKEN_MFA"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MfaSettings {
    /// The factors that are enabled.
    #[serde(rename = "UserMFASettingList", skip_serializing_if = "Vec::is_empty")]
    pub user_mfa_setting_list: Vec<&'static str>,
    /// The one that is preferred.
    #[serde(
        rename = "PreferredMfaSetting",
        skip_serializing_if = "Option::is_none"
    )]
    pub preferred_mfa_setting: Option<&'static str>,
}

impl From<&StatusReport> for MfaSettings {
    fn from(report: &StatusReport) -> Self {
        const NAME: &str = "SOFTWARE_TOKEN_MFA";
        let verified = matches!(report.state, State::Verified { .. });
        let enabled = verified && report.preference.is_enabled();
        let preferred = verified && report.preference.is_preferred();
        Self {
            user_mfa_setting_list: if enabled { vec![NAME] } else { Vec::new() },
            preferred_mfa_setting: preferred.then_some(NAME),
        }
    }
}
