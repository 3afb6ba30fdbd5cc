//! Path templates, and which of them a path meets.
//!
//! OpenAPI says that a path without parameters wins over one with them, and that two templates which differ only in
//! the names of their parameters are the same and must not both exist. Between templates this router decides segment by
//! segment: fixed text, then fixed text around a parameter (`/{id}.json`), then a whole parameter.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use smallvec::SmallVec;

use crate::percent::decode;

/// The values of a path's parameters, still percent-encoded.
///
/// ```
/// # use palisade_contract::PathValues;
/// let values = PathValues::default();
/// assert_eq!(values.raw("id"), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathValues {
    /// Those of the template.
    names: Option<Arc<[Box<str>]>>,
    values: Vec<Box<str>>,
}

impl PathValues {
    /// The value of a parameter as it is in the path.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// All names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let names = self.names.iter().flat_map(|names| names.iter());
        names.zip(&self.values).map(|(name, value)| (name.as_ref(), value.as_ref()))
    }
}

/// Finds templates by path; `T` belongs to each template.
#[derive(Debug)]
pub(crate) struct Router<T> {
    root: Node<T>,
}

#[derive(Debug)]
struct Node<T> {
    fixed: BTreeMap<Box<str>, Self>,
    /// The more fixed text, the earlier.
    mixed: Vec<(Mixed, Self)>,
    whole: Option<Box<Self>>,
    end: Option<(Arc<[Box<str>]>, T)>,
}

/// Fixed text around parameters within one segment.
#[derive(Debug)]
struct Mixed {
    regex: Regex,
    weight: usize,
}

/// Why a template cannot be added.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TemplateFault {
    /// Another template meets the same paths.
    Conflict,
    /// It is no template.
    Malformed(&'static str),
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Self { root: Node::default() }
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { fixed: BTreeMap::new(), mixed: Vec::new(), whole: None, end: None }
    }
}

impl<T> Router<T> {
    /// Adds a template; the names of its parameters are returned.
    pub(crate) fn add(&mut self, template: &str, value: T) -> Result<Vec<Box<str>>, TemplateFault> {
        let path = template.strip_prefix('/').ok_or(TemplateFault::Malformed("a path begins with `/`"))?;
        let mut names: Vec<Box<str>> = Vec::new();
        let mut node = &mut self.root;
        for segment in path.split('/') {
            let pieces = pieces(segment)?;
            for piece in &pieces {
                if let Piece::Parameter(name) = piece {
                    if names.iter().any(|known| **known == **name) {
                        return Err(TemplateFault::Malformed("a parameter is named twice"));
                    }
                    names.push((*name).into());
                }
            }
            node = match pieces.as_slice() {
                [] => node.fixed.entry("".into()).or_default(),
                [Piece::Text(text)] => node.fixed.entry(fixed(text)).or_default(),
                [Piece::Parameter(_)] => node.whole.get_or_insert_default(),
                pieces => node.mixed(pieces)?,
            };
        }
        if node.end.is_some() {
            return Err(TemplateFault::Conflict);
        }
        node.end = Some((names.clone().into(), value));
        Ok(names)
    }

    /// The most specific template that a path meets.
    pub(crate) fn find(&self, path: &str) -> Option<(&T, PathValues)> {
        let segments: SmallVec<[&str; 16]> = path.strip_prefix('/')?.split('/').collect();
        let mut values = SmallVec::new();
        let (names, value) = self.root.find(&segments, &mut values)?;
        let values = values.into_iter().map(Into::into).collect();
        Some((value, PathValues { names: Some(Arc::clone(names)), values }))
    }
}

