//! The seeds: each is played once, and each says what it is by its name here.
//!
//! `cargo test -- --ignored` writes them anew. Texts and bytes stand here; what is signed or sealed is made by the crate
//! with the keys and the clock of the targets, so it is the same every time.
#![expect(clippy::unwrap_used, reason = "a failing step fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use softtoken::{Grant, UnixTime};
use softtoken_fuzz as targets;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 13] = [
    ("base32", targets::base32),
    ("browser", targets::browser),
    ("code", targets::code),
    ("cognito_request", targets::cognito_request),
    ("factor", targets::factor),
    ("grant", targets::grant),
    ("http", targets::http),
    ("key_uri", targets::key_uri),
    ("operations", targets::operations),
    ("record", targets::record),
    ("recovery_code", targets::recovery_code),
    ("sealed", targets::sealed),
    ("session", targets::session),
];

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(target)
}

#[test]
fn every_seed_is_what_is_written_here_and_breaks_nothing() {
    for (target, play) in TARGETS {
        let seeds = seeds(target);
        assert_eq!(
            fs::read_dir(folder(target)).unwrap().count(),
            seeds.len(),
            "{target}"
        );
        for (name, seed) in seeds {
            let kept = fs::read(folder(target).join(&name)).unwrap();
            assert_eq!(
                kept, seed,
                "{target}/{name} is another one than this test makes"
            );
            play(&seed);
        }
    }
}

#[test]
fn every_target_is_one_of_these() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    let files = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    names.retain(|name| name != "planted.rs");
    names.sort();
    let known: Vec<std::ffi::OsString> = TARGETS
        .iter()
        .map(|(target, _)| format!("{target}.rs").into())
        .collect();
    assert_eq!(names, known);
}

#[test]
#[ignore = "writes the seeds"]
fn the_seeds_are_written_anew() {
    for (target, _) in TARGETS {
        let folder = folder(target);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for (name, seed) in seeds(target) {
            fs::write(folder.join(name), seed).unwrap();
        }
    }
}

type Seeds = Vec<(String, Vec<u8>)>;

fn seeds(target: &str) -> Seeds {
    match target {
        "base32" => texts(&[
            ("ten", "JBSWY3DPEHPK3PXP"),
            ("twenty", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
            ("typed", "gezd-gnbv-gy3t-qojq gezd gnbv gy3t qojq======"),
            ("drawn-by-letters", "K5QXEZ3TJBSWY3DPEHPK3PXPQB"),
            ("longest", &format!("{}A", "X".repeat(204))),
            ("bytes", "12345678901234567890"),
        ]),
        "code" => texts(&[
            ("six", "081804"),
            ("seven", "1234567"),
            ("eight", "94287082"),
            ("typed", "081-804\u{a0}\n"),
            ("other-script", "\u{660}\u{668}\u{661}\u{668}\u{660}\u{664}"),
        ]),
        "recovery_code" => texts(&[
            ("shown", RECOVERY_CODE),
            ("typed", "oi234 56789 abcde fghjk mnpqr"),
            ("short", "01234-56789"),
        ]),
        "factor" => texts(&[
            ("code", "081 804"),
            ("recovery-code", RECOVERY_CODE),
            ("neither", "12345678 9"),
        ]),
        "key_uri" => key_uris(),
        "record" => fixtures(),
        "sealed" => sealed(),
        "grant" => grants(),
        "session" => signed(&targets::session_texts()),
        "browser" => signed(&[targets::browser_text()]),
        "cognito_request" => requests(&targets::cognito_sessions(), "valid"),
        "http" => over_http(),
        "operations" => plays(),
        _ => panic!("there is no target {target}"),
    }
}

const RECOVERY_CODE: &str = "01234-56789-ABCDE-FGHJK-MNPQR";

fn texts(texts: &[(&str, &str)]) -> Seeds {
    let seed = |(name, text): &(&str, &str)| ((*name).into(), text.as_bytes().to_vec());
    texts.iter().map(seed).collect()
}

fn key_uris() -> Seeds {
    texts(&[
        (
            "whole",
            "otpauth://totp/ACME%20Co:john.doe@email.com?secret=HXDMVJECJJWSRB3HWIZR4IFUGFTMXBOZ\
             &issuer=ACME%20Co&algorithm=SHA1&digits=6&period=30",
        ),
        (
            "sha512",
            "otpauth://totp/a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&algorithm=SHA512&digits=8\
             &period=60",
        ),
        (
            "legacy",
            " otpauth://totp/Acme+Inc%3aalice%40example.net?secret=JBSWY3DPEHPK3PXP\
             &issuer=Microsoft\n",
        ),
        (
            "hash",
            "otpauth://totp/a#b?secret=JBSWY3DPEHPK3PXP&issuer=#&issuer=x",
        ),
        (
            "encoded",
            "OTPAUTH://TOTP/%C3%BC?%73ecret=JBSW%59%33DPEHPK3PXP&x=%25",
        ),
        (
            "hotp",
            "otpauth://hotp/alice?secret=JBSWY3DPEHPK3PXP&counter=0",
        ),
        (
            "port",
            "otpauth://user@totp:80/alice?secret=JBSWY3DPEHPK3PXP",
        ),
    ])
}

/// The records that are kept since format 1 was new.
fn fixtures() -> Seeds {
    ["empty", "everything", "imported", "pending", "set-up"]
        .map(|name| (name.into(), fixture(&format!("format-1-{name}.bin"))))
        .into()
}

fn fixture(name: &str) -> Vec<u8> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    fs::read(fixtures.join(name)).unwrap()
}

