//! HAR 1.2: what browsers and proxies record.

use serde_json::Value;

use crate::input::Recorded;
use crate::surface::encode;
use crate::surface::read::{is_json, items};

/// The requests of an archive; `None` when the document is none.
pub(crate) fn archive(root: &Value) -> Option<Vec<Recorded>> {
    let log = root.get("log")?;
    log.get("entries")?.as_array()?;
    Some(items(log, "entries").filter_map(recorded).collect())
}

fn recorded(entry: &Value) -> Option<Recorded> {
    let (request, response) = (entry.get("request")?, entry.get("response").unwrap_or(&Value::Null));
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let pair = |one: &Value| Some((text(one, "name")?, text(one, "value").unwrap_or_default()));
    let mut headers: Vec<(String, String)> = items(request, "headers").filter_map(pair).collect();
    let content = response.get("content").unwrap_or(&Value::Null);
    let media = text(content, "mimeType").unwrap_or_default();
    let method = text(request, "method")?;
    // Pages, scripts and pictures are no API.
    let is_asset = ["css", "font", "html", "image", "javascript", "video"].iter().any(|word| media.contains(word));
    if is_asset && method == "GET" {
        return None;
    }
    let posted = request.get("postData").unwrap_or(&Value::Null);
    if let Some(media) =
        text(posted, "mimeType").filter(|_| !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")))
    {
        headers.push(("content-type".to_owned(), media));
    }
    let fields: Vec<String> = items(posted, "params")
        .filter_map(pair)
        .map(|(name, value)| format!("{}={}", encode(&name), encode(&value)))
        .collect();
    let fields = (!fields.is_empty()).then(|| fields.join("&"));
    let body = text(posted, "text").filter(|text| !text.is_empty()).or(fields);
    let shown = text(content, "text").filter(|_| is_json(&media)).and_then(|text| serde_json::from_str(&text).ok());
    let answer = response.get("status").and_then(Value::as_u64).map(|status| (status, shown));
    Some(Recorded { line: None, method, url: text(request, "url")?, headers, body, answer })
}
