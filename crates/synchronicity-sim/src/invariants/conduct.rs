//! Honest members are never at fault: what `duties` asks for is late at worst.

use synchronicity_core::command::{Action, Command};
use synchronicity_core::rejection::Rejection;

use super::require;
use crate::world::World;

/// How many blocks were judged.
#[derive(Default)]
pub(super) struct Seen {
    blocks: usize,
}

/// A command of an honest member is accepted, or comes late, or again: it never breaks a rule.
pub(super) fn invariant_nobody_honest_is_at_fault(world: &World, seen: &mut Seen) -> Result<(), String> {
    while let (Some(block), Some(effect)) = (world.chain.get(seen.blocks), world.effects.get(seen.blocks)) {
        seen.blocks += 1;
        for (id, rejection) in &effect.rejected {
            let command = block.commands.iter().find(|command| command.id() == *id);
            let honest = command.filter(|command| world.role(&command.author()).is_some_and(|role| role.is_honest()));
            if let Some(command) = honest {
                require(is_excusable(command, rejection), || {
                    format!("a command of honest {} was refused: {rejection}", command.author())
                })?;
            }
        }
    }
    Ok(())
}

fn is_excusable(command: &Command, rejection: &Rejection) -> bool {
    match rejection {
        Rejection::Duplicate | Rejection::RoundOver | Rejection::TooLate => true,
        // Signed in the epoch before, and ordered in this one.
        Rejection::OtherGroup => true,
        // What operators propose and approve crosses, and may come when the next members are agreed on.
        Rejection::EpochEnds => !matches!(command.action(), Action::Commit { .. } | Action::Reveal { .. }),
        Rejection::UnknownProposal => matches!(command.action(), Action::Approve { .. }),
        Rejection::NoSuccessor | Rejection::TooManyProposals => matches!(command.action(), Action::Propose { .. }),
        // An operator may ask for what was asked for meanwhile, or when the group is full.
        Rejection::AlreadyOpen
        | Rejection::AlreadyConcluded { .. }
        | Rejection::TooManyOpen
        | Rejection::QuotaReached => matches!(command.action(), Action::Submit { .. }),
        _ => false,
    }
}
