//! Finds what no answer should hold: stack traces, errors of a database, and secrets.
//!
//! 1. A trace is known by its shape, such as a file with a line number behind `at`, and not by words that prose has too.
//! 2. A secret is known by what its issuer puts at its beginning, or by the form of a password hash.
//! 3. A token (JWT) is at home in a property whose name ends in `token`, `jwt` or `assertion`; anywhere else it leaks.
//! 4. Every text is read once, in linear time; most answers are done after one search for a handful of words.
//!
//! What was found is told by its kind and place. It is never repeated: a log with secrets would be the next leak.

use std::fmt;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use palisade_contract::Said;
use palisade_core::operation::Pointer;
use regex::bytes::{RegexSet, RegexSetBuilder};
use serde_json::Value;

/// What an answer should not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeakKind {
    /// A key of a service: AWS, GitHub, Google, Slack, Stripe.
    ApiKey,
    /// What a database says of a failed statement.
    DatabaseError,
    /// The hash of a password.
    PasswordHash,
    /// A private key.
    PrivateKey,
    /// Where a program was when it failed.
    StackTrace,
    /// A signed token in a place that is not declared for one.
    Token,
}

impl LeakKind {
    /// The kind as it is written to logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::DatabaseError => "database_error",
            Self::PasswordHash => "password_hash",
            Self::PrivateKey => "private_key",
            Self::StackTrace => "stack_trace",
            Self::Token => "token",
        }
    }
}

impl fmt::Display for LeakKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that was found.
///
/// ```
/// use palisade::stage::reveal::leak::{Leak, LeakKind, of_json};
///
/// let answer = r#"{"user": {"name": "Al", "hash": "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"}}"#;
/// let found = of_json(answer.as_bytes(), &serde_json::from_str(answer)?, &[]);
/// assert_eq!(found, Some(Leak { kind: LeakKind::PasswordHash, pointer: "/user/hash".to_owned() }));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// What it is.
    pub kind: LeakKind,
    /// Where in JSON; empty for other texts.
    pub pointer: String,
}

/// What a text holds.
///
/// ```
/// use palisade::stage::reveal::leak::{LeakKind, of_text};
///
/// assert_eq!(of_text("at shop.Orders.find(Orders.java:17)"), Some(LeakKind::StackTrace));
/// assert_eq!(of_text("Meet me at the Orders desk at 17:00 (or at 18:00)."), None);
/// ```
pub fn of_text(text: &str) -> Option<LeakKind> {
    find(text.as_bytes())
}

/// The first leak of a JSON text. `value` is what it says; places in `shown` may hold anything.
pub fn of_json(bytes: &[u8], value: &Value, shown: &[Pointer]) -> Option<Leak> {
    if may_leak(bytes) { below(value, &mut Vec::new(), shown) } else { None }
}

/// The leak of a text that is no JSON.
pub fn of_bytes(bytes: &[u8]) -> Option<Leak> {
    find(bytes).map(|kind| Leak { kind, pointer: String::new() })
}

fn find(bytes: &[u8]) -> Option<LeakKind> {
    // Of the texts in an answer at most a few have such a word.
    if !may_leak(bytes) {
        return None;
    }
    let first = RULES.set.matches(bytes).into_iter().next()?;
    RULES.kinds.get(first).copied()
}

/// Makes the patterns ready, which takes longer than any search.
pub(super) fn prepare() {
    LazyLock::force(&RULES);
}

/// Whether somewhere in an answer is one of the words that every leak has.
pub(super) fn may_be_in(bytes: &[u8], said: &Said) -> bool {
    match said {
        // The contract has no room for a leak in the rest of it.
        Said::Checked(places) => places
            .iter()
            .filter(|place| place.len() >= SHORTEST)
            .any(|place| bytes.get(place.clone()).is_none_or(may_leak)),
        Said::Unread | Said::Value(_) => may_leak(bytes),
    }
}

/// Whether a text has one of the words that every leak has.
fn may_leak(bytes: &[u8]) -> bool {
    RULES.words.is_match(bytes) || has_hidden_letters(bytes)
}

/// Whether a text has escapes of JSON that may stand for any letter of a word.
fn has_hidden_letters(bytes: &[u8]) -> bool {
    bytes.contains(&b'\\') && bytes.windows(2).any(|pair| matches!(pair, [b'\\', b'u' | b'/']))
}

