//! Tells a user's MFA settings as members.

use alloc::vec;
use alloc::vec::Vec;

use serde::Serialize;

use crate::association::StatusReport;

/// Holds the members of `GetUser` and `AdminGetUser` that tell of MFA, to stand beside those of
/// your application: from a [status](crate::Mfa::status).
///
/// ```
/// use softtoken::association::{ImportedToken, Preference};
/// use softtoken::cognito::MfaSettings;
/// use softtoken::totp::{Secret, Totp};
/// use softtoken::{Administrator, MemoryStore, Mfa, OsEntropy, Policy};
///
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let store = MemoryStore::new();
/// # let mfa = Mfa::system(Policy::COGNITO);
/// let root = Administrator::named("root");
/// let token = ImportedToken::proven(Secret::generate(32, &OsEntropy)?, Totp::STANDARD);
/// mfa.import(&root, [token]).run_blocking(&store, "user-1")?;
/// mfa.prefer(&root, Preference::Preferred).run_blocking(&store, "user-1")?;
///
/// let settings = MfaSettings::from(&mfa.status().run_blocking(&store, "user-1")?);
/// assert_eq!(settings.user_mfa_setting_list, ["SOFTWARE_TOKEN_MFA"]);
/// assert_eq!(settings.preferred_mfa_setting, Some("SOFTWARE_TOKEN_MFA"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MfaSettings {
    /// Lists the factors that are enabled.
    #[serde(rename = "UserMFASettingList", skip_serializing_if = "Vec::is_empty")]
    pub user_mfa_setting_list: Vec<&'static str>,
    /// Names the factor that is preferred.
    #[serde(
        rename = "PreferredMfaSetting",
        skip_serializing_if = "Option::is_none"
    )]
    pub preferred_mfa_setting: Option<&'static str>,
}

impl From<&StatusReport> for MfaSettings {
    fn from(report: &StatusReport) -> Self {
        const NAME: &str = "SOFTWARE_TOKEN_MFA";
        let enabled = report.is_enabled();
        let preferred = enabled && report.preference.is_preferred();
        Self {
            user_mfa_setting_list: if enabled { vec![NAME] } else { Vec::new() },
            preferred_mfa_setting: preferred.then_some(NAME),
        }
    }
}
