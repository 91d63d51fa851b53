//! The page of a crate: what it tells its readers to type, and to put into a README.

use axum::http::StatusCode;
use synchronicity_verify::result::{BuildResult, Failure};

use super::stage::{Stage, ask, body, built, header, page};
use crate::world::request;

/// The lines of the commands or the snippet in a section.
fn quoted(shown: &str, section: &str) -> Vec<String> {
    let section = shown.split(&format!("<section aria-labelledby=\"{section}\">")).nth(1).unwrap();
    let text = section.split("<pre tabindex=\"0\"><code>").nth(1).unwrap().split("</code></pre>").next().unwrap();
    assert!(!text.contains(['<', '&']), "markup in what is to be copied: {text}");
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn commands_on_the_page_of_a_crate_name_it_and_its_newest_version_that_was_reproduced() {
    let mut stage = Stage::of(4);
    stage.conclude(&request(2), &vec![built("hexyl", b"the same"); 4]);
    stage.conclude(&request(9), &vec![built("hexyl", b"the same"); 4]);
    // Newer, and nothing that could be proved of it.
    stage.conclude(&request(10), &vec![BuildResult::Failed(Failure::Compile); 4]);
    let (_, shown) = page(&stage.routes(), "/crates/hexyl").await;
    assert_eq!(
        quoted(&shown, "yourself"),
        [
            "synchronicity prove hexyl@0.9.0 --node https://node.example --policy policy.txt",
            "synchronicity verify hexyl-0.9.0.tlog-proof FILE --policy policy.txt",
        ]
    );
    assert!(shown.contains("<a href=\"/proof/hexyl/0.9.0\">download the proof</a>"), "{shown}");
    let (_, shown) = page(&stage.routes(), "/crates/hexyl/0.10.0").await;
    assert!(!shown.contains("Verify it yourself"), "there is no proof of it: {shown}");
}

#[tokio::test]
async fn the_snippet_for_a_readme_is_an_image_in_a_link_and_both_addresses_answer() {
    let mut stage = Stage::of(4);
    stage.conclude(&request(9), &vec![built("hexyl", b"the same"); 4]);
    stage.conclude(&request(3), &vec![built("hexyl", b"the same"); 4]);
    let routes = stage.routes();
    let (_, shown) = page(&routes, "/crates/hexyl").await;
    let lines = quoted(&shown, "badges");
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    // [![TEXT](IMAGE)](LINK), as CommonMark has it: without spaces, and without brackets within.
    let inner = line.strip_prefix("[![").and_then(|rest| rest.strip_suffix(')')).unwrap();
    let (text, rest) = inner.split_once("](").unwrap();
    let (image, link) = rest.split_once(")](").unwrap();
    for part in [text, image, link] {
        assert!(!part.is_empty() && !part.contains(['[', ']', '(', ')', '<', '>', ' ']), "{line}");
    }
    assert_eq!((image, link), ("https://node.example/badge/hexyl/0.9.0", "https://node.example/crates/hexyl"));
    let here = |address: &str| address.strip_prefix("https://node.example").unwrap().to_owned();
    let picture = ask(&routes, &here(image), &[]).await;
    assert_eq!((picture.status(), header(&picture, "content-type")), (StatusCode::OK, "image/svg+xml"));
    assert!(body(picture).await.contains("rebuilt: reproduced 4/4"));
    let (code, of_crate) = page(&routes, &here(link)).await;
    assert!(code == StatusCode::OK && of_crate.contains("<h1>hexyl</h1>"), "{of_crate}");
}
