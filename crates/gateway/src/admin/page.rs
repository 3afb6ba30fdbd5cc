//! The page for people: how the gateway is, what was refused last, and where to look further.

use std::fmt::Write as _;

use palisade_core::event::Outcome;

use super::Office;

/// The front page.
pub(super) fn front(office: &Office, unready: Option<&str>) -> String {
    let policy = office.live.policy.load();
    let history = office.live.history();
    let requests: u64 = office.seen.operations().values().map(|counts| counts.total()).sum();
    let refused: u64 = office.seen.refused().values().sum();
    let mut page = String::from(HEAD);
    let state = unready.unwrap_or("ready");
    let class = if unready.is_some() { "bad" } else { "good" };
    // Writing to a String cannot fail.
    let _ = write!(page, "<p>This gateway is <strong class={class}>{}</strong>.</p><table>", text(state));
    for (name, value) in [
        ("policy", policy.version.as_str().to_owned()),
        ("in force since", policy.since.to_string()),
        ("connections", office.open.now().to_string()),
        ("requests", requests.to_string()),
        ("refused", refused.to_string()),
        ("events dropped", office.live.world.events.lost().to_string()),
        ("reloads", format!("{} succeeded, {} failed", history.succeeded, history.failed)),
    ] {
        let _ = write!(page, "<tr><th>{name}</th><td>{}</td></tr>", text(&value));
    }
    page.push_str("</table>");
    if let Some((at, problems)) = history.last.filter(|(_, problems)| !problems.is_empty()) {
        let _ = write!(page, "<h2>The last reload failed</h2><p>At {at}; the policy above stays in force.</p>");
        for problem in problems {
            let _ = write!(page, "<pre class=bad>{}</pre>", text(&problem.to_string()));
        }
    }
    for danger in &policy.dangers {
        let _ = write!(page, "<p class=bad>Weakened: {}</p>", text(danger));
    }
    page.push_str("<h2>Refused last</h2><table><tr><th>when<th>request<th>code<th>id</tr>");
    for event in office.seen.refusals().iter().take(SHOWN) {
        let Outcome::Denied(code) = event.outcome else { continue };
        let request = format!("{} {}", event.method, event.path);
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{code}</td><td>{}</td></tr>",
            event.at,
            text(&request),
            text(event.request.as_str())
        );
    }
    page.push_str("</table>");
    page
}

/// Text within a page: nothing in it is markup.
fn text(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, c| {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
        safe
    })
}

const SHOWN: usize = 20;

const HEAD: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Palisade</title>\
<link rel=stylesheet href=/style.css><h1>Palisade</h1>\
<nav><a href=/policy>policy</a> <a href=/inventory>inventory</a> <a href=/refusals>refusals</a> \
<a href=/metrics>metrics</a> <a href=/ready>ready</a> <a href=/live>live</a></nav>";

/// How the page looks.
pub(super) const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse}th,td{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top;overflow-wrap:anywhere}\
pre{white-space:pre-wrap}.bad{color:#a00}.good{color:#060}\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_markup() {
        let page = text("<script>alert('1')</script>&\"");
        assert_eq!(page, "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;");
    }
}
