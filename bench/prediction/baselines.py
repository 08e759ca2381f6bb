"""What forecasts are compared with. Each gives P50 and P90 of `asked`, learned from `known`."""

import numpy as np
from numpy.typing import NDArray

from bench.prediction.recordings import Work, sketch
from prediction.estimate import estimate
from prediction.learning.quantiles import conformal_quantile
from prediction.learning.text_index import TextIndex

Floats = NDArray[np.float64]
_SHARES = (0.5, 0.9)


def constant(known: list[Work], asked: list[Work]) -> Floats:
    """The median and the P90 of all known work."""
    real = tokens(known)
    return np.tile([float(np.median(real)), conformal_quantile(real, 0.9)], (len(asked), 1))


def rule(known: list[Work], asked: list[Work]) -> Floats:
    """The rule of words as it is."""
    del known
    return np.array([[float(estimate(each.text).estimated)] * 2 for each in asked])


def group_quantile(known: list[Work], asked: list[Work]) -> Floats:
    """Quantiles of the same kind of work, n / (n + 20) beside those of all."""
    logs = np.log(tokens(known))
    every = np.array([conformal_quantile(logs, share) for share in _SHARES])
    found = {}
    for group in {each.group for each in known}:
        own = np.array([log for log, each in zip(logs, known, strict=True) if each.group == group])
        weight = len(own) / (len(own) + 20)
        quantiles = np.array([conformal_quantile(own, share) for share in _SHARES])
        found[group] = weight * quantiles + (1 - weight) * every
    return np.exp([found.get(each.group, every) for each in asked])


def tfidf_ridge(known: list[Work], asked: list[Work]) -> Floats:
    """Ridge of words and pairs on the logarithm, with conformal quantiles of what it misses of a
    text that it has not learned."""
    index = TextIndex.of([sketch(each.text).terms for each in known])
    logs = np.log(tokens(known))
    similar = index.similarities(index.query([sketch(each.text).terms for each in known]))
    inverse = np.linalg.inv(similar + np.eye(len(known)))
    duals = inverse @ (logs - logs.mean())
    missed = duals / np.diag(inverse)
    asked_similar = index.similarities(index.query([sketch(each.text).terms for each in asked]))
    centre = logs.mean() + asked_similar @ duals
    found: Floats = np.exp(
        np.stack([centre + conformal_quantile(missed, share) for share in _SHARES], axis=1)
    )
    return found


def tokens(work: list[Work]) -> Floats:
    """What is forecast of each piece of work."""
    return np.array([each.values[0] for each in work], float)