fn sealed() -> Seeds {
    let record = fixture("format-1-set-up.bin");
    let row = targets::sealed_row(&record);
    vec![
        // What a keyring opens begins after the byte of the format.
        ("opens".into(), row[1..].to_vec()),
        ("row".into(), row),
        ("record".into(), record),
        ("elsewhere".into(), fixture("sealed-1.bin")),
        ("empty".into(), targets::sealed_row(&[])),
    ]
}

fn grants() -> Seeds {
    let at = UnixTime::from_secs(1_700_000_000);
    let password = Grant::first_factor("alice", at);
    let named = password.clone().with_id("jti-1");
    let times = Grant::from_bare_times("alice", at, at);
    let bob = Grant::first_factor("bob", at);
    let mut seeds = Seeds::new();
    for (name, grant) in [
        ("password", password),
        ("named", named),
        ("times", times),
        ("bob", bob),
    ] {
        seeds.push((format!("{name}.bin"), grant.to_bytes()));
        seeds.push((format!("{name}.json"), serde_json::to_vec(&grant).unwrap()));
    }
    let proved = |by: &str| {
        format!(
            r#"{{"subject":"alice","first_factor":1700000000,"second_factor":
            {{"at":1700000000,"proved_by":{by}}},"id":"jti-1"}}"#
        )
    };
    let token = r#"{"token":"000102030405060708090a0b0c0d0e0f"}"#;
    for (name, by) in [("token", token), ("generation", r#"{"generation":1}"#)] {
        let json = proved(by);
        let grant: Grant = serde_json::from_str(&json).unwrap();
        seeds.push((format!("{name}.bin"), grant.to_bytes()));
        seeds.push((format!("{name}.json"), json.into()));
    }
    seeds
}

/// Each as a client sends it, and as what was signed.
fn signed(texts: &[String]) -> Seeds {
    let mut seeds = Seeds::new();
    for (number, text) in texts.iter().enumerate() {
        seeds.push((format!("{number}.text"), text.clone().into()));
        seeds.push((format!("{number}.payload"), targets::payload(text)));
    }
    seeds
}

