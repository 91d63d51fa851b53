//! Vectors for the Merkle arithmetic that transparency-dev/merkle publishes.

use std::fs;
use std::path::{Path, PathBuf};

use base64ct::{Base64, Encoding};
use libtest_mimic::Failed;
use serde_json::Value;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::{verify_consistency, verify_inclusion};

use crate::tools::installed;

pub(crate) const NAME: &str = "the_merkle_vectors_of_transparency_dev_are_judged_as_they_say";

/// Where `scripts/interop-tools.sh` puts them.
pub(crate) fn folder() -> PathBuf {
    installed().join("vectors/sigstore-merkle/test-data/merkle/testdata")
}

/// Judges every one of them.
pub(crate) fn judge() -> Result<(), Failed> {
    let folder = folder();
    let inclusion = run(&folder.join("inclusion"), &|it| {
        let leaf = hash(&it["leafHash"]);
        let (index, size) = (it["leafIdx"].as_u64(), it["treeSize"].as_u64());
        let judged = hash(&it["root"]).zip(leaf).zip(path(it));
        Some(judged.is_some_and(|((root, leaf), path)| {
            verify_inclusion(&leaf, index.unwrap(), size.unwrap(), &path, &root).is_ok()
        }))
    });
    let consistency = run(&folder.join("consistency"), &|it| {
        let (old, new) = (it["size1"].as_u64().unwrap(), it["size2"].as_u64().unwrap());
        // RFC 6962 defines no proof from the empty log: they refuse all, but for two empty logs of one root, whatever it is.
        // Ours says that there is nothing to show, and that the empty log has one root.
        if old == 0 {
            return None;
        }
        let judged = hash(&it["root1"]).zip(hash(&it["root2"])).zip(path(it));
        Some(judged.is_some_and(|((old_root, new_root), path)| {
            verify_consistency(old, new, &path, &old_root, &new_root).is_ok()
        }))
    });
    eprintln!("    {inclusion} inclusion proofs and {consistency} consistency proofs");
    if inclusion > 80 && consistency > 80 { Ok(()) } else { Err("there are too few to be all".into()) }
}

fn run(folder: &Path, accepts: &dyn Fn(&Value) -> Option<bool>) -> usize {
    let mut count = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            count += run(&path, accepts);
        } else {
            let vector: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let wanted = !vector["wantErr"].as_bool().unwrap();
            let Some(accepted) = accepts(&vector) else { continue };
            assert_eq!(accepted, wanted, "{}: {}", path.display(), vector["desc"]);
            count += 1;
        }
    }
    count
}

/// Some vectors have a few words where a hash belongs: any hash stands in, the same one for the same words, so that the
/// arithmetic must judge them. `None` where there is nothing at all.
fn hash(value: &Value) -> Option<Digest> {
    let bytes = Base64::decode_vec(value.as_str()?).ok().filter(|bytes| !bytes.is_empty())?;
    Some(bytes.as_slice().try_into().map_or_else(|_| Digest::of(&bytes), Digest))
}

fn path(vector: &Value) -> Option<Vec<Digest>> {
    vector["proof"].as_array().map_or(Some(vec![]), |hashes| hashes.iter().map(hash).collect())
}
