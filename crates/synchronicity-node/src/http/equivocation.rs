//! Proofs that members signed contradictory votes.

use axum::body::Body;
use axum::extract::{Path, State as Shared};
use axum::http::{Response, StatusCode};
use synchronicity_verify::digest::Digest;

use super::Site;
use super::answer::{JSON, Keep, TEXT, compressible, kept, known_by, missing, whole};
use crate::offences::Accusation;

/// Which there are: ids, each with the member's name and the identity of the group in which it voted.
pub(super) async fn list(Shared(site): Shared<Site>) -> Response<Body> {
    let told = |Accusation { id, member, group }: Accusation| {
        let [id, group] = [id, group].map(|digest| digest.to_string());
        serde_json::json!({ "id": id, "member": member, "group": group })
    };
    let told: serde_json::Value = site.offences.proofs().into_iter().map(told).collect();
    let mut response = compressible(whole(StatusCode::OK, JSON, told.to_string()));
    kept(&mut response, Keep::Shortly);
    response
}

pub(super) async fn proof(Shared(site): Shared<Site>, Path(id): Path<String>) -> Response<Body> {
    let Ok(id) = id.parse::<Digest>() else { return missing("the id of a proof is 64 lower-case hex digits") };
    let offences = site.offences;
    // It is read from disk.
    match tokio::task::spawn_blocking(move || offences.proof(&id)).await {
        Ok(Some(proof)) => known_by(whole(StatusCode::OK, TEXT, proof), &id.to_string(), Keep::Forever),
        Ok(None) => missing("this node has no such proof of equivocation"),
        Err(error) => whole(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
    }
}