fn requests(sessions: &[String; 4], token: &str) -> Seeds {
    let [setup, pending, done, challenge] = sessions;
    let code = targets::cognito_code();
    let answer = |name: &str, session: &str, more: &str| {
        format!(
            r#"{{"ClientId":"webclient","ChallengeName":"{name}","Session":"{session}",
            "ChallengeResponses":{{"USERNAME":"alice"{more}}}}}"#
        )
    };
    let typed = format!(r#","SOFTWARE_TOKEN_MFA_CODE":"{code}","SECRET_HASH":"c2ln""#);
    let by_admin = answer("SOFTWARE_TOKEN_MFA", challenge, &typed).replacen(
        '{',
        r#"{"UserPoolId":"local_pool","#,
        1,
    );
    let settings = r#""SoftwareTokenMfaSettings":{"Enabled":true,"PreferredMfa":true}"#;
    [
        (
            "associate",
            "AssociateSoftwareToken",
            format!(r#"{{"AccessToken":"{token}"}}"#),
        ),
        (
            "associate-in-flow",
            "AssociateSoftwareToken",
            format!(r#"{{"Session":"{setup}"}}"#),
        ),
        (
            "verify",
            "VerifySoftwareToken",
            format!(
                r#"{{"AccessToken":"{token}","UserCode":"{code}",
                "FriendlyDeviceName":"ph\u00f6ne"}}"#
            ),
        ),
        (
            "verify-in-flow",
            "VerifySoftwareToken",
            format!(r#"{{"Session":"{pending}","UserCode":"{code}"}}"#),
        ),
        (
            "respond",
            "RespondToAuthChallenge",
            answer("SOFTWARE_TOKEN_MFA", challenge, &typed),
        ),
        (
            "respond-set-up",
            "RespondToAuthChallenge",
            answer("MFA_SETUP", done, ""),
        ),
        ("respond-admin", "AdminRespondToAuthChallenge", by_admin),
        (
            "prefer",
            "SetUserMFAPreference",
            format!(r#"{{"AccessToken":"{token}",{settings},"SMSMfaSettings":null}}"#),
        ),
        (
            "prefer-admin",
            "AdminSetUserMFAPreference",
            format!(
                r#"{{"UserPoolId":"local_pool","Username":"alice",{settings},
                "EmailMfaSettings":{{"Enabled":false}},"WebAuthnMfaSettings":{{}}}}"#
            ),
        ),
        ("elsewhere", "DynamoDB_20120810.GetItem", "{}".into()),
    ]
    .map(|(seed, operation, body)| (seed.into(), format!("{operation}\n{body}").into_bytes()))
    .into()
}

