"""The parts of a plan, with their estimates and names."""

from typing import NamedTuple

from prediction import services as prediction

# The share of the budget that a priority gives to a sub-task, as a factor of its estimate.
WEIGHTS = {"low": 0.5, "medium": 1.0, "high": 1.5, "critical": 2.0}
ESTIMATE_MIN = 1_000
# The key of the planning step, in which a model plans the task. No other part may have it.
PLANNING_KEY = "(plan)"
NAME_MAX = 80


class Part(NamedTuple):
    """A planned sub-task, which is not stored yet.

    `key`: its name within the plan; `depends_on` has the keys of other parts. `description`: the
    work for its sub-agent. `estimated_tokens`: input and output that it will need. Empty `runner`,
    `model` and `provider`: those of the task. `if_dependency_fails`: fail, skip or run.
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
    if_dependency_fails: str = "fail"

    def after(self, *keys: str) -> "Part":
        """The same part, which depends on the parts with these keys."""
        return self._replace(depends_on=keys)


def planning_part(description: str) -> Part:
    """The planning step, in which a model plans the work that `description` describes."""
    return Part(
        key=PLANNING_KEY,
        name="Plan the task",
        description=description,
        estimated_tokens=estimate_of(description),
    )


def estimate_of(text: str) -> int:
    """Estimated tokens for the described work: number of words / 0.75, at least ESTIMATE_MIN."""
    # ⌈words × 4 / 3⌉ without fractions.
    return max(-(-prediction.count_words(text) * 4 // 3), ESTIMATE_MIN)


def short_name(text: str) -> str:
    """The first words of `text`, on one line of at most NAME_MAX characters."""
    text = text.lstrip()
    words = " ".join(text[: NAME_MAX + 1].split())
    if len(words) <= NAME_MAX < len(text):
        # Four times the length leaves enough text when runs of white space become one space.
        words = " ".join(text[: 4 * NAME_MAX].split())
    if len(words) <= NAME_MAX:
        return words
    kept, _, _ = words[:NAME_MAX].rpartition(" ")
    return f"{(kept or words[: NAME_MAX - 1])[: NAME_MAX - 1].rstrip(' ,;:')}…"
