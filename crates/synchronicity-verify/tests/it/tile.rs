use proptest::prelude::*;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::{leaf_hash, root};
use synchronicity_verify::tile::{TileError, TileLevel, TilePath, encode_bundle, parse_bundle, tiles_between};

#[test]
fn paths_are_those_of_the_specification() {
    let path = |level, n, width| TilePath { level, n, width }.path();
    assert_eq!(path(TileLevel::Hashes(0), 1_234_067, 256), "tile/0/x001/x234/067");
    assert_eq!(path(TileLevel::Entries, 0, 256), "tile/entries/000");
    assert_eq!(path(TileLevel::Entries, 999, 1), "tile/entries/999.p/1");
    assert_eq!(path(TileLevel::Hashes(2), 1000, 255), "tile/2/x001/000.p/255");
}

#[test]
fn a_log_of_70_000_entries_has_the_tiles_that_the_specification_counts() {
    let tiles: Vec<_> = tiles_between(0, 70_000).collect();
    let count = |level, full| tiles.iter().filter(|tile| tile.level == level && (tile.width == 256) == full).count();
    let partial = |level| tiles.iter().find(|tile| tile.level == level && tile.width < 256).map(|tile| tile.width);
    assert_eq!((count(TileLevel::Hashes(0), true), partial(TileLevel::Hashes(0))), (273, Some(112)));
    assert_eq!((count(TileLevel::Hashes(1), true), partial(TileLevel::Hashes(1))), (1, Some(17)));
    assert_eq!((count(TileLevel::Hashes(2), true), partial(TileLevel::Hashes(2))), (0, Some(1)));
    assert_eq!((count(TileLevel::Entries, true), partial(TileLevel::Entries)), (273, Some(112)));
    assert_eq!(tiles.len(), 274 + 274 + 2 + 1);
    let paths: Vec<_> = tiles_between(0, 256).map(|tile| tile.path()).collect();
    assert_eq!(paths, ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
}

#[test]
fn a_growing_log_writes_what_is_new_and_nothing_twice() {
    let paths = |old, new| tiles_between(old, new).map(|tile| tile.path()).collect::<Vec<_>>();
    assert_eq!(paths(5, 5), [""; 0]);
    assert_eq!(paths(6, 5), [""; 0]);
    assert_eq!(paths(5, 6), ["tile/entries/000.p/6", "tile/0/000.p/6"]);
    assert_eq!(
        paths(255, 257),
        ["tile/entries/000", "tile/entries/001.p/1", "tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"]
    );
    assert_eq!(paths(257, 258), ["tile/entries/001.p/2", "tile/0/001.p/2"]);
    assert!(tiles_between(0, u64::MAX).take(1000).count() == 1000);
}

#[test]
fn tiles_hold_the_roots_of_the_tiles_below() {
    let leaves: Vec<_> = (0..600_u32).map(|entry| leaf_hash(&entry.to_be_bytes())).collect();
    let hashes = |level, n, width| TilePath { level: TileLevel::Hashes(level), n, width }.hashes(&leaves);
    let joined = |hashes: &[Digest]| hashes.iter().flat_map(|hash| hash.0).collect::<Vec<_>>();
    assert_eq!(hashes(0, 0, 256).unwrap(), joined(&leaves[..256]));
    assert_eq!(hashes(0, 2, 88).unwrap(), joined(&leaves[512..]));
    assert_eq!(hashes(1, 0, 2).unwrap(), joined(&[root(&leaves[..256]), root(&leaves[256..512])]));
    assert_eq!(hashes(0, 2, 89), Err(TileError::Beyond));
    assert_eq!(hashes(1, 0, 3), Err(TileError::Beyond));
    assert_eq!(hashes(7, u64::MAX, 256), Err(TileError::Beyond));
    assert_eq!(hashes(63, 0, 1), Err(TileError::Beyond));
    let bundle = TilePath { level: TileLevel::Entries, n: 0, width: 1 };
    assert_eq!(bundle.hashes(&leaves), Err(TileError::Beyond));
}

#[test]
fn bundles_hold_exactly_the_entries_that_their_path_promises() {
    let bundle = encode_bundle([b"one".as_slice(), b"", &[7; 65_535]]).unwrap();
    assert_eq!(bundle[..5], *b"\x00\x03one");
    assert_eq!(parse_bundle(&bundle, 3).unwrap(), [b"one".as_slice(), b"", &[7; 65_535]]);
    assert_eq!(parse_bundle(&bundle, 2), Err(TileError::Bundle(2)));
    assert_eq!(parse_bundle(&bundle, 4), Err(TileError::Bundle(4)));
    assert_eq!(parse_bundle(&bundle[..bundle.len() - 1], 3), Err(TileError::Bundle(3)));
    assert_eq!(encode_bundle([[0; 65_536].as_slice()]), Err(TileError::EntryTooLong(65_536)));
}

#[test]
fn second_spellings_of_a_path_are_refused() {
    let bad = [
        "",
        "tile",
        "tile/0",
        "tile/0/0",
        "tile/0/00",
        "tile/0/1000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/00/000",
        "tile/8/000",
        "tile/-1/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/1/",
        "/tile/0/000",
        "tile/0/x001",
        "tile/0/x001/x000",
        "tile/entry/000",
        "tile/0/000.p",
        "tile/0/xx1/000",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
    ];
    for path in bad {
        assert_eq!(path.parse::<TilePath>(), Err(TileError::Path), "{path}");
    }
}

proptest! {
    #[test]
    fn a_path_survives_its_text(level in prop::option::of(0..8_u8), n in any::<u64>(), width in 1..=256_u16) {
        let level = level.map_or(TileLevel::Entries, TileLevel::Hashes);
        let tile = TilePath { level, n, width };
        prop_assert_eq!(tile.path().parse::<TilePath>(), Ok(tile));
    }

    #[test]
    fn no_text_makes_the_parser_panic(path in "tile/[a-z0-9]{1,8}/[x0-9/.p]{0,30}", bundle in prop::collection::vec(any::<u8>(), 0..99)) {
        let _ = path.parse::<TilePath>();
        let _ = parse_bundle(&bundle, 3);
    }
}
