//! Measures what hashing costs on this machine, so that nobody has to guess.

use std::time::{Duration, Instant};

use argon2::Block;

use super::Cost;

/// What one cost takes on this machine.
///
/// ```
/// use std::{num::NonZeroUsize, time::Duration};
/// use palisade::credential::password::{Cost, Measured};
///
/// let measured = Measured { cost: Cost::default(), takes: Duration::from_millis(20) };
/// assert_eq!(measured.per_second(NonZeroUsize::new(4).unwrap()), 200.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The cost.
    pub cost: Cost,
    /// How long one hash takes, when the machine has nothing else to do.
    pub takes: Duration,
}

impl Measured {
    /// How many people can sign in in a second: the cores divided by what one hash takes.
    pub fn per_second(&self, cores: std::num::NonZeroUsize) -> f64 {
        let cores = u32::try_from(cores.get()).unwrap_or(u32::MAX);
        f64::from(cores) / self.takes.as_secs_f64().max(1e-9)
    }
}

/// Measures the costs of OWASP's Password Storage Cheat Sheet, and ever greater ones until one takes more than `target`.
/// The last of the list that is within `target` is the one to take; if none is, the machine is too slow for it.
///
/// This burns a processor for some multiples of `target`: it is for a command, not for a server at work.
pub fn calibrate(target: Duration) -> Vec<Measured> {
    let floor = [(7 * 1024, 5), (12 * 1024, 3), (19 * 1024, 2), (46 * 1024, 1)];
    let more = [(46 * 1024, 2), (64 * 1024, 2), (64 * 1024, 3), (96 * 1024, 3), (128 * 1024, 3), (128 * 1024, 4)];
    let mut found = Vec::new();
    for (place, (memory, passes)) in floor.into_iter().chain(more).enumerate() {
        let Some(cost) = Cost::new(memory, passes, 1) else { continue };
        let measured = measure(cost);
        found.push(measured);
        if place >= floor.len() && measured.takes > target {
            break;
        }
    }
    found
}

/// The quickest of three: whatever else the machine does can only make it slower.
fn measure(cost: Cost) -> Measured {
    let mut arena = vec![Block::new(); cost.blocks()];
    let times = [(); 3].map(|()| {
        let (begun, mut hash) = (Instant::now(), [0; 32]);
        let ran = cost.run(b"a boat full of green tea", b"sixteen bytes...", &mut arena, &mut hash);
        if ran { begun.elapsed() } else { Duration::MAX }
    });
    Measured { cost, takes: times.into_iter().min().unwrap_or(Duration::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_up_to_the_target() {
        let found = calibrate(Duration::ZERO);
        let costs: Vec<String> = found.iter().map(|measured| measured.cost.to_string()).collect();
        let expect = ["m=7168,t=5,p=1", "m=12288,t=3,p=1", "m=19456,t=2,p=1", "m=47104,t=1,p=1", "m=47104,t=2,p=1"];
        assert_eq!(costs, expect, "the least that is allowed, and the first that is over the target");
        assert!(found.iter().all(|measured| measured.takes > Duration::ZERO && measured.takes < Duration::MAX));
    }
}
