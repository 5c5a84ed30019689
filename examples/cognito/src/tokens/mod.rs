//! Access, id and refresh tokens: RS256, with the claims of Cognito's.

mod claims;

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use softtoken::UnixTime;
use softtoken::cognito::AuthenticationResult;
use uuid::Uuid;

pub(crate) use claims::{Authentication, Claims, TokenUse};

use crate::directory::{Attribute, Client, User};
use crate::exception::{Answer, Exception};

/// Whether a refresh token is issued as well.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RefreshToken {
    None,
    /// One that expires then.
    Until(UnixTime),
}

/// The key, and the issuer's address.
#[derive(Clone)]
pub(crate) struct Tokens {
    issuer: Arc<str>,
    key: Arc<Key>,
}

struct Key {
    id: String,
    modulus: String,
    exponent: String,
    sign: EncodingKey,
    check: DecodingKey,
}

impl core::fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("Tokens")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

impl Tokens {
    /// A new private key, PKCS#8 in DER.
    pub(crate) fn generate_key() -> Answer<Vec<u8>> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(Exception::internal)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(Exception::internal)?;
        Ok(der.as_ref().to_vec())
    }

    pub(crate) fn new(issuer: &str, key: &[u8]) -> Answer<Self> {
        let pair = KeyPair::from_pkcs8(key).map_err(Exception::internal)?;
        let public = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            BASE64_STANDARD.encode(key)
        );
        let modulus = BASE64_URL_SAFE_NO_PAD.encode(&public.n);
        Ok(Self {
            issuer: issuer.into(),
            key: Arc::new(Key {
                id: modulus.chars().take(16).collect(),
                exponent: BASE64_URL_SAFE_NO_PAD.encode(&public.e),
                sign: EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(Exception::internal)?,
                check: DecodingKey::from_rsa_raw_components(&public.n, &public.e),
                modulus,
            }),
        })
    }

    /// The same key under another issuer.
    pub(crate) fn issued_by(&self, issuer: &str) -> Self {
        Self {
            issuer: issuer.into(),
            key: self.key.clone(),
        }
    }

    /// Who issues the tokens of this pool, as `iss` says.
    pub(crate) fn issuer_of(&self, pool: &str) -> String {
        format!("{}/{pool}", self.issuer)
    }

    /// The public key, as a JWK set.
    pub(crate) fn jwks(&self) -> Value {
        json!({ "keys": [{
            "alg": "RS256", "e": self.key.exponent, "kid": self.key.id, "kty": "RSA", "n": self.key.modulus, "use": "sig",
        }] })
    }

    /// The tokens of a sign-in, or of a refresh.
    pub(crate) fn issue(
        &self,
        user: &User,
        client: &Client,
        authentication: &Authentication,
        now: UnixTime,
        refresh_token: RefreshToken,
    ) -> Answer<AuthenticationResult> {
        let claims = |token_use, lifetime| Claims {
            token_use,
            exp: now.as_secs().saturating_add(lifetime),
            ..self.claims(user, client, authentication.clone(), now)
        };
        let refresh_token = match refresh_token {
            RefreshToken::None => None,
            RefreshToken::Until(end) => Some(self.signed(&Claims {
                token_use: TokenUse::Refresh,
                exp: end.as_secs(),
                ..self.claims(user, client, authentication.clone(), now)
            })?),
        };
        Ok(AuthenticationResult {
            access_token: self.access(&claims(TokenUse::Access, client.access_validity))?,
            expires_in: client.access_validity.try_into().unwrap_or(u32::MAX),
            token_type: "Bearer".into(),
            refresh_token,
            id_token: Some(self.id(&claims(TokenUse::Id, client.id_validity), user)?),
        })
    }

    /// The session of a `NEW_PASSWORD_REQUIRED` challenge, good until the password is another.
    pub(crate) fn new_password_session(
        &self,
        user: &User,
        client: &Client,
        now: UnixTime,
    ) -> Answer<String> {
        let authentication = Authentication::password(&user.subject(), now);
        let claims = self.claims(user, client, authentication, now);
        self.signed(&Claims {
            token_use: TokenUse::NewPassword,
            generation: user.password_generation,
            exp: now.as_secs().saturating_add(60 * client.session_validity),
            ..claims
        })
    }

    fn claims(
        &self,
        user: &User,
        client: &Client,
        authentication: Authentication,
        now: UnixTime,
    ) -> Claims {
        Claims {
            sub: user.sub.clone(),
            iss: self.issuer_of(&user.pool),
            token_use: TokenUse::Access,
            client_id: client.id.clone(),
            username: user.username.clone(),
            authentication,
            jti: Uuid::new_v4().to_string(),
            iat: now.as_secs(),
            exp: now.as_secs(),
            generation: user.generation,
        }
    }

    fn access(&self, claims: &Claims) -> Answer<String> {
        let mut members = object(claims)?;
        members.insert("scope".into(), "aws.cognito.signin.user.admin".into());
        members.insert("event_id".into(), Uuid::new_v4().to_string().into());
        self.signed(&members)
    }

    fn id(&self, claims: &Claims, user: &User) -> Answer<String> {
        let mut members = Map::new();
        for Attribute { name, value } in &user.attributes {
            let verified = name
                .ends_with("_verified")
                .then(|| value.parse().ok())
                .flatten();
            let value = verified.map_or_else(|| value.clone().into(), Value::Bool);
            members.insert(name.clone(), value);
        }
        // No attribute stands for a claim of the server's.
        for (name, claim) in object(claims)? {
            let name = match name.as_str() {
                // For this server alone; an id token is for the client.
                Authentication::GRANT => continue,
                "client_id" => "aud",
                "username" => "cognito:username",
                name => name,
            };
            members.insert(name.to_owned(), claim);
        }
        members.insert("event_id".into(), Uuid::new_v4().to_string().into());
        self.signed(&members)
    }

    fn signed(&self, claims: &impl Serialize) -> Answer<String> {
        let mut header = Header::new(Algorithm::RS256);
        header.typ = None;
        header.kid = Some(self.key.id.clone());
        encode(&header, claims, &self.key.sign).map_err(Exception::internal)
    }

    /// The claims of a token that this server signed for this use, and that has not expired.
    /// Whether its user may still use it, the directory knows.
    ///
    /// # Errors
    ///
    /// `NotAuthorizedException`.
    pub(crate) fn check(&self, token: &str, token_use: TokenUse, now: UnixTime) -> Answer<Claims> {
        let [invalid, expired] = match token_use {
            TokenUse::Access | TokenUse::Id => {
                ["Invalid Access Token", "Access Token has expired"].map(Exception::not_authorized)
            }
            TokenUse::Refresh => ["Invalid Refresh Token", "Refresh Token has expired"]
                .map(Exception::not_authorized),
            TokenUse::NewPassword => [(); 2].map(|()| Exception::invalid_session()),
        };
        let invalid = || invalid.clone();
        decode_header(token).map_err(|_| invalid())?;
        let claims = self.signed_claims(token).ok_or_else(|| match token_use {
            TokenUse::Access => {
                Exception::not_authorized("Could not verify signature for Access Token")
            }
            _ => invalid(),
        })?;
        if claims.token_use != token_use {
            return Err(invalid());
        }
        if now.as_secs() >= claims.exp {
            return Err(expired);
        }
        Ok(claims)
    }

    /// The claims of a token that this server signed, whatever for, expired or not.
    pub(crate) fn signed_claims(&self, token: &str) -> Option<Claims> {
        // `alg` is one of these, whatever the header says. The time is this server's, not the
        // system's.
        let mut rules = Validation::new(Algorithm::RS256);
        rules.validate_exp = false;
        rules.validate_aud = false;
        let claims = decode::<Claims>(token, &self.key.check, &rules);
        claims.ok().map(|data| data.claims)
    }
}

fn object(claims: &Claims) -> Answer<Map<String, Value>> {
    match serde_json::to_value(claims) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Exception::internal("claims are an object")),
        Err(error) => Err(Exception::internal(error)),
    }
}
