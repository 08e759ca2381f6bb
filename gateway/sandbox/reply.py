"""The answer to one call before it has a wire format: words, and what they cost."""

import time
import zlib
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.sandbox import generated_text
from gateway.sandbox.directive import Directive
from gateway.sandbox.request_fields import Asked

_WORDS_LEAST = 20
_WORDS_SPREAD = 30
_OVER = 10
_NO_NUMBER = {"completion_tokens", "output_tokens"}


class Bill(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Tokens as a provider bills them: input includes cached ones, cache writes and audio, output
    reasoning and audio. `cache_write` lives 5 minutes, `cache_write_1h` an hour."""

    input: int = 0
    cached: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    audio_in: int = 0
    audio_out: int = 0


NOTHING = Bill()


@dataclass(slots=True, kw_only=True)
class Reply:
    """`answers`: the tokens of each choice. `tool`: they are the arguments of a call of it.
    `complete`: the asked maximum did not end it."""

    asked: Asked
    directive: Directive
    id: str
    answers: list[list[str]]
    complete: bool
    tool: str
    bill: Bill
    created: int = field(default_factory=lambda: int(time.time()))

    def chunks(self, choice: int = 0) -> list[tuple[str, int]]:
        """What each event of a stream carries, and how many tokens of the choice are out then."""
        return list(generated_text.chunks(self.answers[choice], count=self.directive.chunks))

    def billed_after(self, produced: int) -> Bill:
        """What is billed for a stream that ended after so many tokens that could be seen."""
        if not produced:
            return msgspec.structs.replace(self.bill, output=0, reasoning=0, audio_out=0)
        output = produced + self.bill.reasoning + self.bill.audio_out
        return msgspec.structs.replace(self.bill, output=min(self.bill.output, output))

    def reported(self, usage: dict[str, Any]) -> dict[str, Any]:
        """`usage` as the directive wants it told, under the name it has in every answer."""
        if self.directive.usage == "none":
            return {}
        if self.directive.usage == "wrong":
            usage = {name: "many" if name in _NO_NUMBER else -7 for name in usage}
        if self.directive.cost is not None:
            usage = {**usage, "cost": self.directive.cost}
        return {"usage": usage}


def reply(*, asked: Asked, directive: Directive, call_id: str, produces: bool) -> Reply:
    """What a model answers; no words where a route only reads and produces nothing."""
    tool = directive.tool if asked.tools and not asked.after_tool else ""
    unseen = _unseen(asked, directive) if produces else (0, 0)
    answers: list[list[str]] = []
    complete = True
    if produces:
        make = _tool_call if tool else _texts
        answers, complete = make(asked, directive, unseen=sum(unseen))
    return Reply(
        asked=asked,
        directive=directive,
        id=call_id,
        answers=answers,
        complete=complete,
        tool=tool,
        bill=_bill(asked, directive, seen=sum(map(len, answers)), unseen=unseen),
    )


Made = tuple[list[list[str]], bool]


def _texts(asked: Asked, directive: Directive, *, unseen: int) -> Made:
    seed = zlib.crc32(asked.text.encode("utf-8", "surrogatepass"))
    wanted = directive.output
    if wanted is None:
        wanted = _WORDS_LEAST + seed % _WORDS_SPREAD + unseen
    allowed = wanted if asked.output_tokens_max is None else min(wanted, asked.output_tokens_max)
    count = max(0, allowed - unseen)
    answers = [
        generated_text.answer(seed=seed + choice, count=count) for choice in range(asked.choices)
    ]
    return answers, allowed == wanted


def _tool_call(asked: Asked, directive: Directive, *, unseen: int) -> Made:
    whole = generated_text.pieces(directive.args) or generated_text.arguments(
        asked.tools.get(directive.tool)
    )
    most = asked.output_tokens_max
    allowed = whole if most is None else whole[: max(0, most - unseen)]
    return [allowed] * asked.choices, len(allowed) == len(whole)


def _unseen(asked: Asked, directive: Directive) -> tuple[int, int]:
    """Reasoning and audio of one choice: part of its output, so never above its maximum."""
    limits = [n for n in (asked.output_tokens_max, directive.output) if n is not None]
    most = min(limits, default=directive.reasoning + directive.audio_out)
    reasoning = min(directive.reasoning, most)
    return reasoning, min(directive.audio_out, most - reasoning)


def _bill(asked: Asked, directive: Directive, *, seen: int, unseen: tuple[int, int]) -> Bill:
    parts = (directive.cached, directive.cache_write, directive.cache_write_1h, directive.audio_in)
    output = seen + sum(unseen) * asked.choices
    return Bill(
        input=max(asked.input_tokens if directive.input is None else directive.input, sum(parts)),
        cached=directive.cached,
        cache_write=directive.cache_write,
        cache_write_1h=directive.cache_write_1h,
        audio_in=directive.audio_in,
        output=output * (_OVER if directive.usage == "over" else 1),
        reasoning=unseen[0] * asked.choices,
        audio_out=unseen[1] * asked.choices,
    )
