//! Key URIs: what is written is read, and what is ambiguous is refused by name.
#![expect(clippy::unwrap_used, reason = "the secrets are valid")]

use core::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use softtoken::totp::{
    Algorithm, Digits, KeyUri, LegacyKeyUri, Secret, SecretError, Totp, TotpError, UriError,
};

const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
/// RFC 3986's unreserved characters, and `@`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'@');

fn secret() -> Secret {
    Secret::from_base32(SECRET).unwrap()
}

fn parse(label: &str, rest: &str) -> Result<KeyUri, UriError> {
    KeyUri::parse(&format!("otpauth://totp/{label}?secret={SECRET}{rest}"))
}

fn names(uri: &KeyUri) -> (Option<&str>, &str) {
    (uri.issuer(), uri.account())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(
        issuer in proptest::option::of("[^:]{1,20}"),
        account in "[^: ][^:]{0,20}",
        key in proptest::collection::vec(any::<u8>(), Secret::MIN_READ_BYTES..=Secret::MAX_READ_BYTES),
        algorithm in proptest::sample::select(&[Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512]),
        digits in proptest::sample::select(&[Digits::Six, Digits::Seven, Digits::Eight]),
        period in 15..=120_u64,
    ) {
        let secret = Secret::from_bytes(&key).unwrap();
        let totp = Totp::new(algorithm, digits, Duration::from_secs(period)).unwrap();
        let uri = KeyUri::new(issuer.as_deref(), &account, &secret, totp).unwrap();
        let text = uri.expose();

        let encoded = |name: &str| utf8_percent_encode(name, ENCODED).to_string();
        let prefix = issuer.as_deref().map(|issuer| encoded(issuer) + ":").unwrap_or_default();
        let parameter = issuer.as_deref().map(|issuer| format!("&issuer={}", encoded(issuer)));
        prop_assert_eq!(
            &*text,
            &format!(
                "otpauth://totp/{prefix}{}?secret={}{}&algorithm={algorithm}&digits={}&period={period}",
                encoded(&account),
                *secret.expose_base32(),
                parameter.unwrap_or_default(),
                digits.get(),
            )
        );
        prop_assert_eq!(KeyUri::parse(&text), Ok(uri.clone()));
        prop_assert_eq!(names(&uri), (issuer.as_deref(), account.as_str()));
        prop_assert_eq!((uri.secret(), uri.totp()), (&secret, totp));

        let legacy = KeyUri::parse_legacy(&text).unwrap();
        prop_assert_eq!((legacy.secret(), legacy.totp()), (&secret, totp));
        let name = |name: &str| Some(name.trim().to_owned()).filter(|name| !name.is_empty());
        prop_assert_eq!(legacy.account().map(ToOwned::to_owned), name(&account));
        let issuer = issuer.as_deref().and_then(name);
        prop_assert_eq!(legacy.issuer().map(ToOwned::to_owned), issuer);
    }

    #[test]
    fn no_text_makes_a_reader_panic_and_what_is_read_strictly_is_the_same_key_to_the_other(
        text in "(otpauth://totp/)?[a-z:%?&=#@/ é0-9+]{0,40}(\\?secret=JBSWY3DPEHPK3PXP[a-z&=%#0-9]{0,20})?",
    ) {
        let legacy = KeyUri::parse_legacy(&text);
        if let Ok(uri) = KeyUri::parse(&text) {
            let legacy = legacy.unwrap();
            prop_assert_eq!((legacy.secret(), legacy.totp()), (uri.secret(), uri.totp()));
        }
    }

    #[test]
    fn no_text_at_all_makes_a_reader_panic(text in any::<String>(), rest in any::<String>()) {
        for text in [&text, &format!("otpauth://totp/{text}?secret={SECRET}&{rest}")] {
            let _ = KeyUri::parse(text).map(|uri| uri.expose());
            let _ = KeyUri::parse_legacy(text).map(|uri| {
                let _ = (uri.name(), uri.issuer(), uri.account());
            });
        }
    }
}

