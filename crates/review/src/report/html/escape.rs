//! Text that came from the target, as a page may hold it.

use std::fmt;

use crate::report::text::is_steering;

/// Displays a text as the content of an element or of a quoted attribute.
///
/// Markup is escaped, what would turn the line around or hide is named instead, and what is long is cut.
#[derive(Clone, Copy)]
pub(super) struct Text<'t>(pub(super) &'t str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, character) in self.0.chars().enumerate() {
            if count == LONGEST {
                return f.write_str("\u{2026}");
            }
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '`' => f.write_str("&#96;")?,
                '\n' | '\t' => write!(f, "{character}")?,
                character if is_steering(character) => write!(f, "[U+{:04X}]", u32::from(character))?,
                character => write!(f, "{character}")?,
            }
        }
        Ok(())
    }
}

/// Displays a sentence whose code stands between backticks, as the documentation of this program is written.
#[derive(Clone, Copy)]
pub(super) struct Prose<'t>(pub(super) &'t str);

impl fmt::Display for Prose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.matches('`').count() % 2 == 1 {
            return Text(self.0).fmt(f);
        }
        for (at, part) in self.0.split('`').enumerate() {
            match at % 2 {
                0 => Text(part).fmt(f)?,
                _ => write!(f, "<code>{}</code>", Text(part))?,
            }
        }
        Ok(())
    }
}

const LONGEST: usize = 4000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_hostile_text_is_markup() {
        let check = |text: &str, expect: &str| assert_eq!(Text(text).to_string(), expect);
        check("</style><script>a('b')</script>", "&lt;/style&gt;&lt;script&gt;a(&#39;b&#39;)&lt;/script&gt;");
        check("a\u{202e}b\0c\r", "a[U+202E]b[U+0000]c[U+000D]");
        check("\" onload=\"x", "&quot; onload=&quot;x");
        assert_eq!(Prose("a `<b>` c").to_string(), "a <code>&lt;b&gt;</code> c");
        assert_eq!(Prose("a `<b> c").to_string(), "a &#96;&lt;b&gt; c");
        assert_eq!(Text(&"x".repeat(1_000_000)).to_string().chars().count(), LONGEST + 1);
    }
}
