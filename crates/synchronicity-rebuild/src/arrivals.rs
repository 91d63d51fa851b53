//! What comes over the network, told to whoever waits for it.

use std::fmt;
use std::sync::Arc;

/// Hears how many bytes have come, whenever some have. What it does with that is nothing to those who tell it.
#[derive(Clone, Default)]
pub struct Arrivals(Option<Arc<dyn Fn(u64) + Send + Sync>>);

impl Arrivals {
    /// Told to `hear`, from whichever thread something comes on.
    pub fn told_to(hear: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hear)))
    }

    pub(crate) fn came(&self, bytes: u64) {
        if let Some(hear) = self.0.as_ref().filter(|_| bytes > 0) {
            hear(bytes);
        }
    }
}

impl fmt::Debug for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Arrivals(heard)" } else { "Arrivals(unheard)" })
    }
}