impl<T> Node<T> {
    fn mixed(&mut self, pieces: &[Piece<'_>]) -> Result<&mut Self, TemplateFault> {
        let mut pattern = String::from("^");
        let mut weight = 0;
        for piece in pieces {
            match piece {
                Piece::Text(text) => {
                    weight += text.len();
                    pattern.push_str(&regex::escape(text));
                }
                Piece::Parameter(_) => pattern.push_str("(.+?)"),
            }
        }
        pattern.push('$');
        let at = match self.mixed.iter().position(|(known, _)| known.regex.as_str() == pattern) {
            Some(at) => at,
            None => {
                let regex = Regex::new(&pattern).map_err(|_| TemplateFault::Malformed("a segment is too long"))?;
                let at = self.mixed.partition_point(|(known, _)| known.weight >= weight);
                self.mixed.insert(at, (Mixed { regex, weight }, Self::default()));
                at
            }
        };
        self.mixed.get_mut(at).map(|(_, node)| node).ok_or(TemplateFault::Conflict)
    }

    /// INVARIANT: each node is visited at most once for each path, because a node has one parent; no path takes longer
    /// than the number of templates.
    fn find<'p>(&self, segments: &[&'p str], values: &mut SmallVec<[&'p str; 8]>) -> Option<&(Arc<[Box<str>]>, T)> {
        let Some((first, rest)) = segments.split_first() else { return self.end.as_ref() };
        let before = values.len();
        let next = decode(first).and_then(|text| self.fixed.get(text.as_ref()));
        if let Some(found) = next.and_then(|next| next.find(rest, values)) {
            return Some(found);
        }
        if first.is_empty() {
            return None;
        }
        for (mixed, next) in &self.mixed {
            let Some(captures) = mixed.regex.captures(first) else { continue };
            values.truncate(before);
            values.extend(captures.iter().skip(1).flatten().map(|capture| capture.as_str()));
            if let Some(found) = next.find(rest, values) {
                return Some(found);
            }
        }
        values.truncate(before);
        values.push(first);
        let found = self.whole.as_ref().and_then(|next| next.find(rest, values));
        if found.is_none() {
            values.truncate(before);
        }
        found
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Piece<'t> {
    Parameter(&'t str),
    Text(&'t str),
}

fn pieces(segment: &str) -> Result<Vec<Piece<'_>>, TemplateFault> {
    let mut pieces = Vec::new();
    let mut rest = segment;
    while !rest.is_empty() {
        let (text, after) = rest.split_once('{').map_or((rest, None), |(text, after)| (text, Some(after)));
        if text.contains('}') {
            return Err(TemplateFault::Malformed("a `}` has no `{`"));
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        let Some(after) = after else { break };
        let (name, after) = after.split_once('}').ok_or(TemplateFault::Malformed("a `{` has no `}` in its segment"))?;
        if name.is_empty() || name.contains('{') {
            return Err(TemplateFault::Malformed("a parameter has no name"));
        }
        if matches!(pieces.last(), Some(Piece::Parameter(_))) {
            return Err(TemplateFault::Malformed("two parameters touch each other"));
        }
        pieces.push(Piece::Parameter(name));
        rest = after;
    }
    Ok(pieces)
}

/// Fixed text in the form in which it is compared: decoded, as far as it can be.
fn fixed(text: &str) -> Box<str> {
    decode(text).map_or_else(|| text.into(), |text| text.as_ref().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn router() -> Router<&'static str> {
        let mut router = Router::default();
        for template in [
            "/",
            "/a/b",
            "/a/{x}",
            "/a/{x}.json",
            "/a/{x}.tar.{y}",
            "/a/{x}/c",
            "/{y}/b/d",
            "/a/b/e",
            "/caf%C3%A9",
            "/x y",
        ] {
            router.add(template, template).unwrap();
        }
        router
    }

    #[test]
    fn fixed_text_wins() {
        let router = router();
        let check = |path: &str, expect: Option<(&str, &[(&str, &str)])>| {
            let found = router.find(path);
            let values = found.as_ref().map(|(template, values)| (**template, values.iter().collect::<Vec<_>>()));
            assert_eq!(values, expect.map(|(template, values)| (template, values.to_vec())), "{path}");
        };
        check("/", Some(("/", &[])));
        check("/a/b", Some(("/a/b", &[])));
        check("/a/z", Some(("/a/{x}", &[("x", "z")])));
        check("/a/b.json", Some(("/a/{x}.json", &[("x", "b")])));
        check("/a/.json", Some(("/a/{x}", &[("x", ".json")])));
        check("/a/k.tar.gz", Some(("/a/{x}.tar.{y}", &[("x", "k"), ("y", "gz")])));
        check("/a/b/c", Some(("/a/{x}/c", &[("x", "b")])));
        check("/a/b/d", Some(("/{y}/b/d", &[("y", "a")])));
        check("/caf%c3%a9", Some(("/caf%C3%A9", &[])));
        check("/x%20y", Some(("/x y", &[])));
        check("/a/%zz", Some(("/a/{x}", &[("x", "%zz")])));
        check("/a/", None);
        check("/a//c", None);
        check("/b", None);
        check("", None);
        check("a/b", None);
    }

    #[test]
    fn equal_templates_conflict() {
        let mut router = router();
        for template in ["/a/{y}", "/a/{z}.json", "/a/b", "/caf\u{e9}"] {
            assert_eq!(router.add(template, ""), Err(TemplateFault::Conflict), "{template}");
        }
        for template in ["a", "", "/{", "/}", "/{}", "/{a}{b}", "/{a}/{a}", "/{a/b}"] {
            assert!(matches!(router.add(template, ""), Err(TemplateFault::Malformed(_))), "{template}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(templates in prop::collection::vec("(/[a-c{}.x%2]{0,6}){0,4}", 0..8), path in "(/[a-c.%20é]{0,4}){0,5}") {
            let mut router = Router::default();
            for (at, template) in templates.iter().enumerate() {
                let _ = router.add(template, at);
            }
            let _ = router.find(&path);
        }

        #[test]
        fn finds_what_a_template_was_filled_with(x in "[a-zA-Z0-9_~-]{1,8}", y in "[a-zA-Z0-9_~-]{1,8}") {
            let mut router = Router::default();
            router.add("/p/{x}/q/{y}", ()).unwrap();
            let path = format!("/p/{x}/q/{y}");
            let (_, values) = router.find(&path).unwrap();
            prop_assert_eq!(values.raw("x"), Some(x.as_str()));
            prop_assert_eq!(values.raw("y"), Some(y.as_str()));
        }
    }
}
