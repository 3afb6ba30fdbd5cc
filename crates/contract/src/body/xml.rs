//! Reads an XML body and refuses what makes the parser behind it fetch, expand or execute something.
//!
//! XML has no canonical writing here: what passes goes on as it came. So it must be a document that no parser reads in a
//! way of its own.
//!
//! 1. There is no DOCTYPE, and so no entity but the five that XML itself has: no file is read (CWE-611), and nothing grows
//!    by expansion (CWE-776). There is no processing instruction, and nothing is included (XInclude).
//! 2. It is XML 1.0 in UTF-8 with one root, every element is closed, no attribute is there twice, and every name and
//!    reference is one.
//! 3. Depth, attributes of one element, values in all and the length of a text have the caps of the route.
//!
//! What an element may hold is not compared with a schema: OpenAPI describes XML through JSON, and loosely.

use quick_xml::events::{BytesDecl, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::json::Caps;
use crate::schema::shape::has_control;
use crate::violation::{Violation, ViolationCode as Code};

/// That the body is a document that may go on.
pub(super) fn check(body: &[u8], caps: &Caps) -> Result<(), Violation> {
    let fault = read(body, caps).err();
    fault.map_or(Ok(()), |message| Err(Violation::new(super::BASE, Code::Malformed, message)))
}

fn read(body: &[u8], caps: &Caps) -> Result<(), &'static str> {
    let text = std::str::from_utf8(body).map_err(|_| "must be XML in UTF-8")?;
    if has_control(text) || text.contains(['\u{fffe}', '\u{ffff}']) {
        return Err("must not contain control characters");
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut document = Document { caps, depth: 0, values: 0, has_root: false };
    let mut is_first = true;
    loop {
        match reader.read_event().map_err(|_| MALFORMED)? {
            Event::CData(data) => document.text(&data, true)?,
            Event::Comment(comment) => document.value(comment.len())?,
            Event::Decl(declaration) if is_first => declared(&declaration)?,
            Event::Decl(_) => return Err(MALFORMED),
            Event::DocType(_) => return Err("must not have a DOCTYPE"),
            Event::Empty(tag) => {
                document.open(&tag)?;
                document.close();
            }
            Event::End(_) => document.close(),
            Event::Eof if document.has_root && document.depth == 0 => return Ok(()),
            Event::Eof => return Err(MALFORMED),
            Event::GeneralRef(reference) => {
                document.text(&reference, true)?;
                resolve(&reference)?;
            }
            Event::PI(_) => return Err("must not have processing instructions"),
            Event::Start(tag) => document.open(&tag)?,
            Event::Text(text) if text.contains("]]>") => return Err(MALFORMED),
            Event::Text(text) => document.text(&text, false)?,
        }
        is_first = false;
    }
}

/// What has been read so far.
struct Document<'c> {
    caps: &'c Caps,
    depth: usize,
    values: usize,
    has_root: bool,
}

