"""Forecast the tokens of work that a text describes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from prediction.estimate import Estimate, estimate
from prediction.in_use import InUse, in_use
from prediction.learning.forecaster import Forecast
from prediction.learning.quantiles import P99_ROWS
from prediction.learning.rows import TARGETS, Group
from prediction.learning.terms import Sketch
from prediction.sketches import sketches

# A P50 of calls whose P90 is so many times as large is what is uncertain.
_UNCERTAIN = 1.5
_SAID = tuple(TARGETS.index(name) for name in ("tokens", "calls", "output"))


@dataclass(frozen=True, kw_only=True)
class WorkForecast:
    """What a piece of work is expected to need.

    `basis`: `exact`, `near`, `text` or `group` (see `prediction.learning.forecaster.Forecast`), or
    `rule` where too little was learned: then `p50` is the rule's and `p90` and `p99` are None.
    `rows`: how many settled rows the quantiles are of, `text_rows` how many have the same or nearly
    the same text. `calls`, `output`: P50 and P90. `factors`: by how much each effect multiplies the
    tokens. `uncertain`: `calls` or `tokens per call`, or empty. `version`: of what was learned.
    `text`: what was forecast; it is kept nowhere.
    """

    p50: int
    p90: int | None
    p99: int | None
    basis: str
    rows: int
    text_rows: int
    p99_extrapolated: bool
    calls: tuple[int, int] | None
    output: tuple[int, int] | None
    factors: dict[str, float]
    uncertain: str
    version: int | None
    text: str = field(repr=False)

    @cached_property
    def rule(self) -> Estimate:
        """The estimate by the rule of words."""
        return estimate(self.text)

    @property
    def narrows(self) -> list[str]:
        """What would make the forecast narrower, in words."""
        return [] if self.basis == "exact" and self.rows >= P99_ROWS else list(_narrows(self))

    @property
    def explanation(self) -> str:
        """The forecast in words."""
        return _explanation(self)


def forecast(text: str, group: Group) -> WorkForecast:
    """The forecast for a text; by the rule of words where history does not say otherwise."""
    return forecasts([(text, group)])[0]


def forecasts(asked: Sequence[tuple[str, Group]]) -> list[WorkForecast]:
    """The forecasts for texts, in their order."""
    found = sketches(text for text, _ in asked)
    return forecasts_of([(text, found[text], group) for text, group in asked])


def is_learned(group: Group) -> bool:
    """Whether forecasts of a group follow what was learned, and not the rule of words."""
    learner = in_use().forecaster
    return learner is not None and learner.is_learned(group)


def forecasts_of(asked: Sequence[tuple[str, Sketch, Group]]) -> list[WorkForecast]:
    """The forecasts for texts whose sketches are known."""
    used = in_use()
    learner = used.forecaster
    if learner is None:
        return [_by_rule(text) for text, _, _ in asked]
    learned = {group: learner.is_learned(group) for group in {each[2] for each in asked}}
    wanted = [(text, known, group) for text, known, group in asked if learned[group]]
    found = _learned(learner.forecasts([each[1:] for each in wanted]), wanted, used)
    return [next(found) if learned[group] else _by_rule(text) for text, _, group in asked]


def _by_rule(text: str) -> WorkForecast:
    rule = estimate(text)
    found = WorkForecast(
        p50=max(rule.estimated, 1),
        p90=None,
        p99=None,
        basis="rule",
        rows=0,
        text_rows=0,
        p99_extrapolated=False,
        calls=None,
        output=None,
        factors={},
        uncertain="",
        version=None,
        text=text,
    )
    # It was computed: not a second time.
    found.__dict__["rule"] = rule
    return found


def _learned(
    found: Sequence[Forecast], asked: Sequence[tuple[str, Sketch, Group]], used: InUse
) -> Iterator[WorkForecast]:
    for forecast, numbers, (text, _, _) in zip(
        found, _numbers(found, asked, used), asked, strict=True
    ):
        tokens, calls, output = (numbers[place] for place in _SAID)
        p50, p90, p99 = tokens
        yield WorkForecast(
            p50=p50,
            p90=p90,
            p99=p99,
            basis=forecast.basis,
            rows=forecast.rows,
            text_rows=forecast.text_rows,
            p99_extrapolated=forecast.p99_extrapolated,
            calls=(calls[0], calls[1]),
            output=(output[0], output[1]),
            factors=forecast.factors,
            uncertain=_uncertain(p90 / p50, calls[1] / calls[0]),
            version=used.version,
            text=text,
        )


def _numbers(
    found: Sequence[Forecast], asked: Sequence[tuple[str, Sketch, Group]], used: InUse
) -> list[list[list[int]]]:
    """The quantiles of each forecast as whole numbers, by target; moved by what was missed."""
    if not found:
        return []
    quantiles = np.array([each.quantiles for each in found])
    shifts = np.array([used.shifts.get(group.model, 0.0) for _, _, group in asked])
    # P99 moves with P90, P50 does not move, and they rise all the same.
    quantiles[:, :, 1:] *= np.exp(shifts)[:, None, None]
    quantiles = np.maximum.accumulate(quantiles, axis=2)
    whole: list[list[list[int]]] = np.maximum(np.rint(quantiles), 1).astype(np.int64).tolist()
    return whole


def _uncertain(tokens: float, calls: float) -> str:
    """Which of the two factors of the tokens has the larger part in their spread."""
    if tokens < _UNCERTAIN:
        return ""
    return "calls" if calls * calls >= tokens else "tokens per call"


def _narrows(forecast: WorkForecast) -> list[str]:
    if forecast.basis == "rule":
        return ["At least 30 settled pieces of work of this kind: Butler learns from them."]
    found = []
    if forecast.basis in ("text", "group"):
        found.append("The same text done once, on any model: nothing else says as much.")
    if forecast.basis == "near":
        found.append("The same text done once: until now there are nearly equal ones only.")
    if forecast.rows < P99_ROWS:
        found.append(
            f"{P99_ROWS - forecast.rows:,} more settled pieces of work of this group: under "
            f"{P99_ROWS}, P99 is an extrapolation."
        )
    if forecast.uncertain == "calls":
        found.append("A limit on the number of calls: that is what differs most.")
    return found


_BASES = {
    "exact": "The same text was settled {text_rows:,} times.",
    "near": "Nearly the same text was settled {text_rows:,} times.",
    "text": "The text is new; it is compared with texts that were settled.",
    "group": "No text was compared; this holds for the group.",
}


def _explanation(forecast: WorkForecast) -> str:
    if forecast.basis == "rule":
        return f"By the rule of words, since too little was settled. {forecast.rule.reasoning}"
    effects = [
        f"{name} × {factor:.2f}"
        for name, factor in sorted(forecast.factors.items())
        if abs(factor - 1) >= 0.05
    ]
    known = f"From {forecast.rows:,} settled pieces of work: half of such work needs up to "
    numbers = f"{forecast.p50:,} tokens, 90 of 100 up to {forecast.p90:,}."
    basis = _BASES[forecast.basis].format(text_rows=forecast.text_rows)
    differs = f" Beside all work: {', '.join(effects)}." if effects else ""
    unsure = (
        f" What differs most is the number of {forecast.uncertain}."
        if (forecast.uncertain == "calls")
        else ""
    )
    return f"{known}{numbers} {basis}{differs}{unsure}"
