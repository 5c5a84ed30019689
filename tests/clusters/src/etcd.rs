//! Three members of etcd.

use core::time::Duration;
use std::fs::File;
use std::process::Stdio;
use std::thread;

use serde_json::Value;
use softtoken_etcd::EtcdStore;
use softtoken_faults::Server;
use tempfile::TempDir;

use crate::Network;

const MEMBERS: u8 = 3;

/// A cluster, each member on a machine of its own.
#[derive(Debug)]
pub struct Etcd {
    members: Vec<Server>,
    network: Network,
    _folder: TempDir,
}

impl Etcd {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// Where a member does not start.
    #[must_use]
    pub fn start() -> Self {
        let network = Network::new(MEMBERS);
        let folder = tempfile::tempdir().expect("a folder");
        let peer = |member| format!("http://{}:2380", network.address(member));
        let cluster: Vec<_> = (0..MEMBERS)
            .map(|member| format!("member-{member}={}", peer(member)))
            .collect();
        let cluster = cluster.join(",");
        let start = |member| {
            let name = format!("member-{member}");
            let log = File::create(folder.path().join(format!("{name}.log"))).expect("a log");
            let (peer, client) = (peer(member), endpoint(&network, member));
            let mut etcd = network.command(member);
            etcd.args(["etcd", "--name", &name, "--data-dir"])
                .arg(folder.path().join(&name))
                .args(["--listen-client-urls", &client])
                .args(["--advertise-client-urls", &client])
                .args(["--listen-peer-urls", &peer])
                .args(["--initial-advertise-peer-urls", &peer])
                .args(["--initial-cluster", &cluster])
                .args(["--heartbeat-interval", "100", "--election-timeout", "1000"])
                .stdout(Stdio::null())
                .stderr(log);
            let healthy = format!("{client}/v3/kv/range");
            Server::start(etcd, move || ask(&healthy, r#"{"key":"AA=="}"#).is_some())
        };
        // At once: none of them answers before it knows a second one.
        let members = thread::scope(|scope| {
            let start = &start;
            let started: Vec<_> = (0..MEMBERS)
                .map(|member| scope.spawn(move || start(member)))
                .collect();
            let started = started.into_iter();
            started
                .map(|member| member.join().expect("no panic").expect("etcd starts"))
                .collect()
        });
        Self {
            members,
            network,
            _folder: folder,
        }
    }

    /// A store that asks these members.
    ///
    /// # Panics
    ///
    /// Where there are none.
    #[must_use]
    pub fn store(&self, members: impl IntoIterator<Item = u8>) -> EtcdStore {
        let members = members.into_iter();
        EtcdStore::new(members.map(|member| endpoint(&self.network, member))).expect("endpoints")
    }

    /// The machines.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The member that leads.
    ///
    /// # Panics
    ///
    /// Where none does within half a minute.
    #[must_use]
    pub fn leader(&self) -> u8 {
        for _ in 0..300 {
            let leads = |member: &u8| {
                let url = format!("{}/v3/maintenance/status", endpoint(&self.network, *member));
                let status = ask(&url, "{}");
                status.is_some_and(|status| status["leader"] == status["header"]["member_id"])
            };
            if let Some(leader) = (0..MEMBERS).find(leads) {
                return leader;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("no member leads");
    }

    /// Kills a member.
    ///
    /// # Panics
    ///
    /// Where it does not run.
    pub fn kill(&mut self, member: u8) {
        self.members[usize::from(member)].kill().expect("it runs");
    }

    /// Starts a member again that was killed, and waits until it answers.
    ///
    /// # Panics
    ///
    /// Where it does not.
    pub fn restart(&mut self, member: u8) {
        let restarted = self.members[usize::from(member)].restart();
        restarted.expect("it starts again");
    }

    /// What one member has of this key by itself, without asking the others whether it is late: a
    /// read that no store may make.
    #[must_use]
    pub fn read_alone(&self, member: u8, key: &str) -> Option<Value> {
        let url = format!("{}/v3/kv/range", endpoint(&self.network, member));
        let request = format!(r#"{{"key":"{key}","serializable":true}}"#);
        ask(&url, &request)
    }
}

fn endpoint(network: &Network, member: u8) -> String {
    format!("http://{}:2379", network.address(member))
}

fn ask(url: &str, request: &str) -> Option<Value> {
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(2)))
        .proxy(None)
        .build()
        .new_agent();
    let answer = agent.post(url).send(request).ok()?;
    answer.into_body().read_json().ok()
}
