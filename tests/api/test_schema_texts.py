"""What people read in the schema: everything is described, in full sentences of plain English.

A reader of the OpenAPI document sees nothing else.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator

Node = dict[str, Any]

# Words of another century, and words that name no one.
FORBIDDEN = re.compile(
    r"\b(whoever|whatever|nobody|anew|shall|meanwhile|likewise|thereof|for want of)\b",
    re.IGNORECASE,
)
FIRST_WORD = re.compile(r"[A-Z][a-z]*\b")


@pytest.fixture(scope="module")
def schema() -> Node:
    """The document as it is served."""
    return SchemaGenerator().get_schema(public=True)


def operations(schema: Node) -> dict[str, Node]:
    """Every operation by its method and path."""
    return {
        f"{method} {path}": operation
        for path, item in schema["paths"].items()
        for method, operation in item.items()
    }


def described(schema: Node) -> Iterator[tuple[str, str | None]]:
    """Everything that must have a description: where it is, and what it says."""
    yield "info", schema["info"].get("description")
    for name, operation in operations(schema).items():
        yield name, operation.get("description")
        for parameter in operation.get("parameters", []):
            yield f"{name} {parameter['name']}", parameter.get("description")
        yield from described_responses(name, operation["responses"])
    for name, scheme in schema["components"]["securitySchemes"].items():
        yield name, scheme.get("description")
    for name, component in schema["components"]["schemas"].items():
        yield name, component.get("description")
        for field, value in component.get("properties", {}).items():
            yield f"{name}.{field}", value.get("description")


def described_responses(operation: str, responses: Node) -> Iterator[tuple[str, str | None]]:
    """The same of the responses to one operation, and of their headers."""
    for status, response in responses.items():
        yield f"{operation} {status}", response.get("description")
        for header, value in response.get("headers", {}).items():
            yield f"{operation} {status} {header}", value.get("description")


def test_everything_has_a_description(schema):
    missing = [where for where, text in described(schema) if not text]
    assert not missing


def test_every_description_is_made_of_full_sentences(schema):
    wrong = [
        (where, text)
        for where, text in described(schema)
        if not (FIRST_WORD.match(text) and text.endswith(".") and len(text.split()) > 2)
    ]
    assert not wrong


def test_every_summary_is_a_verb_and_a_noun(schema):
    summaries = [operation["summary"] for operation in operations(schema).values()]
    assert all(FIRST_WORD.match(text) and len(text.split()) > 1 for text in summaries)
    assert not [text for text in summaries if text.endswith(".")]
    assert len(set(summaries)) == len(summaries)


def test_no_text_has_words_of_another_century(schema):
    texts = [text for _, text in described(schema)]
    texts += [operation["summary"] for operation in operations(schema).values()]
    assert not [text for text in texts if FORBIDDEN.search(text)]


def test_every_name_is_snake_case_except_in_results(schema):
    components = schema["components"]["schemas"]
    names = {
        f"{component}.{field}"
        for component, value in components.items()
        for field in value.get("properties", {})
        if component not in {"TaskResultsOutput", "SubTaskResultOutput", "PlanningResultOutput"}
    }
    assert not [name for name in names if not re.fullmatch(r"\w+\.[a-z0-9_]+", name)]


def test_one_thing_has_one_name(schema):
    components = schema["components"]["schemas"].values()
    names = {field for component in components for field in component.get("properties", {})}
    for operation in operations(schema).values():
        names |= {parameter["name"] for parameter in operation.get("parameters", [])}
    assert {"status", "session_id", "key_id", "agent"} <= names
    others = {"state", "session", "api_key", "api_key_id", "key_slug", "agent_id", "agent_name"}
    assert not names & others
