//! No request, however mangled, is worse than a client's mistake.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use softtoken::cognito::{Call, Exception};

const OPERATIONS: [&str; 7] = [
    "AssociateSoftwareToken",
    "VerifySoftwareToken",
    "RespondToAuthChallenge",
    "AdminRespondToAuthChallenge",
    "SetUserMFAPreference",
    "AdminSetUserMFAPreference",
    "InitiateAuth",
];

fn is_a_clients_mistake(parsed: Result<Option<Call>, Exception>) -> bool {
    parsed.map_or_else(|exception| exception.status() == 400, |_| true)
}

fn parse(operation: &str, body: &[u8]) -> Result<Option<Call>, Exception> {
    Call::parse(
        &format!("AWSCognitoIdentityProviderService.{operation}"),
        body,
    )
}

/// Every member that any operation has, as it should be.
fn members() -> Map<String, Value> {
    let members = json!({
        "AccessToken": "a.b.c",
        "Session": "s".repeat(20),
        "UserCode": "123456",
        "FriendlyDeviceName": "phone",
        "UserPoolId": "local_a",
        "ClientId": "client",
        "Username": "alice",
        "ChallengeName": "SOFTWARE_TOKEN_MFA",
        "ChallengeResponses": {"USERNAME": "alice", "SOFTWARE_TOKEN_MFA_CODE": "123456"},
        "SoftwareTokenMfaSettings": {"Enabled": true, "PreferredMfa": true},
    });
    match members {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9 -]{0,10}".prop_map(Value::from),
        prop_oneof![Just(19), Just(4097), Just(131_073)]
            .prop_map(|length| "x".repeat(length).into()),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[A-Z_]{0,24}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_a_clients_mistake(
        operation in prop::sample::select(&OPERATIONS[..]),
        target in any::<String>(),
        body in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        prop_assert!(is_a_clients_mistake(parse(operation, &body)));
        prop_assert!(is_a_clients_mistake(Call::parse(&target, &body)));
    }

    #[test]
    fn members_that_are_missing_or_anything_else_are_a_clients_mistake(
        operation in prop::sample::select(&OPERATIONS[..]),
        missing in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        changed in prop::collection::vec((any::<prop::sample::Index>(), any_value()), 0..3),
    ) {
        let mut members = members();
        let names: Vec<String> = members.keys().cloned().collect();
        for index in missing {
            members.remove(index.get(&names));
        }
        for (index, value) in changed {
            members.insert(index.get(&names).clone(), value);
        }
        let body = Value::Object(members).to_string();
        prop_assert!(is_a_clients_mistake(parse(operation, body.as_bytes())));
    }

    #[test]
    fn a_body_whose_bytes_have_been_changed_is_read_or_a_clients_mistake(
        operation in prop::sample::select(&OPERATIONS[..]),
        changed in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut body = Value::Object(members()).to_string().into_bytes();
        for (index, byte) in changed {
            let index = index.index(body.len());
            body[index] = byte;
        }
        if is_cut {
            body.truncate(cut.index(body.len()));
        }
        prop_assert!(is_a_clients_mistake(parse(operation, &body)));
    }
}
