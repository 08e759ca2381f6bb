"""A provider's secret is taken out of answers in other forms, and when a stream cuts it."""

import base64
import gzip
import zlib

import brotli
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.output_count import StreamedText
from gateway.secret_scrubbing import CutSecrets, scrub

SECRET = "sk-Canary/4f1d+9a7c_2e60b853~x"
OTHER = "nvapi-0123456789abcdef"


def each(text: str, form: str) -> str:
    return "".join(form.format(ord(character)) for character in text)


CLOTHES = {
    "plain": SECRET,
    "twice": f"{SECRET} {SECRET}{SECRET}",
    "capitals": SECRET.upper(),
    "small letters": SECRET.lower(),
    "json": each(SECRET, "\\u{:04x}"),
    "json in capitals": each(SECRET, "\\u{:04X}"),
    "json within json": each(SECRET, "\\\\u{:04x}"),
    "one character in json": SECRET.replace("C", "\\u0043"),
    "slash in json": SECRET.replace("/", "\\/"),
    "url": each(SECRET, "%{:02x}"),
    "one character in a url": SECRET.replace("/", "%2F"),
    "html": each(SECRET, "&#{};"),
    "html in hexadecimal": each(SECRET, "&#x{:02X};"),
    "python": each(SECRET, "\\x{:02x}"),
    "hexadecimal": SECRET.encode().hex(),
    "hexadecimal in capitals": SECRET.encode().hex().upper(),
    **{
        f"{name} behind {before}": encode(f"{'Bearer: '[:before]}{SECRET}".encode()).decode()
        for name, encode in (("base64", base64.b64encode), ("url-safe", base64.urlsafe_b64encode))
        for before in range(5)
    },
    "base64 with a slash in json": base64.b64encode(b"??" + SECRET.encode())
    .decode()
    .replace("/", "\\/"),
}


def plainly(piece: bytes) -> str:
    """What a reader may find in it: as it is, unescaped and decoded."""
    text = piece.decode()
    return f"{text} {text.encode().decode('unicode_escape')}"


@pytest.mark.parametrize("clothes", CLOTHES)
def test_a_secret_is_found_in_all_its_clothes(clothes):
    text = CLOTHES[clothes]
    piece = f'{{"error":"key {text} is \\u2028 wrong, 50% of it"}}'.encode()
    scrubbed = scrub(piece, SECRET)
    assert b"[secret]" in scrubbed
    assert text.encode() not in scrubbed and SECRET not in plainly(scrubbed)
    # Nothing else is changed: of base64, a character on either side may be.
    assert scrubbed.startswith(b'{"error":"key ')
    assert scrubbed.endswith(b' is \\u2028 wrong, 50% of it"}')
    assert scrub(piece, OTHER) == piece


@given(st.binary(max_size=6), st.binary(max_size=6))
def test_base64_hides_a_secret_behind_no_other_bytes(before, after):
    encoded = base64.b64encode(before + SECRET.encode() + after)
    assert b"[secret]" in scrub(encoded, SECRET)


@given(st.text(), st.lists(st.sampled_from(["{}", "\\u{:04x}", "%{:02X}", "&#{};"]), min_size=30))
def test_any_mix_of_escapes_is_found_and_what_is_around_stays(around, forms):
    mixed = "".join(
        form.format(character if form == "{}" else ord(character))
        for form, character in zip(forms, SECRET, strict=False)
    )
    whole = f"{around}|{mixed}|{around}".encode(errors="replace")
    rest = around.encode(errors="replace")
    assert scrub(whole, SECRET) == rest + b"|[secret]|" + rest


@given(st.text())
def test_what_has_no_secret_stays_as_it_is(text):
    piece = text.encode(errors="replace")
    assert scrub(piece, SECRET) == piece
    assert scrub(piece, "ollama") == piece


@pytest.mark.parametrize("compress", [zlib.compress, gzip.compress, brotli.compress, zstd.compress])
def test_what_is_compressed_cannot_be_restored(compress):
    piece = compress(f"the key is {SECRET}".encode())
    assert scrub(piece, SECRET) != piece


@given(st.lists(st.integers(1, 30)), st.text(max_size=9), st.text(max_size=9))
def test_a_secret_in_pieces_never_goes_on(cuts, before, after):
    text = f"{before}{SECRET}{after}"
    pieces, at = [], 0
    for size in [*cuts, 99]:
        pieces.append(text[at : at + size])
        at += size
    passed, answer, guard = b"", StreamedText(), CutSecrets(SECRET)
    for piece in pieces:
        answer.add(piece)
        # As the stream does it: an event with all of the secret is scrubbed before.
        passed += guard.pass_on(scrub(piece.encode(errors="replace"), SECRET), answer)
    assert SECRET[:12].encode() not in passed + guard.rest()
    assert passed.startswith(before[: max(len(before) - 30, 0)].encode(errors="replace"))


@given(st.lists(st.text(alphabet="sk-Can ", min_size=1), max_size=30))
def test_a_text_that_only_begins_like_the_secret_goes_on_whole(pieces):
    passed, answer, guard = b"", StreamedText(), CutSecrets(SECRET)
    for piece in pieces:
        answer.add(piece)
        passed += guard.pass_on(piece.encode(), answer)
    assert passed + guard.rest() == "".join(pieces).encode()


def test_an_event_that_cannot_begin_the_secret_does_not_wait():
    answer, guard = StreamedText(), CutSecrets(SECRET)
    passed = []
    for piece in ("s", "sk", "-", "Ca", "t", "sk-C"):
        answer.add(piece)
        passed.append(guard.pass_on(piece.encode(), answer))
    assert passed == [b"s", b"sk", b"-", b"", b"Cat", b""]
