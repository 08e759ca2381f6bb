"""Descriptions as people write them, with the parts that a person would write down.

Each file in `data` has texts: a line `%%% name`, the text, and a line `%%= …` for each part, with
words that the description of this part has and no other has.
"""

from pathlib import Path

import pytest

from orchestration.planning import keyword_plan, prose

_FILES = sorted((Path(__file__).parent / "data").glob("descriptions_*.txt"))


def _corpus():
    for file in _FILES:
        for chunk in file.read_text(encoding="utf-8").split("%%% ")[1:]:
            name, _, rest = chunk.partition("\n")
            text, *expected = rest.split("\n%%= ")
            yield pytest.param(text, [line.strip() for line in expected], id=name)


CORPUS = list(_corpus())


def test_the_corpus_is_whole():
    assert len(CORPUS) >= 640


@pytest.mark.parametrize(("text", "expected"), CORPUS)
def test_the_parts_are_those_a_person_would_write_down(text, expected):
    found = [part.description for part in keyword_plan(text)]
    assert len(found) == len(expected), found
    for index, (words, description) in enumerate(zip(expected, found, strict=True)):
        assert words in description
        others = [other for at, other in enumerate(found) if at != index]
        assert not any(words in other for other in others)


@pytest.mark.parametrize("head", [40, 150, 400])
def test_where_parts_begin_does_not_depend_on_how_much_is_read_first(monkeypatch, head):
    texts = [each.values[0] for each in CORPUS]
    texts.append("\n".join(texts))
    monkeypatch.setattr(prose, "_WORDS_OF_ONE", 20)
    for text in texts:
        for most in (1, 2, 5, 50):
            monkeypatch.setattr(prose, "_HEAD", head)
            found = prose.beginnings(text, most=most)
            monkeypatch.setattr(prose, "_HEAD", len(text))
            assert found == prose.beginnings(text, most=most)
