"""Quantiles that follow drift: adaptive conformal inference on settled work, in order.

    share ← share + γ (0.9 − covered)

A forecast that misses raises the share of the window's quantile that is taken, one that holds
lowers it, so that P90 covers 90 of 100 also after a model has changed its ways.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

GAMMA = 0.02
WINDOW = 500
# With fewer scores the quantile of the window says nothing.
SCORES_MIN = 30


@dataclass
class AdaptiveQuantile:
    """Follows the scores of one model: by how much (logarithm) the work exceeded its P90.

    `shift`: what to add to the logarithm of P90 now. Scores come in the order of settlement.
    """

    share: float = 0.9
    gamma: float = GAMMA
    aimed: float = 0.9
    scores: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))

    @property
    def shift(self) -> float:
        """By how much the logarithm of P90 is moved."""
        if len(self.scores) < SCORES_MIN:
            return 0.0
        if self.share >= 1:
            # More than all of them: beyond the largest by what is lacking.
            return max(self.scores) + (self.share - 1)
        return float(np.quantile(self.scores, max(self.share, 0.0), method="higher"))

    def settle(self, score: float) -> bool:
        """Take note of one settled piece of work; returns whether its P90 held."""
        covered = score <= self.shift
        if len(self.scores) >= SCORES_MIN:
            moved = self.share + self.gamma * (self.aimed - covered)
            self.share = min(max(moved, 0.5), 1.5)
        self.scores.append(score)
        return covered
