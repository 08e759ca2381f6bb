"""The bound of an image or a piece of audio is never below what a decoder makes of it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import bounds
from gateway.bounds.image_size import size_of_base64
from gateway.refusals import CannotBeBounded
from keys.supply.model_facts import facts_by_name
from tests.gateway.bounded import CLAUDE, chat_of
from tests.gateway.media import (
    audio_of,
    base64_of,
    chunk,
    gif,
    jpeg,
    jpeg_frame,
    mp3,
    png,
    riff,
    vp8,
    vp8l,
    vp8x,
    wav,
    webp,
)


@pytest.mark.parametrize(
    "image",
    [
        png(800, 600),
        jpeg(800, 600),
        gif((0, 0, 800, 600), screen=(800, 600)),
        webp(vp8x(800, 600), riff(b"ICCP", b"abc"), vp8(800, 600)),
        webp(vp8l(800, 600)),
        webp(vp8(800, 600)),
        # Heads that say less than a frame.
        gif((0, 0, 800, 600)),
        gif((0, 0, 1, 1), (100, 0, 700, 600)),
        png(1, 1)[:33] + png(800, 600)[8:],
        jpeg(1, 1, before=jpeg_frame(800, 600, kind=0xC0)),
        jpeg(800, 600, before=b"\xff\x01\xff\xd0"),
        webp(vp8x(1, 1), vp8(800, 600)),
        webp(vp8x(1, 1), vp8l(800, 600)),
        webp(vp8x(800, 600), vp8(1, 1)),
    ],
)
def test_the_size_of_an_image_is_read_from_its_frames(image):
    for rest in (b"", b"r", b"re", b"rest"):
        assert size_of_base64(base64_of(image + rest)) == (800, 600)
    encoded = base64_of(image)
    assert size_of_base64(f"{encoded[:76]}\r\n{encoded[76:]}") == (800, 600)


@pytest.mark.parametrize(
    "image",
    [
        png(0, 5),
        b"\x89PNG\r\n\x1a\n" + chunk(b"CgBI", struct.pack(">II", 5, 5)) + png(800, 600)[8:],
        png(5, 5)[:33],
        png(5, 5)[:33] + chunk(b"tEXt", b"a", size=2**31),
        jpeg(5, 0),
        jpeg(5, 5)[:-2],
        jpeg(5, 5, before=b"\xff\0\0\2"),
        jpeg(5, 5, before=b"\xff\x20\0\2"),
        jpeg(5, 5, before=b"ab"),
        gif((0, 0, 5, 5))[:-1],
        gif((0, 0, 5, 5))[:-1] + b"x",
        webp(vp8x(5, 5)),
        webp(vp8x(5, 5), riff(b"ANMF", bytes(16)), vp8(5, 5)),
        webp(vp8(5, 5, mark=b"abc")),
        webp(vp8l(5, 5, mark=b"a")),
        b"BM" + bytes(60),
    ],
)
def test_an_image_that_is_not_as_its_format_has_it_is_of_unknown_size(image):
    assert size_of_base64(base64_of(image)) is None


@pytest.mark.parametrize("hidden", ["==", "=", "-", "%", "\0"])
def test_base64_that_decoders_read_differently_is_of_unknown_size(hidden):
    small, large = base64_of(png(5, 5)), base64_of(png(800, 600))
    assert size_of_base64(f"{small}{hidden}{large}") is None


@given(data=st.binary(max_size=40))
def test_no_head_breaks_the_reading_of_a_size(data):
    for start in (b"", b"\xff\xd8", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8X"):
        size = size_of_base64(base64_of(start + data))
        assert size is None or len(size) == 2


def image_of(wide, high, *, model, detail="high"):
    """The bound of one image in a chat, without what a chat costs by itself."""
    url = f"data:image/png;base64,{base64_of(png(wide, high))}"
    part = {"type": "image_url", "image_url": {"url": url, "detail": detail}}
    with_it, without = (
        bounds.chat_input_max(
            {"messages": [{"role": "user", "content": parts}]}, model=facts_by_name(model)
        )
        for parts in ([part], [])
    )
    return with_it - without


@pytest.mark.parametrize(
    ("model", "size", "detail", "billed"),
    [
        ("gpt-4o", (1024, 1024), "high", 765),
        ("gpt-4o", (2048, 4096), "high", 1105),
        ("gpt-4o", (4096, 8192), "low", 85),
        ("gpt-4o-mini", (1024, 1024), "high", 2833 + 4 * 5667),
        ("gpt-4.1-mini", (1024, 1024), "high", 1659),
        ("gpt-4.1-mini", (4000, 1474), "high", 2489),
        ("o4-mini", (1800, 2400), "high", 2497),
        ("gpt-5-nano", (1024, 1024), "low", 2519),
        ("claude-opus-4-7", (2576, 1449), "high", 4784),
        ("claude-sonnet-4-5", (1000, 1000), "high", 1334),
    ],
)
def test_an_image_is_bounded_closely_by_its_providers_rule(model, size, detail, billed):
    assert billed <= image_of(*size, model=model, detail=detail) <= billed * 1.06 + 60


def test_an_image_of_unknown_size_is_the_largest_of_its_rule():
    part = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    fields = {"messages": [{"role": "user", "content": [part]}]}
    assert bounds.chat_input_max(fields, model=facts_by_name("gpt-4o")) >= 85 + 8 * 170
    assert bounds.chat_input_max(fields, model=facts_by_name("gpt-5.4")) >= 24_600
    block = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
    asked = {"messages": [{"role": "user", "content": [block]}]}
    assert bounds.messages_input_max(asked, model=facts_by_name(CLAUDE)) >= 4784


@pytest.mark.parametrize(
    ("audio", "audio_format", "seconds"),
    [
        (wav(800, seconds=60), "wav", 60),
        (wav(800, channels=2, seconds=60), "wav", 60),
        (wav(800, bits=8, before=riff(b"LIST", b"abc"), seconds=60), "wav", 60),
        (wav(99, bits=8, seconds=999), "wav", 999),
        (wav(99, bits=32, encoding=3, seconds=999), "wav", 999),
        (mp3(60), "mp3", 60),
        (mp3(60, header=b"\xff\xf3\x10\xc4"), "mp3", 60),
        (mp3(60, header=b"\xff\xe3\x10\xc4", tag=0), "mp3", 60),
        (mp3(60, tag=1), "mp3", 60),
        (mp3(60, tag=300), "mp3", 60),
    ],
)
def test_audio_is_bounded_by_its_length(audio, audio_format, seconds):
    most = bounds.audio_tokens_max(audio_of(audio, audio_format)["input_audio"])
    assert 32 * seconds <= most <= 32 * (seconds + 4)


@pytest.mark.parametrize(
    ("audio", "audio_format"),
    [
        (wav(8000, block=320), "wav"),
        (wav(8000, block=0), "wav"),
        (wav(8000, rate=10**6), "wav"),
        (wav(8000, channels=300), "wav"),
        (wav(8000, bits=4096), "wav"),
        (wav(8000, encoding=0x11), "wav"),
        (wav(0), "wav"),
        (wav(8000, before=wav(48_000)[12:36]), "wav"),
        (wav(8000)[:36], "wav"),
        (wav(8000), "mp3"),
        (mp3(), "wav"),
        (b"fLaC" + bytes(100), "mp3"),
        (b"OggS" + bytes(100), "mp3"),
        (mp3(header=b"fLaC", tag=300), "mp3"),
        (mp3(header=b"\xff\xf1\x90\0"), "mp3"),
        (mp3(header=b"\xff\xfb\x00\0"), "mp3"),
        (mp3(header=b"\xff\xfb\xf0\0"), "mp3"),
        (mp3(header=b"\xff\xfb\x9c\0"), "mp3"),
        (b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(100), "mp3"),
        (b"\xff", "mp3"),
    ],
)
def test_audio_that_contradicts_itself_is_refused(audio, audio_format):
    with pytest.raises(CannotBeBounded):
        bounds.audio_tokens_max(audio_of(audio, audio_format)["input_audio"])


@pytest.mark.parametrize(
    ("part", "image"),
    [
        ({"file_id": "file-1"}, {}),
        ({"min_pixels": 10**9}, {}),
        ({"image": "https://example.org"}, {}),
        ({"source": {"url": "https://example.org"}}, {}),
        ({}, {"max_pixels": 10**9}),
    ],
    ids=str,
)
def test_an_image_that_may_be_another_one_is_the_largest(part, image):
    def bound(part, image):
        url = f"data:image/png;base64,{base64_of(png(1, 1))}"
        part = {"type": "image_url", "image_url": {"url": url, **image}, **part}
        return bounds.chat_input_max(chat_of(part), model=facts_by_name("gpt-5.4"))

    assert bound(part, image) > bound({}, {}) + 10_000


def test_an_image_with_two_details_has_the_finer_one():
    for outer, inner in (("low", "high"), ("high", "low")):
        image = {"url": f"data:image/png;base64,{base64_of(png(999, 999))}", "detail": inner}
        part = {"type": "image_url", "image_url": image, "detail": outer}
        assert bounds.chat_input_max(chat_of(part), model=facts_by_name("gpt-4o")) >= 765
