//! What leaks by many programs, and what prose may say.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MX0.c2lnbmF0dXJlLW9mLWEtdG9rZW4";

/// A text put together, so that no scanner of this repository takes it for a real secret.
fn secret(start: &str, letters: &str, length: usize) -> String {
    format!("{start}{}", letters.chars().cycle().take(length).collect::<String>())
}

fn leaking() -> Vec<(LeakKind, String)> {
    use LeakKind::*;
    let texts = [
        (StackTrace, "java.lang.IllegalStateException: pool closed\n\tat shop.Orders.find(Orders.java:17)"),
        (StackTrace, "\tat shop.api.Routes$handler$1.invoke(Routes.kt:88)"),
        (StackTrace, "at java.base/java.lang.Thread.run(Unknown Source)"),
        (StackTrace, "org.postgresql.util.PSQLException: the connection was closed"),
        (StackTrace, "   at Shop.Orders.Find(Int32 id) in C:\\src\\Orders.cs:line 42"),
        (StackTrace, "System.NullReferenceException: Object reference not set to an instance of an object."),
        (StackTrace, "Traceback (most recent call last):\n  File \"/srv/shop.py\", line 3, in find"),
        (StackTrace, "File \"/srv/app/views.py\", line 120, in get_order"),
        (StackTrace, "#0 /var/www/html/index.php(12): Orders->find(1)"),
        (StackTrace, "PHP Fatal error: Uncaught TypeError: bad id in /var/www/orders.php:31"),
        (StackTrace, "<b>Warning</b>: Undefined variable $id in <b>/var/www/orders.php</b> on line <b>7</b>"),
        (StackTrace, "TypeError: x is undefined\n    at find (/srv/app/orders.js:10:15)"),
        (StackTrace, "    at node:internal/main/run_main_module:23:47"),
        (StackTrace, "    at async Server.handle (file:///srv/app/server.mjs:7:3)"),
        (StackTrace, "goroutine 17 [running]:\nmain.find(0x1)"),
        (StackTrace, "panic: runtime error: index out of range [3] with length 2"),
        (StackTrace, "\t/srv/shop/orders.go:44 +0x1d"),
        (StackTrace, "app/models/order.rb:12:in `find'"),
        (StackTrace, "thread 'main' panicked at src/orders.rs:9:14:"),
        (DatabaseError, "ORA-00942: table or view is not there"),
        (DatabaseError, "SQLSTATE[42S02]: Base table not found"),
        (DatabaseError, "You have an error in your SQL syntax; check the manual"),
        (DatabaseError, "ERROR: syntax error at or near \"FORM\" at character 15"),
        (DatabaseError, "near \"FORM\": syntax error"),
        (DatabaseError, "Unclosed quotation mark after the character string ''."),
        (DatabaseError, "SQLITE_ERROR: no such table: orders"),
        (DatabaseError, "duplicate key value violates unique constraint \"users_mail\""),
        (DatabaseError, "UNIQUE constraint failed: users.mail"),
        (DatabaseError, "relation \"orders\" does not exist"),
        (DatabaseError, "Unknown column 'x' in 'where clause'"),
        (DatabaseError, "sqlalchemy.exc.OperationalError"),
        (Token, TOKEN),
    ];
    let made = [
        (PrivateKey, format!("-----BEGIN {}PRIVATE KEY-----\nMIIE", "RSA ")),
        (PrivateKey, format!("-----BEGIN {} KEY-----\nMIIE", "PRIVATE")),
        (PrivateKey, format!("-----BEGIN PGP {} KEY BLOCK-----", "PRIVATE")),
        (ApiKey, secret("AKIA", "ABC4", 16)),
        (ApiKey, secret("ghp_", "aB3", 36)),
        (ApiKey, secret("github_pat_", "aB3", 60)),
        (ApiKey, secret("xoxb-", "1234567890", 24)),
        (ApiKey, secret("AIza", "aB3", 35)),
        (ApiKey, secret("sk_live_", "aB3", 24)),
        (PasswordHash, secret("$2b$12$", "aB3./", 53)),
        (PasswordHash, "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA".to_owned()),
        (PasswordHash, secret("$6$salt$", "aB3./", 86)),
        (PasswordHash, "pbkdf2_sha256$600000$salt$hash".to_owned()),
    ];
    texts.into_iter().map(|(kind, text)| (kind, text.to_owned())).chain(made).collect()
}