fn below<'v>(value: &'v Value, path: &mut Vec<Step<'v>>, shown: &[Pointer]) -> Option<Leak> {
    match value {
        Value::Array(items) => items.iter().enumerate().find_map(|(at, item)| {
            path.push(Step::Index(at));
            let found = below(item, path, shown);
            path.pop();
            found
        }),
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            // A name is a text as well: a map by token or by error text leaks in its keys.
            path.push(Step::Name(name));
            let found = of_text(name).and_then(|kind| told(kind, path, shown)).or_else(|| below(member, path, shown));
            path.pop();
            found
        }),
        Value::String(text) => of_text(text).and_then(|kind| told(kind, path, shown)),
        Value::Bool(_) | Value::Null | Value::Number(_) => None,
    }
}

fn told(kind: LeakKind, path: &[Step<'_>], shown: &[Pointer]) -> Option<Leak> {
    let holds_tokens = || match path.iter().rev().find(|step| matches!(step, Step::Name(_))) {
        Some(Step::Name(name)) => {
            let name = name.to_ascii_lowercase();
            ["token", "tokens", "jwt", "assertion"].iter().any(|end| name.ends_with(end))
        }
        _ => false,
    };
    if (kind == LeakKind::Token && holds_tokens()) || shown.iter().any(|pointer| covers(pointer, path)) {
        return None;
    }
    Some(Leak { kind, pointer: path.iter().map(Step::to_string).collect() })
}

/// Whether a pointer names this place or one above it.
fn covers(pointer: &Pointer, path: &[Step<'_>]) -> bool {
    let mut steps = path.iter();
    pointer.segments().all(|segment| match steps.next() {
        Some(Step::Index(at)) => segment == "*" || segment.parse() == Ok(*at),
        Some(Step::Name(name)) => segment == "*" || segment == *name,
        None => false,
    })
}

#[derive(Clone, Copy)]
enum Step<'v> {
    Index(usize),
    Name(&'v str),
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(at) => write!(f, "/{at}"),
            // The name may be the leak itself.
            Self::Name(name) if of_text(name).is_some() => f.write_str("/…"),
            Self::Name(name) => write!(f, "/{}", name.replace('~', "~0").replace('/', "~1")),
        }
    }
}

struct Rules {
    words: AhoCorasick,
    set: RegexSet,
    kinds: Vec<LeakKind>,
}

static RULES: LazyLock<Rules> = LazyLock::new(|| {
    let kinds = PATTERNS.iter().map(|(kind, _)| *kind).collect();
    // Most texts are short: an automaton begins at once, where a search by vectors has to be set up first.
    let automaton = AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).prefilter(false).build(WORDS);
    let patterns = PATTERNS.iter().map(|(_, pattern)| pattern);
    #[expect(clippy::expect_used, reason = "the patterns are constants, and the tests compile them")]
    let (words, set) = (
        automaton.expect("they are few words"),
        RegexSetBuilder::new(patterns).unicode(false).build().expect("they are right"),
    );
    Rules { words, set, kinds }
});

/// Every pattern has one of these in whatever it matches, so that a text without any of them is done. None is shorter than
/// three letters.
const WORDS: &[&str] = &[
    ".cs:line ",
    ".java:",
    ".kt:",
    ".scala:",
    "Native Method",
    "Unknown Source",
    "Exception:",
    "Error:",
    "Traceback (most",
    ", line ",
    ".php",
    "js:",
    ".ts:",
    "node:internal",
    "file:///",
    "oroutine ",
    ".go:",
    "runtime error:",
    ".rb:",
    "panicked at",
    ":line ",
    "ORA-",
    "SQLSTATE",
    "SQL syntax",
    "syntax error",
    "Unclosed quotation",
    "SQLITE_",
    "no such ",
    "violates ",
    "UNIQUE constraint",
    "FOREIGN KEY constraint",
    "NOT NULL constraint",
    "CHECK constraint",
    "\" does not exist",
    "Unknown column",
    "doesn't exist",
    "psycopg",
    "sqlalchemy.exc",
    "MongoServerError",
    "PRIVATE KEY",
    "AKIA",
    "ASIA",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "ghr_",
    "b_pat_",
    "xox",
    "AIza",
    "k_live_",
    "eyJ",
    "$2a$",
    "$2b$",
    "$2x$",
    "$2y$",
    "$argon2",
    "$scrypt$",
    "pbkdf2",
    "$1$",
    "$5$",
    "$6$",
    "$y$",
];

/// No pattern matches less than an error of Oracle's.
const SHORTEST: usize = "ORA-00942".len();

