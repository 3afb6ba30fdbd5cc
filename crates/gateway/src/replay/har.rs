//! Reads the requests of a HAR file (HTTP Archive 1.2), as browsers and proxies record them.

use serde_json::Value;

use super::{Extent, Recorded, Recording};
use crate::config::moment;
use crate::explain::Asked;

/// Every entry whose request is there in whole.
pub(super) fn read(har: &Value) -> Recording {
    let mut recording = Recording::default();
    for entry in har.pointer("/log/entries").and_then(Value::as_array).into_iter().flatten() {
        match request(entry) {
            Ok(recorded) => recording.requests.push(recorded),
            Err(why) => *recording.left.entry(why).or_default() += 1,
        }
    }
    recording
}

fn request(entry: &Value) -> Result<Recorded, &'static str> {
    let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str);
    let (method, url) = text("/request/method").zip(text("/request/url")).ok_or(NO_REQUEST)?;
    let at = text("/startedDateTime").and_then(|text| moment(text).ok()).ok_or(NO_TIME)?;
    let body = match (entry.pointer("/request/postData"), entry.pointer("/request/bodySize").and_then(Value::as_i64)) {
        (Some(data), _) => data.get("text").and_then(Value::as_str).ok_or(NO_BODY)?,
        (None, Some(1..)) => return Err(NO_BODY),
        (None, _) => "",
    };
    let mut fields = Vec::new();
    for header in entry.pointer("/request/headers").and_then(Value::as_array).into_iter().flatten() {
        let part = |name: &str| header.get(name).and_then(Value::as_str);
        let (name, value) = part("name").zip(part("value")).ok_or(NO_REQUEST)?;
        // What HTTP/2 writes in the place of a request line is in the URL, and the length is that of the body we have.
        if !name.starts_with(':') && !name.eq_ignore_ascii_case("content-length") {
            fields.push((name.to_owned(), value.to_owned()));
        }
    }
    let asked = Asked::of(method, url, &fields, body.as_bytes().to_vec()).map_err(|_| NO_REQUEST)?;
    Ok(Recorded { asked, from: [127, 0, 0, 1].into(), at, extent: Extent::Whole })
}

const NO_BODY: &str = "the body was not recorded";
const NO_REQUEST: &str = "there is no request that could be sent";
const NO_TIME: &str = "it is not said when the request was made";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_is_read_in_whole_or_not_at_all() {
        let at = "2026-11-22T06:00:00.123Z";
        let get =
            json!({"method": "GET", "url": "https://a.example/x?y=1", "headers": [{"name": ":path", "value": "/x"}]});
        let post = |data: Value| json!({"method": "POST", "url": "https://a/", "bodySize": 3, "postData": data});
        let cases = [
            (json!({"startedDateTime": at, "request": get}), Ok("GET /x?y=1 ")),
            (json!({"startedDateTime": at, "request": post(json!({"text": "abc"}))}), Ok("POST / abc")),
            (json!({"startedDateTime": at, "request": post(json!({"mimeType": "a/b"}))}), Err(NO_BODY)),
            (
                json!({"startedDateTime": at, "request": {"method": "PUT", "url": "http://a/", "bodySize": 7}}),
                Err(NO_BODY),
            ),
            (json!({"request": get}), Err(NO_TIME)),
            (json!({"startedDateTime": at, "request": {"method": "GET"}}), Err(NO_REQUEST)),
            (json!({"startedDateTime": at, "request": {"method": "G T", "url": "http://a/"}}), Err(NO_REQUEST)),
        ];
        for (entry, expect) in cases {
            let found = request(&entry).map(|recorded| {
                let request = recorded.asked.request;
                format!("{} {} {}", request.method(), request.uri(), std::str::from_utf8(request.body()).unwrap())
            });
            assert_eq!(found.as_deref().map_err(|why| *why), expect, "{entry}");
        }
    }
}
