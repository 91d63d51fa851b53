//! Makes a failing run short: leaves events out for as long as the same invariant still fails.

use crate::run::{Broken, Options, replay};

/// Runs that are tried before the shortest so far must do.
const TRIES_MAX: usize = 4000;

/// The shortest run found that breaks what `broken` broke. It is minimal in that no single event can be left out, unless
/// the search ended before.
pub fn shrink(broken: Broken, options: &Options) -> Broken {
    let invariant = |broken: &Broken| broken.violations.first().map(|violation| violation.invariant);
    let wanted = invariant(&broken);
    let (mut shortest, mut tries) = (broken, 0);
    let mut chunk = shortest.script.len().div_ceil(2);
    while chunk > 0 {
        let (mut at, mut shorter) = (0, false);
        while at < shortest.script.len() && tries < TRIES_MAX {
            tries += 1;
            let end = (at + chunk).min(shortest.script.len());
            let script = [&shortest.script[..at], &shortest.script[end..]].concat();
            match replay(shortest.seed, options, &script) {
                Err(found) if invariant(&found) == wanted => (shortest, shorter) = (found, true),
                _ => at = end,
            }
        }
        chunk = match chunk {
            1 if shorter && tries < TRIES_MAX => 1,
            _ => chunk / 2,
        };
    }
    shortest
}
