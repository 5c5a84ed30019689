//! What is not an operation, or not one as the service model has it.

use serde_json::json;

use crate::world::{OPTIONAL, PASSWORD, World, by_password};

const SERVICE: &str = "AWSCognitoIdentityProviderService";

#[test]
fn what_is_malformed_is_refused_by_type_and_never_by_500() {
    let world = World::new();
    for (target, body, refusal) in [
        (
            format!("{SERVICE}.NoSuchThing"),
            "{}",
            "UnknownOperationException",
        ),
        (SERVICE.to_owned(), "{}", "UnknownOperationException"),
        (
            "Other.InitiateAuth".to_owned(),
            "{}",
            "UnknownOperationException",
        ),
        (
            format!("{SERVICE}.InitiateAuth"),
            "",
            "SerializationException",
        ),
        (
            format!("{SERVICE}.InitiateAuth"),
            "{",
            "SerializationException",
        ),
        (
            format!("{SERVICE}.InitiateAuth"),
            "[]",
            "SerializationException",
        ),
        (
            format!("{SERVICE}.InitiateAuth"),
            "null",
            "SerializationException",
        ),
        (
            format!("{SERVICE}.InitiateAuth"),
            "{}",
            "InvalidParameterException",
        ),
        (
            format!("{SERVICE}.InitiateAuth"),
            r#"{"ClientId":7}"#,
            "SerializationException",
        ),
        (
            format!("{SERVICE}.SignUp"),
            r#"{"ClientId":["a"]}"#,
            "SerializationException",
        ),
        (
            format!("{SERVICE}.AssociateSoftwareToken"),
            "{}",
            "InvalidParameterException",
        ),
        (
            format!("{SERVICE}.VerifySoftwareToken"),
            r#"{"UserCode":7}"#,
            "SerializationException",
        ),
    ] {
        let reply = world
            .client()
            .post(&[("x-amz-target", &target)], body)
            .expect("answered");
        assert_eq!(reply.status, 400, "{target} {body}: {}", reply.body);
        assert_eq!(reply.body["__type"], refusal, "{target} {body}");
        assert_eq!(reply.error_type.as_deref(), Some(refusal));
        assert!(reply.request_id.is_some());
    }
}

#[test]
fn every_answer_has_an_id_of_its_own() {
    let world = World::new();
    let [one, two] = [(); 2].map(|()| world.call("ListUserPools", &json!({ "MaxResults": 1 })));
    assert!(one.request_id.is_some());
    assert_ne!(one.request_id, two.request_id);
}

#[test]
fn other_paths_and_methods_are_refused() {
    let world = World::new();
    assert_eq!(world.client().get("/").status, 405);
    let nowhere = world.client().get("/nowhere");
    assert_eq!(nowhere.status, 404);
    assert!(nowhere.request_id.is_some() && nowhere.error_type.is_some());
}

