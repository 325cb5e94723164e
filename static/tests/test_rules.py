"""Cache-Control by pattern."""

import pytest
from staticsvc.rules import CacheRules, rules_of

DAY, FOREVER, NEVER = "max-age=86400", "public, max-age=31536000, immutable", "no-store"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (b"/static/app.3f9c12ab.js", FOREVER),
        (b"/static/app-3f9c12ab.css", FOREVER),
        (b"/static/app.3f9c12ab.js.map", FOREVER),
        (b"/static/x/" + b"0123456789abcdef" * 4 + b".js", None),  # nothing before it
        (b"/static/x/a." + b"0123456789abcdef" * 4 + b".js", FOREVER),
        (b"/static/photo-20240101.jpg", DAY),  # figures only: a date
        (b"/static/app-deadbeef.js", None),  # letters only: a word
        (b"/static/app.3f9c12a.js", None),
        (b"/static/3f9c12ab", None),
        (b"/static/a/b.jpg", DAY),
        (b"/static/a/B.JPG", None),
        (b"/static/api/x/y.jpg", NEVER),
        ("/static/süß.txt".encode(), DAY),
        (b"/static/other", None),
        (b"/static/a%2Ejpg", None),  # a name like that
    ],
)
def test_the_first_rule_that_fits_counts(path: bytes, value: str | None) -> None:
    rules = CacheRules({"/static/api/*": NEVER, "hashed": FOREVER, "*.jpg": DAY, "süß.txt": DAY})
    found = rules.value_for(path)
    assert (None if found is None else found.decode()) == value


def test_rules_in_one_line() -> None:
    text = f"*.html: no-cache; hashed: {FOREVER} ;; /a b/*:x"
    assert rules_of(text) == {"*.html": "no-cache", "hashed": FOREVER, "/a b/*": "x"}
    assert rules_of("") == {}
    assert rules_of("*.html: a; x: b; *.html: c") == {"*.html": "a", "x": "b"}, "the first that fits counts"


@pytest.mark.parametrize("text", ["no-cache", "*.html", "a: b; c"])
def test_a_rule_needs_a_colon(text: str) -> None:
    with pytest.raises(ValueError, match="expected PATTERN: VALUE"):
        rules_of(text)


@pytest.mark.parametrize("rules", [{"": "x"}, {"*": ""}, {"*": "a\nb"}, {"*": "ü"}])
def test_values_that_no_header_has(rules: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected PATTERN: VALUE"):
        CacheRules(rules)
