//! Header blocks as RFC 7541 wants them, and as it forbids them.

use super::conformance::Must::*;
use super::conformance::*;
use super::frames::*;

/// A request whose block has something behind its fields.
fn behind(bytes: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, 1, &[&head("GET", "/items"), bytes].concat())
}

/// The same in front of them.
fn before(bytes: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, 1, &[bytes, &head("GET", "/items")].concat())
}

#[tokio::test]
async fn every_form_of_a_field_is_understood() {
    // `:method: GET` and `:scheme: http` of the table; a path, a host and a field in each form that a literal has.
    let request = |stream, form: u8, rest: &[u8]| {
        let name = |index: u8| if form == 0x40 { 0x40 | index } else { form | index };
        let path = [&[0x82, 0x86, name(4), 6][..], b"/items", &[name(1), 1, b'a'], rest].concat();
        frame(HEADERS, END_HEADERS | END_STREAM, stream, &path)
    };
    // What was kept: the host is the latest entry, the path the one before.
    let again = frame(HEADERS, END_HEADERS | END_STREAM, 3, &[0x82, 0x86, 0xBF, 0xBE]);
    check(vec![
        ("6.2.1 kept", request(1, 0x40, &[0x40, 1, b'x', 1, b'y']), Answer),
        ("6.2.2 not kept", request(1, 0x00, &[0, 1, b'x', 1, b'y']), Answer),
        ("6.2.3 never kept", request(1, 0x10, &[0x10, 1, b'x', 1, b'y']), Answer),
        ("6.1 from the dynamic table", [request(1, 0x40, &[]), again].concat(), Answer),
        ("5.2 compressed, filled up with ones", behind(&[0, 1, b'x', 0x81, 0x1F]), Answer),
        ("4.2 a smaller table", before(&[0x20]), Answer),
        ("4.2 a smaller table, and back", before(&[0x20, 0x3F, 0xE1, 0x1F]), Answer),
    ])
    .await;
}

#[tokio::test]
async fn blocks_that_cannot_be_read_end_the_connection() {
    check(vec![
        ("2.3.3 a name out of the table", behind(&[0x7F, 0x81, 1, 1, b'a']), COMPRESSION),
        ("4.2 the size of the table behind a field", behind(&[0x20]), COMPRESSION),
        ("4.2 a table larger than allowed", before(&[0x3F, 0xE2, 0x1F]), COMPRESSION),
        (
            "5.1 a number without an end",
            behind(&[0x7F, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
            COMPRESSION,
        ),
        ("5.2 a text longer than the block", behind(&[0, 1, b'x', 5, b'a']), COMPRESSION),
        ("5.2 more than seven bits of filling", behind(&[0, 1, b'x', 0x82, 0x1F, 0xFF]), COMPRESSION),
        ("5.2 filled up with zeros", behind(&[0, 1, b'x', 0x81, 0x18]), COMPRESSION),
        ("5.2 the end of a text within it", behind(&[0, 1, b'x', 0x84, 255, 255, 255, 255]), COMPRESSION),
        ("6.1 the index 0", behind(&[0x80]), COMPRESSION),
        ("6.3 half of a size", frame(HEADERS, 5, 1, &[0x3F]), COMPRESSION),
    ])
    .await;
}