impl Document<'_> {
    /// One more of anything, this long.
    fn value(&mut self, length: usize) -> Result<(), &'static str> {
        self.values += 1;
        match () {
            () if self.values > self.caps.nodes => Err("must not hold this many values"),
            () if length > self.caps.string => Err("must not be a text of this length"),
            () => Ok(()),
        }
    }

    /// A text between tags. Outside the root there is room for white space, which is not written as a reference.
    fn text(&mut self, text: &str, is_marked: bool) -> Result<(), &'static str> {
        self.value(text.len())?;
        let is_blank = !is_marked && text.bytes().all(|byte| BLANKS.contains(&byte));
        if self.depth == 0 && !is_blank { Err(MALFORMED) } else { Ok(()) }
    }

    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), &'static str> {
        if self.depth == 0 && self.has_root {
            return Err(MALFORMED);
        }
        self.has_root = true;
        self.depth += 1;
        if self.depth > self.caps.depth.min(Caps::DEEPEST) {
            return Err("must not be nested this deep");
        }
        self.value(0)?;
        is_name(tag.name().as_ref())?;
        for (index, attribute) in tag.attributes().enumerate() {
            // Each is compared with all before it, so that the number is bounded whatever the settings say.
            if index >= self.caps.keys.min(MOST_ATTRIBUTES) {
                return Err("must not have this many attributes");
            }
            let attribute = attribute.map_err(|_| MALFORMED)?;
            is_name(attribute.key.as_ref())?;
            self.value(attribute.value.len())?;
            if attribute.value.contains('<') {
                return Err(MALFORMED);
            }
            let mut references = attribute.value.split('&');
            references.next();
            for rest in references {
                resolve(rest.split_once(';').ok_or(MALFORMED)?.0)?;
            }
            // The name of the namespace itself could be written with references.
            let is_namespace = attribute.key.as_ref().starts_with("xmlns");
            if is_namespace && (attribute.value.contains('&') || *attribute.value == *XINCLUDE) {
                return Err("must not include other documents");
            }
        }
        Ok(())
    }

    fn close(&mut self) {
        // The reader has compared the names.
        self.depth = self.depth.saturating_sub(1);
    }
}

/// `<?xml version="1.0" encoding="UTF-8"?>`: what else it may say would be another document.
fn declared(declaration: &BytesDecl<'_>) -> Result<(), &'static str> {
    let is_first_edition = declaration.xml_version().is_ok_and(|version| version == XmlVersion::Explicit1_0);
    let is_utf8 = match declaration.encoding() {
        None => true,
        Some(name) => name.is_ok_and(|name| name.eq_ignore_ascii_case("utf-8")),
    };
    if is_first_edition && is_utf8 { Ok(()) } else { Err("must be XML 1.0 in UTF-8") }
}

/// A reference without `&` and `;` means one character, without asking any document.
fn resolve(reference: &str) -> Result<(), &'static str> {
    let number = match reference.strip_prefix('#') {
        None if ENTITIES.contains(&reference) => return Ok(()),
        None => return Err("must not use entities"),
        Some(digits) => match digits.strip_prefix('x') {
            Some(hex) if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => u32::from_str_radix(hex, 16),
            None if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse(),
            _ => return Err(MALFORMED),
        },
    };
    let letter = number.ok().and_then(char::from_u32).ok_or(MALFORMED)?;
    let is_legal = !has_control(letter.encode_utf8(&mut [0; 4])) && !matches!(letter, '\u{fffe}' | '\u{ffff}');
    if is_legal { Ok(()) } else { Err("must not contain control characters") }
}

/// A name with at most one prefix (Namespaces in XML 1.0). Letters beyond ASCII are not told apart.
fn is_name(name: &str) -> Result<(), &'static str> {
    let follows =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.') || !letter.is_ascii();
    let begins = |letter: char| follows(letter) && !letter.is_ascii_digit() && !matches!(letter, '-' | '.');
    let is_part = |part: &str| part.starts_with(begins) && part.chars().all(follows);
    let (prefix, local) = name.split_once(':').unwrap_or(("x", name));
    if is_part(prefix) && is_part(local) { Ok(()) } else { Err(MALFORMED) }
}

