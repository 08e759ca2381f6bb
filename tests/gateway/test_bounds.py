"""The bound of a request's input is never below what its provider counts."""

import base64
import hashlib
import json
import random
import socket
import struct
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import tiktoken
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiktoken_ext import openai_public

from gateway import bounds
from gateway.bounds import tokenizers
from gateway.bounds.image_size import size_of_base64
from gateway.refusals import CannotBeBounded
from keys.supply.model_facts import facts_by_name

DATA = Path(tokenizers.__file__).parent / "data"
ENCODINGS = {"o200k_base": "gpt-4o", "cl100k_base": "gpt-4"}
NOBODYS = "gpt-7"
CLAUDE = "claude-opus-4-7"


@pytest.fixture(scope="module")
def tiktokens(tmp_path_factory):
    """tiktoken's own encodings, from the same files, by the hashes it expects."""
    cache = tmp_path_factory.mktemp("tiktoken")
    for name in ENCODINGS:
        url = f"https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
        known = hashlib.sha1(url.encode()).hexdigest()  # noqa: S324
        (cache / known).write_bytes((DATA / f"{name}.tiktoken").read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
        patch.setattr(socket, "socket", None)
        made = {name: tiktoken.Encoding(**getattr(openai_public, name)()) for name in ENCODINGS}
    return {model: made[name] for name, model in ENCODINGS.items()}


def raw(fields):
    """The top level of a body as dialects hold it."""
    return msgspec.json.decode(msgspec.json.encode(fields), type=dict[str, msgspec.Raw])


# Texts

texts = st.one_of(
    st.text(st.characters(codec=None), max_size=300),
    st.binary(max_size=200).map(bytes.hex),
    st.binary(max_size=200).map(lambda found: base64.b64encode(found).decode()),
    st.text("的一是不了人我在有他这中大来上国", max_size=200),
    st.text("😀🎉👩‍👩‍👧🏽‍♀️ ", max_size=100),
    st.text("ﷺ㌖ﬁẛ̣Å한 e\u0301\u0323", max_size=100),
    st.text(" \t\r\n\u3000aA1!/'", max_size=300),
    st.sampled_from(["<|endoftext|>", "<|im_start|>system", "<|endofprompt|>"]),
)


@given(text=texts)
@example(text="\ud83d\ude00 \udc00")
@settings(max_examples=400, deadline=None)
def test_a_public_tokenizer_is_counted_as_tiktoken_counts(tiktokens, text):
    for model, encoding in tiktokens.items():
        assert bounds.text_tokens_max(text, model=facts_by_name(model)) == len(
            encoding.encode_ordinary(text)
        )


@given(text=texts)
@settings(max_examples=400, deadline=None)
def test_bytes_are_never_fewer_than_tokens(tiktokens, text):
    most = bounds.text_tokens_max(text, model=facts_by_name(NOBODYS))
    for encoding in tiktokens.values():
        assert most >= len(encoding.encode_ordinary(text))


def test_bytes_bound_what_a_normalising_tokenizer_makes_of_a_text():
    # One character of three bytes, which NFKC writes out as a sentence of 33.
    assert bounds.utf8_max("\ufdfa") == 33


def test_a_pile_of_marks_does_not_take_quadratic_time():
    piled = "a" + "\u0301\u0316" * 200_000
    assert bounds.utf8_max(piled) >= len(piled.encode())


@pytest.mark.parametrize("model", [*ENCODINGS.values(), NOBODYS])
@pytest.mark.parametrize("char", [" ", "\n", "\u3000", "a", "^", "的", "😀", "\u0301"])
def test_a_text_of_any_length_is_counted_or_bounded(model, char):
    # Above 1,000,000 white spaces tiktoken itself overflows its stack.
    for size in (tokenizers.COUNTED_BYTES_MAX // len(char.encode()), 1_100_000):
        text = char * size
        assert (
            0 < bounds.text_tokens_max(text, model=facts_by_name(model)) <= 11 * len(text.encode())
        )


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o", "o200k_base"),
        ("openai/gpt-4o-2024-08-06", "o200k_base"),
        ("ft:gpt-4o-mini-2024-07-18:org::id", "o200k_base"),
        ("openrouter/openai/gpt-4.1-nano:free", "o200k_base"),
        ("gpt-5.4-mini", "o200k_base"),
        ("o1", "o200k_base"),
        ("o3-pro", "o200k_base"),
        ("o4-mini", "o200k_base"),
        ("gpt-oss-120b", "o200k_base"),
        ("chatgpt-4o-latest", "o200k_base"),
        ("azure/gpt-4", "cl100k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("gpt-3.5-turbo-0125", "cl100k_base"),
        ("text-embedding-3-large", "cl100k_base"),
        ("text-embedding-ada-002", "cl100k_base"),
        ("gpt-7", ""),
        ("gpt-50", ""),
        ("gpt-4all", ""),
        ("somebody/gpt-4-x-alpaca", ""),
        ("claude-opus-4-7", ""),
    ],
)
def test_a_model_is_known_by_its_name(model, name):
    assert facts_by_name(model).tokenizer == name


def test_tokenizers_are_loaded_without_a_network():
    code = (
        "import socket; socket.socket = socket.create_connection = None\n"
        "from gateway import bounds; bounds.load_tokenizers()\n"
        "from keys.supply.model_facts import facts_by_name\n"
        "print(bounds.text_tokens_max('hello world', model=facts_by_name('gpt-4o')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"


# Chat


def test_a_chat_costs_at_least_what_openai_was_seen_to_bill():
    """As measured in community.openai.com/t/538914: one, two and three calls of a tool."""
    asked = {"role": "user", "content": [{"type": "text", "text": "How much is 2 plus 2?"}]}
    function = {"name": "calculator", "arguments": '{"a":2, "b":2}'}
    pair = [
        {
            "role": "assistant",
            "tool_calls": [{"id": "a", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "a", "content": "4"},
    ]
    for pairs, billed in ((1, 40), (2, 89), (3, 114)):
        fields = {"messages": [asked, *pair * pairs]}
        assert bounds.chat_input_max(fields, model=facts_by_name("gpt-3.5-turbo")) >= billed


messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant"]), "content": texts},
        optional={"name": st.text("abc_", min_size=1, max_size=20)},
    ),
    max_size=6,
)


def cookbook(messages, encoding):
    """OpenAI's own rule: 3 a message, 1 a name, 3 to begin the answer."""
    each = (
        len(encoding.encode_ordinary(text)) for message in messages for text in message.values()
    )
    return sum(each) + sum(3 + ("name" in message) for message in messages) + 3


@given(messages=messages)
@settings(max_examples=200, deadline=None)
def test_a_chat_is_bounded_by_openais_rule(tiktokens, messages):
    for model, encoding in tiktokens.items():
        assert bounds.chat_input_max(
            {"messages": messages}, model=facts_by_name(model)
        ) >= cookbook(messages, encoding)


def test_many_short_messages_are_bounded_by_openais_rule(tiktokens):
    chat = [{"role": "user", "content": "Hi"}] * 200
    truth = cookbook(chat, tiktokens["gpt-4o"])
    assert (
        truth
        <= bounds.chat_input_max({"messages": chat}, model=facts_by_name("gpt-4o"))
        <= truth * 1.3
    )


PROSE = "We agreed to ship on Monday. The tests were green, but nobody had looked at the logs. "


def test_a_bound_of_ordinary_prose_is_close(tiktokens):
    chat = [{"role": "user", "content": PROSE * 5}, {"role": "assistant", "content": PROSE * 3}] * 5
    truth = cookbook(chat, tiktokens["gpt-4o"])
    assert (
        truth
        <= bounds.chat_input_max({"messages": chat}, model=facts_by_name("gpt-4o"))
        <= truth * 1.1
    )


def tool(properties, description="Does something"):
    schema = {"type": "object", "properties": properties}
    function = {"name": "work", "description": description, "parameters": schema}
    return {"type": "function", "function": function}


properties = st.dictionaries(
    st.text("abcdefgh_", min_size=1, max_size=12),
    st.fixed_dictionaries(
        {"type": st.just("string"), "description": texts},
        optional={"enum": st.lists(st.text("abcxyz", max_size=8), max_size=30)},
    ),
    max_size=6,
)


def cookbook_of_tools(tools, encoding):
    """OpenAI's rule for tools of gpt-4 and gpt-3.5, whose constants are the larger ones."""

    def count(text):
        return len(encoding.encode_ordinary(text))

    total = 12
    for function in (tool["function"] for tool in tools):
        total += 10 + count(f"{function['name']}:{function['description'].rstrip('.')}")
        found = function["parameters"]["properties"]
        total += 3 if found else 0
        for name, value in found.items():
            total += 3 + count(f"{name}:{value['type']}:{value['description'].rstrip('.')}")
            total += sum(3 + count(choice) for choice in value.get("enum", []))
    return total


def typescript_of_tools(tools):
    """How models are shown tools: the namespace that gpt-oss's harmony format writes."""
    lines = ["# Tools", "", "## functions", "", "namespace functions {", ""]
    for function in (tool["function"] for tool in tools):
        lines += [f"// {line}" for line in function["description"].split("\n")]
        lines += [f"type {function['name']} = (_: {{"]
        for name, value in function["parameters"]["properties"].items():
            kind = " | ".join(f'"{each}"' for each in value.get("enum", [])) or value["type"]
            lines += [f"// {line}" for line in value["description"].split("\n")]
            lines += [f"{name}?: {kind},"]
        lines += ["}) => any;", ""]
    return "\n".join([*lines, "} // namespace functions"])


@given(tools=st.lists(st.builds(tool, properties, texts), min_size=1, max_size=3))
@settings(max_examples=200, deadline=None)
def test_tools_are_bounded_however_they_are_shown(tiktokens, tools):
    asked = {"messages": [{"role": "user", "content": "Go"}]}
    for model, encoding in tiktokens.items():
        most = bounds.chat_input_max({**asked, "tools": tools}, model=facts_by_name(model))
        shown = len(encoding.encode_ordinary(typescript_of_tools(tools)))
        rule = cookbook_of_tools(tools, encoding)
        assert most >= cookbook(asked["messages"], encoding) + max(shown, rule)


@pytest.mark.parametrize(
    "value",
    [
        {"type": "string", "description": "\n\n" * 400},
        {"type": "string", "description": "", "enum": ["x"] * 300},
    ],
)
def test_many_lines_or_choices_of_a_tool_are_bounded(tiktokens, value):
    tools = [tool({"k": value})]
    shown = len(tiktokens["gpt-4o"].encode_ordinary(typescript_of_tools(tools)))
    most = bounds.chat_input_max({"tools": tools}, model=facts_by_name("gpt-4o"))
    assert most >= max(shown, cookbook_of_tools(tools, tiktokens["gpt-4o"]))


# Raw JSON


@given(messages=messages)
@settings(max_examples=200, deadline=None)
def test_raw_json_bounds_a_request_as_well(tiktokens, messages):
    fields = {"messages": json.loads(json.dumps(messages).replace("\\ud", "\\u00"))}
    for ask in (bounds.chat_input_max, bounds.messages_input_max):
        most = ask(raw(fields), model=facts_by_name(NOBODYS))
        for encoding in tiktokens.values():
            assert most >= cookbook(fields["messages"], encoding)


def test_raw_json_that_may_hold_an_image_is_looked_into():
    part = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    fields = {"messages": [{"role": "user", "content": [part]}]}
    escaped = bytes(raw(fields)["messages"]).replace(b"image", rb"\u0069mage")
    hidden = {"messages": msgspec.Raw(escaped)}
    for found in (raw(fields), hidden):
        assert bounds.raw_bytes_max(found, ["messages"], model=facts_by_name(NOBODYS)) is None
        assert bounds.chat_input_max(found, model=facts_by_name(NOBODYS)) > 16_000


def test_raw_and_decoded_fields_are_the_same_to_a_public_tokenizer():
    fields = {"messages": [{"role": "user", "content": "Hi"}], "tools": [tool({})]}
    assert bounds.chat_input_max(
        raw(fields), model=facts_by_name("gpt-4o")
    ) == bounds.chat_input_max(fields, model=facts_by_name("gpt-4o"))


def test_tiny_arguments_shown_as_tags_are_bounded():
    names = [f"{a}{b}" for a in "abcdefgh" for b in "abcdefgh"]
    block = {"type": "tool_use", "id": "t", "name": "f", "input": dict.fromkeys(names, 1)}
    fields = {"messages": [{"role": "assistant", "content": [block]}]}
    tags = "".join(f'<parameter name="{name}">1</parameter>\n' for name in names)
    shown = bounds.text_tokens_max(tags, model=facts_by_name("gpt-4o"))
    assert shown > len(json.dumps(block["input"]))
    for found in (fields, raw(fields)):
        assert bounds.messages_input_max(found, model=facts_by_name(CLAUDE)) - 320 >= shown


# Images and audio


def chunk(kind, data, size=None):
    return struct.pack(">I", len(data) if size is None else size) + kind + data + b"\0\0\0\0"


def png(wide, high):
    header = chunk(b"IHDR", struct.pack(">II", wide, high) + b"\x08\2\0\0\0")
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"tEXt", b"a") + chunk(b"IDAT", b"")


def jpeg_frame(wide, high, kind=0xC2):
    return bytes([0xFF, kind, 0, 17, 8]) + struct.pack(">HH", high, wide) + bytes(10)


def jpeg(wide, high, before=b""):
    tables = b"\xff\xe0\0\x04ab\xff\xff\xdb\0\x03a"
    return b"\xff\xd8" + tables + before + jpeg_frame(wide, high) + b"\xff\xda"


def gif(*frames, screen=(1, 1)):
    """`frames`: (left, top, width, height)."""
    head = b"GIF89a" + struct.pack("<HH", *screen) + b"\x80\0\0" + bytes(6)
    control = b"!\xf9\4\0\0\0\0\0"
    parts = [control + b"," + struct.pack("<4H", *frame) + b"\0\2\3abc\0" for frame in frames]
    return head + b"".join(parts) + b";"


def riff(kind, data):
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def webp(*chunks):
    return b"RIFF\0\0\0\0WEBP" + b"".join(chunks)


def vp8(wide, high, mark=b"\x9d\x01\x2a"):
    return riff(b"VP8 ", b"\0\0\0" + mark + struct.pack("<HH", wide, high) + b"a")


def vp8l(wide, high, mark=b"\x2f"):
    return riff(b"VP8L", mark + (wide - 1 | high - 1 << 14).to_bytes(4, "little"))


def vp8x(wide, high):
    sizes = (side - 1 for side in (wide, high))
    return riff(b"VP8X", bytes(4) + b"".join(size.to_bytes(3, "little") for size in sizes))


def base64_of(data):
    return base64.b64encode(data).decode()


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


def chat_of(part):
    return {"messages": [{"role": "user", "content": [part]}]}


def wav(samples, channels=1, bits=16, *, block=None, rate=None, encoding=1, before=b"", seconds=1):
    block = channels * bits // 8 if block is None else block
    rate = samples * block if rate is None else rate
    head = struct.pack("<HHIIHH", encoding, channels, samples, rate, block, bits)
    data = riff(b"data", bytes(channels * bits // 8 * samples * seconds))
    return b"RIFF\0\0\0\0WAVE" + before + riff(b"fmt ", head) + data


def mp3(seconds=1, *, header=b"\xff\xfb\x90\0", tag=None):
    start = b"" if tag is None else b"ID3\4\0\0" + bytes([0, 0, tag >> 7, tag & 127]) + bytes(tag)
    return start + header + bytes(1000 * seconds)


def audio_of(data, audio_format):
    audio = {"data": base64_of(data), "format": audio_format}
    return {"type": "input_audio", "input_audio": audio}


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


# What has no bound


@pytest.mark.parametrize(
    "part",
    [
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}},
        {"type": "input_file", "file_id": "file-1"},
        {"type": "video_url", "video_url": {"url": "https://example.org"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "flac"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"video_url": {"url": "https://example.org"}},
        {"input_audio": {"data": "AAAA", "format": "flac"}},
        {"file": {"file_id": "file-1"}},
        {"text": "Hi", "image_url": {"url": "https://example.org"}},
        {"type": None, "text": "Hi", "video": "https://example.org"},
        {"type": "doc_url", "doc_url": {"url": "https://example.org"}},
        {"doc_url": {"url": "https://example.org"}},
        {"type": "tool_result", "content": [{"doc_url": "https://example.org"}]},
        {"type": ["text"], "text": "Hi"},
        {},
    ],
    ids=str,
)
@pytest.mark.parametrize("model", ["gpt-4o", NOBODYS])
def test_a_part_of_unknown_size_is_refused(part, model):
    for fields in (chat_of(part), raw(chat_of(part))):
        with pytest.raises(CannotBeBounded):
            bounds.chat_input_max(fields, model=facts_by_name(model))


@pytest.mark.parametrize(
    "block",
    [
        {"video_url": {"url": "https://example.org"}},
        {"type": "video", "source": {"type": "url", "url": "https://example.org"}},
        {"type": "of tomorrow", "text": "Hi"},
        {"type": "tool_result", "content": [{"video": "https://example.org"}]},
        {"type": None},
        {"type": ["text"], "text": "Hi"},
    ],
    ids=str,
)
def test_a_block_of_unknown_type_is_refused(block):
    for fields in (chat_of(block), {"system": [block]}):
        for found in (fields, raw(fields)):
            with pytest.raises(CannotBeBounded):
                bounds.messages_input_max(found, model=facts_by_name(CLAUDE))


@pytest.mark.parametrize(
    ("part", "least"),
    [
        ({"text": "Hi"}, 1),
        ({"type": None, "text": "Hi", "cache_control": {"type": "ephemeral"}}, 1),
        ({"image_url": {"url": "https://example.org"}}, 16_384),
        ({"type": "image_url", "image_url": "https://example.org"}, 16_384),
        ({"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}, 1),
        ({"type": "tool_result", "content": [{"type": "image", "source": {}}]}, 16_384),
        ("Hi", 1),
    ],
    ids=str,
)
def test_a_part_of_known_type_is_counted(part, least):
    for fields in (chat_of(part), raw(chat_of(part))):
        assert bounds.chat_input_max(fields, model=facts_by_name(NOBODYS)) >= least


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


@pytest.mark.parametrize("field", ["previous_response_id", "conversation", "prompt"])
def test_what_the_provider_keeps_is_refused_by_its_name(field):
    with pytest.raises(CannotBeBounded) as refused:
        bounds.responses_input_max({"input": "Hi", field: "kept_1"}, model=facts_by_name("gpt-4o"))
    assert refused.value.facts() == {"field": field}
    assert "Send" in refused.value.detail


@pytest.mark.parametrize("model", ["gpt-4o", NOBODYS])
def test_a_reference_to_an_item_is_refused(model):
    fields = {"input": [{"type": "item_reference", "id": "rs_1"}]}
    for found in (fields, raw(fields)):
        with pytest.raises(CannotBeBounded):
            bounds.responses_input_max(found, model=facts_by_name(model))


KEPT = [
    {"id": "msg_1"},
    {"type": None, "id": "msg_1"},
    {"id": "msg_1", "role": "user"},
    {"id": "msg_1", "content": ""},
    {"type": "message", "id": "msg_1"},
    {"type": "message", "id": "msg_1", "role": "assistant", "content": None},
    {"type": "reasoning", "id": "rs_1", "summary": []},
    {"type": "reasoning", "id": "rs_1", "encrypted_content": ""},
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}]},
    {"type": "compaction", "id": "cmp_1"},
    {"type": "function_call", "id": "fc_1"},
    {"type": "function_call_output", "id": "fco_1", "call_id": "c"},
    {"type": "computer_call", "id": "cu_1"},
    {"type": "image_generation_call", "id": "ig_1", "result": None},
    {"type": "web_search_call", "id": "ws_1", "status": "completed"},
    {"type": "file_search_call", "id": "fs_1", "queries": ["x"], "results": None},
    {"type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_1", "code": "1"},
    {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "x", "tools": []},
    {"type": "mcp_call", "id": "mcp_1", "name": "f", "arguments": "{}"},
]
UNKNOWN = [
    {},
    {"role": "user"},
    {"type": "compaction_trigger"},
    {"type": "program", "code": "x"},
    {"type": "of tomorrow", "text": "x"},
    {"type": ["message"], "role": "user", "content": "Hi"},
]
HOSTED = [
    {"type": kind, "tools": [tool]}
    for kind in ("additional_tools", "tool_search_output")
    for tool in (
        {"type": "web_search"},
        {"name": "no type"},
        "web_search",
        {"type": "namespace", "name": "n", "tools": [{"type": "code_interpreter"}]},
    )
]


@pytest.mark.parametrize("model", ["gpt-4o", NOBODYS])
@pytest.mark.parametrize("item", [*KEPT, *UNKNOWN, *HOSTED], ids=str)
def test_an_item_of_unknown_content_is_refused(model, item):
    message = {"role": "user", "content": "Hi"}
    for fields in ({"input": [message, item]}, {"instructions": [item]}):
        for found in (fields, raw(fields)):
            with pytest.raises(CannotBeBounded) as refused:
                bounds.responses_input_max(found, model=facts_by_name(model))
            assert refused.value.field == "input"


@pytest.mark.parametrize(
    "item",
    [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "", "id": "msg_1"},
        {"type": "message", "id": "msg_1", "role": "assistant", "content": [], "status": "done"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"},
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": ""},
        {"type": "function_call_output", "id": "fco_1", "call_id": "c", "output": ""},
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "f", "input": ""},
        {"type": "local_shell_call", "id": "ls_1", "action": {"type": "exec", "command": ["ls"]}},
        {"type": "computer_call", "id": "cu_1", "actions": [{"type": "screenshot"}]},
        {"type": "web_search_call", "status": "completed"},
        {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "x"}},
        {"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "a", "stderr": ""}]},
    ],
    ids=str,
)
def test_an_item_with_its_content_passes(item):
    for found in ({"input": [item]}, raw({"input": [item]})):
        assert bounds.responses_input_max(found, model=facts_by_name("gpt-4o")) > 0


