"""Forecasts from texts beside simpler ones: five folds, grouped by text."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from bench.prediction import baselines, recordings
from bench.prediction.recordings import Work
from bench.prediction.scores import Scores, pinball, scores
from prediction.learning.train import train

Floats = NDArray[np.float64]
Method = Callable[[list[Work], list[Work]], Floats]
FOLDS = 5
# Pinball losses relative to the constant that are aimed at, by the beginning of the model's name.
GOALS = {"fleet": (0.96, 0.97), "o3-mini": (0.93, 0.89), "gpt-4-0314": (0.92, 0.96)}
MDAPE_OF_SEEN = 0.23
_METHODS: tuple[tuple[str, Method], ...] = (
    ("constant", baselines.constant),
    ("rule of words", baselines.rule),
    ("group quantile", baselines.group_quantile),
    ("TF-IDF ridge", baselines.tfidf_ridge),
)


def learned(known: list[Work], asked: list[Work]) -> Floats:
    """What Butler forecasts."""
    forecaster = train(recordings.rows_of(known))
    found = forecaster.forecasts([(recordings.sketch(each.text), each.group) for each in asked])
    return np.array([each.quantiles[0, :2] for each in found])


def run(folder: Path, seeds: list[int], out: TextIO) -> None:
    """Print a table for the fleet and for each model of single answers."""
    _table("fleet, total tokens", recordings.fleet(folder), [], seeds, out, goal="fleet")
    work = recordings.answers(folder)
    for model in sorted({each.group.model for each in work}):
        own = [each for each in work if each.group.model == model]
        others = [each for each in work if each.group.model != model]
        seen = {each.text for each in others}
        shared = others if any(each.text in seen for each in own) else []
        _table(f"{model}, output tokens", own, shared, seeds, out, goal=model)


def _table(
    title: str, work: list[Work], others: list[Work], seeds: list[int], out: TextIO, *, goal: str
) -> None:
    print(f"\n{title} (n {len(work)})", file=out)  # noqa: T201
    names = "  ".join(f"{name:>6}" for name in Scores._fields)
    print(f"{'':>34} {names}", file=out)  # noqa: T201
    known_folds = [folds(work, seed) for seed in seeds]
    lines: list[tuple[str, Method, list[Work]]] = [(name, each, []) for name, each in _METHODS]
    lines.append(("learned", learned, []))
    if others:
        lines.append(("learned, text known on others", learned, others))
    for name, method, also in lines:
        measured = np.mean([_measured(method, work, also, fold) for fold in known_folds], axis=0)
        figures = "  ".join(f"{figure:>6.3f}" for figure in measured)
        print(f"{name:>34} {figures}", file=out, flush=True)  # noqa: T201
    if goal in GOALS or goal.startswith("o3-mini"):
        pin50, pin90 = GOALS["o3-mini" if goal.startswith("o3-mini") else goal]
        print(f"{'goal':>34} {pin50:>6.3f}  {pin90:>6.3f}  .88 to .92", file=out)  # noqa: T201
    if others:
        print(f"{'goal, text known on others':>34} {'':>24}{MDAPE_OF_SEEN:>6.3f}", file=out)  # noqa: T201


def folds(work: list[Work], seed: int) -> NDArray[np.int64]:
    """The fold of each piece of work; the same text is in one fold."""
    texts = sorted({each.text for each in work})
    random.Random(seed).shuffle(texts)  # noqa: S311 - the same each time
    fold = {text: place % FOLDS for place, text in enumerate(texts)}
    return np.array([fold[each.text] for each in work])


def _measured(
    method: Method, work: list[Work], others: list[Work], fold: NDArray[np.int64]
) -> Scores:
    real = baselines.tokens(work)
    forecast, plain = np.zeros((len(work), 2)), np.zeros((len(work), 2))
    for number in range(FOLDS):
        held_back = np.flatnonzero(fold == number)
        known = [each for each, own in zip(work, fold, strict=True) if own != number]
        asked = [work[place] for place in held_back]
        forecast[held_back] = method(known + others, asked)
        plain[held_back] = baselines.constant(known, asked)
    losses = pinball(real, plain[:, 0], 0.5), pinball(real, plain[:, 1], 0.9)
    return scores(real, forecast[:, 0], forecast[:, 1], losses)
