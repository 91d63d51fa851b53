//! What the engine asks of a chain: a proposal, a judgement. Both are answered in files of their own.

use std::marker::PhantomData;
use std::sync::Arc;

use commonware_consensus::marshal::ancestry::Ancestry;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::Context;
use commonware_cryptography::{Digested, ed25519, sha256};
use commonware_parallel::Sequential;
use commonware_runtime::Clock;

use crate::block::Block;
use crate::executor::Executor;
use crate::local::Local;
use crate::propose::propose;
use crate::sightings::key_of;
use crate::verify::verify;

/// The engine's view of a member.
pub(crate) struct Application<E, X> {
    local: Arc<Local<X>>,
    runtime: PhantomData<fn() -> E>,
}

impl<E, X> Application<E, X> {
    pub(crate) fn new(local: Arc<Local<X>>) -> Self {
        Self { local, runtime: PhantomData }
    }
}

impl<E, X> Clone for Application<E, X> {
    fn clone(&self) -> Self {
        Self::new(self.local.clone())
    }
}

impl<E: Clock, X: Executor> commonware_consensus::Application<E> for Application<E, X> {
    type SigningScheme = Scheme;
    type Context = Context<sha256::Digest, ed25519::PublicKey>;
    type Block = Block;
    type Input = ();

    async fn propose(
        &mut self,
        (clock, _): (E, Self::Context),
        ancestry: impl Ancestry<Block>,
        (): (),
    ) -> Option<Digested<Block>> {
        let block = propose(&clock, &self.local, ancestry).await?;
        Some(Digested::compute(block, &Sequential).await)
    }

    async fn verify(&mut self, (clock, context): (E, Self::Context), ancestry: impl Ancestry<Block>) -> bool {
        verify(&clock, &self.local, key_of(&context.leader), ancestry).await
    }
}
