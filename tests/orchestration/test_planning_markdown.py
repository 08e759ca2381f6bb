"""The keyword planner reads Markdown as Markdown: code, boxes, headings, quotes, tables, mails."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.planning import keyword_plan, noted_keyword_plan
from orchestration.planning.keyword_planner import NOT_DIVIDED
from orchestration.refusals import WrongPlan


def descriptions(text, **options):
    return [part.description for part in keyword_plan(text, **options)]


def names(text):
    return [part.name for part in keyword_plan(text)]


INSTALLER = (
    "Do this:\n\n1. Write the installer\n{0}\n1. echo first\n2. echo second\n3. rm -rf build\n"
    "{1}\n2. Test the installer\n"
)


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("```sh", "```"), ("~~~", "~~~"), ("   ```", "   ```"), ("````md\n```", "```\n````"),
     ("   ~~~~ text", "~~~~~"), ("      ```", "```"), ("``` sh -x", "```  ")],
)  # fmt: skip
def test_code_in_fences_is_never_a_part(opening, closing):
    """O21."""
    parts = descriptions(INSTALLER.format(opening, closing))
    assert len(parts) == 2
    assert parts[0].startswith("Do this:\nWrite the installer")
    assert "rm -rf build" in parts[0]
    assert parts[1] == "Test the installer"


def test_a_log_in_a_fence_is_a_detail():
    text = "Fix the build\n\n```\n- error one\n- error two\n- error three\n```\n"
    assert descriptions(text) == [text.strip()]


def test_a_fence_that_is_not_closed_is_told():
    text = "1. Write it\n2. Test it\n```\n3. echo\n4. echo"
    plan = noted_keyword_plan(text)
    assert [part.name[:7] for part in plan.parts] == ["Write i", "Test it"]
    assert "not closed" in plan.note


def test_an_unclosed_fence_in_an_item_ends_with_the_item():
    assert names("1. Write it\n   ```\n   2. echo\n2. Test it\n3. Ship it")[1:] == [
        "Test it",
        "Ship it",
    ]


def test_indented_code_is_no_list():
    text = "Explain what this prints.\n\n    1. foo\n    2. bar\n\nWrite it down for beginners."
    assert len(descriptions(text)) < 3
    assert "1. foo" in descriptions(text)[0]


@pytest.mark.parametrize(
    "text",
    [
        "- [x] Collect invoices\n- [x] Check sums\n- [ ] Write summary\n- [ ] Send to finance",
        "* [X] Collect invoices\n* [ ] Write summary\n* [ ] Send to finance",
        "☑ Collect invoices\n☐ Write summary\n☐ Send to finance",
        "✅ Collect invoices\n⬜ Write summary\n⬜ Send to finance",
        "1. [x] Collect invoices\n2. [ ] Write summary\n3. [ ] Send to finance",
        "- ~~Collect invoices~~\n- Write summary\n- Send to finance",
        "[x] Collect invoices\n[ ] Write summary\n[ ] Send to finance",
    ],
)
def test_what_is_ticked_is_not_paid_again(text):
    """O22."""
    plan = noted_keyword_plan(text)
    assert [part.description for part in plan.parts] == ["Write summary", "Send to finance"]
    assert "left out" in plan.note


def test_the_open_box_below_a_ticked_one_is_open():
    assert names("- [x] Ship\n  - [ ] Tell sales\n  - [x] Tag\n- [ ] Celebrate") == [
        "Tell sales",
        "Celebrate",
    ]


def test_when_all_is_ticked_the_plan_says_so():
    plan = noted_keyword_plan("- [x] one\n- [x] two")
    assert len(plan.parts) == 1
    assert "ticked" in plan.note


def test_a_heading_goes_with_its_paragraph():
    """O23."""
    text = (
        "## Phase one\nCollect the invoices.\n\n## Phase two\nCompare them.\n\n"
        "## Phase three\nReport."
    )
    assert descriptions(text) == [
        "## Phase one\nCollect the invoices.",
        "## Phase two\nCompare them.",
        "## Phase three\nReport.",
    ]
    underlined = "Phase one\n---------\nCollect.\n\nPhase two\n---------\nCompare."
    assert names(underlined) == ["Phase one", "Phase two"]
    assert names("**Phase one**\nCollect.\n\n**Phase two**\nCompare.") == ["Phase one", "Phase two"]


def test_a_heading_above_items_is_their_context():
    text = (
        "# Release\n\nBe careful.\n\n## Backend\n- Fix tests\n- Tag it\n\n## Frontend\n- Fix tests"
    )
    assert descriptions(text) == [
        "# Release\n\nBe careful.\n## Backend\nFix tests",
        "## Backend\nTag it",
        "## Frontend\nFix tests",
    ]
    assert names(text) == ["Fix tests", "Tag it", "Fix tests"]


def test_headings_say_which_list_is_the_work():
    text = (
        "## Attendees\n- Ada\n- Bob\n\n## Discussion\n- The site is slow\n- Costs rise\n\n"
        "## Action items\n- Measure the site\n- Compare vendors\n"
    )
    assert names(text) == ["Measure the site", "Compare vendors"]
    assert "The site is slow" in descriptions(text)[0]


def test_a_quotation_in_quotes_is_not_divided():
    """O24."""
    text = 'Translate the sentence "First research, then write, finally publish" into French.'
    assert descriptions(text) == [text]


@pytest.mark.parametrize(
    ("number", "parallel"), [(1_200, True), (5_000, True), (1_001, True), (100, False)]
)
def test_long_lists_are_read_to_their_end(number, parallel):
    """O25."""
    text = "\n".join(f"{each}. Check vendor {each}" for each in range(1, number + 1))
    found = descriptions(text, parallel=parallel)
    assert found == [f"Check vendor {each}" for each in range(1, number + 1)]


def test_a_list_longer_than_a_plan_is_refused():
    with pytest.raises(WrongPlan, match="more items"):
        keyword_plan("\n".join(f"{each}. Check {each}" for each in range(10_001)), parallel=True)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff1. Research vendors\r\n2. Write report\r\n",
        "\ufeff- Research vendors\r- Write report\r",
        "\r\n\r\n\ufeff1) Research vendors\r\n\r\n2) Write report",
        "    1. Research vendors\n    2. Write report",
        "\u200b1.\tResearch vendors\n2.\tWrite report",
    ],
)
def test_what_editors_put_around_lines_is_no_text(text):
    """O26."""
    assert descriptions(text) == ["Research vendors", "Write report"]


@pytest.mark.parametrize("text", ["Say hello", "市場を調査する", "Bitte alles prüfen"])
def test_a_text_that_stays_whole_has_a_note(text):
    """O28."""
    plan = noted_keyword_plan(text)
    assert ([part.description for part in plan.parts], plan.note) == ([text], NOT_DIVIDED)
    assert noted_keyword_plan("1. one\n2. two").note == ""


@pytest.mark.parametrize(
    "text",
    [
        'Translate "Collect data, then analyze it; finally write it down" into German.',
        "Übersetze „Zuerst sammeln, dann schreiben, schließlich senden“ ins Englische.",
        "Explain what `research it, analyze it, write it` prints.",
        "翻译「首先调研，然后分析，最后撰写」这句话",
        "Proofread 'First research it, then write it' for me",
    ],
)
def test_what_stands_in_quotation_marks_is_no_order(text):
    assert descriptions(text) == [text]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("If the build is red, then revert the commit.", 1),
        ("Wenn der Test rot ist, dann nimm die Änderung zurück.", 1),
        ("如果测试失败，然后通知我。", 1),
        ("Collect the mails, then answer the oldest.", 2),
        ("Sammle die Mails, dann beantworte die älteste.", 2),
        ("Lee los correos, luego responde al primero.", 2),
        ("先读邮件，再回复第一封。", 2),
        ("Call Ada first thing on Monday.", 1),
        ("¿Puedes revisar el contrato? También necesito una copia. Por favor avisa a Pedro.", 3),
        ("请核对库存。另外请联系供应商。", 2),
        ("資料を読んでください。要点を送ってください。", 2),
        ("कृपया सूची देखें। कृपया रिपोर्ट लिखें।", 2),
        ("يرجى مراجعة العقد. كما يرجى إرسال نسخة.", 2),
    ],
)
def test_steps_and_requests_of_prose_are_found_in_many_languages(text, number):
    """O28."""
    assert len(keyword_plan(text)) == number


@pytest.mark.parametrize(
    "markers",
    ["1. 2. 3.", "1) 2) 3)", "(1) (2) (3)", "①|② |③", "一、|二、|三、", "（一）|（二）|（三）",
     "第一，|第二，|第三，",
     "１．|２．|３．", "१. २. ३.", "١. ٢. ٣.", "a) b) c)", "i. ii. iii.", "A. B. C.", "1.1 1.2 1.3",
     "#1 #2 #3", "**1.** **2.** **3.**", "• • •", "‣ ‣ ‣", "· · ·", "– – –", "+ + +", "1: 2: 3:",
     "Schritt 1:|Schritt 2:|Schritt 3:", "☐ ☐ ☐", "أ) ب) ت)", "क) ख) ग)", "1º 2º 3º"],
)  # fmt: skip
def test_lists_are_numbered_and_marked_in_many_ways(markers):
    marks = markers.split("|") if "|" in markers else markers.split(" ")
    text = "\n".join(
        f"{mark} {word}" for mark, word in zip(marks, ("alpha", "beta", "gamma"), strict=True)
    )
    assert descriptions(text) == ["alpha", "beta", "gamma"]


def test_mails_are_read_without_heads_replies_and_signatures():
    text = (
        "From: Ada\nTo: Bob\nSubject: work\n\n1. Call Dana\n2. Book a room\n\nThanks and regards,\n"
        "Ada\n\n-----Original Message-----\nFrom: Dana\n\n1. old\n2. older\n"
    )
    assert descriptions(text) == ["Call Dana", "Book a room"]


def test_a_comment_of_a_template_is_no_text_but_one_in_code_is():
    text = (
        "<!-- 1. hide -->\n1. Keep\n```html\n<!-- shown -->\n```\n2. Also <!-- hidden\n3. x -->keep"
    )
    assert descriptions(text) == ["Keep\n```html\n<!-- shown -->\n```", "Also keep"]


def test_very_deep_nesting_takes_no_recursion():
    text = "".join(f"{'  ' * depth}- item {depth}\n" for depth in range(1_200))
    assert len(keyword_plan(text)) == 1


def test_a_row_of_a_table_names_its_columns():
    text = "| Task | Owner |\n|:--|--:|\n| Write \\| edit | Ada |\n| Send | Bob |"
    assert descriptions(text) == ["Write | edit\nOwner: Ada", "Send\nOwner: Bob"]


def test_front_matter_is_no_text_and_rules_are_none():
    matter = "---\ntitle: x\nlabels:\n  - a\n  - b\n---\n1. one\n2. two"
    assert descriptions(matter) == ["one", "two"]
    rules = "---\nNote: this\nis text\n---\n1. one\n2. two"
    assert "is text" in descriptions(rules)[0]


PIECES = st.sampled_from(
    ["# ", "## ", "- ", "1. ", "2. ", "- [ ] ", "  - ", "    - ", "\n", "\n\n", "Steps:\n",
     "Notes:\n", "**Bold**\n", "| Task | Who |\n|---|---|\n", "| a | b |\n", "---\n", "===\n",
     "and ", "then ", "first ", "(1) ", "(2) ", "①", "②", "; ", ". ", "? ", "please ", "a) ", "b) ",
     "> ", "\t", "**", "第一，", "第二，", "，", "。", "zuerst ", "dann ", "1.1 ", "1.2 ", "word "]
)  # fmt: skip


@given(st.lists(PIECES, max_size=30))
def test_no_word_of_any_markdown_is_lost(pieces):
    numbers = iter(range(len(pieces)))
    text = "".join(f"qz{next(numbers)}k " if each == "word " else each for each in pieces)
    if not text.strip():
        return
    found = keyword_plan(text, parallel=True)
    together = "\n".join(part.description for part in found)
    assert all(word in together for word in re.findall(r"qz\d+k", text))
    assert all(part.description.strip() and part.name for part in found)
