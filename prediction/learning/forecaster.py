"""What was learned, and forecasts from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prediction.learning.effects import Effects
from prediction.learning.quantiles import P99_ROWS, Spread, spread_of
from prediction.learning.rows import TARGETS, Group
from prediction.learning.terms import Sketch
from prediction.learning.text_models import TextModels

Floats = NDArray[np.float64]
# Of how many bands of two texts must be equal for near duplicates.
BANDS_EQUAL = 3


@dataclass(frozen=True)
class KnownTexts:
    """Texts that were seen: digests in rising order, bands, how often, and by how much each needs
    more than its groups (logarithms, texts × targets), shrunk to what the text models expect."""

    digests: NDArray[np.bytes_]
    bands: NDArray[np.int64]
    rows: NDArray[np.int32]
    values: Floats

    def exact(self, digest: bytes) -> int | None:
        """The place of the same text."""
        # NumPy cuts NULs at the end of bytes.
        return self._places.get(digest.rstrip(b"\0"))

    @cached_property
    def _places(self) -> dict[bytes, int]:
        return {digest: place for place, digest in enumerate(self.digests.tolist())}


@dataclass(frozen=True, slots=True)
class Forecast:
    """Quantiles of what a piece of work needs: TARGETS × (P50, P90, P99).

    `basis`: `exact` (the same text was seen), `near` (nearly the same), `text` (like others) or
    `group` (no text). `rows`: how many rows the quantiles are of; `text_rows`: how many have the
    same or nearly the same text. `factors`: by how much each effect multiplies the tokens.
    """

    quantiles: Floats
    basis: str
    rows: int
    text_rows: int
    factors: dict[str, float]
    p99_extrapolated: bool


@dataclass(frozen=True)
class Forecaster:
    """Effects, texts, models of texts, and spreads by group.

    `slopes`: how far the tokens of a model follow what is expected of a text; `ratios`: how far
    P50, P90 and P99 do beside that. `rule_groups`: whether a group has left the rule of words.
    """

    effects: Effects
    texts: KnownTexts
    text_models: TextModels | None
    slopes: Mapping[str, float]
    ratios: Floats
    spreads: Mapping[str, Spread]
    rule_groups: Mapping[str, bool]
    rows: int

    def forecast(self, sketch: Sketch | None, group: Group) -> Forecast:
        """The forecast for a text (None: without one)."""
        return self.forecasts([(sketch, group)])[0]

    def forecasts(self, asked: Sequence[tuple[Sketch | None, Group]]) -> list[Forecast]:
        """The forecasts for texts (None: without one) and groups, in their order."""
        if not asked:
            return []
        distinct = {id(sketch): sketch for sketch, _ in asked}
        if len(distinct) == 1:
            texts = dict.fromkeys(distinct, self._text(asked[0][0]))
        else:
            texts = dict(zip(distinct, self._texts(list(distinct.values())), strict=True))
        found = [texts[id(sketch)] for sketch, _ in asked]
        held = [self._of(text.basis, group) for text, (_, group) in zip(found, asked, strict=True)]
        text = np.array([each.text for each in found])
        text = text * np.array([[each.slope] for each in held])
        logs = np.array([each.centre for each in held])
        logs = logs + text[:, :, None] * self.ratios
        quantiles = np.exp(np.maximum.accumulate(np.clip(logs, 0, _LOG_MAX), axis=2))
        factors = np.exp(text[:, 0] * self.ratios[0]).tolist()
        return [_forecast(*each) for each in zip(found, held, quantiles, factors, strict=True)]

    def _text(self, sketch: Sketch | None) -> "_Found":
        """What is known of a text; kept, since a text that was estimated is often lent for next."""
        kept = self._kept_texts.get(id(sketch))
        # It holds the sketch, so that no other one gets its identity.
        if kept is None or kept[0] is not sketch:
            if len(self._kept_texts) >= _TEXTS_KEPT_MAX:
                self._kept_texts.clear()
            kept = self._kept_texts[id(sketch)] = sketch, self._texts([sketch])[0]
        return kept[1]

    @cached_property
    def _kept_texts(self) -> dict[int, tuple[Sketch | None, "_Found"]]:
        return {}

    def _texts(self, sketches: Sequence[Sketch | None]) -> list["_Found"]:
        """What is known of texts, or expected of those that were not seen."""
        found = [self._found(sketch) for sketch in sketches]
        unseen = [
            place
            for place, (each, sketch) in enumerate(zip(found, sketches, strict=True))
            if sketch is not None and each.basis != "exact"
        ]
        if unseen and self.text_models is not None:
            # `unseen` are those with a sketch.
            expected = self.text_models.predict([sketches[place] for place in unseen])  # type: ignore[misc]
            for place, values in zip(unseen, expected, strict=True):
                each = found[place]
                # Nearly the same text counts as much as what is expected of this one.
                text = (each.text + values) / 2 if each.basis == "near" else values
                found[place] = each._replace(text=text)
        return found

    def _of(self, basis: str, group: Group) -> "_Held":
        """What holds for a group; kept, since most forecasts are of few groups."""
        key = (basis, group)
        held = self._kept.get(key)
        if held is None:
            if len(self._kept) >= _KEPT_MAX:
                self._kept.clear()
            spread = self.spread(basis, group)
            effects = self.effects.of(group)
            held = self._kept[key] = _Held(
                self.effects.expected(group)[:, None] + spread.quantiles,
                self.slopes.get(group.model, 1.0),
                {name: float(np.exp(effect.values[0])) for name, effect in effects.items()},
                spread.rows,
            )
        return held

    @cached_property
    def _kept(self) -> dict[tuple[str, Group], "_Held"]:
        return {}

    def spread(self, basis: str, group: Group) -> Spread:
        """The spread of the smallest group that has one."""
        for kept in _FALLBACKS[basis]:
            if spread := spread_of(chain(kept, group), self.spreads):
                return spread
        raise LookupError("A forecaster has a spread of all rows.")

    def is_learned(self, group: Group) -> bool:
        """Whether held-back history says that this is better than the rule of words."""
        for name in reversed(chain("", group)):
            if name in self.rule_groups:
                return self.rule_groups[name]
        return False

    def _found(self, sketch: Sketch | None) -> "_Found":
        if sketch is None:
            return _Found("group", 0, self._nothing)
        place = self.texts.exact(sketch.digest)
        if place is not None:
            return _Found("exact", int(self.texts.rows[place]), self.texts.values[place])
        near = self._near(sketch)
        if len(near):
            values = self.texts.values[near].mean(0)
            return _Found("near", int(self.texts.rows[near].sum()), values)
        return _Found("group" if self.text_models is None else "text", 0, self._nothing)

    @cached_property
    def _nothing(self) -> Floats:
        return np.zeros(len(TARGETS))

    def _near(self, sketch: Sketch) -> NDArray[np.int64]:
        bands = zip(self._by_band, sketch.bands.tolist(), strict=True)
        hits = [texts[value] for texts, value in bands if value in texts]
        if len(hits) < BANDS_EQUAL:
            return _NONE
        places, equal = np.unique(np.concatenate(hits), return_counts=True)
        return places[equal >= BANDS_EQUAL][:_NEAR_MAX]

    @cached_property
    def _by_band(self) -> list[dict[int, NDArray[np.int64]]]:
        """The texts by the value of each band."""
        found: list[dict[int, NDArray[np.int64]]] = []
        for column in self.texts.bands.T:
            order = np.argsort(column, kind="stable")
            values, starts = np.unique(column[order], return_index=True)
            groups = np.split(order, starts[1:])
            found.append(
                {int(v): g[:_NEAR_MAX] for v, g in zip(values, groups, strict=True)}
                if len(order)
                else {}
            )
        return found


_NEAR_MAX = 50
_KEPT_MAX = 5_000
# As many as `prediction.sketches` keeps.
_TEXTS_KEPT_MAX = 1_000
# The logarithm of 10^12, the most tokens that can be lent.
_LOG_MAX = 27.6
# A text that is nearly the same as another is as uncertain as a new one.
_FALLBACKS = {
    "exact": ("exact", "text", "group"),
    "near": ("text", "group"),
    "text": ("text", "group"),
    "group": ("group",),
}
_NONE = np.zeros(0, np.int64)


class _Found(NamedTuple):
    """What is known of a text: the basis, rows, and by how much it needs more than its groups."""

    basis: str
    rows: int
    text: Floats


class _Held(NamedTuple):
    """What holds for a group: the logarithms of the quantiles without a text (TARGETS × SHARES),
    the slope of its model, the factors of effects, and of how many rows its quantiles are."""

    centre: Floats
    slope: float
    factors: dict[str, float]
    rows: int


def _forecast(found: _Found, held: _Held, quantiles: Floats, factor: float) -> Forecast:
    factors = held.factors if found.basis == "group" else {**held.factors, "text": factor}
    extrapolated = held.rows < P99_ROWS
    return Forecast(quantiles, found.basis, held.rows, found.rows, factors, extrapolated)


def chain(basis: str, group: Group) -> list[str]:
    """The names of the groups that a row belongs to, from all rows of its basis downwards."""
    parts = [basis, group.model, group.agent, group.kind]
    return ["\x1e".join(parts[:size]) for size in range(1, len(parts) + 1)]
