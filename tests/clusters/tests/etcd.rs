//! Three members of etcd, cut off from each other and killed.

use core::error::Error;
use core::time::Duration;
use std::thread;

use softtoken::association::Events;
use softtoken::store::{Swap, Write};
use softtoken::{BlockingStore as _, Revision};
use softtoken_clusters::{Etcd, held, row};
use softtoken_faults::endure;

type Outcome = Result<(), Box<dyn Error>>;

const ENGINE: &str = "etcd, three members";

fn pause(seconds: u64) {
    thread::sleep(Duration::from_secs(seconds));
}

#[test]
#[ignore = "needs root, iproute2 and etcd: apt-get install etcd-server iproute2"]
fn nothing_acknowledged_is_lost_where_members_are_cut_off_and_the_leader_is_killed() -> Outcome {
    let mut etcd = Etcd::start();
    let store = etcd.store(0..3);
    let tally = endure(&store, || {
        pause(2);
        // The leader, whom clients still reach: the others elect another one.
        let old = etcd.leader();
        etcd.network().isolate(old);
        pause(6);
        etcd.network().rejoin(old);
        pause(2);
        let new = etcd.leader();
        // One link is cut: the third sees both.
        let follower = (new + 1) % 3;
        etcd.network().cut(new, follower);
        pause(4);
        etcd.network().heal(new, follower);
        // Nobody sees anybody.
        for (one, other) in [(0, 1), (1, 2), (0, 2)] {
            etcd.network().cut(one, other);
        }
        // Longer than a request waits for a majority.
        pause(12);
        for (one, other) in [(0, 1), (1, 2), (0, 2)] {
            etcd.network().heal(one, other);
        }
        pause(3);
        // The leader is killed while another member is cut off: no majority is left.
        let leader = etcd.leader();
        let apart = (leader + 1) % 3;
        etcd.network().isolate(apart);
        pause(1);
        etcd.kill(leader);
        pause(3);
        etcd.network().rejoin(apart);
        pause(2);
        etcd.restart(leader);
        pause(2);
    })?;
    assert!(tally.sign_ins > 0 && tally.enrolments > 24 && tally.failures > 0);
    assert!(tally.unknown > 0, "it was cut under load: {tally}");
    row(
        ENGINE,
        "linearizable reads (the default), partitions, leader killed",
        "one order of all reads and writes; a minority answers nothing",
        &held(&tally),
    );
    Ok(())
}

#[test]
#[ignore = "needs root, iproute2 and etcd: apt-get install etcd-server iproute2"]
fn a_member_that_is_cut_off_answers_no_load_and_a_serializable_read_of_it_is_stale() -> Outcome {
    let etcd = Etcd::start();
    let all = etcd.store(0..3);
    let write = |expected| {
        let write = Write::new("alice", expected, b"record".to_vec(), Events::default());
        write.expect("one of many")
    };
    assert_eq!(all.compare_and_swap_blocking(write(None))?, Swap::Stored);
    let apart = etcd.leader();
    // `softtoken/alice` in base64.
    let key = "c29mdHRva2VuL2FsaWNl";
    let before = etcd.read_alone(apart, key).ok_or("it answers")?;
    assert!(before["kvs"][0]["value"].is_string(), "{before}");
    etcd.network().isolate(apart);
    let others = etcd.store((0..3).filter(|member| *member != apart));
    let mut stored = false;
    for _ in 0..20 {
        let swap = others.compare_and_swap_blocking(write(Some(Revision::FIRST)));
        // Until they have elected another leader it is not known what became of one.
        stored = others
            .load_blocking("alice")
            .is_ok_and(|row| row.is_some_and(|row| row.revision != Revision::FIRST));
        if stored {
            break;
        }
        drop(swap);
        pause(1);
    }
    assert!(stored, "two of three go on");

    assert!(
        etcd.store([apart]).load_blocking("alice").is_err(),
        "a linearizable read needs the others"
    );
    let stale = etcd.read_alone(apart, key).ok_or("it answers")?;
    assert_eq!(
        stale["kvs"], before["kvs"],
        "and a serializable one does not"
    );
    row(
        ENGINE,
        "serializable reads, which no store may ask for",
        "whatever the asked member has",
        "stale: a member that was cut off answered with the row of before",
    );
    Ok(())
}
