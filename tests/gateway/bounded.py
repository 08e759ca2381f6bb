"""Requests whose input is bounded, and models of any kind."""

import msgspec

# Nobody knows its tokenizer, its images or its template.
NOBODYS = "gpt-7"
CLAUDE = "claude-opus-4-7"


def raw(fields):
    """The top level of a body as dialects hold it."""
    return msgspec.json.decode(msgspec.json.encode(fields), type=dict[str, msgspec.Raw])


def chat_of(part):
    return {"messages": [{"role": "user", "content": [part]}]}
