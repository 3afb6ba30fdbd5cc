//! Starts a program with a list of arguments, so that no shell reads them.

// In reports:
use std::io;
use std::process::{Command, Output};

fn ping(host: &str) -> io::Result<Output> {
    // A list of arguments, no shell; behind `--` nothing is taken for an option.
    Command::new("ping").args(["-c", "1", "--", host]).output()
}