const MALFORMED: &str = "must be one XML document";
const BLANKS: &[u8] = b" \t\r\n";
const ENTITIES: [&str; 5] = ["amp", "apos", "gt", "lt", "quot"];
const MOST_ATTRIBUTES: usize = 256;
const XINCLUDE: &str = "http://www.w3.org/2001/XInclude";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expect: Result<(), &str>) {
        assert_eq!(read(text.as_bytes(), &Caps::default()), expect, "{text}");
    }

    #[test]
    fn takes_documents_that_have_one_reading() {
        for text in [
            "<a/>",
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<a xmlns:n='urn:n'><n:b c=\"1 &lt; 2\">x &amp; y</n:b><!-- c --></a>\n",
            "<?xml version='1.0'?><a/>",
            "<a>&#228;&#xE4;ä<![CDATA[<b>]]></a>",
            "<größe/>",
        ] {
            check(text, Ok(()));
        }
    }

    #[test]
    fn refuses_what_a_parser_would_fetch_or_expand() {
        check("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", Err("must not have a DOCTYPE"));
        check("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", Err("must not have a DOCTYPE"));
        check("<a>&b;</a>", Err("must not use entities"));
        check("<a b='&c;'/>", Err("must not use entities"));
        check("<?xml-stylesheet href='x.xsl'?><a/>", Err("must not have processing instructions"));
        check("<a><?php 1 ?></a>", Err("must not have processing instructions"));
        let include = "<a xmlns:xi='http://www.w3.org/2001/XInclude'><xi:include href='/etc/passwd'/></a>";
        check(include, Err("must not include other documents"));
        check(&include.replace("w3", "w&#51;"), Err("must not include other documents"));
    }

    #[test]
    fn refuses_what_two_parsers_read_differently() {
        for text in [
            "",
            " ",
            "x",
            "<a>",
            "</a>",
            "<a></b>",
            "<a/><b/>",
            "<a/>x",
            "&amp;<a/>",
            "<![CDATA[x]]><a/>",
            "<a b='1' b='2'/>",
            "<a b=1/>",
            "<a b/>",
            "<a b='<'/>",
            "<a b='&'/>",
            "<a>&</a>",
            "<a>&#;</a>",
            "<a>&#x;</a>",
            "<a>&#+65;</a>",
            "<a>&#xd800;</a>",
            "<a>&#1114112;</a>",
            "<a>]]></a>",
            "<a><!-- -- --></a>",
            "<1/>",
            "<a:b:c/>",
            "<:a/>",
            "< a/>",
            " <?xml version='1.0'?><a/>",
            "<?xml version='1.0'?><?xml version='1.0'?><a/>",
        ] {
            assert!(read(text.as_bytes(), &Caps::default()).is_err(), "{text}");
        }
        for text in ["<a>\u{1}</a>", "<a>&#0;</a>", "<a>&#x1b;</a>", "<a b='&#8;'/>"] {
            check(text, Err("must not contain control characters"));
        }
        check("<?xml version='1.1'?><a/>", Err("must be XML 1.0 in UTF-8"));
        check("<?xml version='1.0' encoding='utf-7'?><a/>", Err("must be XML 1.0 in UTF-8"));
        assert!(read(b"\xff\xfe<\0a\0/\0>\0", &Caps::default()).is_err());
    }

    #[test]
    fn everything_has_a_cap() {
        let deep = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        check(&deep(32), Ok(()));
        check(&deep(33), Err("must not be nested this deep"));
        let wide = |count: usize| format!("<a {}/>", (0..count).map(|n| format!("b{n}='1' ")).collect::<String>());
        check(&wide(256), Ok(()));
        check(&wide(257), Err("must not have this many attributes"));
        check(&format!("<a>{}</a>", "<b/>".repeat(100_000)), Err("must not hold this many values"));
        check(&format!("<a>{}</a>", "x".repeat((1 << 20) + 1)), Err("must not be a text of this length"));
    }

    proptest! {
        #[test]
        fn never_panics(text in r#"(<|>|/|a|b|=|'|"|&|;|#|x|1| |!|\[|\]|-|\?|xml|CDATA|DOCTYPE|<a>|</a>|<!--|-->|ä){0,40}"#) {
            let _ = read(text.as_bytes(), &Caps::default());
        }

        #[test]
        fn what_was_escaped_is_taken(text in "[^\u{0}-\u{8}\u{b}\u{c}\u{e}-\u{1f}\u{7f}\u{fffe}\u{ffff}]{0,40}") {
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
            let body = format!("<a b=\"{escaped}\">{escaped}</a>");
            prop_assert_eq!(read(body.as_bytes(), &Caps::default()), Ok(()));
        }
    }
}
