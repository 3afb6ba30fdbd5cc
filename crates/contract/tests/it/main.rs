//! The contract crate as its users see it.

#[cfg(test)]
mod claims;
#[cfg(test)]
mod diagnostics;
#[cfg(test)]
mod dialects;
#[cfg(test)]
mod fastapi;
#[cfg(test)]
mod forms;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod responses;
#[cfg(test)]
mod robust;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod styles;
#[cfg(test)]
mod support;