#[test]
fn the_examples_of_the_format_are_read() {
    let uri = KeyUri::parse(
        "otpauth://totp/ACME%20Co:john.doe@email.com?secret=HXDMVJECJJWSRB3HWIZR4IFUGFTMXBOZ\
         &issuer=ACME%20Co&algorithm=SHA1&digits=6&period=30",
    )
    .unwrap();
    assert_eq!(names(&uri), (Some("ACME Co"), "john.doe@email.com"));
    assert_eq!(uri.totp(), Totp::STANDARD);

    // Labels that the format calls valid.
    for (label, issuer, account) in [
        ("Example:alice@gmail.com", "Example", "alice@gmail.com"),
        ("Provider1:Alice%20Smith", "Provider1", "Alice Smith"),
        (
            "Big%20Corporation%3A%20alice%40bigco.com",
            "Big Corporation",
            "alice@bigco.com",
        ),
    ] {
        assert_eq!(names(&parse(label, "").unwrap()), (Some(issuer), account));
    }
}

#[test]
fn what_is_left_out_is_the_default_and_what_is_unknown_is_ignored() {
    let uri = parse("alice", "").unwrap();
    assert_eq!(names(&uri), (None, "alice"));
    assert_eq!(uri.totp(), Totp::STANDARD);
    assert_eq!(
        uri,
        parse("alice", "&image=https://example.com/a.png&counter=7&&lock").unwrap()
    );
    assert_eq!(
        uri,
        parse("alice", "&Algorithm=MD5").unwrap(),
        "a name in another case is another"
    );
}

#[test]
fn either_place_of_the_issuer_will_do_and_both_must_agree() {
    for (label, parameter) in [
        ("Example:alice", ""),
        ("alice", "&issuer=Example"),
        ("Example:alice", "&issuer=Example"),
        ("Ex%61mple%3Aalice", "&%69ssuer=%45xample"),
    ] {
        let uri = parse(label, parameter).unwrap();
        assert_eq!(
            names(&uri),
            (Some("Example"), "alice"),
            "{label} {parameter}"
        );
    }
    for issuer in ["Other", "example", "Example%20", ""] {
        let refused = parse("Example:alice", &format!("&issuer={issuer}"));
        assert_eq!(refused, Err(UriError::IssuerConflict), "{issuer}");
    }
}

#[test]
fn scheme_and_type_are_read_in_any_case() {
    let text = format!("OTPAUTH://Totp/alice?secret={SECRET}");
    assert_eq!(KeyUri::parse(&text), parse("alice", ""));
}

#[test]
fn another_scheme_or_type_is_refused() {
    for text in [
        "",
        "otpauth",
        "otpauth:totp/alice",
        "otpauth:/totp/alice",
        "otpauths://totp/a",
        "://totp/a",
    ] {
        assert_eq!(KeyUri::parse(text), Err(UriError::Scheme), "{text}");
    }
    for place in [
        "hotp/alice",
        "",
        "/totp/alice",
        "totp.example/alice",
        "t%6ftp/alice",
        "[::1",
    ] {
        let refused = KeyUri::parse(&format!("otpauth://{place}?secret={SECRET}"));
        assert!(
            matches!(refused, Err(UriError::Type | UriError::Port)),
            "{place}"
        );
    }
}

#[test]
fn a_user_a_port_and_a_fragment_are_refused() {
    let refused = |place: &str| KeyUri::parse(&format!("otpauth://{place}")).unwrap_err();
    assert_eq!(
        refused(&format!("me@totp/alice?secret={SECRET}")),
        UriError::UserInfo
    );
    assert_eq!(
        refused(&format!("me:pw@totp/alice?secret={SECRET}")),
        UriError::UserInfo
    );
    assert_eq!(
        refused(&format!("@totp/alice?secret={SECRET}")),
        UriError::UserInfo
    );
    assert_eq!(
        refused(&format!("totp:80/alice?secret={SECRET}")),
        UriError::Port
    );
    assert_eq!(
        refused(&format!("totp:/alice?secret={SECRET}")),
        UriError::Port
    );
    for text in [
        format!("totp/alice?secret={SECRET}#"),
        format!("totp/alice?secret={SECRET}#top"),
        format!("totp/alice#?secret={SECRET}"),
        format!("totp#/alice?secret={SECRET}"),
    ] {
        assert_eq!(refused(&text), UriError::Fragment, "{text}");
    }
}

