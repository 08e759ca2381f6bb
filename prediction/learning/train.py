"""Learn a `Forecaster` of rows.

    log tokens ≈ mean + model + agent + kind + kind of the agent + slope of the model × text

Each row's quantiles come from what would have been forecast without it: without its text where the
text is taken for new, without the row itself where the text is known.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from prediction.learning import effects as effects_of_groups
from prediction.learning import text_models
from prediction.learning.effects import Effects
from prediction.learning.evaluate import held_back_scores
from prediction.learning.forecaster import Forecaster, KnownTexts, chain
from prediction.learning.quantiles import SHARES, Spread, conformal_quantile, spreads
from prediction.learning.rows import Rows
from prediction.learning.rule import groups_learned
from prediction.learning.terms import BANDS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
# The text models learn from the newest texts; what is kept of known ones, too.
FIT_TEXTS_MAX = 2_500
KNOWN_TEXTS_MAX = 20_000
# Below this many texts the models of texts would learn noise.
FIT_TEXTS_MIN = 20
_SLOPE_SHRINK = 50
_TEXT_SHRINK = 1.0
_TURNS = 3
_RATIOS = (0.4, 0.6, 0.8, 1.0, 1.2)
_RATIO_ROWS_MIN = 100


class _Texts(NamedTuple):
    """What each text is expected to need beyond its groups: `unseen` without itself, `known` with
    what was seen of it; `rows`: how often; `shrink`: as many rows as count half."""

    unseen: Floats
    known: Floats
    mean: Floats
    rows: Ints
    shrink: float
    models: text_models.TextModels | None


class Trained(NamedTuple):
    """What was learned, and how good it is on rows that were not learned from."""

    forecaster: Forecaster
    scores: dict[str, Any]


def train(rows: Rows) -> Forecaster:
    """Learn from rows in the order of settlement. Raises ValueError without rows."""
    return train_and_score(rows).forecaster


def train_and_score(rows: Rows) -> Trained:
    """Learn as `train` does, and say how good it is. Raises ValueError without rows."""
    if not len(rows):
        raise ValueError("There are no rows to learn from.")
    if not rows.censored.any():
        return _train(rows, rows.logs)
    logs = _completed(rows)
    return _train(rows, logs)


def _completed(rows: Rows) -> Floats:
    """The logarithms, where those of censored rows are what such rows went on to need: the mean of
    the larger residuals of complete rows."""
    complete = rows.logs
    for _ in range(2):
        effects, _ = effects_of_groups.fit(complete, rows.groups, rows.group)
        residuals = rows.logs - _expected(effects, rows)
        complete = rows.logs.copy()
        for column in range(complete.shape[1]):
            exact = np.sort(residuals[~rows.censored, column])
            reached = residuals[rows.censored, column]
            complete[rows.censored, column] += _mean_excess(exact, reached)
    return complete


def _mean_excess(exact: Floats, reached: Floats) -> Floats:
    """By how much the residuals above `reached` exceed it; what is above all of them, by log 2."""
    if not len(exact):
        return np.full(len(reached), np.log(2))
    above = np.append(np.cumsum(exact[::-1])[::-1], 0.0)
    first = np.searchsorted(exact, reached, side="right")
    count = len(exact) - first
    return np.where(count > 0, above[first] / np.maximum(count, 1) - reached, np.log(2))


def _train(rows: Rows, logs: Floats) -> Trained:
    scales = _scales(rows, logs)
    effects, leverage, texts = _by_turns(rows, logs, scales)
    expected = _expected(effects, rows)
    # As if the row had not been among those of its groups.
    rest = (logs - expected) / (1 - leverage)[:, None]
    unseen, known = _without_itself(rows, rest / _by_model(rows, scales), texts)
    best_text = np.where(np.isnan(known), unseen, known)
    slopes = _slopes(rows, rest, best_text, scales)
    slope = _by_model(rows, slopes)[:, :, None]
    observed = (rest + rows.logs - logs)[:, :, None]
    ratios = _ratios(rows, expected, observed[:, :1, 0], (slope[:, :, 0] * best_text)[:, :1])
    by_basis = {
        "group": observed + 0 * ratios,
        "text": observed - ratios * slope * unseen[:, :, None],
        "exact": observed - ratios * slope * known[:, :, None],
    }
    held_back = expected + slope[:, :, 0] * ratios[0] * _nan_to(best_text, 0)
    forecaster = Forecaster(
        effects=effects,
        texts=_known(rows, texts),
        text_models=texts.models,
        slopes=slopes,
        ratios=ratios,
        spreads=_spreads(rows, by_basis),
        rule_groups=groups_learned(rows, held_back),
        rows=len(rows),
    )
    upper = expected + slope[:, :, 0] * ratios[1] * _nan_to(best_text, 0)
    p50, p90 = _held_back_quantiles(rows, forecaster, best_text, known, held_back, upper)
    return Trained(forecaster, held_back_scores(rows, p50, p90))


def _held_back_quantiles(
    rows: Rows,
    forecaster: Forecaster,
    text: Floats,
    known: Floats,
    held_back: Floats,
    upper: Floats,
) -> tuple[Floats, Floats]:
    """P50 and P90 of each row's tokens without itself."""
    basis = np.where(np.isnan(known[:, 0]), np.where(np.isnan(text[:, 0]), 0, 1), 2)
    shifts = np.array(
        [
            [forecaster.spread(name, group).quantiles[0, :2] for name in ("group", "text", "exact")]
            for group in rows.groups
        ]
    )[rows.group, basis]
    return np.exp(held_back[:, 0] + shifts[:, 0]), np.exp(upper[:, 0] + shifts[:, 1])


