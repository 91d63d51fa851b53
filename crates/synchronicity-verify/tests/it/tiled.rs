use std::collections::BTreeSet;

use proptest::prelude::*;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::{self, Frontier, NoSuchProof, leaf_hash};
use synchronicity_verify::subtree::Subtree;
use synchronicity_verify::tile::{TILE_WIDTH, TileError, TileLevel, TilePath, tiles_between};
use synchronicity_verify::tiled::{
    Place, TileRoots, TiledError, consistency_proof, inclusion_proof, root as tiled_root,
};

/// Log sizes at which tiles of some level begin, end, or both.
const SIZES: [u64; 13] = [1, 2, 3, 128, 255, 256, 257, 300, 511, 512, 513, 640, 700];

/// The same around the first tile of the third level.
const LARGE: [u64; 7] = [65_279, 65_280, 65_535, 65_536, 65_537, 65_792, 66_000];

#[test]
fn every_earlier_root_comes_from_the_tiles() {
    let leaves = leaves(700);
    let roots = roots(&leaves);
    for log_size in SIZES {
        for size in 0..=log_size {
            let root = tiled_root(log_size, size, |path| path.hashes(&leaves[..log_size as usize]));
            assert_eq!(root, Ok(roots[size as usize]), "{size} of {log_size}");
        }
    }
}

#[test]
fn every_proof_of_small_logs_is_the_one_from_the_leaves() {
    let leaves = leaves(24);
    for log_size in 0..=24 {
        let read = |path: TilePath| path.hashes(&leaves[..log_size as usize]);
        for size in 0..=log_size {
            for index in 0..size {
                let path = merkle::inclusion_proof(&leaves, size, index).unwrap();
                assert_eq!(inclusion_proof(log_size, index, size, read), Ok(path));
            }
            for old in 0..=size {
                let path = merkle::consistency_proof(&leaves, old, size).unwrap();
                assert_eq!(consistency_proof(log_size, old, size, read), Ok(path));
            }
        }
    }
}

#[test]
fn proofs_from_three_levels_of_tiles_hold() {
    let leaves = leaves(66_000);
    let roots = roots(&leaves);
    for log_size in LARGE {
        let tiles = Folder::of(&leaves[..log_size as usize]);
        for size in [1, 256, 65_280, 65_535, 65_536, 65_537, log_size].into_iter().filter(|size| *size <= log_size) {
            let root = &roots[size as usize];
            assert_eq!(tiled_root(log_size, size, tiles.read()).as_ref(), Ok(root));
            for index in [0, 255, 256, 65_279, 65_280, 65_535, 65_536, size - 1].into_iter().filter(|i| *i < size) {
                let path = inclusion_proof(log_size, index, size, tiles.read()).unwrap();
                merkle::verify_inclusion(&leaves[index as usize], index, size, &path, root).unwrap();
            }
            for old in
                [1, 255, 256, 257, 65_279, 65_280, 65_536, size - 1].into_iter().filter(|o| (1..=size).contains(o))
            {
                let path = consistency_proof(log_size, old, size, tiles.read()).unwrap();
                merkle::verify_consistency(old, size, &path, &roots[old as usize], root).unwrap();
            }
        }
    }
}

#[test]
fn a_proof_reads_few_tiles_and_none_twice_and_only_those_that_the_log_has() {
    let leaves = leaves(66_000);
    let tiles = Folder::of(&leaves);
    let all: BTreeSet<TilePath> = tiles_between(0, 66_000).collect();
    let mut most = 0;
    for (index, size) in [(0, 66_000), (65_999, 66_000), (40_000, 65_999), (12_345, 65_537), (0, 1), (300, 600)] {
        let mut seen = BTreeSet::new();
        let mut read = |path: TilePath| {
            assert!(all.contains(&path) && seen.insert(path), "{path}");
            tiles.get(path)
        };
        inclusion_proof(66_000, index, size, &mut read).unwrap();
        most = most.max(seen.len());
        seen.clear();
        consistency_proof(66_000, index + 1, size, |path| {
            assert!(all.contains(&path) && seen.insert(path), "{path}");
            tiles.get(path)
        })
        .unwrap();
        most = most.max(seen.len());
    }
    assert!(most <= 6, "{most} tiles for a log of three levels");
}

#[test]
fn a_tile_of_another_width_than_its_path_says_is_refused() {
    let leaves = leaves(300);
    let damaged = |damage: fn(Vec<u8>) -> Vec<u8>| {
        inclusion_proof(300, 299, 300, |path| {
            let bytes = path.hashes(&leaves)?;
            Ok::<_, TileError>(if path.n == 1 { damage(bytes) } else { bytes })
        })
    };
    let path = TilePath { level: TileLevel::Hashes(0), n: 1, width: 44 };
    for (found, damage) in [
        (0, (|_| Vec::new()) as fn(Vec<u8>) -> Vec<u8>),
        (44 * 32 - 1, |bytes| bytes[1..].to_vec()),
        (43 * 32, |bytes| bytes[32..].to_vec()),
        (45 * 32, |bytes| [&bytes[..], &[0; 32]].concat()),
        (256 * 32, |_| vec![0; 8192]),
    ] {
        assert_eq!(damaged(damage), Err(TiledError::Width { path, found }));
    }
    assert!(damaged(|bytes| bytes).is_ok());
    let error = inclusion_proof(300, 299, 300, |_| Err("gone")).unwrap_err();
    assert!(matches!(error, TiledError::Read { error: "gone", .. }), "{error}");
    assert_eq!(TileRoots::parse(&[], 0), Err(TileError::Width(0)));
    assert_eq!(TileRoots::parse(&[0; 257 * 32], 257), Err(TileError::Width(257)));
}

