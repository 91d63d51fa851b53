//! What the replicas replicate: an order of commands, each of them once.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};
use hotstuff_rs::app::{App, ProduceBlockRequest, ProduceBlockResponse, ValidateBlockRequest, ValidateBlockResponse};
use hotstuff_rs::block_tree::accessors::app::AppBlockTreeView;
use hotstuff_rs::types::crypto_primitives::{CryptoHasher, Digest};
use hotstuff_rs::types::data_types::{CryptoHash, Data, Datum};

use crate::pool::{Number, Pool, number_of};
use crate::store::Store;

/// How long a leader without anything to do waits for a command: well below the second after which it is given up.
const IDLE: Duration = Duration::from_millis(500);

pub(crate) struct Application(pub(crate) Arc<Pool>);

impl App<Store> for Application {
    fn produce_block(&mut self, request: ProduceBlockRequest<Store>) -> ProduceBlockResponse {
        let pending = pending(request.parent_block(), request.block_tree());
        let commands = self.0.select(&pending, IDLE);
        let datum = commands.try_to_vec().unwrap();
        ProduceBlockResponse {
            data_hash: hash(&datum),
            data: Data::new(vec![Datum::new(datum)]),
            app_state_updates: None,
            validator_set_updates: None,
        }
    }

    fn validate_block(&mut self, request: ValidateBlockRequest<Store>) -> ValidateBlockResponse {
        self.validate_block_for_sync(request)
    }

    fn validate_block_for_sync(&mut self, request: ValidateBlockRequest<Store>) -> ValidateBlockResponse {
        let block = request.proposed_block();
        let parent = (!block.justify.is_genesis_pc()).then_some(block.justify.block);
        let mut seen = pending(parent, request.block_tree());
        let commands = match block.data.vec().as_slice() {
            [datum] if hash(datum.bytes()) == block.data_hash => Vec::<Vec<u8>>::try_from_slice(datum.bytes()).ok(),
            _ => None,
        };
        let sound = |command: &Vec<u8>| self.0.check(command).is_some_and(|number| seen.insert(number));
        match commands.is_some_and(|commands| commands.iter().all(sound)) {
            true => ValidateBlockResponse::Valid { app_state_updates: None, validator_set_updates: None },
            false => ValidateBlockResponse::Invalid,
        }
    }
}

/// Commands in the blocks from `block` down to the last final one, without it.
fn pending(mut block: Option<CryptoHash>, tree: &AppBlockTreeView<Store>) -> HashSet<Number> {
    let mut numbers = HashSet::new();
    while let Some(hash) = block {
        let Ok(Some(height)) = tree.block_height(&hash) else { break };
        if tree.block_at_height(height).is_ok_and(|committed| committed == Some(hash)) {
            break;
        }
        let datum = tree.block_datum(&hash, 0);
        let commands = datum.and_then(|datum| Vec::<Vec<u8>>::try_from_slice(datum.bytes()).ok());
        numbers.extend(commands.iter().flatten().filter_map(|command| number_of(command)));
        let parent = tree.block_justify(&hash).ok().filter(|justify| !justify.is_genesis_pc());
        block = parent.map(|justify| justify.block);
    }
    numbers
}

fn hash(datum: &[u8]) -> CryptoHash {
    CryptoHash::new(CryptoHasher::digest(datum).into())
}