def _expected(effects: Effects, rows: Rows) -> Floats:
    return np.array([effects.expected(group) for group in rows.groups])[rows.group]


def _scales(rows: Rows, logs: Floats) -> dict[str, float]:
    """How widely the tokens of each model differ: the standard deviation of the logarithms in its
    groups. Texts are compared in these units, so that no model drowns the others."""
    effects, _ = effects_of_groups.fit(logs, rows.groups, rows.group)
    rest = (logs - _expected(effects, rows))[:, 0]
    models = np.array([group.model for group in rows.groups])
    all_together = float(np.var(rest)) or 1.0
    found = {}
    for model in np.unique(models):
        own = rest[np.isin(rows.group, np.flatnonzero(models == model))]
        drawn = (own @ own + _SLOPE_SHRINK * all_together) / (len(own) + _SLOPE_SHRINK)
        found[str(model)] = float(np.sqrt(drawn))
    return found


def _by_model(rows: Rows, values: Mapping[str, float]) -> Floats:
    """The value of each row's model, as a column."""
    each = np.array([values.get(group.model, 1.0) for group in rows.groups])
    return each[rows.group][:, None]


def _by_turns(
    rows: Rows, logs: Floats, scales: Mapping[str, float]
) -> tuple[Effects, Floats, _Texts]:
    """Fit groups to what texts leave, and texts to what groups leave."""
    scale = _by_model(rows, scales)
    own = np.zeros_like(logs)
    for _ in range(_TURNS if len(rows.sketches) < len(rows) else 1):
        effects, leverage = effects_of_groups.fit(logs - own, rows.groups, rows.group)
        rest = (logs - _expected(effects, rows)) / scale
        mean, count = _means(rows, rest)
        shrunk = mean * (count / (count + _TEXT_SHRINK))[:, None]
        # A text that was seen once cannot tell itself from its groups.
        shrunk[count < 2] = 0
        own = (
            np.where(rows.text[:, None] >= 0, shrunk[rows.text], 0) * scale if len(shrunk) else own
        )
    return effects, leverage, _fit_texts(rows, rest, mean, count)


def _means(rows: Rows, rest: Floats) -> tuple[Floats, Ints]:
    """The mean of each text's rows, and how many there are."""
    size = len(rows.sketches)
    seen = rows.text >= 0
    count = np.bincount(rows.text[seen], minlength=size)
    sums = np.stack(
        [np.bincount(rows.text[seen], column[seen], minlength=size) for column in rest.T], axis=1
    )
    return sums / np.maximum(count, 1)[:, None], count


def _fit_texts(rows: Rows, rest: Floats, mean: Floats, count: Ints) -> _Texts:
    size = len(rows.sketches)
    unseen = np.full_like(mean, np.nan)
    models = None
    fitted = _newest_texts(rows, FIT_TEXTS_MAX)
    if len(fitted) >= FIT_TEXTS_MIN:
        sketches = [rows.sketches[text] for text in fitted]
        weights = 2 * count[fitted] / (count[fitted] + 1)
        models, unseen[fitted] = text_models.fit(sketches, mean[fitted], weights)
    shrink = _shrink(rows, rest, mean, count, unseen)
    prior = _nan_to(unseen, 0)
    known = prior + (count / (count + shrink))[:, None] * (mean - prior)
    return _Texts(unseen, known if size else mean, mean, count, shrink, models)


def _newest_texts(rows: Rows, most: int) -> Ints:
    """The texts that were seen last, at most so many, rising."""
    seen = rows.text[rows.text >= 0][::-1]
    texts, first = np.unique(seen, return_index=True)
    return np.sort(texts[np.argsort(first, kind="stable")[:most]])


