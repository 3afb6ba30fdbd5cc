//! Path templates in the spellings of many tools, brought to one: `/users/{id}`.

/// A template in the one spelling. `:id`, `<id>`, `<int:id>` and a query behind the path are other tools' ways.
pub(crate) fn normal(written: &str) -> String {
    let path = written.split(['?', '#']).next().unwrap_or_default();
    let segments = path.split('/').skip_while(|segment| segment.is_empty()).map(segment);
    format!("/{}", segments.collect::<Vec<_>>().join("/"))
}

fn segment(text: &str) -> String {
    let angled = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    let name = angled.map(|inner| inner.rsplit(':').next().unwrap_or(inner)).or_else(|| text.strip_prefix(':'));
    match name {
        Some(name) if !name.is_empty() => format!("{{{name}}}"),
        _ => text.to_owned(),
    }
}

/// The names of the parameters in a template.
pub(crate) fn names(template: &str) -> Vec<&str> {
    template.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

/// The values of a template's parameters in a path that fits it.
pub(crate) fn fit<'p>(template: &'p str, path: &'p str) -> Option<Vec<(&'p str, &'p str)>> {
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let (known, asked): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    if known.len() != asked.len() {
        return None;
    }
    let mut values = Vec::new();
    for (known, asked) in known.iter().zip(&asked) {
        match known.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) if !asked.is_empty() => values.push((name, *asked)),
            None if known == asked => {}
            _ => return None,
        }
    }
    Some(values)
}

/// What a template is about: `order` for `/v1/orders`, `/orders/{id}`, `/orders/mine` and `/users/{id}/orders`.
pub(crate) fn noun(template: &str) -> String {
    let fixed = template.rsplit('/').filter(|segment| !segment.is_empty() && !segment.contains('{'));
    let mut nouns = fixed.map(singular).filter(|word| !ADJECTIVES.contains(&word.as_str()) && !is_version(word));
    nouns.next().unwrap_or_default()
}

/// What the parameter of a template names: the word in its own name, else the collection before it.
pub(crate) fn noun_of(template: &str, parameter: &str) -> String {
    if let Some(word) = stem(parameter) {
        return word;
    }
    let before = template.split(&format!("/{{{parameter}}}")).next().unwrap_or_default();
    noun(before)
}

/// The word in a name such as `orderId`, `order_id` or `order-uuid`; nothing for `id` alone.
pub(crate) fn stem(name: &str) -> Option<String> {
    let plain = plain(name);
    let word = ["uuid", "guid", "slug", "number", "no", "id"].iter().find_map(|end| plain.strip_suffix(end))?;
    (word.len() > 1).then(|| singular(word))
}

/// A name in lower case, its letters and digits alone: `userName` and `user_name` are the same.
pub(crate) fn plain(name: &str) -> String {
    name.chars().filter(|one| one.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether a name says nothing about what it names.
pub(crate) fn is_generic(name: &str) -> bool {
    GENERIC.contains(&plain(name).as_str())
}

/// One of what a word names several of, and `user` for all words that mean the caller.
pub(crate) fn singular(word: &str) -> String {
    let word = plain(word);
    let one = match word.strip_suffix("ies") {
        Some(stem) if stem.len() > 1 => format!("{stem}y"),
        _ => {
            let several = ["sses", "xes", "ches", "shes"].iter().any(|end| word.ends_with(end));
            let one = if several { word.strip_suffix("es") } else { word.strip_suffix('s') };
            let is_word = |stem: &&str| stem.len() > 1 && (several || !stem.ends_with('s') && !stem.ends_with("statu"));
            one.filter(is_word).unwrap_or(&word).to_owned()
        }
    };
    if SELF.contains(&one.as_str()) { "user".to_owned() } else { one }
}

/// Whether a word means a person with an account.
pub(crate) fn is_person(noun: &str) -> bool {
    ["account", "customer", "employee", "member", "patient", "people", "person", "user"].contains(&noun)
}

fn is_version(word: &str) -> bool {
    word.strip_prefix('v').is_some_and(|number| number.parse::<f32>().is_ok()) || word == "api" || word == "rest"
}

const ADJECTIVES: [&str; 12] =
    ["all", "by", "detail", "find", "index", "latest", "list", "mine", "my", "own", "recent", "search"];
const GENERIC: [&str; 10] = ["code", "guid", "id", "key", "name", "number", "slug", "title", "uid", "uuid"];
const SELF: [&str; 6] = ["me", "profile", "self", "username", "usr", "whoami"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_have_one_spelling() {
        for (written, expect) in [
            ("/users/{id}", "/users/{id}"),
            ("users/:id/", "/users/{id}/"),
            ("/users/<int:user_id>/notes", "/users/{user_id}/notes"),
            ("/search?q={q}", "/search"),
            ("//a", "/a"),
            ("/", "/"),
            ("", "/"),
        ] {
            assert_eq!(normal(written), expect, "{written}");
        }
        assert_eq!(names("/a/{b}/c/{d}.json"), ["b", "d"]);
    }

    #[test]
    fn paths_fit_their_templates() {
        assert_eq!(fit("/a/{b}/c", "/a/1/c?d=2"), Some(vec![("b", "1")]));
        assert!(fit("/a/{b}", "/a").is_none() && fit("/a/{b}", "/x/1").is_none() && fit("/a/{b}", "/a/").is_none());
    }

    #[test]
    fn nouns_are_what_a_path_is_about() {
        for (template, expect) in [
            ("/api/v1/orders", "order"),
            ("/orders/{id}", "order"),
            ("/orders/mine", "order"),
            ("/users/{id}/addresses", "address"),
            ("/categories", "category"),
            ("/boxes", "box"),
            ("/v2/me", "user"),
            ("/status", "status"),
            ("/{x}", ""),
        ] {
            assert_eq!(noun(template), expect, "{template}");
        }
        for (template, parameter, expect) in [
            ("/orders/{id}", "id", "order"),
            ("/x/{orderId}", "orderId", "order"),
            ("/users/{username}", "username", "user"),
        ] {
            assert_eq!(noun_of(template, parameter), expect, "{template}");
        }
    }
}
