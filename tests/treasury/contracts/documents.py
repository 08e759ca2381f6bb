"""Check requests and answers against a vendor's OpenAPI document, in plain Python.

    problems = document("stripe").problems_of_request(sent)

Forms are read as Stripe reads them: `a[b][0]=1` is `{"a": {"b": ["1"]}}`, and a text counts as the
number or truth value that the schema wants.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from jsonschema import Draft7Validator

SPECS = Path(__file__).parent / "specs"
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
_INDEX = re.compile(r"\[([^\]]*)\]")


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A request as a vendor gets it; `query` is the text after the question mark."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@cache
def document(name: str) -> "Document":
    """The cut document of a vendor."""
    return Document(json.loads((SPECS / f"{name}.json").read_text(encoding="utf-8")))


class Document:
    """A vendor's OpenAPI document."""

    def __init__(self, whole: dict[str, Any]) -> None:
        self._whole = _with_null(whole)

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Each operation with its method and path."""
        for path, methods in self._whole["paths"].items():
            for method, operation in methods.items():
                if method != "parameters":
                    yield method, path, operation

    def problems_of_request(self, sent: Sent) -> list[str]:
        """What the document says against the request; none for a valid one."""
        found = self._operation(sent.method, sent.path)
        if found is None:
            return [f"The document has no {sent.method} {sent.path}."]
        path, operation = found
        parameters = [
            self._resolve(each)
            for each in (
                *self._whole["paths"][path].get("parameters", []),
                *operation.get("parameters", []),
            )
        ]
        return [
            *self._of_query(sent, parameters),
            *self._of_headers(sent, parameters),
            *self._of_body(sent, operation),
        ]

    def problems_of_answer(self, method: str, path: str, status: int, body: Any) -> list[str]:
        """What the document says against an answer."""
        found = self._operation(method, path)
        if found is None:
            return [f"The document has no {method} {path}."]
        responses = found[1]["responses"]
        if str(status) not in responses and "default" not in responses:
            return [f"The document has no status {status} of {method} {path}."]
        response = self._resolve(responses.get(str(status)) or responses["default"])
        schema = response.get("content", {}).get(_JSON, {}).get("schema")
        return self._problems(schema, body) if schema else []

    def values_of(self, node: Any, name: str) -> set[str]:
        """The values that a member of this name may have, wherever it is below a node."""
        found: set[str] = set()
        seen: set[str] = set()
        open_nodes = [node]
        while open_nodes:
            node = open_nodes.pop()
            if isinstance(node, list):
                open_nodes += node
            elif isinstance(node, dict):
                if isinstance(member := node.get(name), dict):
                    found |= set(member.get("enum", []))
                reference = node.get("$ref")
                if reference and reference not in seen:
                    seen.add(reference)
                    open_nodes.append(self._resolve(node))
                open_nodes += node.values()
        return found

    def _operation(self, method: str, path: str) -> tuple[str, dict[str, Any]] | None:
        for each_method, template, operation in self.operations():
            pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template))
            if each_method == method.lower() and re.fullmatch(pattern, path):
                return template, operation
        return None

    def _of_query(self, sent: Sent, parameters: list[dict[str, Any]]) -> Iterator[str]:
        known = {each["name"]: each for each in parameters if each["in"] == "query"}
        given = nested(parse_qsl(sent.query, keep_blank_values=True))
        for name, value in given.items():
            if name not in known:
                yield f"query {name}: not in the document"
                continue
            schema = self._resolve(known[name]["schema"])
            for problem in self._problems(schema, self._read(schema, value)):
                yield f"query {name}: {problem}"
        for name, parameter in known.items():
            if parameter.get("required") and name not in given:
                yield f"query {name}: missing"

    def _of_headers(self, sent: Sent, parameters: list[dict[str, Any]]) -> Iterator[str]:
        given = {name.lower(): value for name, value in sent.headers.items()}
        for each in parameters:
            if each["in"] != "header" or each["name"].lower() in ("authorization", "content-type"):
                continue
            value = given.get(each["name"].lower())
            if value is None and each.get("required"):
                yield f"header {each['name']}: missing"
            elif value is not None:
                for problem in self._problems(each["schema"], value):
                    yield f"header {each['name']}: {problem}"

    def _of_body(self, sent: Sent, operation: dict[str, Any]) -> Iterator[str]:
        wanted = self._resolve(operation.get("requestBody") or {})
        content = wanted.get("content", {})
        if not sent.body:
            if wanted.get("required"):
                yield "body: missing"
            return
        media_type = {name.lower(): value for name, value in sent.headers.items()}.get(
            "content-type", ""
        )
        media_type = media_type.partition(";")[0]
        if media_type not in content:
            yield f"body: {media_type or 'no media type'} is not one of {sorted(content)}"
            return
        schema = self._resolve(content[media_type]["schema"])
        if media_type == _FORM:
            given = nested(parse_qsl(sent.body.decode(), keep_blank_values=True))
            value = self._read(schema, given)
        else:
            value = json.loads(sent.body)
        for problem in self._problems(schema, value):
            yield f"body: {problem}"

    def _problems(self, schema: dict[str, Any], value: Any) -> list[str]:
        validator = Draft7Validator(schema | {"components": self._whole.get("components", {})})
        return [
            f"{'/'.join(map(str, error.absolute_path))} {error.message[:200]}"
            for error in validator.iter_errors(value)
        ]

    def _resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            _, *path = node["$ref"].split("/")
            node = self._whole
            for step in path:
                node = node[step]
        return node

    def _read(self, schema: dict[str, Any], value: Any) -> Any:
        """The value of a form, with the types that the schema wants."""
        schema = self._resolve(schema)
        for each in schema.get("anyOf", []):
            read = self._read(each, value)
            if not self._problems(each, read):
                return read
        wanted = schema.get("type")
        if isinstance(value, dict):
            if wanted == "array" and all(name.isdigit() or not name for name in value):
                return [self._read(schema["items"], each) for each in value.values()]
            own = schema.get("properties", {})
            rest = schema.get("additionalProperties")
            other = rest if isinstance(rest, dict) else {}
            return {name: self._read(own.get(name, other), each) for name, each in value.items()}
        return _typed(wanted, value)


def nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Fields of a form, nested by the brackets in their names."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        first, steps = name.partition("[")[0], _INDEX.findall(name)
        node, last = found, first
        for step in steps:
            node = node.setdefault(last, {})
            last = step or str(len(node))
        node[last] = value
    return found


def _typed(wanted: Any, value: str) -> Any:
    types = wanted if isinstance(wanted, list) else [wanted]
    if "integer" in types and re.fullmatch(r"-?\d+", value):
        return int(value)
    if "boolean" in types and value in ("true", "false"):
        return value == "true"
    return value


def _with_null(node: Any) -> Any:
    """The schema with OpenAPI 3.0's `nullable` as JSON Schema has it."""
    if isinstance(node, list):
        return [_with_null(each) for each in node]
    if not isinstance(node, dict):
        return node
    read = {name: _with_null(each) for name, each in node.items() if name != "nullable"}
    if node.get("nullable") is not True:
        return read
    return {"anyOf": [read, {"type": "null"}]}
