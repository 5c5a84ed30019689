//! Machines that are network namespaces, on one bridge, whose links can be cut.

use core::fmt;
use core::net::Ipv4Addr;
use core::sync::atomic::{AtomicU8, Ordering};
use std::process::{self, Command};

/// Counts the networks of this process, so that no two have one address.
static NETWORKS: AtomicU8 = AtomicU8::new(0);

/// Some machines and the one of the test, which reaches all of them at any time. Needs root and
/// `ip`; removed when dropped.
pub struct Network {
    number: u8,
    machines: u8,
}

impl Network {
    /// Makes so many machines, at the addresses 1, 2, .. of their network.
    ///
    /// # Panics
    ///
    /// Where network namespaces cannot be made: what was to be shown is not shown then.
    #[must_use]
    pub fn new(machines: u8) -> Self {
        // A second process on the same machine takes other addresses, as a rule.
        let number = NETWORKS.fetch_add(1, Ordering::Relaxed);
        let number = number.wrapping_add(process::id().to_le_bytes()[0]);
        let network = Self { number, machines };
        let bridge = network.bridge();
        let address = format!("{}/24", network.address(253));
        ip(&["link", "add", &bridge, "type", "bridge"]);
        ip(&["addr", "add", &address, "dev", &bridge]);
        ip(&["link", "set", &bridge, "up"]);
        for machine in 0..machines {
            let (space, outside) = (network.space(machine), format!("{bridge}-{machine}"));
            let address = format!("{}/24", network.address(machine));
            ip(&["netns", "add", &space]);
            ip(&[
                "link", "add", &outside, "type", "veth", "peer", "name", "eth0", "netns", &space,
            ]);
            ip(&["link", "set", &outside, "master", &bridge, "up"]);
            ip(&["-n", &space, "addr", "add", &address, "dev", "eth0"]);
            ip(&["-n", &space, "link", "set", "eth0", "up"]);
            ip(&["-n", &space, "link", "set", "lo", "up"]);
        }
        network
    }

    /// The address of a machine.
    #[must_use]
    pub fn address(&self, machine: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.number, machine + 1)
    }

    /// The address that a failover moves, so that nobody has to know who serves.
    #[must_use]
    pub fn service(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.number, 200)
    }

    /// Moves [`service`](Self::service) to this machine, away from every other one.
    pub fn let_serve(&self, machine: u8) {
        let address = format!("{}/24", self.service());
        for other in self.others(machine) {
            // Most of them do not have it.
            let space = self.space(other);
            let _ = try_ip(&["-n", &space, "addr", "del", &address, "dev", "eth0"]);
        }
        let space = self.space(machine);
        ip(&["-n", &space, "addr", "add", &address, "dev", "eth0"]);
        // The test's machine may still know it of the one before.
        ip(&["neigh", "flush", "dev", &self.bridge()]);
    }

    /// Runs a program on a machine, under its own process id.
    #[must_use]
    pub fn command(&self, machine: u8) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.space(machine)]);
        command
    }

    /// Lets nothing through between two machines, in either direction. The test reaches both.
    pub fn cut(&self, one: u8, other: u8) {
        self.routes("add", one, other);
    }

    /// Lets everything through again.
    pub fn heal(&self, one: u8, other: u8) {
        self.routes("del", one, other);
    }

    /// Cuts a machine off from all others but the test's.
    pub fn isolate(&self, machine: u8) {
        self.others(machine)
            .for_each(|other| self.cut(machine, other));
    }

    /// Connects it again.
    pub fn rejoin(&self, machine: u8) {
        self.others(machine)
            .for_each(|other| self.heal(machine, other));
    }

    fn others(&self, machine: u8) -> impl Iterator<Item = u8> {
        (0..self.machines).filter(move |other| *other != machine)
    }

    fn routes(&self, verb: &str, one: u8, other: u8) {
        for (here, there) in [(one, other), (other, one)] {
            let to = format!("{}/32", self.address(there));
            ip(&["-n", &self.space(here), "route", verb, "blackhole", &to]);
        }
    }

    fn bridge(&self) -> String {
        format!("softtoken{}", self.number)
    }

    fn space(&self, machine: u8) -> String {
        format!("softtoken{}-{machine}", self.number)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Network")
            .field(&self.bridge())
            .finish()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for machine in 0..self.machines {
            let _ = try_ip(&["netns", "del", &self.space(machine)]);
        }
        let _ = try_ip(&["link", "del", &self.bridge()]);
    }
}

fn ip(arguments: &[&str]) {
    if let Err(said) = try_ip(arguments) {
        panic!(
            "ip {}: {said} (network namespaces need root, and the package iproute2)",
            arguments.join(" ")
        );
    }
}

fn try_ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).output();
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}
