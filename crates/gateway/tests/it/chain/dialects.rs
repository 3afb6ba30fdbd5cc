//! A refusal in the language of its caller.

use super::harness::{POLICY, Site, assert_dressed, shop};

#[tokio::test]
async fn a_refusal_is_told_in_the_callers_own_language() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    for (headers, status, media, part) in [
        ("", 404, "application/problem+json", r#""code":"operation-undeclared""#),
        (
            "accept: text/html,application/xhtml+xml,*/*;q=0.8",
            404,
            "text/html; charset=utf-8",
            "<h1>There is no such operation</h1>",
        ),
        (
            "accept: text/html;q=0.1, application/json",
            404,
            "application/problem+json",
            "denials.md#operation-undeclared",
        ),
        (
            "accept: application/graphql-response+json",
            404,
            "application/graphql-response+json",
            r#"{"errors":[{"message":"There is no such operation","extensions":{"code":"operation-undeclared""#,
        ),
        ("content-type: application/graphql\naccept: application/json", 404, "application/json", r#"{"errors":"#),
        ("content-type: application/grpc+proto\nte: trailers", 200, "application/grpc", ""),
        ("content-type: application/grpc-web+proto", 200, "application/grpc-web", ""),
    ] {
        let request = format!("GET /nowhere\n{headers}\nauthorization: Bearer ${{alice}}");
        let answer = site.ask(&request.replace("\n\n", "\n")).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (status, media), "{headers}: {answer:?}");
        assert!(answer.text().contains(part) && !answer.text().contains("<script"), "{headers}: {answer:?}");
        assert_dressed(&answer);
        let is_grpc = media.starts_with("application/grpc");
        assert_eq!(answer.headers.contains_key("grpc-status"), is_grpc);
        if is_grpc {
            assert_eq!(answer.header("grpc-status"), "12");
            let message =
                format!("There is no such operation [operation-undeclared] {}", answer.header("x-request-id"));
            assert_eq!((answer.header("grpc-message"), answer.text()), (message.as_str(), ""));
        }
    }
    let (whole, head) = (site.ask("GET /nowhere").await, site.ask("HEAD /nowhere").await);
    assert_eq!((head.status, head.text()), (whole.status, ""));
    assert_eq!(head.header("content-type"), "application/problem+json");
    assert_eq!(head.header("content-length"), whole.text().len().to_string());
    site.finish().await;
}
