"""One call of an agent: the object that every step takes, from admission to settlement."""

import asyncio
from dataclasses import dataclass, field
from time import monotonic

from gateway.answer_body import AnswerBody
from gateway.dialects import CallParameters, Dialect, StreamMeter, UsageReport
from gateway.model_choice import ModelChoice
from gateway.recording import Recording
from gateway.requests import Request
from gateway.runtime import Runtime
from keys.services import HoldResult, SettlementResult
from keys.supply.model_facts import ModelFacts
from keys.supply.queries.upstreams import Session, Upstream


@dataclass(slots=True)
class Call:
    """A call under way. Each step reads what earlier steps set and adds its own.

    admit ──▶ send ──┬─ a stream ─────────▶ relay ──┐
                     ├─ any other answer ─▶ reply ──┼──▶ settle
                     ├─ key refused ─▶ failover ────┤       (the next key gets a Call of its own)
                     └─ nothing sent, or lost ──────┘

    Steps: `admission.admit`, `forwarding.send` and `reply`, `streaming.relay`,
    `settlement.settle`. A call is settled once, whichever way it took.
    """

    runtime: Runtime
    request: Request
    dialect: Dialect
    session: Session
    upstream: Upstream
    parameters: CallParameters
    # The model that serves it, at the provider of `upstream`.
    choice: ModelChoice
    # When it was ready to be sent to this provider (monotonic).
    came_at: float = field(default_factory=monotonic)

    # Set by admission: the hold, the bound of the input tokens, the provider's count of them if it
    # was asked, and the most output tokens that each answer may have, and whether that is less than
    # it asked for because no more was left.
    hold: HoldResult = field(init=False)
    input_max: int = 0
    input_counted: int | None = None
    output_max: int = 0
    output_cut: bool = False

    # The body of the provider's answer, once its head is there.
    answer_body: AnswerBody = field(init=False)

    # Evidence for the settlement. `billable`: it was sent and not refused, so the provider may
    # charge for it. `complete`: its stream came to its end. `cut_unseen`: Butler closed its stream
    # after the client had left, and the model may have reasoned unseen. `reply`: the body of a
    # whole answer; `report`: the usage in it. `whole_body`: what it is read from; it may have
    # broken off.
    billable: bool = False
    complete: bool = False
    cut_unseen: bool = False
    meter: StreamMeter | None = None
    reply: bytes | None = None
    report: UsageReport | None = None
    whole_body: AnswerBody | None = None

    recording: Recording = field(init=False)
    settling: asyncio.Task[SettlementResult] | None = None
    # Whether it cost anything, once it is settled.
    charged: bool = False

    @property
    def model(self) -> str:
        """The name of the model that the provider is sent."""
        return self.choice.name

    @property
    def facts(self) -> ModelFacts:
        """What the catalogue knows of the model."""
        return self.choice.served.facts
