//! Under which paths the operations are: the paths of `servers`. Their hosts are never used: where a request goes is
//! decided by the configuration, or by whoever runs a review, and not by a document.

use serde_json::Value;

use crate::document::items;

/// The path of each server without a slash at its end, each once; the root where no server is declared.
pub(crate) fn bases(root: &Value) -> Vec<String> {
    let mut bases: Vec<String> = Vec::new();
    for server in items(root, "servers") {
        let Some(url) = server.get("url").and_then(Value::as_str) else { continue };
        let url = with_defaults(url, server.get("variables").unwrap_or(&Value::Null));
        let path = match url.split_once("://") {
            Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default(),
            None => url.as_str(),
        };
        let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/').to_owned();
        if (path.is_empty() || path.starts_with('/')) && !bases.contains(&path) {
            bases.push(path);
        }
    }
    if bases.is_empty() {
        bases.push(String::new());
    }
    bases
}

/// A server's URL with the default of each of its variables.
fn with_defaults(url: &str, variables: &Value) -> String {
    variables.as_object().into_iter().flatten().fold(url.to_owned(), |url, (name, variable)| {
        let default = variable.get("default").and_then(Value::as_str).unwrap_or_default();
        url.replace(&format!("{{{name}}}"), default)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn are_the_paths_of_the_servers() {
        let check = |servers: Value, expect: &[&str]| {
            assert_eq!(bases(&json!({"servers": servers})), expect, "{servers}");
        };
        check(json!([]), &[""]);
        check(json!([{"url": "/"}]), &[""]);
        check(json!([{"url": "http://localhost:3000/api/v1/"}]), &["/api/v1"]);
        check(
            json!([{"url": "https://a.example/v1"}, {"url": "https://b.example/v1"}, {"url": "/v2"}]),
            &["/v1", "/v2"],
        );
        let variables = json!({"base": {"default": "v3"}, "host": {"default": "h.example"}});
        check(json!([{"url": "https://{host}/{base}", "variables": variables}]), &["/v3"]);
        assert_eq!(bases(&json!({})), [""]);
    }
}