#[test]
fn what_leaks_is_found_alone_in_prose_in_json_and_in_pages() {
    for (kind, text) in leaking() {
        assert_eq!(of_text(&text), Some(kind), "{text}");
        assert_eq!(of_text(&format!("We are sorry. {text} Please try again.")), Some(kind), "{text}");
        let value = json!({"items": [{"note": text}]});
        let expect = Leak { kind, pointer: "/items/0/note".to_owned() };
        assert_eq!(of_json(value.to_string().as_bytes(), &value, &[]), Some(expect), "{text}");
        let page = format!("<html><pre>{text}</pre></html>");
        assert_eq!(of_bytes(page.as_bytes()).map(|leak| leak.kind), Some(kind), "{text}");
    }
}

#[test]
fn escapes_hide_nothing() {
    for text in [r#"{"note":"\u002d----BEGIN PRIVATE \u004bEY-----"}"#, r##"{"note":"#0 \/srv\/a\u002ephp(12): f()"}"##]
    {
        let value = serde_json::from_str(text).unwrap();
        assert!(of_json(text.as_bytes(), &value, &[]).is_some(), "{text}");
    }
}

#[test]
fn prose_and_honest_data_pass() {
    for text in [
        "Meet me at the Orders desk at 17:00 (or at 18:30:15).",
        "An error occurred at checkout: please try again at 10:30.",
        "The private key stays with you; a public key is -----BEGIN PUBLIC KEY----- and so on.",
        "Our Java course explains NullPointerException and how to read a stack trace.",
        "Python prints a traceback (most recent call last) when a program fails.",
        "If the table does not exist, ask the waiter. The column \"price\" is empty.",
        "A foreign key constraint keeps orders and customers together.",
        "There is a syntax error in your homework near the end.",
        "He panicked at the sight of goroutine 7 and ran.",
        "Costs: $2a piece, $1$ off, $5 and $6 deals; see index.php and main.go:12 in the repository.",
        "https://shop.example/app.js?v=1:2 and C:\\Users\\me\\notes.txt",
        "eyJ is how many tokens begin.",
        "AKIAvalley is a village, ghp_ a prefix, xoxo from Anna, AIza a name.",
        "2026-11-22T10:00:00Z",
        "c56a4180-65aa-42ec-a945-5fd21dec0538",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        "Fichier introuvable : erreur à la ligne 12 (voir l'aide).",
        "Room 5 at Hotel (Main Street:12:30) at /dev/null",
        "sk_test_0123456789abcdef is fine in a manual.",
        "ORA-bank and SQLSTATE are words.",
    ] {
        assert_eq!(of_text(text), None, "{text}");
    }
}

#[test]
fn a_token_may_stand_where_tokens_are_declared() {
    for (value, leaks) in [
        (json!({"access_token": TOKEN}), false),
        (json!({"idToken": TOKEN}), false),
        (json!({"tokens": [TOKEN]}), false),
        (json!({"client_assertion": TOKEN}), false),
        (json!({"note": TOKEN}), true),
        (json!({"tokens": {"note": TOKEN}}), true),
        (json!(TOKEN), true),
    ] {
        assert_eq!(of_json(value.to_string().as_bytes(), &value, &[]).is_some(), leaks, "{value}");
    }
}

#[test]
fn places_that_may_show_anything_are_left_out() {
    let trace = "at shop.Orders.find(Orders.java:17)";
    let value = json!({"issues": [{"text": trace, "title": "x"}], "log": {"lines": [trace]}});
    let bytes = value.to_string();
    for (shown, expect) in [
        (&[][..], Some("/issues/0/text")),
        (&["/issues/*/text"], Some("/log/lines/0")),
        (&["/issues/*/text", "/log"], None),
        (&["/issues/0/title", "/log/lines/*"], Some("/issues/0/text")),
        (&[""], None),
    ] {
        let shown: Vec<Pointer> = shown.iter().map(|pointer| Pointer::parse(pointer).unwrap()).collect();
        let found = of_json(bytes.as_bytes(), &value, &shown);
        assert_eq!(found.as_ref().map(|leak| leak.pointer.as_str()), expect, "{shown:?}");
    }
}

#[test]
fn a_name_that_leaks_is_not_repeated() {
    let value = json!({TOKEN: 1});
    let found = of_json(value.to_string().as_bytes(), &value, &[]).unwrap();
    assert_eq!((found.kind, found.pointer.as_str()), (LeakKind::Token, "/…"));
}

#[test]
fn every_pattern_has_a_word_of_the_first_search() {
    for (_, text) in leaking() {
        assert!(may_leak(text.as_bytes()), "{text}");
    }
}

proptest! {
    /// The first search never hides what the second would find.
    #[test]
    fn the_first_search_is_no_narrower(text in "[ -~\n]{0,80}", which in 0_usize..40) {
        let leaks = leaking();
        let text = format!("{text}{}", leaks[which % leaks.len()].1);
        prop_assert!(of_text(&text).is_none() || may_leak(text.as_bytes()));
    }
}
