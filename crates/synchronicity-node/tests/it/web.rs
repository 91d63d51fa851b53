//! Pages and API over a group that is played: blocks are applied and noted as a node does it, and nothing listens.

mod answers;
mod following;
mod hostile;
mod kept;
mod lists;
mod log;
mod of_crate;
mod restart;
mod stage;
mod survey;
mod walks;
mod webhooks;
