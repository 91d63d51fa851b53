//! Makes a failing run short: leaves events out for as long as the same invariant still fails.

use crate::run::Broken;

/// The shortest run found that breaks what `broken` broke. It is minimal in that no single event can be left out, unless
/// `tries` runs were not enough. `again` runs a script, and gives what it breaks.
pub fn shrink<E: Clone>(broken: Broken<E>, tries: usize, again: impl Fn(&[E]) -> Option<Broken<E>>) -> Broken<E> {
    let invariant = |broken: &Broken<E>| broken.violations.first().map(|violation| violation.invariant);
    let wanted = invariant(&broken);
    let (mut shortest, mut tried) = (broken, 0);
    let mut chunk = shortest.script.len().div_ceil(2);
    while chunk > 0 {
        let (mut at, mut shorter) = (0, false);
        while at < shortest.script.len() && tried < tries {
            tried += 1;
            let end = (at + chunk).min(shortest.script.len());
            let script = [&shortest.script[..at], &shortest.script[end..]].concat();
            match again(&script) {
                Some(found) if invariant(&found) == wanted => (shortest, shorter) = (found, true),
                _ => at = end,
            }
        }
        chunk = match chunk {
            1 if shorter && tried < tries => 1,
            _ => chunk / 2,
        };
    }
    shortest
}
