//! The node's own server, routes and templates over a group that is played: for what real builds and members never bring about, or
//! take too long to.

use std::net::Ipv4Addr;

use synchronicity_node::http::{Served, serve};
use tokio::runtime::Runtime;

use super::stage::Stage;

/// Where it is served, as long as the runtime lives.
pub(super) fn served(runtime: &Runtime, stage: &Stage) -> String {
    let served = runtime.block_on(Served::bind((Ipv4Addr::LOCALHOST, 0).into())).unwrap();
    let url = format!("http://{}", served.address);
    runtime.spawn(serve(served, stage.routes(), std::future::pending()));
    url
}
