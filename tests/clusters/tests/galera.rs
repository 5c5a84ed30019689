//! Three nodes of MariaDB Galera that are all written to, one cut off and one killed.

use core::error::Error;
use core::time::Duration;
use std::thread;

use softtoken::association::{Events, ImportedToken, StepUp};
use softtoken::mfa::Request;
use softtoken::store::{Store as _, Swap, Write};
use softtoken::totp::{Secret, Totp, Verifier};
use softtoken::{Administrator, Error as MfaError, Grant, Mfa, OsEntropy, Policy, UnixTime};
use softtoken_clusters::{Causality, Galera, held, row};
use softtoken_faults::endure;
use softtoken_sqlx::SqlxStoreError;
use tokio::task::JoinSet;

type Outcome = Result<(), Box<dyn Error>>;

const ENGINE: &str = "MariaDB Galera, three nodes, all of them written to";
const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

#[test]
#[ignore = "needs root, iproute2 and Galera: apt-get install mariadb-server galera-4 rsync iproute2"]
fn what_one_node_has_acknowledged_survives_a_cut_and_a_kill() -> Outcome {
    let mut galera = Galera::start();
    let store = galera.store(Causality::Waited);
    let tally = endure(&store, || {
        thread::sleep(Duration::from_secs(3));
        galera.network().isolate(2);
        thread::sleep(Duration::from_secs(10));
        galera.network().rejoin(2);
        galera.wait_for(2);
        thread::sleep(Duration::from_secs(3));
        galera.kill(0);
        thread::sleep(Duration::from_secs(6));
    })?;
    assert!(tally.sign_ins > 0 && tally.enrolments > 24 && tally.failures > 0);
    assert!(tally.unknown > 0, "it was killed under load: {tally}");
    row(
        &format!("{ENGINE}, one cut off, another one killed"),
        "`wsrep_sync_wait = 1` on each connection",
        "a commit is certified in one order of all; a read waits for what was committed before it; a minority answers nothing",
        &held(&tally),
    );
    Ok(())
}

/// Somebody with a token, and a code of it.
struct Login {
    mfa: Mfa,
    phone: Verifier,
}

impl Login {
    async fn enrolled(store: &softtoken_sqlx::MySqlStore) -> Result<Self, Box<dyn Error>> {
        let secret = Secret::from_bytes(&[7; 20])?;
        let mfa = Mfa::new(Policy::STANDARD, || Some(NOW), OsEntropy);
        let token = ImportedToken::proven(secret.clone(), Totp::STANDARD);
        let token = token.last_step(Totp::STANDARD.step(NOW).saturating_offset(-2));
        let import = mfa.import(&Administrator::named("tests"), [token]);
        import.run(store, "alice").await?;
        let phone = Verifier::new(&secret, Totp::STANDARD);
        Ok(Self { mfa, phone })
    }

    fn request(&self) -> Request<StepUp> {
        let code = self.phone.code(Totp::STANDARD.step(NOW));
        self.mfa.step_up(&Grant::first_factor("alice", NOW), code)
    }
}

#[test]
#[ignore = "needs root, iproute2 and Galera: apt-get install mariadb-server galera-4 rsync iproute2"]
fn of_writes_to_one_row_on_several_nodes_one_is_stored_and_the_others_conflict() -> Outcome {
    let galera = Galera::start();
    let nodes = [0, 1, 2].map(|node| galera.node(node, Causality::Waited));
    galera.runtime().block_on(async {
        let mut expected = None;
        for _ in 0..32 {
            let write = Write::new("bob", expected, b"record".to_vec(), Events::default());
            let write = write.ok_or("there is a next one")?;
            let mut swaps = JoinSet::new();
            for number in 0..24 {
                let (store, write) = (nodes[number % 3].clone(), write.clone());
                swaps.spawn(async move { store.compare_and_swap(write).await });
            }
            let mut stored = 0;
            for swap in swaps.join_all().await {
                match swap {
                    Ok(Swap::Stored) => stored += 1,
                    Ok(Swap::Conflict) => {}
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(stored, 1);
            expected = Some(write.next());
        }

        // A lock is one node's: both accept the code, and one commit is not certified.
        let login = Login::enrolled(&nodes[0]).await?;
        let first = nodes[0].begin("alice", login.request()).await?;
        let second = nodes[1].begin("alice", login.request()).await?;
        let _evidence = first.commit().await?;
        let refused = second.commit().await.expect_err("the code is spent");
        let is_conflict = matches!(refused, MfaError::Store(SqlxStoreError::Conflict(_)));
        assert!(is_conflict, "{refused:?}");
        let again = nodes[1].begin("alice", login.request()).await;
        assert!(again.expect_err("the code is spent").rejection().is_some());
        Ok::<_, Box<dyn Error>>(())
    })?;
    row(
        &format!("{ENGINE} at once"),
        "the same",
        "of commits that write one row the first one is certified",
        "held: 32 times one of 24 swaps stored, 23 conflicts; of two logins by one code one committed, the other a conflict",
    );
    Ok(())
}

#[test]
#[ignore = "needs root, iproute2 and Galera: apt-get install mariadb-server galera-4 rsync iproute2"]
fn a_node_that_does_not_wait_answers_loads_as_things_were() -> Outcome {
    let galera = Galera::start();
    let writer = galera.node(0, Causality::Waited);
    let [stale, waiting] = [Causality::Unwaited, Causality::Waited].map(|c| galera.node(1, c));
    galera.runtime().block_on(async {
        assert_eq!(waiting.load("alice").await?, None);
        // The node applies nothing any more, as under a long statement.
        let mut held = stale.pool().acquire().await?;
        let lock = sqlx::raw_sql("FLUSH TABLES WITH READ LOCK");
        lock.execute(&mut *held).await?;
        let first = Write::new("alice", None, b"record".to_vec(), Events::default());
        let swap = writer.compare_and_swap(first.ok_or("there is a first")?);
        assert_eq!(swap.await?, Swap::Stored);
        assert_eq!(stale.load("alice").await?, None);
        let waits = waiting.clone().answer_timeout(Duration::from_secs(1));
        let waited = waits.load("alice").await;
        assert!(
            matches!(waited, Err(SqlxStoreError::TimedOut)),
            "{waited:?}"
        );
        sqlx::raw_sql("UNLOCK TABLES").execute(&mut *held).await?;
        assert!(waiting.load("alice").await?.is_some());
        Ok::<_, Box<dyn Error>>(())
    })?;
    row(
        "MariaDB Galera, a node that is behind",
        "`wsrep_sync_wait = 0` (the default)",
        "nothing about reads",
        "stale: the row of before. With 1 the load waited",
    );
    Ok(())
}