@pytest.mark.parametrize("source", [{"type": "base64", "data": "AA"}, {"type": "url"}, None])
def test_a_document_without_text_is_refused(source):
    inner = {"type": "document", "source": source}
    fields = chat_of({"type": "tool_result", "tool_use_id": "t", "content": [inner]})
    for found in (fields, raw(fields)):
        with pytest.raises(CannotBeBounded):
            bounds.messages_input_max(found, model=facts_by_name(CLAUDE))


def test_blocks_nested_without_end_are_refused():
    block = {"type": "text", "text": "Hi"}
    for _ in range(400):
        block = {"type": "tool_result", "content": [block]}
    with pytest.raises(CannotBeBounded):
        bounds.messages_input_max(chat_of(block), model=facts_by_name(CLAUDE))


# Responses, messages, embeddings

LONG = "".join(random.Random(1).choices("0123456789abcdef", k=2000))


@pytest.mark.parametrize("model", ["gpt-4o", NOBODYS])
@pytest.mark.parametrize(
    "fields",
    [
        {"input": LONG},
        {"instructions": LONG},
        {"input": [{"role": "user", "content": LONG}]},
        {
            "input": [
                {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": LONG}],
                }
            ]
        },
        {"input": [{"type": "function_call", "name": "f", "call_id": "c", "arguments": LONG}]},
        {"input": [{"type": "function_call_output", "call_id": "c", "output": LONG}]},
        {"input": [{"type": "custom_tool_call", "name": "f", "call_id": "c", "input": LONG}]},
        {"input": [{"type": "reasoning", "summary": [], "encrypted_content": LONG}]},
        {"input": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": LONG}]}]},
        {"input": [{"type": "compaction", "id": "cmp_1", "encrypted_content": LONG}]},
        {"input": [{"type": "shell_call", "action": {"commands": [LONG]}}]},
        {"input": [{"type": "web_search_call", "action": {"query": LONG}}]},
        {"input": [{"type": "tool_search_output", "tools": [{"type": "function", "name": LONG}]}]},
        {"tools": [{"type": "function", "name": "f", "description": LONG, "parameters": {}}]},
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"title": LONG}}}},
    ],
)
def test_every_text_of_a_response_counts(model, fields):
    truth = bounds.text_tokens_max(LONG, model=facts_by_name(model))
    for found in (fields, raw(fields)):
        assert bounds.responses_input_max(found, model=facts_by_name(model)) >= truth