def _shrink(rows: Rows, rest: Floats, mean: Floats, count: Ints, unseen: Floats) -> float:
    """The variance of a text's rows in units of that between texts: with so many rows, what was
    seen of a text counts as much as what is expected of it."""
    repeated = (count > 1) & ~np.isnan(unseen[:, 0])
    if repeated.sum() < FIT_TEXTS_MIN:
        return _TEXT_SHRINK
    member = (rows.text >= 0) & repeated[rows.text]
    within = rest[member, 0] - mean[rows.text[member], 0]
    noise = float((within**2).sum() / max((count[repeated] - 1).sum(), 1))
    between = float(np.var(mean[repeated, 0] - unseen[repeated, 0]))
    signal = between - noise * float(np.mean(1 / count[repeated]))
    return float(np.clip(noise / max(signal, 1e-6), 0.1, 10))


def _without_itself(rows: Rows, rest: Floats, texts: _Texts) -> tuple[Floats, Floats]:
    """What the text of each row is expected to need, as if new, and as if known from the others;
    NaN where it cannot be."""
    unseen = np.full_like(rest, np.nan)
    known = np.full_like(rest, np.nan)
    seen = np.flatnonzero(rows.text >= 0)
    at = rows.text[seen]
    unseen[seen] = texts.unseen[at]
    more = texts.rows[at] > 1
    seen, at = seen[more], at[more]
    others = texts.rows[at] - 1
    mean = (texts.mean[at] * texts.rows[at][:, None] - rest[seen]) / others[:, None]
    prior = _nan_to(texts.unseen[at], 0)
    known[seen] = prior + (others / (others + texts.shrink))[:, None] * (mean - prior)
    return unseen, known


def _slopes(
    rows: Rows, rest: Floats, text: Floats, scales: Mapping[str, float]
) -> dict[str, float]:
    """By how much each model follows what is expected of texts, drawn to its scale."""
    found = {}
    models = np.array([group.model for group in rows.groups])[rows.group]
    usable = ~np.isnan(text[:, 0])
    for model, scale in scales.items():
        own = usable & (models == model)
        expected, real = text[own, 0], rest[own, 0]
        power = float(expected @ expected)
        prior = _SLOPE_SHRINK * power / max(int(own.sum()), 1)
        if power:
            slope = (float(expected @ real) + scale * prior) / (power + prior)
            found[model] = float(np.clip(slope, 0.5 * scale, 2 * scale))
    return {**scales, **found}


def _ratios(rows: Rows, expected: Floats, observed: Floats, text: Floats) -> Floats:
    """By how much P50, P90 and P99 follow the texts, beside the slopes: what loses least on rows
    that were not learned from. Where the large ones are all large, P90 follows less."""
    usable = ~np.isnan(text[:, 0]) & ~rows.censored
    if usable.sum() < _RATIO_ROWS_MIN:
        return np.ones(len(SHARES))
    real, at = rows.values[usable, 0], expected[usable, 0]
    residuals, follow = observed[usable, 0], text[usable, 0]
    found = []
    for share in SHARES[:2]:
        losses = []
        for ratio in _RATIOS:
            shift = conformal_quantile(residuals - ratio * follow, share)
            over = real - np.exp(at + ratio * follow + shift)
            losses.append(float(np.maximum(share * over, (share - 1) * over).sum()))
        found.append(_RATIOS[int(np.argmin(losses))])
    return np.array([*found, found[-1]])


def _spreads(rows: Rows, by_basis: dict[str, Floats]) -> dict[str, Spread]:
    """The spreads of the groups for each basis; `by_basis`: what forecasts missed by."""
    found: dict[str, Spread] = {}
    for basis, values in by_basis.items():
        usable = np.flatnonzero(~np.isnan(values[:, 0, 0]))
        chains = [chain(basis, group) for group in rows.groups]
        if len(usable):
            found |= spreads(values[usable], rows.censored[usable], rows.group[usable], chains)
    return found


def _known(rows: Rows, texts: _Texts) -> KnownTexts:
    newest = _newest_texts(rows, KNOWN_TEXTS_MAX)
    digests = np.array([rows.sketches[text].digest for text in newest] or [b""], "S16")
    digests = digests[: len(newest)]
    order = np.argsort(digests, kind="stable")
    newest = newest[order]
    bands = [rows.sketches[text].bands for text in newest]
    return KnownTexts(
        digests=digests[order],
        bands=np.array(bands, np.int64).reshape(len(newest), BANDS),
        rows=texts.rows[newest].astype(np.int32),
        values=texts.known[newest],
    )


def _nan_to(values: Floats, replacement: float) -> Floats:
    return np.where(np.isnan(values), replacement, values)
