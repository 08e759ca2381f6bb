"""The prompt for a plan, and answers of models that are plans or are refused as unusable."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.planning import UnusablePlan, model_request, plan_of_answer

PLAN = {
    "sub_tasks": [
        {"id": "b", "description": "write", "depends_on": ["a"], "priority": "high"},
        {"id": "a", "name": "Look", "description": "research", "estimated_tokens": 5000},
    ]
}
TEXT = json.dumps(PLAN)


def unusable(answer):
    with pytest.raises(UnusablePlan) as caught:
        plan_of_answer(answer)
    return caught.value.reason


def test_the_request_holds_the_description_the_limit_and_the_schema():
    request = model_request("Build a {shop}", sub_tasks_max=7)
    assert "Build a {shop}" in request and "at most 7" in request
    assert '"depends_on"' in request


@pytest.mark.parametrize(
    "answer",
    [TEXT, f"```json\n{TEXT}\n```", f"Here it is [1]:\n```\n{TEXT}\n```\nGood luck {{}}!",
     f"I follow {{this}} and {json.dumps({'type': 'object'})}: {TEXT}",
     json.dumps(PLAN["sub_tasks"]),
     f'<think>Perhaps {{"sub_tasks": [{{"description": "all"}}]}}? No.</think>\n{TEXT}',
     f"\n<thinking>\n[1, 2]\n</thinking>```json\n\ufeff{TEXT}```"],
    ids=["plain", "fenced", "among words", "after other JSON", "a bare list", "after a draft",
         "after thoughts"],
)  # fmt: skip
def test_a_plan_is_found_wherever_it_stands(answer):
    first, second = plan_of_answer(answer)
    assert (first.key, first.name, first.estimated_tokens) == ("a", "Look", 5000)
    assert (second.key, second.depends_on, second.priority) == ("b", ("a",), "high")


def test_a_model_decides_neither_runner_nor_key_nor_approval():
    one = {"description": "x", "runner": "command:rm", "provider": "p", "model": "m",
           "needs_approval": True, "why": "because"}  # fmt: skip
    (part,) = plan_of_answer(json.dumps({"sub_tasks": [one]}))
    assert (part.runner, part.provider, part.model, part.needs_approval) == ("", "", "", False)


def answer(*sub_tasks):
    return json.dumps({"sub_tasks": sub_tasks})


PART = {"description": "a", "sub_tasks": [{"description": "inner"}, {"description": "other"}]}
CHECKED = {"description": "b", "checklist": [{"description": "inner"}, {"description": "other"}]}


@pytest.mark.parametrize(
    "wrapped",
    [
        {"plan": PLAN},
        {"thoughts": "two steps", "result": {"plan": PLAN}},
        {"plan": PLAN["sub_tasks"]},
        {"title": "Study", "tasks": PLAN["sub_tasks"]},
        {"steps": PLAN["sub_tasks"], "notes": ["none"]},
    ],
    ids=lambda value: "-".join(value),
)
def test_a_plan_within_other_objects_is_found(wrapped):
    assert [part.key for part in plan_of_answer(json.dumps(wrapped))] == ["a", "b"]


@pytest.mark.parametrize("extra", [PART, CHECKED], ids=["sub_tasks", "checklist"])
@pytest.mark.parametrize("fence", ["", "\n```"], ids=["bare", "fenced"])
def test_a_plan_that_is_cut_off_is_not_taken_from_a_list_within_a_part(extra, fence):
    """Neither where it ends in a later part, nor where it ends within the part with the list."""
    whole = json.dumps({"sub_tasks": [extra, {"description": "the last part"}]})
    for end in range(whole.index("other") + 9, len(whole) - 2):
        assert "ends within its JSON" in unusable(whole[:end] + fence)


def test_a_whole_list_of_sub_tasks_counts_if_only_what_is_after_it_is_cut_off():
    cut = json.dumps(PLAN | {"notes": "this text never ends"})[:-6]
    assert [part.key for part in plan_of_answer(cut)] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not contain JSON"),
        ("I cannot do that.", "not contain JSON"),
        (answer({"id": 10**4_000, "description": "a"}), r"sub_tasks\[0\].id is wrong"),
        (answer({"id": -(10**19), "description": "a"}), r"sub_tasks\[0\].id is wrong"),
        (TEXT[:-3], "ends within its JSON"),
        ("{}", "not match the JSON schema"),
        ("[1]", "not match the JSON schema"),
        (answer(), "not match the JSON schema"),
        (answer({"id": "a"}), r"\$.sub_tasks\[0\] is wrong"),
        (answer({"description": 5}), r"\$.sub_tasks\[0\].description is wrong"),
        (answer({"description": " "}), "no description"),
        (answer({"description": "x", "priority": "urgent"}), "priority is wrong"),
        (answer({"description": "x", "estimated_tokens": 0}), "estimated_tokens is wrong"),
        (answer({"description": "x", "estimated_tokens": 1e400}), "JSON"),
        (answer({"description": "x", "id": "a", "depends_on": ["a"]}), "depends on itself"),
        (answer({"description": "x", "depends_on": ["b"]}), "not in the plan"),
        (answer({"description": "x", "id": "a", "depends_on": ["b"]},
                {"description": "x", "id": "b", "depends_on": ["a"]}), "cycle"),
        (answer({"description": "a\0"}), "NUL or unpaired surrogates"),
        (answer({"description": "a\ud800"}), "NUL or unpaired surrogates"),
        ("[" * 100_000, "not contain JSON"),
        ('{"a":' * 100_000, "not contain JSON"),
        (f'{{"sub_tasks": {"9" * 5000}}}', "not contain JSON"),
        ("x" * 1_000_001, "longer than 1,000,000"),
        ("é" * 600_000, "longer than 1,000,000"),
    ],
    ids=lambda value: repr(value[:30]),
)  # fmt: skip
def test_anything_else_is_unusable_and_says_why(text, reason):
    with pytest.raises(UnusablePlan, match=reason):
        plan_of_answer(text)


def test_too_many_are_unusable(settings):
    settings.SUB_TASKS_MAX = 2
    assert "3 sub-tasks, which is too many" in unusable(answer(*[{"description": "x"}] * 3))


@given(st.text() | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["sub_tasks", "description", "id", "depends_on"]), inner),
).map(json.dumps))  # fmt: skip
def test_every_answer_is_a_plan_or_unusable(text):
    try:
        parts = plan_of_answer(text)
    except UnusablePlan as none:
        assert none.reason
    else:
        assert parts and all(part.description for part in parts)
