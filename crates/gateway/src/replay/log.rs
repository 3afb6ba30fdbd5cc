//! Reads the requests of an event log, as far as they are in it.

use palisade_core::denial::Evidence;
use serde_json::Value;

use super::{Extent, Recorded, Recording};
use crate::config::moment;
use crate::explain::Asked;

/// Every access event: there is one for each request.
pub(super) fn read(log: &str) -> Recording {
    let mut recording = Recording::default();
    for line in log.lines().filter(|line| !line.trim().is_empty()) {
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            *recording.left.entry(UNREADABLE).or_default() += 1;
            continue;
        };
        if event.get("kind").and_then(Value::as_str) != Some("access") {
            continue;
        }
        match request(&event) {
            Ok(recorded) => recording.requests.push(recorded),
            Err(why) => *recording.left.entry(why).or_default() += 1,
        }
    }
    recording
}

fn request(event: &Value) -> Result<Recorded, &'static str> {
    let text = |key: &str| event.get(key).and_then(Value::as_str);
    let (method, path) = text("method").zip(text("path")).ok_or(UNREADABLE)?;
    let at = text("at").and_then(|at| moment(at).ok()).ok_or(UNREADABLE)?;
    let from = text("client").and_then(|client| client.parse().ok()).ok_or(NO_CLIENT)?;
    // Longer paths are cut in the log, and where is not said.
    if path.len() + 4 > Evidence::LONGEST {
        return Err(CUT);
    }
    let extent = if text("host").is_some() { Extent::UpToOperation } else { Extent::HostUnknown };
    let host = vec![("host".to_owned(), text("host").unwrap_or("replayed.invalid").to_owned())];
    let asked = Asked::of(method, path, &host, Vec::new()).map_err(|_| UNREADABLE)?;
    Ok(Recorded { asked, from, at, extent })
}

const CUT: &str = "the log has only the beginning of the path";
const NO_CLIENT: &str = "the log does not say which client it was";
const UNREADABLE: &str = "the line is no event of this version";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_log_is_not_made_up() {
        let event = |path: &str, more: &str| {
            format!(
                "{{\"kind\":\"access\",\"at\":\"2026-11-22T06:00:00.000Z\",\"method\":\"GET\",\"path\":\"{path}\"{more}}}"
            )
        };
        let client = ",\"client\":\"192.0.2.1\"";
        let long = format!("/{}", "a".repeat(600));
        let host = ",\"client\":\"192.0.2.1\",\"host\":\"shop.example:8443\"";
        let log = [
            event("/items", client),
            event("/items", host),
            event("/items", ""),
            event(&long, client),
            "{\"kind\":\"input_refused\"}".to_owned(),
            "{\"kind\":\"events_lost\",\"count\":3}".to_owned(),
            "nonsense".to_owned(),
            String::new(),
        ];
        let recording = read(&log.join("\n"));
        let hosts = recording.requests.iter().map(|one| one.asked.request.headers()["host"].to_str().unwrap());
        assert_eq!(hosts.collect::<Vec<_>>(), ["replayed.invalid", "shop.example:8443"]);
        let extents: Vec<_> = recording.requests.iter().map(|one| one.extent).collect();
        assert_eq!(extents, [Extent::HostUnknown, Extent::UpToOperation]);
        let left: Vec<_> = recording.left.into_iter().collect();
        assert_eq!(left, [(UNREADABLE, 1), (NO_CLIENT, 1), (CUT, 1)]);
    }
}