#[test]
fn a_colon_inside_an_issuer_or_an_account_is_refused() {
    for label in [
        "Example:alice:bob",
        "Example%3Aalice:bob",
        "Example:alice%3Abob",
        "a%3Ab%3Ac",
    ] {
        assert_eq!(parse(label, ""), Err(UriError::Account), "{label}");
    }
    assert_eq!(parse("alice", "&issuer=Ex:ample"), Err(UriError::Issuer));
    assert_eq!(parse("alice", "&issuer=Ex%3Aample"), Err(UriError::Issuer));
    let new = |issuer, account| KeyUri::new(issuer, account, &secret(), Totp::STANDARD);
    assert_eq!(new(Some("Ex:ample"), "alice"), Err(UriError::Issuer));
    assert_eq!(new(None, "al:ice"), Err(UriError::Account));
}

#[test]
fn an_empty_issuer_or_account_is_refused() {
    for label in ["", "Example:", "Example:%20%20", "%20"] {
        assert_eq!(parse(label, ""), Err(UriError::Account), "{label}");
    }
    assert_eq!(parse(":alice", ""), Err(UriError::Issuer));
    assert_eq!(parse("alice", "&issuer="), Err(UriError::Issuer));
    assert_eq!(parse("alice", "&issuer"), Err(UriError::Issuer));
    let new = |issuer, account| KeyUri::new(issuer, account, &secret(), Totp::STANDARD);
    assert_eq!(new(Some(""), "alice"), Err(UriError::Issuer));
    assert_eq!(new(None, ""), Err(UriError::Account));
    assert_eq!(new(None, "  "), Err(UriError::Account));
    assert_eq!(new(None, "  alice ").unwrap().account(), "alice ");
}

#[test]
fn a_parameter_that_stands_twice_is_refused() {
    for rest in [
        format!("&secret={SECRET}"),
        format!("&s%65cret={SECRET}"),
        "&secret=".to_owned(),
        "&issuer=A&issuer=A".to_owned(),
        "&digits=6&digits=6".to_owned(),
        "&period=30&period=30".to_owned(),
        "&algorithm=SHA1&algorithm=SHA1".to_owned(),
        "&image=a&image=b".to_owned(),
        "&x&x".to_owned(),
    ] {
        assert_eq!(parse("alice", &rest), Err(UriError::Duplicate), "{rest}");
    }
}

#[test]
fn values_out_of_range_are_refused() {
    for (rest, error) in [
        ("&algorithm=MD5", TotpError::Algorithm),
        ("&algorithm=SHA-1", TotpError::Algorithm),
        ("&algorithm=SHA384", TotpError::Algorithm),
        ("&algorithm=", TotpError::Algorithm),
        ("&algorithm", TotpError::Algorithm),
        ("&digits=5", TotpError::Digits),
        ("&digits=9", TotpError::Digits),
        ("&digits=+6", TotpError::Digits),
        ("&digits=%2B6", TotpError::Digits),
        ("&digits=-6", TotpError::Digits),
        ("&digits=262", TotpError::Digits),
        ("&digits=six", TotpError::Digits),
        ("&digits=", TotpError::Digits),
        ("&period=14", TotpError::Period),
        ("&period=121", TotpError::Period),
        ("&period=286", TotpError::Period),
        ("&period=0", TotpError::Period),
        ("&period=-30", TotpError::Period),
        ("&period=+30", TotpError::Period),
        ("&period=30.0", TotpError::Period),
        ("&period=30s", TotpError::Period),
        ("&period=", TotpError::Period),
    ] {
        assert_eq!(parse("alice", rest), Err(UriError::Totp(error)), "{rest}");
    }
    for (rest, algorithm, digits, period) in [
        (
            "&algorithm=sha256&digits=7&period=15",
            Algorithm::Sha256,
            Digits::Seven,
            15,
        ),
        (
            "&algorithm=SHA512&digits=8&period=120",
            Algorithm::Sha512,
            Digits::Eight,
            120,
        ),
    ] {
        let totp = Totp::new(algorithm, digits, Duration::from_secs(period)).unwrap();
        assert_eq!(parse("alice", rest).unwrap().totp(), totp);
    }
}

