//! Stores in memory: fast, bounded, forgotten at the end of the process.
//!
//! Callers choose the keys, directly (an address) or not (a nonce), so both stores have a cap that no caller can push
//! up. What happens at the cap differs, because forgetting means something different:
//!
//! - [`MemoryCounters`] forgets the keys whose budgets are the fullest, and charges every key it does not know with
//!   what the forgotten ones had used. Nobody is granted more by being forgotten.
//! - [`MemoryOnce`] refuses new keys, because a forgotten nonce could be replayed.

mod access_token;
mod account;
mod api_key;
mod counter;
mod factor;
mod key;
mod once;
mod refresh;
mod revocation;
mod session;
mod shard;

pub use access_token::MemoryAccessTokens;
pub use account::MemoryAccounts;
pub use api_key::MemoryApiKeys;
pub use counter::MemoryCounters;
pub use factor::MemoryFactors;
pub use key::MemoryKeys;
pub use once::MemoryOnce;
pub use refresh::MemoryRefresh;
pub use revocation::MemoryRevocations;
pub use session::MemorySessions;
