//! A log folder over HTTP, without a group behind it: what clients, caches and scripts of other sites are told.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use synchronicity_node::durable::Synced;
use synchronicity_node::http::log::{self, LogSite};
use synchronicity_node::http::public;
use synchronicity_node::log_reader::{LogReader, Patience, ReadError};
use synchronicity_node::publish::PublishedLog;
use synchronicity_verify::merkle::{leaf_hash, verify_consistency, verify_inclusion};
use synchronicity_verify::proof::Proof;
use tokio::sync::watch;
use tower::ServiceExt;

use crate::publish::{entry, note_of, root};
use crate::world::World;

const SIZE: u64 = 700;

fn published(folder: &Path) -> World {
    let world = World::of(4);
    let mut log = PublishedLog::open(folder, Synced).unwrap();
    for size in [300, SIZE] {
        let first = log.tip().size();
        log.append(first, &(first..size).map(entry).collect::<Vec<_>>()).unwrap();
        log.publish(note_of(&world, size)).unwrap();
    }
    world
}

fn routes(folder: &Path, world: &World) -> Router {
    let (_, note) = watch::channel(Some(Arc::new(note_of(world, SIZE))));
    let find = |name: &str, version: &str, _| (name == "index" && version == "1.0.0").then_some(7);
    public(log::router(LogSite::new(LogReader::new(folder), note, Arc::new(find), Arc::new(|_| None))))
}

