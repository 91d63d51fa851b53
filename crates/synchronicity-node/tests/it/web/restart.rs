//! Pages of a real node: what they show is folded again from its disk.

use serde_json::Value;

use crate::nodes::Nodes;

async fn told(nodes: &Nodes, path: &str) -> Value {
    let (code, _, body) = nodes.get(0, path).await;
    assert_eq!(code, 200, "{path}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_pages_show_is_the_same_after_a_restart_and_the_paths_of_the_log_stay() {
    let mut nodes = Nodes::found(2);
    (0..2).for_each(|member| nodes.start(member, None));
    let submitted = nodes.submit(0).await;
    nodes.published(0, 1).await;
    let request = format!("/api/v1/requests/{}", submitted.request);
    let paths = [request.as_str(), "/api/v1/crates/plain-binary", "/api/v1/trends", "/api/v1/builders/builder-01"];
    let mut before = Vec::new();
    for path in paths {
        before.push(told(&nodes, path).await);
    }
    assert_eq!((&before[0]["verdict"], &before[0]["published"]), (&"reproduced".into(), &true.into()));
    // Submitted, two seals, the end of seals, two openings, the entry.
    let heights = before[0]["timeline"].as_array().unwrap().iter().filter(|line| line["height"].is_u64()).count();
    assert_eq!(heights, 7, "{:#}", before[0]["timeline"]);
    assert_eq!(before[0]["matrix"][0]["cells"].as_array().unwrap().len(), 2);
    let (code, head, page) = nodes.get(0, &format!("/requests/{}", submitted.request)).await;
    assert!(code == 200 && head.contains("content-security-policy"), "{head}");
    let page = String::from_utf8_lossy(&page).into_owned();
    assert!(page.contains("plain-binary 0.1.0"));
    // Those of the log, of the store and of attestations too.
    let links: Vec<&str> = page.split(" href=\"").skip(1).map(|part| part.split(['"', '#']).next().unwrap()).collect();
    for kind in ["/proof/index/0", "/policy", "/attestation/index/0/provenance", "/attestation/index/0/link"] {
        assert!(links.contains(&kind), "{kind}: {links:?}");
    }
    for link in links.iter().filter(|link| link.starts_with('/')) {
        assert_eq!(nodes.get(0, &link.replace("&amp;", "&")).await.0, 200, "{link}");
    }
    nodes.stop(0).await;
    nodes.start(0, None);
    nodes.published(0, 1).await;
    for (path, before) in paths.iter().zip(before) {
        let mut after = told(&nodes, path).await;
        // Whether it is connected, and what it tells of itself, is of the moment.
        if after["connected"].is_boolean() {
            for field in ["connected", "version", "runs"] {
                after[field] = before[field].clone();
            }
        }
        assert_eq!(after, before, "{path}");
    }
    let log =
        ["/checkpoint", "/tile/0/000.p/1", "/tile/entries/000.p/1", "/proof/index/0", "/policy", "/group", "/status"];
    for path in log {
        assert_eq!(nodes.get(0, path).await.0, 200, "{path}");
    }
    nodes.stop_all().await;
}
