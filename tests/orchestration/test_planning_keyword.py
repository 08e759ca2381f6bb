"""A description comes apart at its lists and at the keywords that begin a clause."""

import re
from contextlib import suppress
from time import process_time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestration.planning import ESTIMATE_MIN, keyword_plan, planning_part
from orchestration.planning.vocabulary import FORMS, JOINING_WORDS, ORDER_WORDS
from orchestration.refusals import WrongPlan

MEGABYTE = 1_000_000
THREE_ORDERS = "Research market trends, analyze data, write report"


def descriptions(text, **options):
    return [part.description for part in keyword_plan(text, **options)]


def test_a_sentence_with_three_orders_is_three_parts():
    assert descriptions(THREE_ORDERS) == ["Research market trends", "analyze data", "write report"]


def test_parts_wait_for_the_one_before_unless_asked_to_run_in_parallel():
    assert [part.key for part in keyword_plan(THREE_ORDERS)] == ["1", "2", "3"]
    assert [part.depends_on for part in keyword_plan(THREE_ORDERS)] == [(), ("1",), ("2",)]
    assert [part.depends_on for part in keyword_plan(THREE_ORDERS, parallel=True)] == [(), (), ()]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Research market trends analyze data write report",
         ["Research market trends", "analyze data", "write report"]),
        ("First, research the market. Then we need to analyze the data! Finally, write a report.",
         ["research the market", "we need to analyze the data!", "write a report"]),
        ("The agent researches X, analyzes Y, and writes Z",
         ["The agent researches X", "analyzes Y", "writes Z"]),
        ("Start by researching X, analyzing Y and finally writing Z",
         ["Start by researching X", "analyzing Y", "writing Z"]),
        ("Researched the market, analyzed the data, wrote the report",
         ["Researched the market", "analyzed the data", "wrote the report"]),
        ("Collect data; clean it; then summarise the findings & translate them",
         ["Collect data", "clean it", "summarise the findings", "translate them"]),
        ("research market\nanalyze data\nwrite report",
         ["research market", "analyze data", "write report"]),
        ("Research -> analyze -> write", ["Research", "analyze", "write"]),
        ("research,analyze,write", ["research", "analyze", "write"]),
        ("**Research** it. **Write** it up.", ["**Research** it", "**Write** it up"]),
        ("Gather requirements, design, implement, test, and deploy",
         ["Gather requirements", "design", "implement", "test", "deploy"]),
        ("Write a test and review it", ["Write a test", "review it"]),
        ("For the board, research prices, write a letter",
         ["For the board, research prices", "write a letter"]),
        ("Build a tool to extract, clean and transform the data, and write docs",
         ["Build a tool to extract, clean and transform the data", "write docs"]),
    ],
)  # fmt: skip
def test_a_keyword_that_begins_a_clause_begins_a_part(text, parts):
    assert descriptions(text) == parts


@pytest.mark.parametrize(
    "text",
    [
        "Hello there",
        "Review the design",
        "write a test plan",
        "Write the next test and the first design",
        "Create a plan, test cases and design docs",
        "Build a bot that helps users write emails",
        "Build a tool for gathering, cleaning and analyzing data",
        "The app should gather logs, write reports",
        "Write a blog post, written in German, reviewed by Bob",
        "We sell research, analysis and integration services.",
        "Testing is hard. Tests must pass.",
        "Use pandas to clean and analyze data",
        "Sum up what the U.S. research says, e.g. test data",
        "Run write.py, test_all and re-test",
        "Please write a long essay about the way in which companies do\nresearch in Europe",
        "12.5 % off!",
        "市場を調査する",
    ],
)
def test_where_nothing_new_begins_a_text_stays_whole(text):
    assert descriptions(text) == [text]


@pytest.mark.parametrize("keyword", sorted(word for word, can in FORMS.items() if "base" in can))
def test_every_keyword_begins_a_part_in_any_case(keyword):
    text = f"Research this; {keyword.upper()} that"
    assert descriptions(text) == ["Research this", f"{keyword.upper()} that"]


def test_a_numbered_list_is_its_items_with_what_is_below_them():
    """O20."""
    text = (
        "Do this:\n1. Research\n   - size\n   - trends\n2) Analyze, write\n10. Publish\n\nBe brief."
    )
    assert descriptions(text) == [
        "Do this:\nResearch\n   - size\n   - trends", "Analyze, write", "Publish\n\nBe brief.",
    ]  # fmt: skip
    assert keyword_plan(text)[0].name == "Research - size - trends"


@pytest.mark.parametrize(
    "text",
    [
        "- one\n- two", "* one\n* two", "• one\n• two", "- [ ] one\n- [ ] two", "1.one\n2.two",
        "a) one\nb) two", "(1) one\r\n(2) two", "Step 1: one\nStep 2: two", "1) one, 2) two",
        "1. one 2. two", "  1. one\n 2. two", "1) one, and 2) two",
    ],
)  # fmt: skip
def test_every_kind_of_list_is_read(text):
    assert descriptions(text) == ["one", "two"]