async fn ask(routes: &Router, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    routes.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn each_kind_of_file_says_what_it_is_and_how_long_it_keeps() {
    let dir = tempfile::tempdir().unwrap();
    let routes = routes(dir.path(), &published(dir.path()));
    let forever = "public, max-age=31536000, immutable";
    for (path, kind, keep) in [
        ("/checkpoint", "text/plain; charset=utf-8", "public, max-age=5"),
        ("/tile/0/000", "application/octet-stream", forever),
        ("/tile/0/002.p/188", "application/octet-stream", forever),
        ("/tile/entries/000", "application/octet-stream", forever),
        ("/proof/index/3", "text/plain; charset=utf-8", "public, max-age=5"),
    ] {
        let response = ask(&routes, path, &[]).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!((header(&response, "content-type"), header(&response, "cache-control")), (kind, keep), "{path}");
        assert_eq!(header(&response, "access-control-allow-origin"), "*", "{path}");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff", "{path}");
        let tag = header(&response, "etag").to_owned();
        assert!(tag.starts_with('"') && tag.len() > 10, "{path}: {tag}");
        assert_eq!(header(&response, "content-encoding"), "", "{path}");
        for known in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
            let again = ask(&routes, path, &[("if-none-match", &known)]).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path} {known}");
            assert_eq!((header(&again, "etag"), header(&again, "cache-control")), (tag.as_str(), keep), "{path}");
            assert!(to_bytes(again.into_body(), 9).await.unwrap().is_empty());
        }
        let other = ask(&routes, path, &[("if-none-match", "\"other\"")]).await;
        assert_eq!(other.status(), StatusCode::OK, "{path}");
    }
    assert_eq!(ask(&routes, "/tile/0/003", &[]).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(ask(&routes, "/tile/0/../checkpoint", &[]).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(ask(&routes, "/proof/index/700", &[]).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(ask(&routes, "/nothing", &[]).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_gains_from_it_is_compressed_for_whoever_asks_and_has_another_tag_then() {
    let dir = tempfile::tempdir().unwrap();
    let routes = routes(dir.path(), &published(dir.path()));
    let gzip = [("accept-encoding", "gzip")];
    for (path, compressed) in
        [("/tile/entries/000", true), ("/proof/index/3", true), ("/checkpoint", true), ("/tile/0/000", false)]
    {
        let plain = ask(&routes, path, &[]).await;
        let tag = header(&plain, "etag").to_owned();
        let small = ask(&routes, path, &gzip).await;
        assert_eq!(header(&small, "content-encoding") == "gzip", compressed, "{path}");
        for form in [&plain, &small] {
            let vary: Vec<_> = form.headers().get_all("vary").iter().collect();
            assert_eq!(vary, vec!["accept-encoding"; usize::from(compressed)], "{path}");
        }
        assert_eq!(header(&small, "etag") != tag, compressed, "{path}");
        let known = header(&small, "etag").to_owned();
        let again = ask(&routes, path, &[gzip[0], ("if-none-match", &known)]).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
        let plain = to_bytes(plain.into_body(), 1 << 20).await.unwrap();
        let small = to_bytes(small.into_body(), 1 << 20).await.unwrap();
        assert_eq!(small.starts_with(&[0x1f, 0x8b]), compressed, "{path}");
        assert!(path != "/tile/entries/000" || small.len() * 2 < plain.len(), "{} of {}", small.len(), plain.len());
    }
}

#[tokio::test]
async fn the_head_of_an_answer_is_that_of_the_answer() {
    let dir = tempfile::tempdir().unwrap();
    let routes = routes(dir.path(), &published(dir.path()));
    for path in ["/checkpoint", "/tile/0/000", "/proof/index/699"] {
        let whole = ask(&routes, path, &[]).await;
        let head = routes.clone().oneshot(Request::head(path).body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(head.status(), StatusCode::OK, "{path}");
        for name in ["content-type", "etag", "cache-control", "content-length"] {
            assert_eq!(header(&head, name), header(&whole, name), "{path} {name}");
        }
        assert!(to_bytes(head.into_body(), 9).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn every_entry_is_proven_from_the_files_alone() {
    let dir = tempfile::tempdir().unwrap();
    let routes = routes(dir.path(), &published(dir.path()));
    for index in [0, 1, 255, 256, 511, 512, 698, 699] {
        let answer = ask(&routes, &format!("/proof/index/{index}"), &[]).await;
        let proof = Proof::parse(&to_bytes(answer.into_body(), 1 << 20).await.unwrap()).unwrap();
        assert_eq!((&proof.entry, proof.index), (&entry(index), index));
        verify_inclusion(&leaf_hash(&proof.entry), index, SIZE, &proof.path, &root(SIZE)).unwrap();
    }
    // A crate that is named like the other route keeps its proofs.
    let answer = ask(&routes, "/proof/index/1.0.0", &[]).await;
    assert_eq!(Proof::parse(&to_bytes(answer.into_body(), 1 << 20).await.unwrap()).unwrap().index, 7);
}

#[test]
fn a_reader_of_few_bytes_gives_the_same_as_one_of_many() {
    let dir = tempfile::tempdir().unwrap();
    let world = published(dir.path());
    let note = note_of(&world, SIZE);
    let (all, few) = (LogReader::new(dir.path()), LogReader::keeping(dir.path(), 20_000, 1_500));
    for index in (0..SIZE).chain((0..SIZE).rev()) {
        let proof = all.proof(&note, index, Patience::Disk).unwrap();
        assert!(proof.is_some());
        assert_eq!(few.proof(&note, index, Patience::Disk).unwrap(), proof);
        assert_eq!(all.entry(SIZE, index).unwrap(), Some(entry(index)));
    }
    assert_eq!(all.entry(SIZE, SIZE).unwrap(), None);
    let path = few.consistency_proof(SIZE, 300, 600).unwrap();
    verify_consistency(300, 600, &path, &root(300), &root(600)).unwrap();
    assert!(few.consistency_proof(SIZE, 300, 701).is_err());
}

#[test]
fn a_reader_that_does_not_wait_gives_what_is_in_memory_or_says_that_it_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let note = note_of(&published(dir.path()), SIZE);
    let reader = LogReader::new(dir.path());
    assert!(matches!(reader.proof(&note, 3, Patience::Memory), Err(ReadError::NotAtHand)));
    let proof = reader.proof(&note, 3, Patience::Disk).unwrap();
    match reader.proof(&note, 3, Patience::Memory) {
        // Some file systems cannot tell what is in memory.
        Err(ReadError::NotAtHand) => {}
        at_hand => assert_eq!(at_hand.unwrap(), proof),
    }
}

#[test]
fn a_reader_takes_the_full_tile_where_a_partial_one_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let world = published(dir.path());
    let old = note_of(&world, 300);
    fs::remove_dir_all(dir.path().join("tile/0/001.p")).unwrap();
    fs::remove_dir_all(dir.path().join("tile/entries/001.p")).unwrap();
    let proof = LogReader::new(dir.path()).proof(&old, 290, Patience::Disk).unwrap().unwrap();
    verify_inclusion(&leaf_hash(&entry(290)), 290, 300, &proof.path, &root(300)).unwrap();
}

#[test]
fn a_damaged_folder_gives_no_proof() {
    let dir = tempfile::tempdir().unwrap();
    let note = note_of(&published(dir.path()), SIZE);
    let bundle = dir.path().join("tile/entries/000");
    let sound = fs::read(&bundle).unwrap();
    let damage: [fn(&mut Vec<u8>); 3] =
        [|bytes| bytes[5] ^= 1, |bytes| bytes.truncate(100), |bytes| bytes.resize(20_000_000, 0)];
    for (which, damage) in damage.iter().enumerate() {
        let mut bytes = sound.clone();
        damage(&mut bytes);
        fs::write(&bundle, bytes).unwrap();
        let refused = LogReader::new(dir.path()).proof(&note, 0, Patience::Disk);
        assert!(matches!(refused, Err(ReadError::Damaged { .. })), "{which}");
    }
    fs::write(&bundle, sound).unwrap();
    fs::write(dir.path().join("tile/0/000"), [7; 100]).unwrap();
    assert!(matches!(LogReader::new(dir.path()).proof(&note, 0, Patience::Disk), Err(ReadError::Damaged { .. })));
    fs::remove_file(dir.path().join("tile/0/000")).unwrap();
    assert!(matches!(LogReader::new(dir.path()).proof(&note, 0, Patience::Disk), Err(ReadError::File { .. })));
}
