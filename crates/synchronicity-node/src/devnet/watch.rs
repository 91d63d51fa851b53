//! What the nodes say of themselves: their status documents, asked for over HTTP, and how far each builder is.

use std::time::Duration;

use ureq::Agent;

use super::children::{Children, Node};
use super::event::Phase;
use crate::status::{Building, MemberStatus, RoundStatus, Stage, Status};

/// Asks nodes of this machine for their public documents.
pub(super) struct Watch {
    agent: Agent,
}

/// What each node answered, in the order of the nodes; `None` from a node that is down or too slow.
pub(super) struct Seen(pub(super) Vec<Option<Status>>);

/// Answers of loopback servers that share two cores with compilers.
const PATIENCE: Duration = Duration::from_secs(2);
/// Artifacts can be large; everything else is far below.
const BODY_BYTES_MAX: u64 = 4 << 30;

impl Watch {
    pub(super) fn new() -> Self {
        // No proxy: what HTTP_PROXY names cannot reach this machine's loopback.
        let config =
            Agent::config_builder().proxy(None).timeout_connect(Some(PATIENCE)).timeout_recv_response(Some(PATIENCE));
        Self { agent: config.build().into() }
    }

    /// The status of every running node.
    pub(super) fn look(&self, children: &Children) -> Seen {
        let one = |node: &Node| {
            node.pid()?;
            serde_json::from_slice(&self.get(node, "/status").ok()?).ok()
        };
        Seen(children.nodes.iter().map(one).collect())
    }

    /// A public document of one node.
    pub(super) fn get(&self, node: &Node, path: &str) -> Result<Vec<u8>, ureq::Error> {
        let mut response = self.agent.get(format!("http://{}{path}", node.http)).call()?;
        response.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_vec()
    }
}

impl Seen {
    /// The greatest height any node has.
    pub(super) fn height(&self) -> u64 {
        self.0.iter().flatten().map(|status| status.height).max().unwrap_or(0)
    }

    /// Whether every node answers and is connected to all others.
    pub(super) fn all_connected(&self) -> bool {
        let others = self.0.len() - 1;
        self.0.iter().all(|status| status.as_ref().is_some_and(|status| status.peers >= others))
    }

    /// How far `builder`, the node `index`, is with a request: its own word for the build, anybody's for what is
    /// ordered.
    pub(super) fn phase(&self, index: usize, builder: &str, request: &str) -> Phase {
        let member = self.members(builder, request).max_by_key(|member| (member.revealed, member.committed));
        match member {
            Some(member) if member.revealed => return Phase::Revealed,
            Some(member) if member.committed => return Phase::Committed,
            _ => {}
        }
        match &self.0[index] {
            None => Phase::Down,
            Some(status) => {
                let build = status.building.iter().find(|build| build.request == request);
                build.map_or(Phase::Waiting, |build| building(build, &status.health))
            }
        }
    }

    /// A request's round as each node that knows it sees it.
    pub(super) fn rounds(&self, request: &str) -> impl Iterator<Item = &RoundStatus> {
        self.0.iter().flatten().flat_map(|status| &status.rounds).filter(move |round| round.request == request)
    }

    fn members(&self, builder: &str, request: &str) -> impl Iterator<Item = &MemberStatus> {
        self.rounds(request).flat_map(|round| &round.members).filter(move |member| member.name == builder)
    }
}

fn building(build: &Building, health: &str) -> Phase {
    match build.stage {
        Stage::Waiting if health != "ok" => Phase::Broken { reason: health.to_owned() },
        Stage::Waiting => Phase::Waiting,
        Stage::Fetching => Phase::Fetching,
        Stage::Building => {
            Phase::Building { elapsed_ms: build.elapsed_ms, compiled: build.compiled.clone().unwrap_or_default() }
        }
        Stage::Done => Phase::Built,
    }
}