@pytest.mark.parametrize(
    "fields",
    [
        {"system": LONG},
        {"system": [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]},
        {"messages": [{"role": "user", "content": LONG}]},
        chat_of({"type": "text", "text": LONG}),
        chat_of({"type": "tool_use", "id": "t", "name": "f", "input": {"a": {"b": [LONG]}}}),
        chat_of({"type": "tool_result", "tool_use_id": "t", "content": LONG}),
        chat_of({"type": "tool_result", "content": [{"type": "text", "text": LONG}]}),
        chat_of({"type": "thinking", "thinking": LONG, "signature": "s"}),
        chat_of({"type": "thinking", "thinking": "", "signature": LONG}),
        chat_of({"type": "redacted_thinking", "data": LONG}),
        chat_of({"type": "document", "source": {"type": "text", "data": LONG}}),
        chat_of({"type": "document", "source": {"type": "content", "content": LONG}}),
        chat_of(
            {"type": "search_result", "source": "s", "content": [{"type": "text", "text": LONG}]}
        ),
        chat_of({"text": LONG}),
        chat_of({"type": "server_tool_use", "id": "t", "name": "f", "input": {"a": LONG}}),
        chat_of({"type": "web_search_tool_result", "content": [{"encrypted_content": LONG}]}),
        {"tools": [{"name": "f", "description": LONG, "input_schema": {"type": "object"}}]},
        {"output_config": {"format": {"type": "json_schema", "schema": {"title": LONG}}}},
    ],
)
def test_every_text_of_a_message_counts(fields):
    for found in (fields, raw(fields)):
        assert bounds.messages_input_max(found, model=facts_by_name(CLAUDE)) >= len(LONG)