#[test]
fn no_secret_or_a_bad_one_is_refused() {
    let parse = |query: &str| KeyUri::parse(&format!("otpauth://totp/alice{query}"));
    for query in [
        "",
        "?",
        "?issuer=Example",
        "?Secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
    ] {
        assert_eq!(parse(query), Err(UriError::NoSecret), "{query}");
    }
    for (query, error) in [
        ("?secret=", SecretError::TooShort { bytes: 0 }),
        ("?secret", SecretError::TooShort { bytes: 0 }),
        (
            "?secret=JBSWY3DPEHPK3PQ",
            SecretError::TooShort { bytes: 9 },
        ),
        (
            "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1",
            SecretError::Base32,
        ),
        (
            "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQA",
            SecretError::Base32,
        ),
        (
            "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ%00",
            SecretError::Base32,
        ),
    ] {
        assert_eq!(parse(query), Err(UriError::Secret(error)), "{query}");
    }
    let spelled = "?secret=gezd%20gnbv-gy3t%20qojq-gezd%20gnbv-gy3t%20qojq%3d%3D";
    assert_eq!(parse(spelled).unwrap().secret(), &secret());
}

#[test]
fn what_is_not_percent_encoded_utf_8_is_refused() {
    for part in [
        "%", "%4", "%4g", "%+1", "%%41", "%ff", "%c3", "%c3%28", "a b", "é", "<", "\"", "\n", "\0",
        "[",
    ] {
        for (label, rest) in [
            (part, String::new()),
            ("alice", format!("&issuer={part}")),
            ("alice", format!("&{part}=1")),
            ("alice", format!("&image={part}")),
        ] {
            assert_eq!(
                parse(label, &rest),
                Err(UriError::Encoding),
                "{label} {rest}"
            );
        }
    }
    let uri = parse("a+b/c", "&issuer=A+B").unwrap();
    assert_eq!(names(&uri), (Some("A+B"), "a+b/c"), "a plus is a plus");
    assert!(
        uri.expose().contains("A%2BB:a%2Bb%2Fc?"),
        "and is written so that nobody takes it for a space"
    );
}

#[test]
fn neither_debug_nor_an_error_shows_the_secret() {
    let uri = parse("Example:alice", "").unwrap();
    let shown = format!(
        "{uri:?} {:?} {:?}",
        parse("a", "#"),
        parse("a", "&secret=x")
    );
    assert!(
        shown.contains("alice") && shown.contains("Secret(..)"),
        "{shown}"
    );
    assert!(
        !shown.contains("GEZD") && !shown.contains("12345") && !shown.contains("49, 50"),
        "{shown}"
    );
}

/// What servers have kept in their tables.
mod legacy {
    use super::*;

    fn parse(label: &str, rest: &str) -> LegacyKeyUri {
        read(label, rest).unwrap()
    }

    fn read(label: &str, rest: &str) -> Result<LegacyKeyUri, UriError> {
        KeyUri::parse_legacy(&format!("otpauth://totp/{label}?secret={SECRET}{rest}"))
    }

