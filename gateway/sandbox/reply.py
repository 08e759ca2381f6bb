"""The answer to one call, before it has a wire format: words, and what is billed for them."""

import time
import zlib
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.sandbox import generated_text
from gateway.sandbox.directive import Directive
from gateway.sandbox.request_fields import SandboxRequest, dear_tokens

_WORDS_LEAST = 20
_WORDS_SPREAD = 30
_OVER_FACTOR = 10
_TEXT_INSTEAD = {"completion_tokens", "output_tokens"}


class Bill(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Tokens as a provider bills them: input includes cached ones, cache writes, audio and images,
    output reasoning, audio and images. `cache_write` lives 5 minutes, `cache_write_1h` an hour.
    `searches` are web searches."""

    input: int = 0
    cached: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    audio_in: int = 0
    audio_out: int = 0
    image_in: int = 0
    image_out: int = 0
    searches: int = 0


NOTHING = Bill()


@dataclass(slots=True, kw_only=True)
class Reply:
    """`answers`: the tokens of each choice. `tool`: they are the arguments of a call of this tool.
    `complete`: the requested maximum did not end the answer."""

    request: SandboxRequest
    directive: Directive
    id: str
    answers: list[list[str]]
    complete: bool
    tool: str
    bill: Bill
    created: int = field(default_factory=lambda: int(time.time()))

    def chunks(self, choice: int = 0) -> list[tuple[str, int]]:
        """The text of each event of a choice's stream, and its tokens up to that event."""
        return list(generated_text.chunks(self.answers[choice], count=self.directive.chunks))

    def bill_after(self, produced: int) -> Bill:
        """The bill of a stream that ended after `produced` visible tokens."""
        if not produced:
            return msgspec.structs.replace(
                self.bill, output=0, reasoning=0, audio_out=0, image_out=0, searches=0
            )
        output = produced + self.bill.reasoning + self.bill.audio_out + self.bill.image_out
        return msgspec.structs.replace(self.bill, output=min(self.bill.output, output))

    def usage_field(self, usage: dict[str, Any]) -> dict[str, Any]:
        """The field `usage` of an answer, as the directive asks for it; empty for none."""
        if self.directive.usage == "none":
            return {}
        if self.directive.usage == "wrong":
            usage = {name: "many" if name in _TEXT_INSTEAD else -7 for name in usage}
        if self.directive.cost is not None:
            usage = {**usage, "cost": self.directive.cost}
        return {"usage": usage}


def reply(*, request: SandboxRequest, directive: Directive, call_id: str, produces: bool) -> Reply:
    """The answer of the model; without words if the route produces no output tokens."""
    tool = directive.tool if request.tools and not request.after_tool else ""
    hidden = _hidden_tokens(request, directive) if produces else (0, 0, 0)
    answers: list[list[str]] = []
    complete = True
    if produces:
        generate = _tool_call if tool else _texts
        answers, complete = generate(request, directive, hidden=sum(hidden))
    return Reply(
        request=request,
        directive=directive,
        id=call_id,
        answers=answers,
        complete=complete,
        tool=tool,
        bill=_bill(request, directive, visible=sum(map(len, answers)), hidden=hidden),
    )


Answers = tuple[list[list[str]], bool]


def _texts(request: SandboxRequest, directive: Directive, *, hidden: int) -> Answers:
    seed = zlib.crc32(request.text.encode("utf-8", "surrogatepass"))
    tokens = directive.output
    if tokens is None:
        tokens = _WORDS_LEAST + seed % _WORDS_SPREAD + hidden
    allowed = (
        tokens if request.output_tokens_max is None else min(tokens, request.output_tokens_max)
    )
    count = max(0, allowed - hidden)
    answers = [
        generated_text.answer(seed=seed + choice, count=count) for choice in range(request.choices)
    ]
    return answers, allowed == tokens


def _tool_call(request: SandboxRequest, directive: Directive, *, hidden: int) -> Answers:
    whole = generated_text.pieces(directive.args) or generated_text.arguments(
        request.tools.get(directive.tool)
    )
    most = request.output_tokens_max
    allowed = whole if most is None else whole[: max(0, most - hidden)]
    return [allowed] * request.choices, len(allowed) == len(whole)


HiddenTokens = tuple[int, int, int]


def _hidden_tokens(request: SandboxRequest, directive: Directive) -> HiddenTokens:
    """Reasoning, audio and images of one choice: part of its output, so never above its maximum."""
    wanted = directive.reasoning + directive.audio_out + directive.image_out
    limits = [n for n in (request.output_tokens_max, directive.output) if n is not None]
    most = min(limits, default=wanted)
    reasoning = min(directive.reasoning, most)
    audio = min(directive.audio_out, most - reasoning)
    return reasoning, audio, min(directive.image_out, most - reasoning - audio)


def _bill(
    request: SandboxRequest, directive: Directive, *, visible: int, hidden: HiddenTokens
) -> Bill:
    parts = (
        directive.cached,
        directive.cache_write,
        directive.cache_write_1h,
        directive.audio_in,
        directive.image_in,
    )
    output = visible + sum(hidden) * request.choices
    asked = request.input_tokens + dear_tokens(request.fields)
    return Bill(
        input=max(asked if directive.input is None else directive.input, sum(parts)),
        cached=directive.cached,
        cache_write=directive.cache_write,
        cache_write_1h=directive.cache_write_1h,
        audio_in=directive.audio_in,
        image_in=directive.image_in,
        output=output * (_OVER_FACTOR if directive.usage == "over" else 1),
        reasoning=hidden[0] * request.choices,
        audio_out=hidden[1] * request.choices,
        image_out=hidden[2] * request.choices,
        searches=min(directive.searches, request.searches_max),
    )
