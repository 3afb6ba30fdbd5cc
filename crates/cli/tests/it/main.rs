//! The command as users run it: what it prints, where, and with which exit code.

#[cfg(test)]
mod api_key;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod check;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod help;
mod key;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod review;
#[cfg(test)]
mod run;
#[cfg(test)]
mod schemathesis;
#[cfg(test)]
mod shell;
#[cfg(test)]
mod token;
#[cfg(test)]
mod user;
#[cfg(test)]
mod user_ended;
