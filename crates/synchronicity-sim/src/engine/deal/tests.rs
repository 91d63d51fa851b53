//! What the seeds of a sample deal, without running them.

use std::collections::BTreeSet;

use synchronicity_verify::membership::faults;

use super::super::mask::MASKS;
use super::*;

#[test]
fn a_few_hundred_seeds_deal_every_hostile_engine_and_as_many_as_a_group_bears_and_groups_of_every_kind_of_size() {
    let deals: Vec<Deal> = (0..300).map(|seed| Deal::new(seed, None).0).collect();
    let titles: String = deals.iter().map(|deal| format!("{} ", deal.title)).collect();
    for mask in MASKS {
        assert!(titles.contains(&format!("/{mask} ")), "no seed has a {mask}");
    }
    let sizes: BTreeSet<usize> = deals.iter().map(|deal| deal.roles.len()).collect();
    assert!((4..=7).all(|size| sizes.contains(&size)) && sizes.iter().any(|size| *size > 20), "{sizes:?}");
    let full = |deal: &&Deal| deal.masks.len() == faults(deal.roles.len());
    assert!(deals.iter().filter(full).count() > 90, "few groups have as many hostile engines as they bear");
    assert!(deals.iter().filter(full).any(|deal| deal.masks.len() > 3), "and none of them is large");
    assert!(deals.iter().any(|deal| deal.masks.is_empty()) && deals.iter().any(|deal| !deal.power_is_cut));
    assert!(deals.iter().filter(|deal| deal.power_is_cut).count() > 150, "few power cuts");
}

#[test]
fn nobody_has_a_hostile_engine_whose_node_is_honest_and_no_group_more_than_it_bears() {
    for seed in 0..100 {
        let (deal, _) = Deal::new(seed, None);
        assert!(deal.masks.len() <= faults(deal.roles.len()), "{}", deal.title);
        assert!(deal.masks.keys().all(|member| !deal.roles[*member].is_honest()), "{}", deal.title);
    }
}
