//! What clients can make the server hold, whatever they send and however slowly.

use core::time::Duration;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use softtoken_cognito::{Limits, Server};

use crate::world::World;

/// Long past every limit of these tests.
const PATIENCE: Duration = Duration::from_secs(30);
/// Short of every limit that is not the test's.
const MOMENT: Duration = Duration::from_secs(1);
const KEY: &str = "GET /local_optional1/.well-known/jwks.json HTTP/1.1\r\nHost: here\r\n\r\n";

fn world(limits: Limits) -> World {
    World::with(|builder| builder.limits(limits))
}

fn connect(world: &World) -> TcpStream {
    let stream = TcpStream::connect(world.client().address()).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// The status of the answer that comes next, where one comes.
fn status(stream: &mut TcpStream) -> Option<u16> {
    let mut buffer = [0; 4096];
    match stream.read(&mut buffer) {
        Ok(0) => None,
        Ok(length) => {
            let head = String::from_utf8_lossy(buffer.get(..length)?).into_owned();
            head.split(' ').nth(1)?.parse().ok()
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
        Err(error) => panic!("{error}"),
    }
}

/// Whether the server ends it, with or without a word.
fn is_ended(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn every_limit_has_the_default_that_the_readme_names() {
    let Limits {
        connections,
        header_bytes,
        body_bytes,
        header_time,
        body_time,
        answer_time,
    } = Limits::default();
    assert_eq!(
        [connections, header_bytes, body_bytes],
        [128, 16_384, 2_097_152]
    );
    let seconds = [header_time, body_time, answer_time].map(|time| time.as_secs());
    assert_eq!(seconds, [30, 10, 10]);
}

#[test]
fn a_limit_that_cannot_be_is_refused_before_anything_is_served() {
    let fine = Limits::default();
    assert!(fine.check().is_ok());
    for limits in [
        Limits {
            connections: usize::MAX,
            ..fine
        },
        Limits {
            header_time: Duration::ZERO,
            ..fine
        },
        Limits {
            answer_time: Duration::MAX,
            ..fine
        },
    ] {
        assert!(limits.check().is_err(), "{limits:?}");
        let built = Server::builder().limits(limits).build();
        assert!(built.is_err(), "{limits:?}");
    }
}

#[test]
fn there_are_no_more_connections_than_there_is_room_for() {
    let world = world(Limits {
        connections: 2,
        ..Limits::default()
    });
    let mut held: Vec<_> = (0..2).map(|_| connect(&world)).collect();
    for stream in &mut held {
        stream.write_all(KEY.as_bytes()).expect("sent");
        assert_eq!(status(stream), Some(200));
    }
    let mut further = connect(&world);
    further.write_all(KEY.as_bytes()).expect("sent");
    further.set_read_timeout(Some(MOMENT)).expect("a timeout");
    assert_eq!(status(&mut further), None, "there was no room");
    drop(held.pop());
    further.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    assert_eq!(status(&mut further), Some(200));
}

#[test]
fn a_head_has_a_length() {
    let world = world(Limits {
        header_bytes: 1024,
        ..Limits::default()
    });
    let with = |bytes| {
        let mut stream = connect(&world);
        let filler = "a".repeat(bytes);
        let head = KEY.replace("\r\n\r\n", &format!("\r\nX-Filler: {filler}\r\n\r\n"));
        stream.write_all(head.as_bytes()).expect("sent");
        status(&mut stream)
    };
    assert_eq!(with(512), Some(200));
    assert_eq!(with(1024), Some(431));
}

#[test]
fn a_body_has_a_length() {
    let world = world(Limits {
        body_bytes: 2048,
        ..Limits::default()
    });
    let target = "AWSCognitoIdentityProviderService.ListUserPools";
    let with = |bytes: usize| {
        let body = format!("{{\"MaxResults\":1}}{}", " ".repeat(bytes));
        let reply = world.client().post(&[("x-amz-target", target)], &body);
        reply.expect("answered").status
    };
    assert_eq!(with(1024), 200);
    assert_eq!(with(2048), 400);
}

#[test]
fn a_head_that_does_not_end_ends_the_connection() {
    let world = world(Limits {
        header_time: MOMENT,
        ..Limits::default()
    });
    let mut silent = connect(&world);
    let mut slow = connect(&world);
    slow.write_all(b"POST / HTTP/1.1\r\nHost:").expect("sent");
    let mut idle = connect(&world);
    idle.write_all(KEY.as_bytes()).expect("sent");
    assert_eq!(status(&mut idle), Some(200));
    for stream in [&mut silent, &mut slow, &mut idle] {
        assert!(is_ended(stream));
    }
}

#[test]
fn a_body_that_does_not_arrive_is_refused_and_its_connection_ended() {
    let world = world(Limits {
        body_time: MOMENT,
        ..Limits::default()
    });
    let mut stream = connect(&world);
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\n{")
        .expect("sent");
    assert_eq!(status(&mut stream), Some(400));
    assert!(is_ended(&mut stream));
}

#[test]
fn a_client_that_leaves_its_answers_unread_makes_room_for_others() {
    let world = world(Limits {
        connections: 1,
        answer_time: MOMENT,
        ..Limits::default()
    });
    let mut unread = connect(&world);
    unread.set_write_timeout(Some(MOMENT)).expect("a timeout");
    // Until the buffers of both sides are full.
    while unread.write_all(KEY.as_bytes()).is_ok() {}
    let mut other = connect(&world);
    other.write_all(KEY.as_bytes()).expect("sent");
    assert_eq!(status(&mut other), Some(200));
}
