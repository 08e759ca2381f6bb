"""The beginnings of a conversation: each request of it begins with the whole request before."""

import hashlib
from itertools import accumulate
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from gateway.call import Call
from gateway.dialects.json_body import DECODE_ERRORS

# Fields that change nothing of the input.
_NOT_INPUT = frozenset(
    {"max_tokens", "max_completion_tokens", "max_output_tokens", "stream", "stream_options"}
    | {"metadata", "user", "temperature", "top_p", "seed", "stop", "stop_sequences"}
)
# With these a longer conversation can have fewer tokens, so that what was counted is no bound.
_DROPS_TURNS = frozenset({"context_management", "truncation", "previous_response_id"})
# Clients move these marks from turn to turn; they are not part of the text.
_CACHE_MARKS = tuple({"type": "ephemeral", **ttl} for ttl in ({}, {"ttl": "5m"}, {"ttl": "1h"}))
_HEADER = b"anthropic-beta"

_decode_turns = msgspec.json.Decoder(list[Raw]).decode


def beginnings(call: Call) -> list[bytes]:
    """A digest of what a call says up to the end of each turn, and of everything around the turns.

    The last one is that of the whole call. Empty if its route has no conversations, or if their
    parts do not add up.
    """
    fields = call.parameters.fields
    if not _DROPS_TURNS.isdisjoint(fields):
        return []
    digest, digests = _around(call), []
    for turn in turns_of(call):
        digest = hashlib.sha256(digest + _without_cache_marks(bytes(turn))).digest()
        digests.append(digest)
    return digests


class Beginning(NamedTuple):
    """A beginning of a call: its digest, and its share of all bytes that become input."""

    digest: bytes
    share: float


def sized_beginnings(call: Call) -> list[Beginning]:
    """What stands around the turns, such as a system prompt and tools, and each beginning with it;
    empty like `beginnings`."""
    digests = beginnings(call)
    if not digests:
        return []
    fields, turns = call.parameters.fields, call.dialect.conversation_field
    around = sum(len(bytes(fields[name])) for name in fields.keys() - _NOT_INPUT - {turns, "model"})
    sizes = list(accumulate((len(bytes(turn)) for turn in turns_of(call)), initial=around))
    return [
        Beginning(digest, size / sizes[-1])
        for digest, size in zip([_around(call), *digests], sizes, strict=True)
    ]


def turns_of(call: Call) -> list[Raw]:
    """The turns of the conversation; empty if there are none."""
    raw = call.parameters.fields.get(call.dialect.conversation_field)
    try:
        return _decode_turns(raw) if raw is not None else []
    except DECODE_ERRORS:
        return []


def rest_of(call: Call, begun: int) -> dict[str, Raw]:
    """The fields of a request that has only the turns after the first `begun`."""
    turns = turns_of(call)[begun:]
    return {call.dialect.conversation_field: Raw(b"[" + b",".join(map(bytes, turns)) + b"]")}


def _around(call: Call) -> bytes:
    fields, turns = call.parameters.fields, call.dialect.conversation_field
    parts = [
        call.upstream.base_url.encode(),
        call.dialect.path.encode(),
        call.model.encode(),
        call.request.headers.get(_HEADER, b""),
    ]
    for name in sorted(fields.keys() - _NOT_INPUT - {turns, "model"}):
        parts += [name.encode(errors="surrogatepass"), bytes(fields[name])]
    return hashlib.sha256(b"".join(b"%d:%s" % (len(part), part) for part in parts)).digest()


def _without_cache_marks(turn: bytes) -> bytes:
    if b'"cache_control"' not in turn:
        return turn
    try:
        return msgspec.json.encode(_unmarked(msgspec.json.decode(turn)))
    except DECODE_ERRORS:
        return turn


def _unmarked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unmarked(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _unmarked(inner)
        for name, inner in value.items()
        if not (name == "cache_control" and inner in _CACHE_MARKS)
    }