#[test]
fn a_page_of_any_origin_may_ask_and_read() {
    let world = World::new();
    let sent = "amz-sdk-invocation-id,amz-sdk-request,cache-control,content-type,x-amz-target,x-amz-user-agent";
    let jwks = format!("/{}/.well-known/jwks.json", OPTIONAL.id);
    for (path, method) in [("/", "POST"), (&jwks, "GET")] {
        let asked = world.client().preflight(
            path,
            &[
                ("origin", "http://localhost:3000"),
                ("access-control-request-method", method),
                ("access-control-request-headers", sent),
            ],
        );
        assert_eq!(asked.status(), 200, "{path}");
        let header = |name: &str| {
            let value = asked.headers().get(name).expect(name);
            value.to_str().expect("text").to_owned()
        };
        assert_eq!(header("access-control-allow-origin"), "*");
        assert_eq!(header("access-control-allow-headers"), sent);
        assert!(header("access-control-allow-methods").contains(method));
        assert_eq!(header("access-control-max-age"), "172800");
        assert!(
            asked
                .headers()
                .get("access-control-allow-credentials")
                .is_none()
        );
    }

    let origin = ("origin", "http://localhost:3000");
    let list = format!("{SERVICE}.ListUserPools");
    for (target, status) in [(list.as_str(), 200), ("nothing", 400)] {
        let headers = [origin, ("x-amz-target", target)];
        let answer = world.client().post(&headers, r#"{"MaxResults":1}"#);
        let answer = answer.expect("answered");
        assert_eq!(answer.status, status);
        assert_eq!(answer.allow_origin.as_deref(), Some("*"));
        let exposed = answer.exposed.expect("headers of ours").to_lowercase();
        for name in ["x-amzn-requestid", "x-amzn-errortype"] {
            assert!(exposed.contains(name), "{exposed}");
        }
    }
    assert_eq!(world.client().get(&jwks).allow_origin.as_deref(), Some("*"));
}

#[test]
fn a_body_has_a_limit() {
    let world = World::new();
    let target = format!("{SERVICE}.SignUp");
    let body = " ".repeat(2 * 1024 * 1024 + 1);
    let reply = world
        .client()
        .post(&[("x-amz-target", &target)], &body)
        .expect("answered");
    assert_eq!(
        (reply.status, reply.error_type.as_deref()),
        (400, Some("SerializationException"))
    );
}

#[test]
fn the_longest_device_name_is_taken_and_a_longer_one_is_not() {
    let world = World::new();
    let token = world.access_token(OPTIONAL);
    let issued = world.done("AssociateSoftwareToken", &json!({ "AccessToken": token }));
    let secret = issued["SecretCode"].as_str().expect("a secret");
    let verify = |length| {
        json!({
            "AccessToken": token, "UserCode": world.code(secret), "FriendlyDeviceName": "\u{1f511}".repeat(length),
        })
    };
    assert_eq!(
        world.refused("VerifySoftwareToken", &verify(131_073)),
        "InvalidParameterException"
    );
    world.done("VerifySoftwareToken", &verify(131_072));
}

#[test]
fn the_gateway_keeps_out_whom_it_is_told_to() {
    let world = World::with(|builder| builder.forbid_client(OPTIONAL.client).forbid_agent("curl/"));
    let sign_in = by_password(OPTIONAL, OPTIONAL.user, PASSWORD);
    assert_eq!(
        world.refused("InitiateAuth", &sign_in),
        "ForbiddenException"
    );
    let list = json!({ "MaxResults": 1 });
    world.done("ListUserPools", &list);
    let target = format!("{SERVICE}.ListUserPools");
    let headers = [("user-agent", "curl/8"), ("x-amz-target", &target)];
    let reply = world
        .client()
        .post(&headers, &list.to_string())
        .expect("answered");
    assert_eq!(
        (reply.status, &reply.body["__type"]),
        (400, &json!("ForbiddenException"))
    );
}

#[test]
fn pools_and_clients_are_found_by_those_who_know_their_names() {
    let world = World::new();
    let pool = world.done("CreateUserPool", &json!({ "PoolName": "mine" }))["UserPool"].clone();
    let id = json!({ "UserPoolId": pool["Id"] });
    assert_eq!(
        world.done("GetUserPoolMfaConfig", &id),
        json!({ "MfaConfiguration": "OFF" })
    );
    let configure = json!({
        "UserPoolId": pool["Id"], "MfaConfiguration": "OPTIONAL", "SoftwareTokenMfaConfiguration": { "Enabled": true },
    });
    let configured = world.done("SetUserPoolMfaConfig", &configure);
    assert_eq!(world.done("GetUserPoolMfaConfig", &id), configured);
    let page = world.done("ListUserPools", &json!({ "MaxResults": 3 }));
    let rest = world.done(
        "ListUserPools",
        &json!({ "MaxResults": 3, "NextToken": page["NextToken"] }),
    );
    assert_eq!(rest["UserPools"][0]["Id"], pool["Id"]);
    assert!(rest.get("NextToken").is_none());
    world.done("DeleteUserPool", &id);
    assert_eq!(
        world.refused("DescribeUserPool", &id),
        "ResourceNotFoundException"
    );
}
