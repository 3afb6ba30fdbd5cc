//! The library as its users have it: the chain in front of axum, single layers, the examples, and what must not compile.

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod advisories;
#[cfg(test)]
mod api_keys;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod build;
#[cfg(test)]
mod caller;
#[cfg(test)]
mod events;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod factors;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod opaque_tokens;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod scores;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod ui;
#[cfg(test)]
mod valid;
#[cfg(test)]
mod world;
#[cfg(test)]
mod wycheproof;
