//! Reads XML and refuses a document that declares a type, which is where entities come from.

// In reports:
use quick_xml::Reader;
use quick_xml::events::Event;

/// The text of a document. This reader fetches nothing and knows the five entities of XML only.
fn text(document: &str) -> Option<String> {
    let mut reader = Reader::from_str(document);
    let mut text = String::new();
    loop {
        match reader.read_event().ok()? {
            Event::DocType(_) => return None,
            Event::Text(part) => text.push_str(&part),
            Event::Eof => return Some(text),
            _ => {}
        }
    }
}
