//! Where in the text of a contract a JSON pointer leads.
//!
//! The text is parsed a second time with positions, and only when there is something to point at. JSON is close enough
//! to a subset of YAML for one parser to serve both.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use crate::document::yaml_options;

/// The places of all keys and values of a text.
#[derive(Debug)]
pub(crate) struct Locator {
    root: Option<Spanned<Node>>,
}

impl Locator {
    /// Reads a text; where it cannot be read with positions, nothing is found later.
    pub(crate) fn new(text: &str) -> Self {
        Self { root: serde_saphyr::from_str_with_options(text, yaml_options()).ok() }
    }

    /// The bytes of the value when it is a scalar, else of its key; of the nearest ancestor where `pointer` leads
    /// nowhere. `None` for the root.
    pub(crate) fn find(&self, pointer: &str) -> Option<Range<usize>> {
        self.places(pointer).map(|(_, place)| place)
    }

    /// The bytes of the key at `pointer`, or of the nearest ancestor's.
    pub(crate) fn find_key(&self, pointer: &str) -> Option<Range<usize>> {
        self.places(pointer).map(|(key, _)| key)
    }

    /// The key, and the scalar value or again the key.
    fn places(&self, pointer: &str) -> Option<(Range<usize>, Range<usize>)> {
        let mut node = self.root.as_ref()?;
        let mut place = None;
        for segment in pointer.split('/').skip(1) {
            let segment = segment.replace("~1", "/").replace("~0", "~");
            let (key, value) = match &node.value {
                Node::Leaf => break,
                Node::List(items) => match segment.parse().ok().and_then(|at: usize| items.get(at)) {
                    None => break,
                    Some(item) => (&item.referenced, item),
                },
                Node::Map(members) => match members.iter().find(|(key, _)| key.value == segment) {
                    None => break,
                    Some((key, value)) => (&key.referenced, value),
                },
            };
            let key = range(key);
            let leaf = if matches!(value.value, Node::Leaf) { range(&value.referenced) } else { key.clone() };
            place = key.zip(leaf).or(place);
            node = value;
        }
        place
    }
}

fn range(location: &Location) -> Option<Range<usize>> {
    let start = usize::try_from(location.span().byte_offset()?).ok()?;
    let len = usize::try_from(location.span().byte_len()?).ok()?;
    Some(start..start.saturating_add(len.max(1)))
}

#[derive(Debug)]
enum Node {
    Leaf,
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Node::Leaf)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(member) = members.next_entry()? {
            map.push(member);
        }
        Ok(Node::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_keys_on_demand() {
        let locator = Locator::new("a: { pubic: true }\n");
        assert_eq!((locator.find_key("/a/pubic"), locator.find("/a/pubic")), (Some(5..10), Some(12..16)));
    }

    #[test]
    fn finds_keys_and_scalars() {
        let yaml =
            "openapi: 3.1.0\npaths:\n  /ä/{id}:\n    get:\n      tags: [a, b]\n      responses:\n        200: {}\n";
        let json = "{\"a\": {\"b\":\t[1, {\"c\": \"x\"}]}}";
        let check = |text: &str, pointer: &str, expect: Option<&str>| {
            let found = Locator::new(text).find(pointer).and_then(|range| text.get(range));
            assert_eq!(found, expect, "{pointer}");
        };
        check(yaml, "/openapi", Some("3.1.0"));
        check(yaml, "/paths/~1ä~1{id}", Some("/ä/{id}"));
        check(yaml, "/paths/~1ä~1{id}/get/tags/1", Some("b"));
        check(yaml, "/paths/~1ä~1{id}/get/responses/200", Some("200"));
        check(yaml, "/paths/~1ä~1{id}/get/security", Some("get"));
        check(yaml, "", None);
        check(json, "/a/b/1/c", Some("\"x\""));
        check(json, "/a/b", Some("\"b\""));
    }
}
