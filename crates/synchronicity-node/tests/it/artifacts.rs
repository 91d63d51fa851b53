//! What is kept of builds: whole, under its hash, from one life of a node to the next, and served in parts.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use object_store::memory::InMemory;
use synchronicity_node::artifact_store::ArtifactStore;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::result::{Artifact, Artifacts, BuildResult, Failure};

use crate::nodes::{Nodes, raw};
use crate::world::request;

/// An artifact can be had from where a download was cut off.
pub(crate) fn what_is_served_in_parts(nodes: &Nodes, sha256: &str) {
    let part = |range: &str| {
        let path = format!("/artifacts/{sha256}");
        raw(nodes.http[0], &format!("GET {path} HTTP/1.1\r\nHost: n\r\nRange: {range}\r\nConnection: close\r\n\r\n"))
    };
    let (code, head, bytes) = part("bytes=4-");
    assert!(code == 206 && head.contains("content-range: bytes 4-24/25"), "{head}");
    assert!(head.contains("content-length: 21") && bytes == b"same bytes everywhere", "{head}");
    assert_eq!(part("bytes=25-").0, 416);
    assert_eq!(part("bytes=0-1,3-4").0, 200, "several parts are the whole");
}

/// Files in the folders of a store that no store writes: an operator put them there.
fn strangers(root: &Path) -> [PathBuf; 4] {
    let hash = Digest::of(b"somebody's");
    let deeper = root.join("artifacts/of-somebody");
    fs::create_dir_all(&deeper).unwrap();
    let others = [
        root.join("artifacts/notes.txt"),
        root.join("artifacts/chapter#7"),
        root.join("transcripts/notes.gz"),
        deeper.join(hash.to_string()),
    ];
    for other in &others {
        fs::write(other, b"not the store's").unwrap();
    }
    others
}

fn built(content: &[u8]) -> BuildResult {
    let name = "tool".to_owned().try_into().unwrap();
    let artifact = Artifact { name, size: content.len() as u64, sha256: Digest::of(content) };
    BuildResult::Built(Artifacts::new(vec![artifact]).unwrap())
}

#[tokio::test]
async fn what_is_kept_comes_back_and_what_changed_after_it_was_hashed_is_not_kept() {
    // More than one part of an upload.
    let content: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let folder = tempfile::tempdir().unwrap();
    let (built_in, printed) = (folder.path().join("built"), folder.path().join("printed"));
    fs::create_dir(&built_in).unwrap();
    fs::write(built_in.join("tool"), &content).unwrap();
    fs::write(&printed, "Compiling tool\n".repeat(1000)).unwrap();
    let (root, id) = (folder.path().join("node"), request(1).id());
    let of_folder = ArtifactStore::open(&root, None).unwrap();
    for store in [of_folder.clone(), ArtifactStore::over(Arc::new(InMemory::new()))] {
        store.keep(&id, &built(&content), Some(&built_in), &printed).await.unwrap();
        let hash = Digest::of(&content);
        assert_eq!(store.size(&hash).await, Some(content.len() as u64));
        assert_eq!(store.piece(&hash, 5..9).await.unwrap(), content[5..9]);
        assert_eq!(store.printed(&id).await.unwrap().text, fs::read_to_string(&printed).unwrap());
        let copy = folder.path().join("copy");
        store.export(&hash, &copy).await.unwrap();
        assert!(fs::read(&copy).unwrap() == content);
        fs::remove_file(&copy).unwrap();
        let listed = store.list().await.unwrap();
        let transcript = listed.iter().find(|item| item.name.ends_with(".gz")).unwrap();
        assert!(listed.len() == 2 && transcript.bytes < 1000, "{listed:#?}");
        assert!(store.keep(&id, &built(b"something else"), Some(&built_in), &printed).await.is_err());
        assert_eq!(store.size(&Digest::of(b"something else")).await, None);
    }
    // Whatever a power cut leaves of a file that is staged goes at the next start, and nothing else does.
    let staged = root.join("artifacts").join(format!("{}#7", Digest::of(b"never finished")));
    fs::write(&staged, b"never").unwrap();
    let others = strangers(&root);
    let again = ArtifactStore::open(&root, None).unwrap();
    assert!(!staged.exists());
    assert!(others.iter().all(|other| other.exists()));
    let items = again.list().await.unwrap();
    assert_eq!(items.len(), 2);
    again.remove(&items[0]).await.unwrap();
    again.remove(&items[0]).await.unwrap();
    assert_eq!(again.list().await.unwrap(), items[1..]);
    // What is damaged is not handed on.
    again.keep(&id, &built(&content), Some(&built_in), &printed).await.unwrap();
    fs::write(root.join("artifacts").join(Digest::of(&content).to_string()), b"other bytes").unwrap();
    let error = again.export(&Digest::of(&content), &folder.path().join("copy")).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_long_transcript_is_read_as_far_as_a_page_needs_it_and_told_to_be_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (store, long) = (ArtifactStore::over(Arc::new(InMemory::new())), folder.path().join("long"));
    let failed = BuildResult::Failed(Failure::Compile);
    for (more, cut_at) in [(0, None), (1, Some(4 << 20))] {
        fs::write(&long, vec![b'x'; (4 << 20) + more]).unwrap();
        store.keep(&request(1).id(), &failed, None, &long).await.unwrap();
        let read = store.printed(&request(1).id()).await.unwrap();
        assert_eq!((read.text.len(), read.cut_at), (4 << 20, cut_at));
    }
}

#[tokio::test]
async fn what_is_built_again_long_after_it_was_kept_counts_as_young_and_no_sweep_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let (built_in, printed) = (folder.path().join("built"), folder.path().join("printed"));
    fs::create_dir(&built_in).unwrap();
    fs::write(built_in.join("tool"), "a tool").unwrap();
    fs::write(&printed, "Compiling tool\n").unwrap();
    let (root, id) = (folder.path().join("node"), request(1).id());
    let store = ArtifactStore::open(&root, None).unwrap();
    let keep = async || store.keep(&id, &built(b"a tool"), Some(&built_in), &printed).await.unwrap();
    let file = root.join("artifacts").join(Digest::of(b"a tool").to_string());
    let age = |minutes: u64| {
        let then = SystemTime::now() - Duration::from_secs(minutes * 60);
        File::options().write(true).open(&file).unwrap().set_modified(then).unwrap();
        then
    };
    keep().await;
    let then = age(29);
    keep().await;
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), then, "young, and not written again");
    let then = age(31);
    let listed = store.list().await.unwrap();
    keep().await;
    assert!(fs::metadata(&file).unwrap().modified().unwrap() > then + Duration::from_secs(60));
    // A sweep that listed it before goes by what it saw then.
    for item in listed.iter().filter(|item| !item.name.ends_with(".gz")) {
        store.remove(item).await.unwrap();
    }
    assert!(file.exists());
}