def test_citations_cost_more_than_their_text():
    plain = {"type": "document", "source": {"type": "text", "data": LONG}}
    cited = plain | {"citations": {"enabled": True}}
    least = 2 * len(LONG)
    for found in (chat_of(cited), raw(chat_of(cited))):
        assert bounds.messages_input_max(found, model=facts_by_name(CLAUDE)) > least


def test_tools_of_anthropic_cost_what_it_writes_for_them():
    asked = {"messages": [{"role": "user", "content": "Hi"}]}
    none = bounds.messages_input_max(asked, model=facts_by_name(CLAUDE))
    one = {"name": "f", "input_schema": {"type": "object"}}
    assert (
        bounds.messages_input_max(asked | {"tools": [one]}, model=facts_by_name(CLAUDE)) - none
        >= 804
    )
    bash = {"type": "bash_20250124", "name": "bash"}
    assert (
        bounds.messages_input_max(asked | {"tools": [bash]}, model=facts_by_name(CLAUDE)) - none
        >= 804 + 735
    )


@pytest.mark.parametrize(
    ("value", "truth"),
    [(PROSE, 21), ([PROSE, PROSE], 42), ([1, 2, 3], 3), ([[1, 2], [3]], 3), ([], 0), ("", 0)],
)
def test_inputs_of_embeddings_are_counted(value, truth):
    most = bounds.embeddings_input_max(
        {"input": value}, model=facts_by_name("text-embedding-3-small")
    )
    assert truth <= most <= truth + 4


