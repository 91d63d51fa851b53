use std::collections::BTreeMap;

use synchronicity_verify::digest::Digest;
use synchronicity_verify::edge::Edge;
use synchronicity_verify::merkle::{Frontier, leaf_hash};
use synchronicity_verify::tile::{TILE_WIDTH, TileLevel, TilePath, tiles_between};
use synchronicity_verify::tiled::TiledError;

#[test]
fn an_edge_gives_every_tile_once_and_the_partial_ones_of_each_size() {
    let leaves = leaves(700);
    let (mut edge, mut full) = (Edge::new(), BTreeMap::new());
    assert_eq!(edge.partials().count(), 0);
    for leaf in &leaves {
        for tile in edge.append(*leaf) {
            assert!(full.insert(tile.path, tile.bytes).is_none(), "{} came twice", tile.path);
        }
        check(&edge, &full, &leaves);
    }
}

#[test]
fn an_edge_grows_into_the_third_level() {
    let leaves = leaves(66_100);
    let (mut edge, mut full) = (Edge::new(), BTreeMap::new());
    for leaf in &leaves {
        full.extend(edge.append(*leaf).into_iter().map(|tile| (tile.path, tile.bytes)));
        if [65_279, 65_280, 65_535, 65_536, 65_537, 66_047, 66_100].contains(&edge.size()) {
            check(&edge, &full, &leaves);
        }
    }
}

#[test]
fn an_edge_comes_back_from_its_tiles() {
    let leaves = leaves(66_000);
    let (mut edge, mut full) = (Edge::new(), BTreeMap::new());
    for leaf in &leaves {
        let size = edge.size();
        if !(600..=65_500).contains(&size) {
            let mut read = Vec::new();
            let back = Edge::load(size, |path| {
                read.push(path);
                edge.partial(&path).ok_or("a full tile was asked for")
            });
            assert_eq!(back.as_ref(), Ok(&edge));
            assert!(read.len() <= 3, "{read:?}");
        }
        full.extend(edge.append(*leaf).into_iter().map(|tile| (tile.path, tile.bytes)));
    }
}

#[test]
fn an_edge_refuses_tiles_of_the_wrong_width() {
    let path = TilePath { level: TileLevel::Hashes(1), n: 0, width: 2 };
    let loaded = Edge::load(515, |path| Ok::<_, ()>(vec![7; if path.level == TileLevel::Hashes(0) { 96 } else { 65 }]));
    assert_eq!(loaded, Err(TiledError::Width { path, found: 65 }));
    let loaded = Edge::load(515, |path| Err::<Vec<u8>, _>(path.width));
    assert!(matches!(loaded, Err(TiledError::Read { error: 3, .. })));
    assert_eq!(Edge::load(0, Err::<Vec<u8>, _>), Ok(Edge::new()));
    // As wide as it gets: 255 hashes on each of eight levels.
    let mut widest = Edge::load(u64::MAX, |path| Ok::<_, ()>(vec![7; usize::from(path.width) * 32])).unwrap();
    assert_eq!(widest.partials().map(|tile| tile.bytes.len()).sum::<usize>(), 8 * 255 * 32);
    assert_eq!(widest.size(), u64::MAX);
    assert_eq!(widest.partial(&path), None);
    widest = Edge::load(u64::MAX - 1, |path| Ok::<_, ()>(vec![7; usize::from(path.width) * 32])).unwrap();
    assert_eq!(widest.append(Digest([7; 32])), []);
}

/// Compares an edge, and the full tiles that it gave so far, with what the leaves say.
fn check(edge: &Edge, full: &BTreeMap<TilePath, Vec<u8>>, leaves: &[Digest]) {
    let leaves = &leaves[..edge.size() as usize];
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.append(*leaf));
    assert_eq!(edge.root(), frontier.root());
    assert_eq!(edge.frontier(), &frontier);
    let tiles = tiles_between(0, edge.size()).filter(|path| path.level != TileLevel::Entries);
    let (whole, partial): (Vec<TilePath>, Vec<TilePath>) = tiles.partition(|path| path.width == TILE_WIDTH);
    assert_eq!(full.keys().copied().collect::<Vec<_>>(), whole);
    assert_eq!(edge.partials().map(|tile| tile.path).collect::<Vec<_>>(), partial);
    for tile in edge.partials() {
        assert_eq!(tile.path.hashes(leaves).as_ref(), Ok(&tile.bytes), "{}", tile.path);
        assert_eq!(edge.partial(&tile.path), Some(tile.bytes));
    }
    // Of the full ones those that came last: the others were compared at smaller sizes.
    for path in whole.iter().rev().take(3) {
        assert_eq!(path.hashes(leaves).as_ref(), Ok(&full[path]), "{path}");
        assert_eq!(edge.partial(path), None);
    }
}

fn leaves(size: u64) -> Vec<Digest> {
    (1..=size).map(|entry| leaf_hash(&entry.to_be_bytes())).collect()
}