@pytest.mark.parametrize("text", ["- one", "Version 1. is out and 3. is not", "A. Smith\nC. Jones"])
def test_a_single_item_numbers_that_do_not_count_and_initials_are_no_list(text):
    assert descriptions(text) == [text]


def test_unindented_bullets_below_numbers_belong_to_them():
    assert descriptions("1. one\n- a\n- b\n2. two") == ["one\n- a\n- b", "two"]


def test_a_list_longer_than_a_chain_may_be_is_refused_unless_in_parallel(settings):
    settings.SUB_TASK_DEPTH_MAX = 3
    text = "\n".join(f"- item {number}" for number in range(4))
    with pytest.raises(WrongPlan, match="more items than the 3 .* parallel"):
        keyword_plan(text)
    assert len(keyword_plan(text, parallel=True)) == 4
    settings.SUB_TASKS_MAX = 3
    with pytest.raises(WrongPlan, match="more items than the 3"):
        keyword_plan(text, parallel=True)


def test_running_text_is_cut_a_few_times_and_the_rest_stays_with_the_last(settings):
    text = ", ".join(f"write {number}" for number in range(100))
    assert len(keyword_plan(text)) == 50
    settings.SUB_TASK_DEPTH_MAX = 3
    parts = descriptions(text)
    assert parts[:2] == ["write 0", "write 1"]
    assert parts[2].startswith("write 2, write 3") and parts[2].endswith("write 99")
    assert len(parts) == 3


@pytest.mark.parametrize("text", ["", " \n\t "])
def test_an_empty_description_is_refused(text):
    with pytest.raises(WrongPlan, match="empty"):
        keyword_plan(text)


def test_the_estimate_is_words_by_three_quarters_and_has_a_floor():
    assert keyword_plan("write it")[0].estimated_tokens == ESTIMATE_MIN
    assert keyword_plan("word " * 3000)[0].estimated_tokens == 4000
    assert keyword_plan("word " * 3001)[0].estimated_tokens == 4002
    assert planning_part("word " * 3000).estimated_tokens == 4000


def test_names_are_short_and_on_one_line():
    assert keyword_plan("write\n  it")[0].name == "write it"
    assert keyword_plan("a word " * 50)[0].name == "a word " * 11 + "a…"
    assert keyword_plan("x" * 100)[0].name == "x" * 79 + "…"


TEXTS = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(
            [*sorted(FORMS)[:40], "the", "to", "and", "then", "first", ",", ".", ";", "\n", " ",
             "  ", "- ", "\n1. ", "\n2. ", "\n- ", "(", ")", '"', "data", "it", "we need to", "İ",
             "é", "X.", "quickly", "\x1f", "\u2003", "!", "?", "*", "1) ", "2) ", "must", "\r\n",
             "\ud800"]
        )
    ).map(" ".join),
)  # fmt: skip
SEPARATORS = JOINING_WORDS | ORDER_WORDS | {"step", "phase", "part", "task"}


def words_of(text):
    return re.findall(r"\w+", text)


@example("1. 2. ", False)
@given(TEXTS, st.booleans())
def test_no_text_is_too_strange_and_only_separators_are_lost(text, parallel):
    if not text or text.isspace():
        return
    parts = keyword_plan(text, parallel=parallel)
    kept = [word for part in parts for word in words_of(part.description)]
    rest = iter(kept)
    expected = next(rest, None)
    for word in words_of(text):
        if word == expected:
            expected = next(rest, None)
        else:
            assert word.lower() in SEPARATORS or word.isdecimal() or len(word) == 1
    assert expected is None
    assert all(part.description.strip() and 0 < len(part.name) <= 80 for part in parts)
    assert not any("\n" in part.name for part in parts)


PROSE = "The figures of the company are in the table, and they show how it has moved since spring. "


@pytest.mark.parametrize(
    "unit",
    [PROSE, PROSE + "Research it, analyze it; then write it. ", "x", " x", ",", ", ", ", a",
     "- a\n", "- a\n- b\n  - c\n", "write ", "write, ", "x, the write of ", "\nx\n", "a ", "and ",
     "then, and ", "the test and ", "and test is, ", "to test, test, ", "please ", "xly ", "1. ",
     "1", "你好。", "```\n", "> a\n", "|-|\n", "<!--", "# a\n", "**a**\n", "- [x] a\n",
     "a:\n- b\n", "first, then, ", "please. ", '"a b', "On x y z wrote:\n", "①", "第一，",
     "~~~\n```\n",
     "wri ", ". [", ", [[[[", ".))", ")", "é ", "İ", ",   ", "\n\tx", "“", "1) 2) "],
)  # fmt: skip
def test_a_megabyte_of_anything_takes_a_moment(unit):
    text = "x" + unit * (MEGABYTE // len(unit))
    begun = process_time()
    with suppress(WrongPlan):
        keyword_plan(text)
    # CPU seconds; 0.1 to 0.9 were measured, a quadratic step takes minutes.
    assert process_time() - begun < 1.5