#[test]
fn proofs_that_the_log_does_not_have_are_not_made() {
    let never = |path: TilePath| -> Result<Vec<u8>, TileError> { panic!("{path} was read") };
    assert_eq!(inclusion_proof(5, 5, 5, never), Err(NoSuchProof.into()));
    assert_eq!(inclusion_proof(5, 0, 6, never), Err(NoSuchProof.into()));
    assert_eq!(inclusion_proof(0, 0, 0, never), Err(NoSuchProof.into()));
    assert_eq!(consistency_proof(5, 4, 3, never), Err(NoSuchProof.into()));
    assert_eq!(consistency_proof(5, 4, 6, never), Err(NoSuchProof.into()));
    assert_eq!(tiled_root(5, 6, never), Err(NoSuchProof.into()));
    assert_eq!(tiled_root(5, 0, never), Ok(merkle::EMPTY_ROOT));
    assert_eq!(consistency_proof(5, 0, 5, never), Ok(vec![]));
    assert_eq!(consistency_proof(5, 5, 5, never), Ok(vec![]));
}

#[test]
fn a_tile_knows_the_roots_within_it() {
    let leaves = leaves(256);
    for width in [1, 2, 3, 37, 128, 255, 256] {
        let tile = TilePath { level: TileLevel::Hashes(0), n: 0, width }.hashes(&leaves).unwrap();
        let roots = TileRoots::parse(&tile, width).unwrap();
        for height in 0..=8 {
            let spans = leaves[..usize::from(width)].chunks_exact(1 << height);
            let spans: Vec<Digest> = spans.map(merkle::root).collect();
            for position in 0..=255 {
                assert_eq!(roots.get(height, position), spans.get(usize::from(position)), "{height} {position}");
            }
        }
        assert_eq!(roots.get(9, 0), None);
        assert_eq!(roots.get(255, 0), None);
    }
}

proptest! {
    #[test]
    fn any_proof_from_tiles_is_the_one_from_the_leaves((log_size, size, part) in within(700)) {
        let leaves = leaves(log_size);
        let read = |path: TilePath| path.hashes(&leaves);
        let expected = merkle::inclusion_proof(&leaves, size, part);
        prop_assert_eq!(inclusion_proof(log_size, part, size, read).ok(), expected.ok());
        let expected = merkle::consistency_proof(&leaves, part, size).unwrap();
        prop_assert_eq!(consistency_proof(log_size, part, size, read), Ok(expected));
    }

    #[test]
    fn no_size_index_or_tile_makes_it_panic(
        log_size in edge(), size in edge(), part in edge(), fill in any::<u8>(), cut in 0..3_usize,
    ) {
        let read = |path: TilePath| {
            assert_eq!(path.path().parse::<TilePath>(), Ok(path));
            Ok::<_, ()>(vec![fill; usize::from(path.width) * 32 - cut / 2])
        };
        let made = inclusion_proof(log_size, part, size, read);
        prop_assert_eq!(made.is_ok(), part < size && size <= log_size && (cut < 2 || size == 1));
        let made = consistency_proof(log_size, part, size, read);
        let empty = part == 0 || part == size;
        prop_assert_eq!(made.is_ok(), part <= size && size <= log_size && (cut < 2 || empty));
        let made = tiled_root(log_size, size, read);
        prop_assert_eq!(made.is_ok(), size <= log_size && (cut < 2 || size == 0));
    }

    #[test]
    fn a_place_is_in_a_tile_that_the_log_has(log_size in edge(), height in 0..=255_u8, index in edge()) {
        let reached = u128::from(index) < u128::from(log_size).checked_shr(u32::from(height)).unwrap_or(0);
        let place = Place::of(Subtree { height, index }, log_size);
        prop_assert_eq!(place.is_some(), reached);
        if let Some(place) = place {
            prop_assert!(u16::from(place.position) < place.tile.width >> place.height);
            prop_assert_eq!(place.tile.width < TILE_WIDTH, place.tile.n == log_size >> (8 * (height / 8) + 8));
        }
    }
}

fn within(most: u64) -> impl Strategy<Value = (u64, u64, u64)> {
    (1..=most).prop_flat_map(|log| (Just(log), 1..=log)).prop_flat_map(|(log, size)| (Just(log), Just(size), 0..=size))
}

/// Numbers near every power of two, where arithmetic goes wrong first.
fn edge() -> impl Strategy<Value = u64> {
    (0..64_u32, 0..3_u64).prop_map(|(bit, off)| (1_u64 << bit).wrapping_add(off).wrapping_sub(1))
}

fn leaves(size: u64) -> Vec<Digest> {
    (1..=size).map(|entry| leaf_hash(&entry.to_be_bytes())).collect()
}

/// The root at every size.
fn roots(leaves: &[Digest]) -> Vec<Digest> {
    let mut frontier = Frontier::new();
    let mut roots = vec![frontier.root()];
    for leaf in leaves {
        frontier.append(*leaf);
        roots.push(frontier.root());
    }
    roots
}

/// All tiles of hashes of a log.
struct Folder(Vec<(TilePath, Vec<u8>)>);

impl Folder {
    fn of(leaves: &[Digest]) -> Folder {
        let tiles = tiles_between(0, leaves.len() as u64).filter(|path| path.level != TileLevel::Entries);
        let mut all: Vec<_> = tiles.map(|path| (path, path.hashes(leaves).unwrap())).collect();
        all.sort();
        Folder(all)
    }

    fn get(&self, path: TilePath) -> Result<Vec<u8>, String> {
        let at = self.0.binary_search_by_key(&path, |(path, _)| *path).map_err(|_| format!("{path} is not there"))?;
        Ok(self.0[at].1.clone())
    }

    fn read(&self) -> impl Fn(TilePath) -> Result<Vec<u8>, String> {
        |path| self.get(path)
    }
}
