"""What a plan is made of."""

from dataclasses import dataclass, replace

from prediction import services as prediction

# How much of the budget a sub-task gets, as a factor of its estimate.
WEIGHTS = {"low": 0.5, "medium": 1.0, "high": 1.5, "critical": 2.0}
ESTIMATE_MIN = 1_000
# The planner's own part, in the plan of a task whose parts a model is to find. No other may be
# called so.
PLANNING_KEY = "(plan)"
NAME_MAX = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A sub-task as planned: pure values, no row yet.

    `key` names it within its plan (`depends_on` holds such keys); `description` is what its
    sub-agent is told; `estimated_tokens` is what it will need, input and output. What is empty is
    decided later: `runner`, `model` and `provider` by the task.
    """

    key: str
    name: str
    description: str
    estimated_tokens: int = ESTIMATE_MIN
    priority: str = "medium"
    depends_on: tuple[str, ...] = ()
    runner: str = ""
    model: str = ""
    provider: str = ""
    needs_approval: bool = False

    def after(self, *keys: str) -> "Part":
        """The same part, waiting for these."""
        return replace(self, depends_on=keys)


def planning_part(description: str) -> Part:
    """The part in which a model makes the plan of `description`."""
    return Part(
        key=PLANNING_KEY,
        name="Plan the task",
        description=description,
        estimated_tokens=estimate_of(description),
    )


def estimate_of(text: str) -> int:
    """Tokens for the work that `text` describes: its words / 0.75, and at least ESTIMATE_MIN."""
    # ⌈words × 4 / 3⌉ without fractions.
    return max(-(-prediction.count_words(text) * 4 // 3), ESTIMATE_MIN)


def short_name(text: str) -> str:
    """The first words of `text`, on one line of at most NAME_MAX characters."""
    # White space may be long; four times the name is enough to look at in any other case.
    words = " ".join(text.lstrip()[: 4 * NAME_MAX].split())
    if len(words) <= NAME_MAX:
        return words
    kept, _, _ = words[:NAME_MAX].rpartition(" ")
    return f"{(kept or words[: NAME_MAX - 1])[: NAME_MAX - 1].rstrip(' ,;:')}…"
