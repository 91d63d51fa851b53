//! Pages and API over a group that is played: blocks are applied and noted as a node does it, and nothing listens.

mod answers;
mod following;
mod hostile;
mod lists;
mod restart;
mod stage;
mod survey;
mod webhooks;
