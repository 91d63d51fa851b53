//! Style sheet, scripts and icon. Their paths change with their content, so that a browser may keep them for ever.

/// A file that pages refer to.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its file name.
    pub name: &'static str,
    /// Its media type.
    pub kind: &'static str,
    /// What is in it.
    pub content: &'static str,
}

/// The style sheet of all pages.
pub const STYLE: Asset =
    Asset { name: "style.css", kind: "text/css; charset=utf-8", content: include_str!("../assets/style.css") };
/// Completes what somebody writes into the search field.
pub const SEARCH: Asset = script("search.js", include_str!("../assets/search.js"));
/// Follows an open round.
pub const LIVE: Asset = script("live.js", include_str!("../assets/live.js"));
/// Verifies a proof: what is shown and read. A module.
pub const VERIFY: Asset = script("verify.mjs", include_str!("../assets/verify.mjs"));
/// Verifies a proof: the decision, and below it the formats. Modules that know of no page.
pub const PROOF: [Asset; 4] = [
    script("proof.mjs", include_str!("../assets/proof.mjs")),
    script("policy.mjs", include_str!("../assets/policy.mjs")),
    script("cbor.mjs", include_str!("../assets/cbor.mjs")),
    script("primitives.mjs", include_str!("../assets/primitives.mjs")),
];
/// The icon.
pub const ICON: Asset = Asset { name: "icon.svg", kind: "image/svg+xml", content: include_str!("../assets/icon.svg") };

/// All of them.
pub const ALL: [Asset; 9] = [STYLE, SEARCH, LIVE, VERIFY, PROOF[0], PROOF[1], PROOF[2], PROOF[3], ICON];

const fn script(name: &'static str, content: &'static str) -> Asset {
    Asset { name, kind: "text/javascript; charset=utf-8", content }
}

impl Asset {
    /// `/static/HASH/NAME`. The hash is of all assets: a script that imports another by a relative path gets its own.
    pub fn path(&self) -> String {
        format!("/static/{:016x}/{}", EDITION, self.name)
    }
}

/// The asset under a path's last two parts; nothing for those of another edition.
pub fn find(edition: &str, name: &str) -> Option<&'static Asset> {
    static KEPT: [Asset; 9] = ALL;
    let asset = KEPT.iter().find(|asset| asset.name == name)?;
    (edition == format!("{EDITION:016x}")).then_some(asset)
}

/// Tells one edition of the assets from another: FNV-1a, which says nothing about who made them.
const EDITION: u64 = {
    let (mut hash, mut which) = (0xcbf2_9ce4_8422_2325_u64, 0);
    while which < ALL.len() {
        let bytes = ALL[which].content.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            at += 1;
        }
        which += 1;
    }
    hash
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_is_found_under_its_own_path_and_no_other() {
        for asset in ALL {
            let path = asset.path();
            let mut parts = path.strip_prefix("/static/").unwrap().split('/');
            let (edition, name) = (parts.next().unwrap(), parts.next().unwrap());
            assert_eq!(find(edition, name).map(|found| found.content), Some(asset.content));
            assert!(find("0000000000000000", name).is_none());
        }
        assert!(find(&format!("{EDITION:016x}"), "../page.rs").is_none());
    }
}
