"""The most tokens a text can be: counted if the tokenizer is public, otherwise its UTF-8 bytes."""

import unicodedata
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextvars import ContextVar, copy_context
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import ParamSpec, TypeVar

import regex
from tiktoken import Encoding

from common.bytes_cache import cached_within_bytes
from gateway.bounds.slices import pieces, utf8, utf8_size
from keys.supply.model_facts import ModelFacts

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_DATA = Path(__file__).parent / "data"

# The patterns of tiktoken_ext.openai_public, which loads them only together with a download.
_PATTERNS = {
    "o200k_base": (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
    "cl100k_base": (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
        r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
    ),
}

# For longer texts tiktoken may take half a second; 1,000,000 white spaces overflow its stack.
COUNTED_BYTES_MAX = 512 * 1024
# More than what fits into the longest contexts.
_COUNTED_BYTES_IN_ALL_MAX = 8 * COUNTED_BYTES_MAX
# Most requests repeat names, a system prompt, and the turns of the conversation before.
_WORD_LENGTH_MAX = 64
_counted_bytes_left: ContextVar[int | None] = ContextVar("counted_bytes_left", default=None)

# Unicode's stream-safe format has at most 30. Python sorts longer runs in quadratic time.
_MARKS = regex.compile(r"\p{M}{31}")
_WORST_EXPANSION = 11  # of U+FDFA, by NFKC.
# A text that gets longer by more than this is made to; its rest is not normalised.
_LENGTHENED_BYTES_MAX = 256 * 1024
# More than a character with all its marks can get longer when it is cut in two.
_SEQUENCE_BYTES_MAX = 1024


def text_tokens_max(text: str, *, model: ModelFacts) -> int:
    """The most tokens `model` can count for `text`; exact when its tokenizer is public.

    Text that looks like a special token is text. A lone surrogate counts as its replacement.
    """
    counted = text_tokens_exact(text, model=model)
    if counted is not None:
        return counted
    if not model.tokenizer:
        return utf8_max(text)
    return utf8_size(text)


def text_tokens_exact(text: str, *, model: ModelFacts) -> int | None:
    """The tokens `model` counts for `text`; None if its tokenizer is not public, or the text too
    long to be counted, also after others (see `count_within_limit`)."""
    name = model.tokenizer
    if not name or len(text) > COUNTED_BYTES_MAX:
        return None
    size, left = utf8_size(text), _counted_bytes_left.get()
    if size > COUNTED_BYTES_MAX or (left is not None and size > left):
        return None
    if left is not None:
        _counted_bytes_left.set(left - size)
    return _count(name, text) if len(text) <= _WORD_LENGTH_MAX else _count_long(utf8(text), name)


def count_within_limit(
    work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Call `work`, in which texts are counted until they have many bytes in all; the others are too
    long to be counted."""
    context = copy_context()
    context.run(_counted_bytes_left.set, _COUNTED_BYTES_IN_ALL_MAX)
    return context.run(work, *args, **kwargs)


def utf8_max(text: str) -> int:
    """A bound for any tokenizer that falls back to bytes: no token covers less than one.

    Some tokenizers normalise first (Claude's public one did, by NFKC), which can lengthen a text.
    """
    return len(text) if text.isascii() else raw_utf8_max(utf8(text))


def raw_utf8_max(raw: bytes) -> int:
    """`utf8_max` of a text in UTF-8. Raises UnicodeDecodeError."""
    if raw.isascii():
        return len(raw)
    total = lengthened = looked_at = 0
    for piece in pieces(raw):
        if lengthened > _LENGTHENED_BYTES_MAX:
            total += (len(raw) - looked_at) * _WORST_EXPANSION
            break
        most = _piece_max(piece.raw)
        total += most if piece.is_apart else most + _SEQUENCE_BYTES_MAX
        lengthened += most - len(piece.raw)
        looked_at += len(piece.raw)
    return min(total, len(raw) * _WORST_EXPANSION)


def _piece_max(raw: bytes) -> int:
    if raw.isascii():
        return len(raw)
    text = raw.decode("utf-8", "surrogatepass")
    if _MARKS.search(text):
        return len(raw) * _WORST_EXPANSION
    normalised = (unicodedata.normalize(form, text) for form in ("NFC", "NFKC"))
    return max(len(raw), *(len(form.encode("utf-8", "surrogatepass")) for form in normalised))


def load_tokenizers() -> None:
    """Read both tokenizers now (0.9 s) rather than at the first call that needs them."""
    for name in _PATTERNS:
        _encoding(name)


@lru_cache(maxsize=4096)
def _count(name: str, text: str) -> int:
    return len(_encoding(name).encode_ordinary(text))


@cached_within_bytes
def _count_long(text: bytes, name: str) -> int:
    return len(_encoding(name).encode_ordinary(text.decode("utf-8", "surrogatepass")))


_load_lock = Lock()


def _encoding(name: str) -> Encoding:
    with _load_lock:
        return _load(name)


@cache
def _load(name: str) -> Encoding:
    ranks = dict(_ranks((_DATA / f"{name}.tiktoken").read_bytes()))
    # Without special tokens: content is text.
    return Encoding(name, pat_str=_PATTERNS[name], mergeable_ranks=ranks, special_tokens={})


def _ranks(lines: bytes) -> Iterator[tuple[bytes, int]]:
    for line in lines.splitlines():
        token, rank = line.split()
        yield b64decode(token), int(rank)
