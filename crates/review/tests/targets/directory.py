"""A directory in memory that reads filters as RFC 4515 writes them: and, or, not, equality with asterisks, presence."""

ENTRIES = [
    {"objectClass": ["person"], "uid": ["olga"], "room": ["3.14"]},
    {"objectClass": ["person"], "uid": ["piet"], "room": ["2.71"]},
    {"objectClass": ["device"], "uid": ["printer"], "room": ["0.01"]},
]


class FilterError(Exception):
    pass


def escaped(text):
    return "".join(f"\\{ord(one):02x}" if one in "\\*()\0" else one for one in text)


def search(text):
    test, rest = parse(text)
    if rest:
        raise FilterError(f"Bad search filter: {rest!r} is left over")
    return [entry for entry in ENTRIES if test(entry)]


def parse(text):
    """One filter in parentheses, and what comes after it."""
    if not text.startswith("("):
        raise FilterError(f"Bad search filter: a parenthesis is missing at {text!r}")
    kind = text[1:2]
    if kind and kind in "&|!":
        tests, rest = [], text[2:]
        while rest.startswith("("):
            test, rest = parse(rest)
            tests.append(test)
        if not rest.startswith(")") or kind == "!" and len(tests) != 1:
            raise FilterError("Bad search filter: unbalanced")
        combined = {
            "&": lambda entry: all(test(entry) for test in tests),
            "|": lambda entry: any(test(entry) for test in tests),
            "!": lambda entry: not tests[0](entry),
        }[kind]
        return combined, rest[1:]
    item, closed, rest = text[1:].partition(")")
    name, equals, value = item.partition("=")
    if not closed or not equals or not name or "(" in item:
        raise FilterError(f"Bad search filter: {item!r} is no condition")
    return matcher(name, value), rest


def matcher(name, value):
    parts = [unescaped(part).lower() for part in value.split("*")]

    def fits(text):
        text = text.lower()
        if len(parts) == 1:
            return text == parts[0]
        if not text.startswith(parts[0]) or not text[len(parts[0]):].endswith(parts[-1]):
            return False
        middle = text[len(parts[0]): len(text) - len(parts[-1])]
        for part in parts[1:-1]:
            at = middle.find(part)
            if at < 0:
                return False
            middle = middle[at + len(part):]
        return True

    return lambda entry: any(fits(text) for text in entry.get(name, []))


def unescaped(text):
    parts = text.split("\\")
    try:
        return parts[0] + "".join(chr(int(part[:2], 16)) + part[2:] for part in parts[1:])
    except ValueError:
        raise FilterError("Bad search filter: a backslash without two digits") from None
