"""Read the body of a provider's error in any shape: codes, sentences, seconds to wait."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import msgspec

_BYTES_MAX = 64 * 1024
_DEPTH_MAX = 8
_TEXT_CHARACTERS_MAX = 2_000
_CODE_FIELDS = ("code", "type", "status", "reason", "error_code", "title", "error_type")
_SENTENCE_FIELDS = (
    "message",
    "detail",
    "error",
    "msg",
    "error_msg",
    "error_message",
    "status_msg",
    "description",
)
# Times to wait in a body, and the headers that say the same.
_WAIT_FIELDS = {
    "retry_after": "retry-after",
    "retry_after_seconds": "retry-after",
    "resets_in_seconds": "retry-after",
    "retry_after_ms": "retry-after-ms",
}
# What repeats the request, or what others than this key's provider said.
_SKIPPED_FIELDS = ("metadata", "input", "ctx", "previous_errors", "innererror", "flagged_input")
_CODE_CHARACTERS_MAX = 80


@dataclass(slots=True)
class ErrorText:
    """What an error says, in any order of its fields.

    `codes_in_order`: codes, types, statuses and reasons, in lower case. `sentences`: for people.
    `message`: the first of them. `headers`: those that a body repeats, or has in their place.
    `retry_delay`: as Google says it, like `7s`. `extra_field`: a field that was not expected.
    """

    codes_in_order: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    retry_delay: str = ""
    extra_field: str | None = None
    is_web_page: bool = False

    @property
    def codes(self) -> set[str]:
        """The codes, without their order."""
        return set(self.codes_in_order)

    @property
    def message(self) -> str:
        """The provider's sentence; blank when there is none."""
        return self.sentences[0] if self.sentences else ""


def read_body(body: bytes, *, content_type: str) -> ErrorText:
    """What the body says: JSON, events of a stream, a web page, or plain text."""
    text = body[:_BYTES_MAX].decode("utf-8", "replace").strip()
    if "html" in content_type.lower() or re.match(r"<!doctype html|<html|<head|<h1", text, re.I):
        return ErrorText(sentences=_page_sentences(text), is_web_page=True)
    for candidate in (text, *_event_data(text)):
        parsed = _parse(candidate)
        if isinstance(parsed, dict | list):
            return read_object(parsed)
    return ErrorText(sentences=[text[:_TEXT_CHARACTERS_MAX]] if text else [])


def read_object(parsed: object) -> ErrorText:
    """What a parsed error says."""
    text = ErrorText()
    if isinstance(parsed, str):
        text.sentences.append(parsed[:_TEXT_CHARACTERS_MAX])
    else:
        _walk(parsed, text, depth=0)
    return text


def _event_data(text: str) -> Iterator[str]:
    """The data of the events of a stream."""
    for line in text.splitlines():
        if line.startswith("data:"):
            yield line[5:].strip()


def _parse(text: str) -> Any:
    try:
        return msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, RecursionError):
        return None


def _walk(node: object, text: ErrorText, *, depth: int) -> None:
    if depth > _DEPTH_MAX:
        return
    if isinstance(node, list):
        for member in node[:20]:
            _walk(member, text, depth=depth + 1)
    elif isinstance(node, dict):
        _read_fields(node, text)
        for name, member in node.items():
            if name not in _SKIPPED_FIELDS and isinstance(member, dict | list):
                _walk(member, text, depth=depth + 1)
                _add_listed(name, member, text, depth)
            elif name.lower() in _SENTENCE_FIELDS and isinstance(member, str):
                _add_sentence(member, text, depth)


def _read_fields(node: dict[str, Any], text: ErrorText) -> None:
    text.codes_in_order += _codes(node)
    if isinstance(delay := node.get("retryDelay"), str):
        text.retry_delay = text.retry_delay or delay
    for name, header in _WAIT_FIELDS.items():
        if name in node:
            text.headers.setdefault(header, str(node[name]))
    if node.get("type") == "extra_forbidden" and isinstance(node.get("loc"), list):
        text.extra_field = text.extra_field or str(node["loc"][-1])
    elif node.get("code") in ("unsupported_parameter", "unknown_parameter"):
        text.extra_field = text.extra_field or node.get("param") or None
    metadata = node.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("headers"), dict):
        text.headers |= {str(k).lower(): str(v) for k, v in metadata["headers"].items()}


def _codes(node: dict[str, Any]) -> list[str]:
    values = [node.get(name) for name in _CODE_FIELDS]
    return [
        str(value).lower()
        for value in values
        if isinstance(value, str | int) and len(str(value)) <= _CODE_CHARACTERS_MAX
    ]


def _add_listed(name: str, member: object, text: ErrorText, depth: int) -> None:
    """Some providers give a list of sentences."""
    if isinstance(member, list) and name.lower().removesuffix("s") in _SENTENCE_FIELDS:
        for sentence in member[:20]:
            if isinstance(sentence, str):
                _add_sentence(sentence, text, depth)


def _add_sentence(sentence: str, text: ErrorText, depth: int) -> None:
    """Some providers put the JSON of another error into a sentence."""
    if sentence.lstrip()[:1] in ("{", "["):
        parsed = _parse(sentence)
        if isinstance(parsed, dict | list):
            _walk(parsed, text, depth=depth + 1)
            return
    if sentence.strip():
        text.sentences.append(sentence.strip()[:_TEXT_CHARACTERS_MAX])


class _PageText(HTMLParser):
    """The words of a web page, its title first."""

    def __init__(self) -> None:
        super().__init__()
        self.title, self.words = "", [""]
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._tag = tag

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag == "title":
            self.title += data
        elif self._tag not in ("script", "style"):
            self.words.append(data)


def _page_sentences(page: str) -> list[str]:
    reader = _PageText()
    reader.feed(page)
    words = " ".join(" ".join(reader.words).split())[:_TEXT_CHARACTERS_MAX]
    return [sentence for sentence in (reader.title.strip(), words) if sentence]
