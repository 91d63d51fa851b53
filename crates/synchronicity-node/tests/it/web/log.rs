//! The page of the log: who signed its checkpoint, how fresh that is, and where the files are.

use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::cosignature;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{self, KeyKind, SignedNote, Signer};
use synchronicity_web::model::Moment;

use super::stage::{BEGIN_MS, Stage, built, json, page};
use crate::nodes::Nodes;
use crate::world::{World, request};

/// A checkpoint of two entries, cosigned by the first builders at these seconds of 1970.
fn cosigned(world: &World, times: &[u64]) -> SignedNote {
    let origin = world.group.origin().to_owned();
    let text = Checkpoint { origin, size: 2, root: Digest::of(b"root") }.to_string();
    let mut signatures = vec![note::sign(&world.log_signer(), &text).unwrap()];
    for (member, time_s) in world.group.members().iter().zip(times) {
        let signer = world.keys.iter().find_map(|keys| {
            let signer = Signer::from_seed(member.cosigner.name(), KeyKind::Cosigner, keys.cosigner.expose()).unwrap();
            (*signer.verifier_key() == member.cosigner).then_some(signer)
        });
        signatures.push(cosignature::cosign(&signer.unwrap(), &text, *time_s).unwrap());
    }
    SignedNote { text, signatures }
}

/// Two entries, six blocks: the newest is six seconds old.
fn two_entries() -> Stage {
    let mut stage = Stage::of(4);
    for number in [0, 1] {
        stage.conclude(&request(number), &vec![built("hexyl", b"the same"); 4]);
    }
    stage
}

/// What stands behind a name in the list of facts.
fn fact<'a>(shown: &'a str, name: &str) -> &'a str {
    shown.split(&format!("<dt>{name}</dt><dd>")).nth(1).unwrap().split("</dd>").next().unwrap()
}

#[tokio::test]
async fn the_page_of_the_log_names_who_signed_and_when_and_how_fresh_that_makes_it() {
    let stage = two_entries();
    // By their own clocks. Three are a quorum, and the oldest of the newest three says how fresh the checkpoint is.
    let newest_s = BEGIN_MS / 1000 + 6;
    let times = [newest_s - 300, newest_s - 5, newest_s - 65, newest_s - 4_000];
    stage.publish(cosigned(&stage.world, &times));
    let routes = stage.routes();
    let (_, shown) = page(&routes, "/log").await;
    let signed = fact(&shown, "Signed by");
    for (member, time_s) in stage.world.group.members().iter().zip(times) {
        let time = Moment(time_s * 1000);
        let line = format!("<li>{} at <time datetime=\"{}\">{time}</time></li>", member.cosigner.name(), time.iso());
        assert!(signed.contains(&line), "{line}: {signed}");
    }
    assert!(signed.matches("<li>").count() == 4 && signed.ends_with("3 are needed."), "{signed}");
    let vouched = Moment((newest_s - 300) * 1000);
    assert_eq!(
        fact(&shown, "Fresh as of"),
        format!("<time datetime=\"{}\">{vouched}</time>: 5 min 0 s before the newest block", vouched.iso())
    );
    assert_eq!(fact(&shown, "Entries"), "2, of which 2 are published");
    assert_eq!(fact(&shown, "Root"), format!("<code class=\"hash\">{}</code>", Digest::of(b"root")));
    for file in ["/checkpoint", "/bundle", "/tile/0/000.p/2", "/tile/entries/000.p/2"] {
        assert!(shown.contains(&format!("<a href=\"{file}\">")), "{file}: {shown}");
    }
    let (_, told) = json(&routes, "/api/v1/log").await;
    assert_eq!((&told["quorum"], &told["vouched"]), (&3.into(), &vouched.0.into()));
    assert_eq!(told["cosigners"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_checkpoint_that_too_few_have_signed_is_called_fresh_as_of_no_time() {
    let stage = two_entries();
    stage.publish(cosigned(&stage.world, &[BEGIN_MS / 1000; 2]));
    let (_, shown) = page(&stage.routes(), "/log").await;
    assert_eq!(fact(&shown, "Signed by").matches("<li>").count(), 2);
    assert_eq!(fact(&shown, "Fresh as of"), "no quorum has signed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_file_that_the_page_of_the_log_of_a_node_links_to_is_there() {
    let mut nodes = Nodes::found(1);
    nodes.start(0, None);
    nodes.submit(0).await;
    nodes.published(0, 1).await;
    let text = async |path: &str| {
        let (code, _, body) = nodes.get(0, path).await;
        (code, String::from_utf8_lossy(&body).into_owned())
    };
    let (_, shown) = text("/log").await;
    let files: Vec<&str> = shown.split(" href=\"/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let tiles = files.iter().filter(|file| file.starts_with("tile/")).count();
    assert!(tiles >= 2 && files.contains(&"checkpoint") && files.contains(&"proof/index/0"), "{files:?}");
    for file in files {
        assert_eq!(text(&format!("/{}", file.replace("&amp;", "&"))).await.0, 200, "{file}");
    }
    // What is quoted is what is served.
    let quoted = shown.split("<pre tabindex=\"0\">").nth(1).unwrap().split("</pre>").next().unwrap();
    assert_eq!(quoted, text("/checkpoint").await.1);
    assert!(shown.contains(&format!("<li>{} at <time", nodes.world.group.members()[0].cosigner.name())), "{shown}");
    nodes.stop_all().await;
}
