"""The request for an allocation, checked before anything is read."""

from dataclasses import asdict, dataclass, field

from django.conf import settings

from keys.models import ModelMismatch, WireFormat
from keys.refusals import WrongValue

# Statuses with which the gateway may refuse a call that the budget cannot pay. Clients do not retry
# after any of these by themselves.
REFUSAL_STATUSES = (400, 402, 403, 422, 429)
# The label of the budgets of a task begins so, and ends with its id.
TASK_LABEL = "task:"
_LATER = (
    "wire_format",
    "refusal_status",
    "models",
    "model_mismatch",
    "label",
    "sized_by",
    "without_providers",
)
_MODELS_MAX = 20
_LABEL_LENGTH_MAX = 100


def check_ttl(ttl_seconds: int) -> None:
    """Refuse a lifetime that is not positive or above the setting. Refusals: WrongValue."""
    if not 0 < ttl_seconds <= settings.ALLOCATION_TTL_SECONDS_MAX:
        raise WrongValue(
            f"Use a ttl_seconds from 1 to {settings.ALLOCATION_TTL_SECONDS_MAX:,}.",
            field="ttl_seconds",
        )


@dataclass(frozen=True, kw_only=True)
class AllocationRequest:
    """The terms of an allocation: `tokens` > 0, `ttl_seconds` until it expires unless extended.

    `wire_format`: what the session will speak to the gateway; only keys of providers that speak it
    are considered. `refusal_status`: the HTTP status with which the gateway refuses a call that the
    budget cannot pay, for clients that misread the usual one. `model` or `models`: what the session
    must be able to use; only keys that serve all of them are considered, or one key for each model
    where no key serves all. `model_mismatch`: what the gateway does with a call for a model that
    the session cannot use, `serve` (the default model answers) or `refuse`. `label`: what the
    budget is for; usage can be grouped by it. `sized_by`: what the tokens were computed from, if a
    repeated request may compute others from it. `without_providers`: whose keys are not considered.
    """

    tokens: int
    provider: str | None = None
    model: str | None = None
    cost_centre: str | None = None
    ttl_seconds: int = field(default_factory=lambda: settings.ALLOCATION_TTL_SECONDS)
    auto_rotate: bool = True
    wire_format: str | None = None
    refusal_status: int | None = None
    models: tuple[str, ...] = ()
    model_mismatch: str | None = None
    label: str = ""
    sized_by: str = ""
    without_providers: tuple[str, ...] = ()

    @property
    def named_models(self) -> tuple[str, ...]:
        """The models that the session must be able to use, whichever way they were requested."""
        return (self.model,) if self.model else self.models

    def check(self) -> None:
        """Refusals: WrongValue."""
        if not 0 < self.tokens <= 10**12:
            raise WrongValue("Use 1 to 1,000,000,000,000 tokens.", field="tokens")
        check_ttl(self.ttl_seconds)
        if self.wire_format not in (None, *WireFormat.values):
            raise WrongValue("Use openai or anthropic as the wire format.", field="wire_format")
        if self.refusal_status not in (None, *REFUSAL_STATUSES):
            raise WrongValue(
                f"Use one of {', '.join(map(str, REFUSAL_STATUSES))} as the refusal status.",
                field="refusal_status",
            )
        if self.model and self.models:
            raise WrongValue("Give either model or models, not both.", field="models")
        if len(self.models) > _MODELS_MAX:
            raise WrongValue(f"Give at most {_MODELS_MAX} models.", field="models")
        if self.model_mismatch not in (None, *ModelMismatch.values):
            raise WrongValue("Use serve or refuse for model_mismatch.", field="model_mismatch")
        if len(self.label) > _LABEL_LENGTH_MAX:
            raise WrongValue(
                f"Use at most {_LABEL_LENGTH_MAX} characters for the label.", field="label"
            )

    def as_json(self) -> dict[str, object]:
        """The request as JSON, to compare a repeated request with."""
        lists = {name: list(getattr(self, name)) for name in ("models", "without_providers")}
        fields = asdict(self) | lists
        # A request from before these fields existed must still compare as the same.
        return {n: fields[n] for n in fields if n not in _LATER or fields[n] not in (None, [], "")}

    def same_as(self, asked: dict[str, object]) -> bool:
        """Whether a request that was stored as JSON is this one, also with other tokens if both
        were sized by the same."""
        mine = self.as_json()
        left_out = "tokens" if self.sized_by and "sized_by" in asked else "sized_by"
        return {**mine, left_out: None} == {**asked, left_out: None}
