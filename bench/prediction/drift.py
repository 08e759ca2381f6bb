"""Coverage of P90 when answers change: calls of a chat service in order, as they were and with
answers that double half-way.

Each call's P90 is the quantile of its band of input among the first calls, moved by what was missed
since (`AdaptiveQuantile`), which knows only calls that have ended before.
"""

from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from bench.prediction import recordings
from prediction.learning.adaptive import AdaptiveQuantile
from prediction.learning.quantiles import conformal_quantile

Floats = NDArray[np.float64]
LEARNED = 2_000
ROLLING = 500
_BANDS = 5


def run(folder: Path, seeds: list[int], out: TextIO) -> None:
    """Print the coverage, and that of any 500 calls in a row, per band of input and in all."""
    del seeds
    calls = recordings.conversation(folder)
    doubled = calls.copy()
    doubled[len(calls) // 2 :, 1] *= 2
    print("\ndrift: coverage of P90 in order; goal .87 to .93 in any 500 calls", file=out)  # noqa: T201
    print(f"{'':>34} {'all':>6}  {'least':>6}  {'most':>6}  {'mean P90':>8}", file=out)  # noqa: T201
    for name, each in (("as it was", calls), ("answers double half-way", doubled)):
        for kind, adaptive in (("fixed", False), ("adaptive", True)):
            covered, allowed = followed(each[:, 0], each[:, 1], adaptive=adaptive)
            _line(f"{name}, {kind}", covered, allowed, out)
        band = bands(each[:, 0])[LEARNED:]
        for number in range(_BANDS):
            covered, allowed = followed(each[:, 0], each[:, 1], adaptive=True, by_band=True)
            own = band == number
            _line(f"adaptive, band {number + 1} of input", covered[own], allowed[own], out)


def _line(title: str, covered: Floats, allowed: Floats, out: TextIO) -> None:
    least, most = rolling(covered)
    figures = f"{covered.mean():>6.3f}  {least:>6.3f}  {most:>6.3f}  {allowed.mean():>8.0f}"
    print(f"{title:>34} {figures}", file=out, flush=True)  # noqa: T201


def rolling(covered: Floats) -> tuple[float, float]:
    """The least and the most coverage of ROLLING calls in a row."""
    sums = np.cumsum(np.concatenate([[0.0], covered]))
    means = (sums[ROLLING:] - sums[:-ROLLING]) / ROLLING
    return float(means.min()), float(means.max())


def bands(inputs: Floats) -> NDArray[np.int64]:
    """The band of each call by its input: fifths of the calls that are learned from."""
    edges = np.quantile(inputs[:LEARNED], np.linspace(0, 1, _BANDS + 1)[1:-1])
    return np.searchsorted(edges, inputs)


def followed(
    inputs: Floats, outputs: Floats, *, adaptive: bool, by_band: bool = False
) -> tuple[Floats, Floats]:
    """Whether P90 held, and P90, of each call after those that are learned from. `by_band`: each
    band follows its own misses, as each model does."""
    band = bands(inputs)
    logs = np.log(np.maximum(outputs, 1))
    fixed = [
        conformal_quantile(logs[:LEARNED][band[:LEARNED] == number], 0.9)
        for number in range(_BANDS)
    ]
    follower = [AdaptiveQuantile() for _ in range(_BANDS if by_band else 1)]
    for call in range(LEARNED - ROLLING, LEARNED):
        follower[band[call] % len(follower)].settle(float(logs[call] - fixed[band[call]]))
    covered, allowed = [], []
    for call in range(LEARNED, len(logs)):
        quantile = follower[band[call] % len(follower)]
        score = float(logs[call] - fixed[band[call]])
        shift = quantile.shift if adaptive else 0.0
        covered.append(float(score <= shift))
        allowed.append(float(np.exp(fixed[band[call]] + shift)))
        quantile.settle(score)
    return np.array(covered), np.array(allowed)