@pytest.mark.parametrize(
    "fields",
    [
        {"input": [{"image": "https://example.org"}]},
        {"messages": [{"role": "user", "content": "Hi"}]},
        {"input": "Hi", "messages": []},
        {"input": "Hi", "images": ["https://example.org"]},
        {"inputs": [{"content": [{"type": "image_url", "image_url": "https://example.org"}]}]},
        {"input": "Hi", "documents": {"text": "Hi"}},
    ],
    ids=str,
)
def test_anything_but_texts_to_embed_is_refused(fields):
    for found in (fields, raw(fields)):
        with pytest.raises(CannotBeBounded):
            bounds.embeddings_input_max(found, model=facts_by_name(NOBODYS))


@pytest.mark.parametrize("name", ["prompt", "instruction", "text", "query", "content"])
def test_other_texts_of_an_embedding_count(name):
    for value in ("Hi", ["Hi", "Hi"], [1, 2], [], None):
        most = bounds.embeddings_input_max(
            raw({"input": value, name: PROSE}), model=facts_by_name("text-embedding-3-small")
        )
        assert most >= 21 * (len(value) if value == ["Hi", "Hi"] else 1)


def test_settings_of_embeddings_pass():
    fields = {"input": "Hi", "dimensions": 8, "encoding_format": "float", "user": "u"}
    others = {"embedding_types": ["float"], "truncate": True, "provider": {"sort": "price"}}
    assert bounds.embeddings_input_max(fields | others, model=facts_by_name(NOBODYS)) < 10


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "text",
                    "content",
                    "role",
                    "input",
                    "source",
                    "tool_calls",
                    "function",
                    "output",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(anything=anything)
@settings(max_examples=300, deadline=None)
def test_nothing_malformed_breaks_a_bound(anything):
    for model in ("gpt-4o", NOBODYS):
        for name in ("messages", "tools", "input", "text", "system", "response_format"):
            for ask in (
                bounds.chat_input_max,
                bounds.responses_input_max,
                bounds.messages_input_max,
                bounds.embeddings_input_max,
            ):
                try:
                    assert ask({name: anything}, model=facts_by_name(model)) >= 0
                except CannotBeBounded:
                    continue
