//! An etcd cluster of one's own: three members on loopback, in a temporary folder, ended with it.

use core::time::Duration;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;
use softtoken_etcd::EtcdStore;
use softtoken_faults::{Server, free_port};
use tempfile::TempDir;

const MEMBERS: usize = 3;

pub(crate) struct Engine {
    #[allow(dead_code, reason = "the benchmark kills nobody")]
    pub(crate) members: Vec<Server>,
    pub(crate) endpoints: Vec<String>,
    _folder: TempDir,
}

impl Engine {
    pub(crate) fn start() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let installed = std::env::split_paths(&path).any(|folder| folder.join("etcd").is_file());
        assert!(
            installed,
            "etcd is not installed: apt-get install etcd-server"
        );

        // Where builds go, which is a disk also where the temporary folder is memory.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let url = |_member| format!("http://127.0.0.1:{}", free_port());
        let peers: Vec<_> = (0..MEMBERS).map(url).collect();
        let endpoints: Vec<_> = (0..MEMBERS).map(url).collect();
        let cluster: Vec<_> = (0..MEMBERS)
            .map(|member| format!("member-{member}={}", peers[member]))
            .collect();
        let cluster = cluster.join(",");
        // At once: none of them answers before it knows a second one.
        let members = thread::scope(|scope| {
            let started: Vec<_> = (0..MEMBERS)
                .map(|member| {
                    let etcd = command(
                        folder.path(),
                        member,
                        &endpoints[member],
                        &peers[member],
                        &cluster,
                    );
                    let endpoint = endpoints[member].clone();
                    let answers = move || healthy(&endpoint);
                    scope.spawn(|| Server::start(etcd, answers).expect("it starts"))
                })
                .collect();
            let started = started.into_iter();
            started
                .map(|member| member.join().expect("it starts"))
                .collect()
        });
        Self {
            members,
            endpoints,
            _folder: folder,
        }
    }

    /// Connections of its own.
    pub(crate) fn store(&self) -> EtcdStore {
        EtcdStore::new(self.endpoints.iter().map(String::as_str)).expect("endpoints")
    }

    /// The member that leads, as far as the others know.
    #[allow(dead_code, reason = "the benchmark kills nobody")]
    pub(crate) fn leader(&self) -> Option<usize> {
        self.endpoints.iter().position(|endpoint| {
            let status = ask(&format!("{endpoint}/v3/maintenance/status"), "{}");
            status.is_some_and(|status| status["leader"] == status["header"]["member_id"])
        })
    }
}

fn command(folder: &Path, member: usize, endpoint: &str, peer: &str, cluster: &str) -> Command {
    let name = format!("member-{member}");
    let log = File::create(folder.join(format!("{name}.log"))).expect("a log");
    let mut etcd = Command::new("etcd");
    etcd.args(["--name", &name, "--data-dir"])
        .arg(folder.join(&name))
        .args([
            "--listen-client-urls",
            endpoint,
            "--advertise-client-urls",
            endpoint,
        ])
        .args([
            "--listen-peer-urls",
            peer,
            "--initial-advertise-peer-urls",
            peer,
        ])
        .args([
            "--initial-cluster",
            cluster,
            "--initial-cluster-state",
            "new",
        ])
        // For a million subjects.
        .args(["--quota-backend-bytes", "8589934592"])
        .stdout(Stdio::null())
        .stderr(log);
    etcd
}

/// Whether it has a leader, and a majority.
fn healthy(endpoint: &str) -> bool {
    ask(&format!("{endpoint}/v3/kv/range"), r#"{"key":"AA=="}"#).is_some()
}

pub(crate) fn ask(url: &str, request: &str) -> Option<Value> {
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(2)))
        .build()
        .new_agent();
    let answer = agent.post(url).send(request).ok()?;
    answer.into_body().read_json().ok()
}
