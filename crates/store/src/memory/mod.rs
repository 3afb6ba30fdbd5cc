//! Stores in memory: fast, bounded, forgotten at the end of the process.
//!
//! Callers choose the keys, directly (an address) or not (a nonce), so both stores have a cap that no caller can push
//! up. What happens at the cap differs, because forgetting means something different:
//!
//! - [`MemoryCounters`] forgets the keys whose budgets are the fullest, and charges every key it does not know with
//!   what the forgotten ones had used. Nobody is granted more by being forgotten.
//! - [`MemoryOnce`] refuses new keys, because a forgotten nonce could be replayed.

mod counter;
mod factor;
mod once;
mod session;
mod shard;

pub use counter::MemoryCounters;
pub use factor::MemoryFactors;
pub use once::MemoryOnce;
pub use session::MemorySessions;
