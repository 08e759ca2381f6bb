"""The most tokens a text can be: counted where the tokenizer is public, else its UTF-8 bytes."""

import re
import unicodedata
from base64 import b64decode
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from threading import Lock

import regex
from tiktoken import Encoding

_DATA = Path(__file__).parent / "data"

# The patterns of tiktoken_ext.openai_public, which cannot be read there without its download.
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

# A name must end or go on with a suffix ("-mini", ".4", ":free"): "gpt-4all" is somebody else's.
_MODELS = {
    "o200k_base": re.compile(r"(gpt-4o|gpt-4\.[15]|gpt-5|o[134]|gpt-oss|chatgpt)(?![^-.:@])"),
    "cl100k_base": re.compile(
        r"(gpt-4|gpt-3\.5|gpt-35|text-embedding-3|text-embedding-ada-002)(?![^-:@])"
    ),
}
_VENDORS = {"openai", "azure", "azure_ai", "github", "groq", "openrouter", "together_ai"}

# Above it, tiktoken may take half a second, and overflows its stack at 1,000,000 white spaces.
COUNTED_BYTES_MAX = 512 * 1024

# Unicode's stream-safe format has at most 30. Python sorts longer runs in quadratic time.
_MARKS = regex.compile(r"\p{M}{31}")
_WORST_EXPANSION = 11  # of U+FDFA, by NFKC.


def text_tokens_max(text: str, *, model: str) -> int:
    """The most tokens `model` can count for `text`; exact when its tokenizer is public.

    Text that looks like a special token is text. Lone surrogates count as what replaces them.
    """
    name = tokenizer_of(model)
    if name is None:
        return utf8_max(text)
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > COUNTED_BYTES_MAX:
        return size
    return len(_encoding(name).encode_ordinary(text))


def utf8_max(text: str) -> int:
    """A bound for any tokenizer that falls back to bytes: no token covers less than one.

    Some normalise before they count (Claude's public one did, by NFKC), and that can lengthen.
    """
    if text.isascii():
        return len(text)
    size = len(text.encode("utf-8", "surrogatepass"))
    if _MARKS.search(text):
        return size * _WORST_EXPANSION
    normalised = (unicodedata.normalize(form, text) for form in ("NFC", "NFKC"))
    return max(size, *(len(form.encode("utf-8", "surrogatepass")) for form in normalised))


@cache
def tokenizer_of(model: str) -> str | None:
    """The name of `model`'s public tokenizer, or None."""
    name = bare_name(model)
    return next((found for found, models in _MODELS.items() if models.match(name)), None)


def bare_name(model: str) -> str:
    """`model` without vendor and `ft:`; a vendor that does not host OpenAI's models stays."""
    *vendors, name = model.lower().split("/")
    if not set(vendors) <= _VENDORS:
        return model.lower()
    return name.removeprefix("ft:")


def load_tokenizers() -> None:
    """Read both tokenizers now (0.9 s) rather than at the first call that needs them."""
    for name in _PATTERNS:
        _encoding(name)


_loading = Lock()


def _encoding(name: str) -> Encoding:
    with _loading:
        return _loaded(name)


@cache
def _loaded(name: str) -> Encoding:
    ranks = dict(_ranks((_DATA / f"{name}.tiktoken").read_bytes()))
    # Without special tokens, which are never looked for: content is text.
    return Encoding(name, pat_str=_PATTERNS[name], mergeable_ranks=ranks, special_tokens={})


def _ranks(lines: bytes) -> Iterator[tuple[bytes, int]]:
    for line in lines.splitlines():
        token, rank = line.split()
        yield b64decode(token), int(rank)