    type Names<'a> = [Option<&'a str>; 3];

    fn names(uri: &LegacyKeyUri) -> Names<'_> {
        [uri.name(), uri.issuer(), uri.account()]
    }

    #[test]
    fn the_key_is_read_whatever_the_names_look_like() {
        let cases: [(&str, &str, Names<'_>); 20] = [
            // Conflicting; a plus for a space; lower case.
            (
                "Acme+Inc%3aalice%40example.net",
                "&issuer=Microsoft",
                [
                    Some("Acme Inc:alice@example.net"),
                    Some("Microsoft"),
                    Some("alice@example.net"),
                ],
            ),
            (
                "Acme%20Inc:alice@example.com",
                "&issuer=Acme+Inc",
                [
                    Some("Acme Inc:alice@example.com"),
                    Some("Acme Inc"),
                    Some("alice@example.com"),
                ],
            ),
            // Empty.
            (
                "Acme:alice",
                "&issuer=",
                [Some("Acme:alice"), Some("Acme"), Some("alice")],
            ),
            ("alice", "&issuer=", [Some("alice"), None, Some("alice")]),
            ("alice", "&issuer", [Some("alice"), None, Some("alice")]),
            (
                "alice",
                "&issuer=%20+",
                [Some("alice"), None, Some("alice")],
            ),
            ("alice", "", [Some("alice"), None, Some("alice")]),
            ("", "", [None, None, None]),
            ("", "&issuer=Acme", [Some("Acme"), Some("Acme"), None]),
            (":", "", [Some(":"), None, None]),
            (":alice", "", [Some(":alice"), None, Some("alice")]),
            ("Acme:", "", [Some("Acme:"), Some("Acme"), None]),
            // Unencoded.
            (
                "Müller & Söhne:jürgen@example.com",
                "&issuer=Müller & Söhne",
                [
                    Some("Müller & Söhne:jürgen@example.com"),
                    Some("Müller"),
                    Some("jürgen@example.com"),
                ],
            ),
            (
                " Acme : alice ",
                "",
                [Some("Acme : alice"), Some("Acme"), Some("alice")],
            ),
            (
                "100% [Acme] #1:a/b",
                "&issuer=100% [Acme] #1",
                [
                    Some("100% [Acme] #1:a/b"),
                    Some("100% [Acme] #1"),
                    Some("a/b"),
                ],
            ),
            (
                "al\nice\0",
                "",
                [Some("al\nice\0"), None, Some("al\nice\0")],
            ),
            // In Latin-1.
            (
                "J%FCrgen",
                "",
                [Some("J\u{fffd}rgen"), None, Some("J\u{fffd}rgen")],
            ),
            // With colons.
            (
                " Acme:Corp: alice",
                "&issuer=Acme:Corp",
                [Some("Acme:Corp: alice"), Some("Acme:Corp"), Some("alice")],
            ),
            (
                "Acme:alice:admin",
                "&issuer=Acme",
                [Some("Acme:alice:admin"), Some("Acme"), Some("alice:admin")],
            ),
            (
                "urn%3Aalice%3A1",
                "",
                [Some("urn:alice:1"), Some("urn"), Some("alice:1")],
            ),
        ];
        for (label, rest, expected) in cases {
            let uri = parse(label, rest);
            assert_eq!(names(&uri), expected, "{label} {rest}");
            assert_eq!((uri.secret(), uri.totp()), (&secret(), Totp::STANDARD));
        }
    }

    #[test]
    fn of_several_issuers_the_first_that_names_one_is_read() {
        let uri = parse(
            "alice",
            "&issuer=&issuer=Acme&issuer=Other&image=a&image=b&&x&x",
        );
        assert_eq!(names(&uri), [Some("alice"), Some("Acme"), Some("alice")]);
        let uri = parse("Acme-2:alice", "&issuer=Acme");
        assert_eq!(
            names(&uri),
            [Some("Acme-2:alice"), Some("Acme"), Some("alice")],
            "an issuer ends with its colon"
        );
    }

    #[test]
    fn the_parameters_are_read_as_the_strict_reader_reads_them() {
        let totp = Totp::new(Algorithm::Sha256, Digits::Eight, Duration::from_secs(60)).unwrap();
        let rest = "&algorithm=sha256&digits=8&period=60&issuer=Other";
        assert_eq!(parse("Acme:alice", rest).totp(), totp);
        let encoded = "&%61lgorithm=SHA%3256&d%69gits=%38&period=6%30";
        assert_eq!(parse("alice", encoded).totp(), totp);
        assert_eq!(
            parse("alice", "&Digits=8").totp(),
            Totp::STANDARD,
            "a name in another case is another"
        );
        let text = format!("\n OTPAUTH://Totp/alice?issuer=&secret={SECRET} \r\n");
        assert_eq!(KeyUri::parse_legacy(&text).unwrap(), parse("alice", ""));
        let text = format!("otpauth://totp?secret={SECRET}");
        assert_eq!(KeyUri::parse_legacy(&text).unwrap(), parse("", ""));
    }

    #[test]
    fn the_secret_is_read_as_authenticator_apps_read_it() {
        for (text, bytes) in [
            ("JBSWY3DPEHPK3PXP", 10),
            ("K5QXEZ3TJBSWY3DPEHPK3PXPQB", 16),
            ("JBSWY3DPEHPK3PXP777", 11),
            ("jbsw+y3dp%20ehpk-3pxp====", 10),
            ("jbsw y3dp\u{a0}ehpk-3pxp%3D%3d", 10),
        ] {
            let uri = format!("otpauth://totp/alice?secret={text}&issuer=Acme");
            let uri = KeyUri::parse_legacy(&uri).unwrap();
            assert_eq!(uri.secret().expose().len(), bytes, "{text}");
            assert_eq!(uri.secret().is_weak(), bytes < 16);
        }
    }

    #[test]
    fn a_key_that_is_not_clear_is_refused() {
        let refused = |text: &str| KeyUri::parse_legacy(text).unwrap_err();
        let key = format!("secret={SECRET}");
        for (text, error) in [
            (format!("otpauth://hotp/a?{key}&counter=1"), UriError::Type),
            (format!("otpauth://totp.example/a?{key}"), UriError::Type),
            (format!("otpauth:///totp/a?{key}"), UriError::Type),
            (
                format!("otpauth-migration://offline?{key}"),
                UriError::Scheme,
            ),
            (format!("https://totp/a?{key}"), UriError::Scheme),
            (String::new(), UriError::Scheme),
            (format!("otpauth://me@totp/a?{key}"), UriError::UserInfo),
            (format!("otpauth://totp:80/a?{key}"), UriError::Port),
            (format!("otpauth://totp/a&{key}"), UriError::NoSecret),
            ("otpauth://totp/a".to_owned(), UriError::NoSecret),
            ("otpauth://totp/a?issuer=b".to_owned(), UriError::NoSecret),
            (
                format!("otpauth://totp/a?Secret={SECRET}"),
                UriError::NoSecret,
            ),
        ] {
            assert_eq!(refused(&text), error, "{text}");
        }
        for (rest, error) in [
            (format!("&{key}"), UriError::Duplicate),
            (format!("&s%65cret={SECRET}"), UriError::Duplicate),
            ("&secret=".to_owned(), UriError::Duplicate),
            (
                "&algorithm=SHA1&algorithm=SHA1".to_owned(),
                UriError::Duplicate,
            ),
            ("&digits=6&digits=6".to_owned(), UriError::Duplicate),
            ("&period=30&period=30".to_owned(), UriError::Duplicate),
            // To an app that knows fragments, this is a key of six digits.
            ("&issuer=Acme #1&digits=8".to_owned(), UriError::Fragment),
            (
                "#&digits=8".to_owned(),
                UriError::Secret(SecretError::Base32),
            ),
            ("&issuer=Acme&#&period=60".to_owned(), UriError::Fragment),
            ("&image=#&x=y&digits=8".to_owned(), UriError::Fragment),
        ] {
            assert_eq!(read("alice", &rest), Err(error), "{rest}");
        }
        for (rest, error) in [
            ("&algorithm=MD5", TotpError::Algorithm),
            ("&algorithm=", TotpError::Algorithm),
            ("&digits=5", TotpError::Digits),
            ("&digits=9", TotpError::Digits),
            ("&digits=", TotpError::Digits),
            ("&digits=+6", TotpError::Digits),
            ("&digits=6#", TotpError::Digits),
            ("&period=14", TotpError::Period),
            ("&period=121", TotpError::Period),
            ("&period=0", TotpError::Period),
            ("&period=30.0", TotpError::Period),
        ] {
            assert_eq!(read("alice", rest), Err(UriError::Totp(error)), "{rest}");
        }
        for (text, error) in [
            ("", SecretError::TooShort { bytes: 0 }),
            ("JBSWY3DPEHPK3PX", SecretError::TooShort { bytes: 9 }),
            ("GEZDGNBVGY3TQOJ1GEZDGNBV", SecretError::Base32),
            ("GEZDGNBVGY3TQOJ%GEZDGNBV", SecretError::Base32),
            ("GEZDGNBVGY3TQOJQ%FF", SecretError::Base32),
            ("GEZDGNBVGY3TQOJQ#GEZD", SecretError::Base32),
        ] {
            let text = format!("otpauth://totp/alice?secret={text}");
            assert_eq!(refused(&text), UriError::Secret(error), "{text}");
        }
    }

    #[test]
    fn debug_shows_neither_the_secret_nor_a_label_that_may_hold_it() {
        let shown = format!(
            "{:?}",
            parse(&format!("alice%3Fsecret={SECRET}"), "&issuer=GEZD")
        );
        assert_eq!(
            shown,
            format!("LegacyKeyUri {{ totp: {:?}, .. }}", Totp::STANDARD)
        );
    }
}
