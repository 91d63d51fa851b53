use synchronicity_verify::tile::encode_bundle;

use super::vector;
use crate::vectors::Vector;

pub(crate) fn all() -> Vec<Vector> {
    [paths(), bundles()].into_iter().flatten().collect()
}

fn paths() -> Vec<Vector> {
    let accepted = |name, path: &str| vector("tile-path", name, "accepted", "none", path);
    let refused = |name, flaw, path: &str| vector("tile-path", name, "refused", flaw, path);
    vec![
        accepted("path_good_of_the_specification", "tile/0/x001/x234/067"),
        accepted("path_good_partial", "tile/1/000.p/255"),
        accepted("path_good_entries", "tile/entries/x001/000.p/1"),
        refused("path_leading_slash", "a slash before it", "/tile/0/000"),
        refused("path_number_not_padded", "a number without its three digits", "tile/0/7"),
        refused("path_number_of_four_digits", "a number that is not in groups", "tile/0/1000"),
        refused("path_group_without_x", "all groups but the last begin with x", "tile/0/001/000"),
        refused("path_last_group_with_x", "the last group has no x", "tile/0/x001"),
        refused("path_leading_group_of_zeros", "a second spelling of the number", "tile/0/x000/001"),
        refused("path_level_leading_zero", "a second spelling of the level", "tile/00/000"),
        refused("path_level_negative", "a level below zero", "tile/-1/000"),
        refused("path_level_beyond_64_bits", "256^8 entries are more than 64 bits count", "tile/8/000"),
        refused("path_width_zero", "there are no empty tiles", "tile/0/000.p/0"),
        refused("path_width_of_full_tile", "a full tile has no width", "tile/0/000.p/256"),
        refused("path_width_leading_zero", "a second spelling of the width", "tile/0/000.p/01"),
        refused("path_width_missing", "no width where one is announced", "tile/0/000.p"),
        refused("path_trailing_slash", "a slash after it", "tile/0/000.p/1/"),
        refused("path_out_of_its_folder", "a path that leaves the log", "tile/0/../../000"),
        refused("path_number_of_2_64", "a number that 64 bits do not hold", "tile/0/x018/x446/x744/x073/x709/x551/616"),
    ]
}

/// How many entries the path promises, and the bytes in hex.
fn bundles() -> Vec<Vector> {
    let good = encode_bundle([b"one".as_slice(), b""]).unwrap();
    let bundle = |name, expect, flaw, count: usize, bytes: &[u8]| {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        vector("bundle", name, expect, flaw, format!("{count} {digits}\n"))
    };
    vec![
        bundle("bundle_good", "accepted", "none", 2, &good),
        bundle("bundle_one_entry_short", "refused", "the path promises three", 3, &good),
        bundle("bundle_one_entry_more", "refused", "the path promises one", 1, &good),
        bundle("bundle_cut_off", "refused", "an entry is cut off", 1, &good[..4]),
        bundle("bundle_length_cut_off", "refused", "a length of one byte", 2, &good[..6]),
        bundle("bundle_trailing_byte", "refused", "a byte after the end", 2, &[&good[..], &[0]].concat()),
    ]
}
