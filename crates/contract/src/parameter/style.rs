//! How OpenAPI writes a value: styles (RFC 6570 as far as OpenAPI uses it), and which of them has one reading where.

use serde_json::Value;

use crate::document::flag;
use crate::parameter::{Coercion, Location};

/// How one value is written, and as what it is read.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) style: Style,
    pub(crate) lead: Lead,
    pub(crate) coercion: Coercion,
    /// Whether reserved characters go on as they are.
    pub(crate) allow_reserved: bool,
    /// Whether nothing is a value.
    pub(crate) allow_empty: bool,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// An object: `name[key]=value`.
    Deep,
    /// An object as a list of keys and values: `key,value,key,value`.
    Flat(Separator),
    /// JSON text.
    Json,
    /// A list: `a,b`.
    List(Separator),
    /// An object: `key=value,key=value`.
    Named(Separator),
    /// A list: `name=a&name=b`.
    Repeated,
    /// One plain value.
    Single,
    /// An object whose keys are names themselves: `key=value&key=value`.
    Spread,
}

/// What separates the items of one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Separator {
    /// `,`
    Comma,
    /// `.`
    Dot,
    /// `|` or `%7C`
    Pipe,
    /// `;`
    Semicolon,
    /// `%20` or `+`
    Space,
}

/// What stands before a value in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lead {
    /// Nothing.
    None,
    /// A dot.
    Label,
    /// A semicolon and, but for the keys of an object, the name.
    Matrix,
}

impl Field {
    /// The field of a parameter object or encoding object. `None` where a value would be ambiguous.
    pub(crate) fn of(item: &Value, location: Location, coercion: Coercion) -> Option<Self> {
        let default = match location {
            Location::Cookie | Location::Query => "form",
            Location::Header | Location::Path => "simple",
        };
        let style = item.get("style").and_then(Value::as_str).unwrap_or(default);
        let explode = item.get("explode").and_then(Value::as_bool).unwrap_or(style == "form");
        let (style, lead) = choose(style, explode, location, &coercion)?;
        let in_query = location == Location::Query;
        let (allow_reserved, allow_empty) = (flag(item, "allowReserved"), flag(item, "allowEmptyValue"));
        Some(Self { style, lead, coercion, allow_reserved, allow_empty: allow_empty && in_query })
    }

    /// A field that is written as JSON, or as one plain value.
    pub(crate) fn plain(style: Style, coercion: Coercion) -> Self {
        Self { style, lead: Lead::None, coercion, allow_reserved: false, allow_empty: false }
    }
}

fn choose(style: &str, explode: bool, location: Location, coercion: &Coercion) -> Option<(Style, Lead)> {
    #[derive(Clone, Copy)]
    enum Kind {
        List,
        Object,
        Plain,
    }
    let kind = match (coercion.is_object(), coercion.is_list()) {
        (true, _) => Kind::Object,
        (false, true) => Kind::List,
        (false, false) => Kind::Plain,
    };
    let between = |exploded: Separator| if explode { exploded } else { Separator::Comma };
    let in_one = |lead, exploded: Separator| {
        let style = match kind {
            Kind::List => Style::List(between(exploded)),
            Kind::Object if explode => Style::Named(exploded),
            Kind::Object => Style::Flat(Separator::Comma),
            Kind::Plain => Style::Single,
        };
        Some((style, lead))
    };
    let style = match (style, location, kind) {
        ("simple", Location::Header | Location::Path, _) => return in_one(Lead::None, Separator::Comma),
        ("label", Location::Path, _) => return in_one(Lead::Label, Separator::Dot),
        ("matrix", Location::Path, _) => return in_one(Lead::Matrix, Separator::Semicolon),
        ("form", Location::Cookie | Location::Query, Kind::Plain) => Style::Single,
        ("form", Location::Cookie, Kind::List) => Style::List(Separator::Comma),
        // A browser sends each cookie by itself; what would be the keys' cookies cannot be told from other cookies.
        ("form", Location::Cookie, Kind::Object) if explode => return None,
        ("form", Location::Query, Kind::List) if explode => Style::Repeated,
        ("form", Location::Query, Kind::Object) if explode => Style::Spread,
        ("form", Location::Cookie | Location::Query, Kind::Object) => Style::Flat(Separator::Comma),
        ("form", Location::Query, Kind::List) => Style::List(Separator::Comma),
        ("deepObject", Location::Query, Kind::Object) => Style::Deep,
        ("pipeDelimited" | "spaceDelimited", Location::Query, Kind::List) if explode => Style::Repeated,
        ("pipeDelimited", Location::Query, Kind::List) => Style::List(Separator::Pipe),
        ("spaceDelimited", Location::Query, Kind::List) => Style::List(Separator::Space),
        ("pipeDelimited", Location::Query, Kind::Object) if !explode => Style::Flat(Separator::Pipe),
        ("spaceDelimited", Location::Query, Kind::Object) if !explode => Style::Flat(Separator::Space),
        _ => return None,
    };
    Some((style, Lead::None))
}

impl Separator {
    /// The separator as it is sent on.
    pub(crate) fn canonical(self) -> &'static str {
        match self {
            Self::Comma => ",",
            Self::Dot => ".",
            Self::Pipe => "%7C",
            Self::Semicolon => ";",
            Self::Space => "%20",
        }
    }

    /// Splits what is not yet decoded, so that an encoded comma is data. The other separators of a query have to be
    /// encoded in a URL.
    pub(crate) fn split(self, raw: &str) -> Vec<&str> {
        let writings: &[&str] = match self {
            Self::Comma => &[","],
            Self::Dot => &["."],
            Self::Pipe => &["|", "%7C", "%7c"],
            Self::Semicolon => &[";"],
            Self::Space => &[" ", "+", "%20"],
        };
        let (mut items, mut rest) = (Vec::new(), raw);
        loop {
            let next = writings.iter().filter_map(|writing| rest.split_once(writing));
            match next.min_by_key(|(item, _)| item.len()) {
                None => break,
                Some((item, after)) => {
                    items.push(item);
                    rest = after;
                }
            }
        }
        items.push(rest);
        items
    }
}

impl Lead {
    /// What follows the lead; `None` where it is not there. `named` is whether a name belongs to it.
    pub(crate) fn strip<'r>(self, name: &str, named: bool, raw: &'r str) -> Option<&'r str> {
        match self {
            Self::None => Some(raw),
            Self::Label => raw.strip_prefix('.'),
            Self::Matrix if !named => raw.strip_prefix(';'),
            Self::Matrix => {
                let rest = raw.strip_prefix(';')?.strip_prefix(name)?;
                if rest.is_empty() { Some(rest) } else { rest.strip_prefix('=') }
            }
        }
    }
}
