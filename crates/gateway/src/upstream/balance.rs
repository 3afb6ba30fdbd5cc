//! Which endpoint of a backend gets a request: pure choices over weights, loads and keys.
//!
//! - [`schedule`] spreads turns by weight, so that a heavy endpoint does not get all of its turns at once.
//! - [`pair`] draws two candidates, of whom the less busy one is taken. Two are enough to keep the longest queue short,
//!   and unlike the least busy of all they do not send everybody to an endpoint that has just come back empty.
//! - [`order`] ranks endpoints for a key by highest random weight (rendezvous hashing): when an endpoint goes, its own
//!   keys move and no others.

/// How requests are spread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// The same key goes to the same endpoint.
    ConsistentHash(HashBy),
    /// The less busy of two.
    LeastRequests,
    /// In turn.
    #[default]
    RoundRobin,
}

/// What the endpoint depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashBy {
    /// The client's address.
    Client,
    /// The value of a header.
    Header(http::HeaderName),
    /// The path.
    Path,
    /// Who asks.
    Principal,
}

/// The turns of one round, as places in `weights`: each endpoint as often as its weight says, spread evenly. An empty
/// list, or weights of zero only, have no turns.
pub(crate) fn schedule(weights: &[u32]) -> Vec<usize> {
    let divisor = weights.iter().copied().fold(0, gcd).max(1);
    let weights: Vec<i64> = weights.iter().map(|weight| i64::from(weight / divisor)).collect();
    let total: i64 = weights.iter().sum();
    let mut credit: Vec<i64> = vec![0; weights.len()];
    let mut turns = Vec::new();
    for _ in 0..total {
        credit.iter_mut().zip(&weights).for_each(|(credit, weight)| *credit += weight);
        // Of equals the first, so that the order of the configuration shows.
        let next = credit.iter().enumerate().max_by_key(|(place, credit)| (**credit, std::cmp::Reverse(*place)));
        if let Some(place) = next.map(|(place, _)| place) {
            turns.push(place);
            credit.iter_mut().skip(place).take(1).for_each(|credit| *credit -= total);
        }
    }
    turns
}

/// Two different numbers below `count`, or twice the only one; none below zero.
pub(crate) fn pair(count: usize, random: u64) -> Option<(usize, usize)> {
    let first = below(random >> 32, count)?;
    let Some(second) = below(random & 0xffff_ffff, count - 1) else { return Some((first, first)) };
    Some((first, if second >= first { second + 1 } else { second }))
}

fn below(random: u64, count: usize) -> Option<usize> {
    usize::try_from(random.checked_rem(count as u64)?).ok()
}

/// How much an endpoint wants a key: the highest has it.
pub(crate) fn desire(endpoint: u64, weight: u32, key: u64) -> f64 {
    // Uniform in (0, 1), so that the logarithm is finite and negative.
    let uniform = ((mix(endpoint ^ mix(key)) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    -f64::from(weight) / uniform.ln()
}

/// A number for bytes, the same in every process, so that several gateways agree (FNV-1a with a finish).
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    mix(bytes.iter().fold(0xcbf2_9ce4_8422_2325, fold))
}

/// The finish of splitmix64: neighbors become strangers. Over a counter it is a fair, though guessable, die.
pub(crate) fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Who of these has the key.
    fn owner(endpoints: &[(u64, u32)], key: u64) -> u64 {
        let by_desire = |a: &&(u64, u32), b: &&(u64, u32)| desire(a.0, a.1, key).total_cmp(&desire(b.0, b.1, key));
        endpoints.iter().max_by(by_desire).unwrap().0
    }

    #[test]
    fn turns_are_spread_by_weight() {
        for (weights, turns) in [
            (&[][..], &[][..]),
            (&[1], &[0]),
            (&[7, 7, 7], &[0, 1, 2]),
            (&[3, 1], &[0, 0, 1, 0]),
            (&[5, 1, 1], &[0, 0, 1, 0, 2, 0, 0]),
        ] {
            assert_eq!(schedule(weights), turns, "{weights:?}");
        }
    }

    #[test]
    fn heavier_endpoints_have_more_keys() {
        let endpoints = [(hash(b"a"), 1), (hash(b"b"), 3)];
        let of_b = (0..10_000).filter(|key| owner(&endpoints, mix(*key)) == endpoints[1].0).count();
        assert!((7_300..7_700).contains(&of_b), "{of_b} of 10000");
    }

    proptest! {
        #[test]
        fn everybody_has_their_turns(weights in proptest::collection::vec(1_u32..20, 1..8)) {
            let turns = schedule(&weights);
            let total: u32 = weights.iter().sum();
            for (place, weight) in weights.iter().enumerate() {
                let count = turns.iter().filter(|turn| **turn == place).count();
                prop_assert_eq!(count * total as usize, *weight as usize * turns.len());
            }
        }

        #[test]
        fn two_are_drawn_and_they_differ(count in 0_usize..100, random: u64) {
            match pair(count, random) {
                None => prop_assert_eq!(count, 0),
                Some((first, second)) => {
                    prop_assert!(first < count && second < count);
                    prop_assert!(count == 1 || first != second);
                }
            }
        }

        #[test]
        fn when_an_endpoint_goes_its_own_keys_move_and_no_others(
            names in proptest::collection::hash_set("[a-z]{1,8}:[0-9]{2,4}", 2..12),
            gone in any::<prop::sample::Index>(),
            keys in proptest::collection::vec(any::<u64>(), 200),
        ) {
            let before: Vec<(u64, u32)> = names.iter().map(|name| (hash(name.as_bytes()), 1)).collect();
            let gone = before[gone.index(before.len())];
            let after: Vec<(u64, u32)> = before.iter().copied().filter(|endpoint| *endpoint != gone).collect();
            for key in keys {
                let had = owner(&before, key);
                prop_assert!(had == gone.0 || owner(&after, key) == had);
            }
        }

        #[test]
        fn each_endpoint_has_about_its_share(names in proptest::collection::hash_set("[a-z]{3,8}", 2..6)) {
            let endpoints: Vec<(u64, u32)> = names.iter().map(|name| (hash(name.as_bytes()), 1)).collect();
            for endpoint in &endpoints {
                let keys = (0..4000).filter(|key| owner(&endpoints, mix(*key)) == endpoint.0).count();
                let share = 4000 / endpoints.len();
                prop_assert!(keys.abs_diff(share) < share / 4, "{} instead of {}", keys, share);
            }
        }
    }
}
