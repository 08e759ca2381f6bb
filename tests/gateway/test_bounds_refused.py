"""What has no bound is refused: unknown types, and what the provider has stored."""

import pytest

from gateway import bounds
from gateway.refusals import CannotBeBounded, InputNotTaken
from keys.supply.model_facts import facts_by_name
from tests.gateway.bounded import CLAUDE, NOBODYS, chat_of, raw
from tests.gateway.media import audio_of


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
@pytest.mark.parametrize("model", ["gpt-4o-audio-preview", NOBODYS])
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


IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org"}}
AUDIO = {"type": "input_audio", "input_audio": audio_of(b"RIFF", "wav")["input_audio"]}
CLAUDES_IMAGE = {"type": "image", "source": {"type": "url", "url": "https://example.org"}}


@pytest.mark.parametrize(
    ("bound", "model", "parts", "medium"),
    [
        (bounds.chat_input_max, "gpt-3.5-turbo", [IMAGE], "image"),
        (bounds.chat_input_max, "deepseek-chat", [{"image_url": IMAGE["image_url"]}], "image"),
        (bounds.chat_input_max, "gpt-4o", [{"type": "text", "text": "Hi"}, AUDIO], "audio"),
        (bounds.chat_input_max, "llama-3.3-70b", [{"type": "tool_result", "content": [IMAGE]}],
         "image"),
        (bounds.messages_input_max, "claude-2", [CLAUDES_IMAGE], "image"),
        (bounds.messages_input_max, "kimi-k2", [{"type": "tool_result",
                                                 "content": [CLAUDES_IMAGE]}], "image"),
        (bounds.responses_input_max, "o3-mini", [{"type": "input_image", "image_url": "x"}],
         "image"),
    ],
)  # fmt: skip
def test_what_a_model_does_not_take_is_refused(bound, model, parts, medium):
    turn = {"role": "user", "content": parts}
    for fields in ({"messages": [turn]}, {"input": [turn]}):
        if (bound is bounds.responses_input_max) is ("input" in fields):
            with pytest.raises(InputNotTaken) as refused:
                bound(raw(fields), model=facts_by_name(model))
            assert refused.value.medium == medium


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
