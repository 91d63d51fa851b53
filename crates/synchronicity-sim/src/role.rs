//! What each member is: honest, or hostile to one rule.

use core::fmt;

use crate::dice::Dice;

/// How a member behaves. Every hostile role breaks one rule of the protocol; each has its file in `hostile`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Does what `duties` says and nothing else.
    Honest,
    /// Seals what somebody else sealed, and later repeats the opening.
    Copier,
    /// Reveals as soon as it has sealed.
    Eager,
    /// Opens its seal with another result.
    Changer,
    /// Seals twice.
    Equivocator,
    /// Submits without end.
    Flooder,
    /// Seals and never opens.
    Withholder,
    /// Loses its journal in every crash.
    Forgetter,
    /// Sends again what anybody sent before.
    Replayer,
    /// Reports artifacts that it did not build.
    Liar,
    /// Reports the same false artifacts as all other colluders.
    Colluder,
}

/// Every hostile role.
pub const HOSTILE: [Role; 10] = [
    Role::Copier,
    Role::Eager,
    Role::Changer,
    Role::Equivocator,
    Role::Flooder,
    Role::Withholder,
    Role::Forgetter,
    Role::Replayer,
    Role::Liar,
    Role::Colluder,
];

impl Role {
    /// Whether the member follows every rule.
    pub fn is_honest(self) -> bool {
        self == Role::Honest
    }

    /// Whether what it seals may be false.
    pub fn lies(self) -> bool {
        matches!(self, Role::Liar | Role::Colluder)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}

/// Deals roles to the members: fewer hostile ones than the threshold, because that is what the promise assumes. In a
/// quarter of the runs all of the hostile ones collude, as many as there can be.
pub fn deal(members: usize, threshold: u16, dice: &mut Dice) -> Vec<Role> {
    let most = usize::from(threshold) - 1;
    let mut roles = vec![Role::Honest; members];
    let collusion = dice.once_in(4);
    let hostile = if collusion { most } else { dice.below(most + 1) };
    for _ in 0..hostile {
        let seats: Vec<usize> = (0..members).filter(|seat| roles[*seat].is_honest()).collect();
        let role = if collusion { Some(&Role::Colluder) } else { dice.pick(&HOSTILE) };
        if let (Some(seat), Some(role)) = (dice.pick(&seats), role) {
            roles[*seat] = *role;
        }
    }
    roles
}