fn over_http() -> Seeds {
    let session = || "@session@".to_owned();
    let sessions = [session(), session(), session(), session()];
    let mut seeds = requests(&sessions, "@token@");
    for (_, seed) in &mut seeds {
        let text = String::from_utf8(seed.clone()).unwrap();
        let text = text
            .replace("webclient", "required1client00000000000")
            .replace("local_pool", "local_required1")
            .replace("\"alice\"", "\"rosa\"");
        *seed = text.into();
    }
    seeds.extend(texts(&[
        (
            "sign-in",
            "InitiateAuth\n{\"ClientId\":\"optional1client00000000000\",\
             \"AuthFlow\":\"USER_PASSWORD_AUTH\",\"AuthParameters\":\
             {\"USERNAME\":\"otto\",\"PASSWORD\":\"Correct-Horse-1\"}}",
        ),
        (
            "sign-up",
            "SignUp\n{\"ClientId\":\"optional1client00000000000\",\"Username\":\"new\",\
             \"Password\":\"Correct-Horse-1\",\"UserAttributes\":[{\"Name\":\"email\",\
             \"Value\":\"a@b.c\"}]}",
        ),
        ("user", "GetUser\n{\"AccessToken\":\"@token@\"}"),
        (
            "user-admin",
            "AdminGetUser\n{\"UserPoolId\":\"local_optional1\",\"Username\":\"otto\"}",
        ),
        ("pools", "ListUserPools\n{\"MaxResults\":10}"),
        (
            "pool",
            "DescribeUserPool\n{\"UserPoolId\":\"local_optional1\"}",
        ),
        (
            "create-pool",
            "CreateUserPool\n{\"PoolName\":\"p\",\"MfaConfiguration\":\"ON\"}",
        ),
        (
            "create-user",
            "AdminCreateUser\n{\"UserPoolId\":\"local_optional1\",\"Username\":\"x\"}",
        ),
        (
            "raw",
            ">POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}",
        ),
        (
            "raw-chunked",
            ">POST / HTTP/1.1\r\nhost: a\r\nx-amz-target: AWSCognitoIdentityProviderService.GetUser\
             \r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        ),
        (
            "raw-keys",
            ">GET /local_optional1/.well-known/jwks.json HTTP/1.1\r\nhost: a\r\n\r\n\
             DELETE /x HTTP/1.0\r\n\r\n",
        ),
    ]));
    seeds
}

/// Plays of `operations`, whose bytes its module explains.
#[expect(clippy::too_many_lines, reason = "a table, a play an entry")]
fn plays() -> Seeds {
    const LOG_IN: [u8; 2] = [4, 4];
    /// By the latest login: a secret, and its first code.
    const ENROL: [u8; 8] = [5, 2, 0, 6, 2, 0, 0, 1];
    let verify_named = [6, 2, 0, 0, 1, 1];
    let enrol = [&LOG_IN[..], &ENROL[..3], &verify_named].concat();
    let later = [29, 29];
    let play = |policy: u8, parts: &[&[u8]]| [&[policy][..], &parts.concat()].concat();
    let sign_in = [7, 0];
    let respond = [8, 0, 7, 0, 0, 0];
    let respond_named = [8, 0, 7, 0, 0, 1];
    let with = [9, 0, 0, 1, 7, 0, 0];
    [
        (
            "enrol",
            play(0, &[&enrol, &later, &sign_in, &respond, &respond]),
        ),
        (
            "session-twice",
            play(0, &[&enrol, &later, &sign_in, &respond, &later, &respond]),
        ),
        (
            "repeated",
            play(
                0,
                &[
                    &enrol,
                    &later,
                    &sign_in,
                    &respond_named,
                    &respond_named,
                    &with,
                ],
            ),
        ),
        (
            "crash",
            play(
                0,
                &[
                    &enrol,
                    &later,
                    &sign_in,
                    &[0x88, 0, 7, 0, 0, 0],
                    &respond,
                    &respond,
                ],
            ),
        ),
        (
            "guesses",
            play(0, &[&enrol, &later, &[28, 7, 0, 60, 28, 7, 23, 26], &with]),
        ),
        (
            "set-up",
            play(
                2,
                &[
                    &sign_in,
                    &[5, 1, 0, 6, 1, 0, 0, 1, 0, 11, 0, 11, 0],
                    &later,
                    &with,
                ],
            ),
        ),
        (
            "recovery",
            play(
                0,
                &[
                    &enrol,
                    &[13, 2],
                    &[9, 0, 0, 1, 3, 0, 9, 0, 0, 1, 3, 0, 14, 5, 9, 0, 0, 1, 3, 0],
                ],
            ),
        ),
        (
            "browser",
            play(
                0,
                &[
                    &enrol,
                    &later,
                    &[7, 2, 9, 2, 0, 0],
                    &[21, 2, 7, 2],
                    &with,
                    &[7, 2, 16, 2, 0, 7, 2],
                ],
            ),
        ),
        (
            "several",
            play(
                3,
                &[
                    &enrol,
                    &later,
                    &ENROL,
                    &later,
                    &ENROL,
                    &later,
                    &with,
                    &[19, 2, 1, 18, 2, 0, 1, 20, 0],
                ],
            ),
        ),
        (
            "replaced",
            play(
                0,
                &[
                    &enrol,
                    &later,
                    &ENROL,
                    &later,
                    &with,
                    &[9, 0, 0, 1, 7, 1, 0, 22, 1, 26],
                ],
            ),
        ),
        (
            "moved",
            play(
                1,
                &[
                    &[
                        15, 0, 3, 15, 4, 0, 15, 1, 0, 24, 25, 26, 12, 0, 0, 0, 128, 1,
                    ],
                    &later,
                    &with,
                ],
            ),
        ),
        (
            "clock",
            play(
                4,
                &[
                    &enrol,
                    &[2, 200],
                    &with,
                    &[1, 2],
                    &with,
                    &[30, 3],
                    &with,
                    &sign_in,
                ],
            ),
        ),
        (
            "waived",
            play(
                1,
                &[
                    &enrol,
                    &LOG_IN,
                    &later,
                    &ENROL,
                    &[17, 2, 1, 27, 0, 9, 3, 17, 2, 0],
                ],
            ),
        ),
    ]
    .map(|(name, bytes)| (name.into(), bytes))
    .into()
}