const PATTERNS: &[(LeakKind, &str)] = &[
    // Java, Kotlin, Scala.
    (LeakKind::StackTrace, r"\bat [\w$.<>/@-]+\((?:[\w$]+\.(?:java|kt|scala):\d+|Native Method|Unknown Source)\)"),
    (LeakKind::StackTrace, r"\b(?:[a-z]\w*\.){2,}[A-Z]\w*(?:Exception|Error): "),
    // .NET.
    (LeakKind::StackTrace, r"\bat [\w.<>`+\[\],]+\([^)\n]{0,300}\) in [^\n]{1,300}:line \d+"),
    (LeakKind::StackTrace, r"\bSystem\.(?:\w+\.){0,5}\w*Exception: "),
    // Python.
    (LeakKind::StackTrace, r"Traceback \(most recent call last\):\s"),
    (LeakKind::StackTrace, r#"File "[^"\n]{1,300}", line \d+, in "#),
    // PHP.
    (LeakKind::StackTrace, r"#\d+ [^\n]{1,300}\.php\(\d+\)"),
    (
        LeakKind::StackTrace,
        r"(?:error|Warning|Notice|Exception)(?:</b>)?: [^\n]{1,500} in (?:<b>)?[^\s<]{1,300}\.php(?:</b>)?(?: on line (?:<b>)?|:)\d+",
    ),
    // JavaScript.
    (
        LeakKind::StackTrace,
        r"\bat (?:[^\n()]{1,200} \()?(?:node:internal/|file:///|/|[A-Za-z]:\\)[^\n:()]{0,300}:\d+:\d+",
    ),
    // Go.
    (LeakKind::StackTrace, r"\bgoroutine \d+ \[[^\]\n]{1,60}\]:"),
    (
        LeakKind::StackTrace,
        r"\bruntime error: (?:index out of range|invalid memory address|slice bounds|integer divide)",
    ),
    (LeakKind::StackTrace, r"/[\w./@-]{1,300}\.go:\d+ \+0x[0-9a-f]+"),
    // Ruby.
    (LeakKind::StackTrace, r"[\w./-]{1,300}\.rb:\d+:in [`'\x22]"),
    // Rust.
    (LeakKind::StackTrace, r"thread '[^'\n]{1,100}'(?: \(\d+\))? panicked at "),
    // Databases.
    (LeakKind::DatabaseError, r"\bORA-\d{5}\b"),
    (LeakKind::DatabaseError, r"\bSQLSTATE(?:\[|: ?)[0-9A-Z]{5}"),
    (LeakKind::DatabaseError, r"You have an error in your SQL syntax"),
    (LeakKind::DatabaseError, r#"syntax error at or near ""#),
    (LeakKind::DatabaseError, r#"near "[^"\n]{1,100}": syntax error"#),
    (LeakKind::DatabaseError, r"Unclosed quotation mark after the character string"),
    (LeakKind::DatabaseError, r"\bSQLITE_(?:ERROR|CONSTRAINT|BUSY|MISMATCH|CORRUPT|READONLY)"),
    (LeakKind::DatabaseError, r"\bno such (?:table|column): \w"),
    (LeakKind::DatabaseError, r#"violates (?:unique|foreign key|check|not-null) constraint"#),
    (LeakKind::DatabaseError, r"\b(?:UNIQUE|FOREIGN KEY|NOT NULL|CHECK) constraint failed"),
    (
        LeakKind::DatabaseError,
        r#"\b(?:relation|column) "[^"\n]{1,100}" (?:of relation "[^"\n]{1,100}" )?does not exist"#,
    ),
    (LeakKind::DatabaseError, r"\bUnknown column '[^'\n]{1,100}' in '|\bTable '[\w.]{1,100}' doesn't exist"),
    (LeakKind::DatabaseError, r"\bpsycopg2?\.errors\.|\bsqlalchemy\.exc\.|\bMongoServerError\b"),
    // Secrets.
    (LeakKind::PrivateKey, r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"),
    (LeakKind::ApiKey, r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    (LeakKind::ApiKey, r"\bgh[opsur]_[0-9A-Za-z]{36,255}|\bgithub_pat_[0-9A-Za-z_]{50,255}"),
    (LeakKind::ApiKey, r"\bxox[abeoprs]-[0-9A-Za-z-]{20,255}"),
    (LeakKind::ApiKey, r"\bAIza[0-9A-Za-z_-]{35}"),
    (LeakKind::ApiKey, r"\b[rs]k_live_[0-9A-Za-z]{16,255}"),
    (LeakKind::PasswordHash, r"\$2[abxy]\$\d\d\$[./0-9A-Za-z]{53}"),
    (LeakKind::PasswordHash, r"\$(?:argon2(?:id|i|d)|scrypt|pbkdf2(?:-sha\d{1,3})?)\$[^\s$]{1,100}\$"),
    (LeakKind::PasswordHash, r"\bpbkdf2[_:]sha\d{1,3}[$:]\d{3,9}[$:]"),
    (LeakKind::PasswordHash, r"\$[156y]\$[^\s$]{1,40}\$[./0-9A-Za-z]{22,100}"),
    (LeakKind::Token, r"\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{10,}"),
];

#[cfg(test)]
mod tests;
