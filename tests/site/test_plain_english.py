"""Words of another century, and words that name no one, occur in no text that people read.

The texts of the API's schema have stricter rules of their own (tests/api/test_schema_texts.py).
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BANNED = re.compile(
    r"\b(anew|whoever|whomever|whatever|meanwhile|shall|for\s+want\s+of)\b", re.IGNORECASE
)
# Where Python sources and templates are read. `keys` is added here once it is clean.
ROOMS = (
    "alerts",
    "api",
    "bench",
    "butler_site",
    "common",
    "dashboard",
    "gate",
    "gateway",
    "interchange",
    "keys",
    "orchestration",
    "prediction",
    "reports",
    "security",
    "templates",
    "tests/alerts",
    "tests/dashboard",
    "tests/gate",
    "tests/interchange",
    "tests/keys",
    "tests/reports",
    "tests/security",
)
# Lists of English words that descriptions of tasks may contain.
_WORD_LISTS = {"orchestration/planning/vocabulary.py"}
# Migrations are never edited; static files include programs of others.
_SKIPPED_FOLDERS = {"migrations", "static"}


def pages():
    """Every page of documentation, by its path from the root."""
    return sorted(
        str(page.relative_to(ROOT)) for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    )


def sources():
    """Every Python file and template of the rooms, by its path from the root."""
    files = (
        file.relative_to(ROOT)
        for room in ROOMS
        for file in (ROOT / room).rglob("*")
        if file.suffix in {".py", ".html", ".txt"}
    )
    names = {str(file) for file in files if not _SKIPPED_FOLDERS & set(file.parts)}
    return sorted(names - _WORD_LISTS)


def banned_words(text):
    """Each banned word with the number of its line."""
    return [(text.count("\n", 0, match.start()) + 1, match[0]) for match in BANNED.finditer(text)]


@pytest.mark.parametrize("name", pages())
def test_a_page_of_documentation_is_in_plain_english(name):
    assert banned_words((ROOT / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("room", ROOMS)
def test_the_sources_of_a_room_are_in_plain_english(room):
    names = [name for name in sources() if name.startswith(f"{room}/")]
    assert names
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in names}
    assert {name: words for name, text in texts.items() if (words := banned_words(text))} == {}


@pytest.mark.parametrize("text", ["Whoever asks", "a\nfor want\nof it", "begun anew.", "it SHALL"])
def test_a_banned_word_is_found(text):
    assert banned_words(text)


@pytest.mark.parametrize("text", ["a shallow copy", "what ever happens", "whatsoever"])
def test_a_similar_word_is_left_alone(text):
    assert banned_words(text) == []
