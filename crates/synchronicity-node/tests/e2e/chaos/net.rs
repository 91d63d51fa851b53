//! A network of one namespace for each node: a link between each two, and one to here. Nothing is bridged or forwarded, so
//! that no firewall of the machine has a say in it.

use std::path::Path;
use std::process::{Command, Stdio, id};

use crate::quartet::Place;

/// Ports are free in a namespace of one's own.
const PORTS: [u16; 2] = [4800, 4801];

/// An address at which nobody is: frames to it leave, and are lost without a word.
const NOBODY: &str = "02:00:00:00:00:01";

/// What links are like all the time, where the kernel has netem.
const WEATHER: &str = "delay 15ms 5ms loss 1%";

/// The same without the delay, where it has not: what arrives at a node over its links is dropped by chance.
const LOSS: &str = "-A INPUT -i to-+ -m statistic --mode random --probability 0.02 -j DROP";

pub(crate) struct Net {
    subnet: String,
}

impl Net {
    /// Makes the network, which is gone with the returned value.
    ///
    /// # Errors
    /// Why this machine has none.
    pub(crate) fn build() -> Result<Self, String> {
        sweep();
        let net = Self { subnet: format!("10.231.{}", id() % 250) };
        let here = net.address(253);
        for node in 0..4 {
            let (name, address) = (name(node), net.address(node));
            ip(&format!("netns add {name}"))?;
            ip(&format!("-n {name} link set lo up"))?;
            ip(&format!("-n {name} addr add {address}/32 dev lo"))?;
            ip(&format!("link add {name} type veth peer name host netns {name}"))?;
            ip(&format!("addr add {here}/32 dev {name}"))?;
            ip(&format!("link set {name} up"))?;
            ip(&format!("-n {name} link set host up"))?;
            ip(&format!("route add {address}/32 dev {name} src {here}"))?;
            ip(&format!("-n {name} route add {here}/32 dev host src {address}"))?;
        }
        for (one, other) in (0..4).flat_map(|one| (0..one).map(move |other| (one, other))) {
            ip(&format!("-n {} link add to-{other} type veth peer name to-{one} netns {}", name(one), name(other)))?;
            for (from, to) in [(one, other), (other, one)] {
                let (space, target) = (name(from), net.address(to));
                ip(&format!("-n {space} link set to-{to} up"))?;
                ip(&format!("-n {space} route add {target}/32 dev to-{to} src {}", net.address(from)))?;
            }
        }
        Ok(net)
    }

    pub(crate) fn places(&self) -> [Place; 4] {
        [0, 1, 2, 3].map(|node| Place {
            host: self.address(node),
            ports: PORTS,
            within: vec!["nsenter".to_owned(), format!("--net=/run/netns/{}", name(node))],
        })
    }

    /// The address of this process, as the nodes see it.
    pub(crate) fn here(&self) -> String {
        self.address(253)
    }

    /// Has every link lose some of what it carries, and delay it where the kernel can; tells what was done.
    ///
    /// # Errors
    /// The kernel can do neither.
    pub(crate) fn weather(&self) -> Result<String, String> {
        let pairs = (0..4).flat_map(|from| (0..4).map(move |to| (from, to))).filter(|(from, to)| from != to);
        let netem = |(from, to)| run("tc", &format!("-n {} qdisc add dev to-{to} root netem {WEATHER}", name(from)));
        let Err(why) = pairs.map(netem).collect::<Result<Vec<_>, _>>() else { return Ok(WEATHER.to_owned()) };
        for node in 0..4 {
            ip(&format!("netns exec {} iptables {LOSS}", name(node)))?;
        }
        Ok(format!("loss 2%, and no delay: {why}"))
    }

    /// From now on nothing that `from` sends reaches `to`.
    pub(crate) fn cut(&self, from: usize, to: usize) {
        let target = self.address(to);
        ip(&format!("-n {} neigh replace {target} lladdr {NOBODY} dev to-{to} nud permanent", name(from))).unwrap();
    }

    pub(crate) fn mend(&self, from: usize, to: usize) {
        ip(&format!("-n {} neigh del {} dev to-{to}", name(from), self.address(to))).unwrap();
    }

    fn address(&self, node: usize) -> String {
        format!("{}.{}", self.subnet, node + 1)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for node in 0..4 {
            let _ = ip(&format!("netns del {}", name(node)));
        }
    }
}

/// Of a namespace, and of the link to it.
fn name(node: usize) -> String {
    format!("chaos{}-{node}", id())
}

/// Removes what runs that were killed have left behind.
fn sweep() {
    let Ok(names) = std::fs::read_dir("/run/netns") else { return };
    for name in names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        let of = name.strip_prefix("chaos").and_then(|rest| Some(rest.split_once('-')?.0));
        if of.is_some_and(|pid| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists()) {
            let _ = ip(&format!("netns del {name}"));
        }
    }
}

fn ip(words: &str) -> Result<(), String> {
    run("ip", words)
}

fn run(program: &str, words: &str) -> Result<(), String> {
    let output = Command::new(program).args(words.split(' ')).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{program} {words}: {}", said.trim())) }
}
