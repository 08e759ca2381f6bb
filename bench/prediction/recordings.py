"""The recorded work: JSON lines of texts with the tokens they took, and CSV of calls in order.

prediction/agent_fleet_tasks.jsonl.gz       task_text, agent, model, api_calls, … per run
prediction/single_turn_arena_hard.jsonl.gz  prompt, model, output tokens per answer
traces/azure2023_conv.csv.gz                t_s, input_tokens, output_tokens per call
traces/agent_fleet_calls.csv.gz             instance_id, step, … tokens per call
"""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from prediction.estimate import estimate
from prediction.learning.rows import Group, Rows
from prediction.learning.sketch import sketch_of
from prediction.learning.terms import Sketch
from prediction.learning.vocabulary import Hasher

Floats = NDArray[np.float64]
# The recordings are public, so their sketches need no secret.
_HASHER = Hasher(b"bench")
_SKETCHES: dict[str, Sketch] = {}


class Work(NamedTuple):
    """A recorded piece of work. `values`: tokens, calls, input, output, reasoning."""

    text: str
    group: Group
    values: tuple[float, ...]


class RecordingsMissing(Exception):
    """The folder does not have what is needed."""


def fleet(folder: Path) -> list[Work]:
    """Runs of a coding agent; the kind of work is the repository."""
    return list(fleet_by_run(folder).values())


def fleet_by_run(folder: Path) -> dict[str, Work]:
    """The same by the name of the run, under which `fleet_calls` has its calls."""
    return {
        line["instance_id"]: Work(
            line["task_text"],
            Group(line["model"], line["agent"], line["instance_id"].split("__")[0]),
            (
                line["prompt_tokens"] + line["completion_tokens"],
                line["api_calls"],
                line["prompt_tokens"],
                line["completion_tokens"],
                line["reasoning_tokens"],
            ),
        )
        for line in _lines(folder / "prediction" / "agent_fleet_tasks.jsonl.gz")
    }


def answers(folder: Path) -> list[Work]:
    """Single answers of several models; what is forecast is the output, and the kind of work is the
    category of the prompt."""
    return [
        Work(
            line["prompt"],
            Group(line["model"], "", line["category"]),
            (
                line["output_tokens_o200k"],
                1,
                line["prompt_tokens_o200k"],
                line["output_tokens_o200k"],
                0,
            ),
        )
        for line in _lines(folder / "prediction" / "single_turn_arena_hard.jsonl.gz")
    ]


def conversation(folder: Path) -> Floats:
    """Calls of a chat service in order: input and output tokens."""
    found = _table(folder / "traces" / "azure2023_conv.csv.gz")
    return np.array([[float(row["input_tokens"]), float(row["output_tokens"])] for row in found])


class Call(NamedTuple):
    """A recorded call of a run: when it began (Unix time), and its tokens."""

    run: str
    step: int
    at: float
    input: int
    output: int


def fleet_calls(folder: Path) -> list[Call]:
    """The calls of the fleet's runs in order of time."""
    calls = [
        Call(
            row["instance_id"],
            int(row["step"]),
            float(row["created_unix"]),
            int(row["prompt_tokens"]),
            int(row["completion_tokens"]),
        )
        for row in _table(folder / "traces" / "agent_fleet_calls.csv.gz")
    ]
    return sorted(calls, key=lambda call: (call.at, call.run, call.step))


def sketch(text: str) -> Sketch:
    """The sketch of a text, made once."""
    if text not in _SKETCHES:
        _SKETCHES[text] = sketch_of(text, _HASHER)
    return _SKETCHES[text]


def rows_of(work: list[Work], censored: NDArray[np.bool_] | None = None) -> Rows:
    """Rows to learn from, in the order of `work`."""
    texts = list(dict.fromkeys(each.text for each in work))
    groups = list(dict.fromkeys(each.group for each in work))
    text_at = {text: place for place, text in enumerate(texts)}
    group_at = {group: place for place, group in enumerate(groups)}
    return Rows(
        values=np.array([each.values for each in work], float),
        groups=groups,
        group=np.array([group_at[each.group] for each in work]),
        sketches=[sketch(text) for text in texts],
        text=np.array([text_at[each.text] for each in work]),
        censored=np.zeros(len(work), bool) if censored is None else censored,
        rule=np.array([float(estimate(each.text).estimated) for each in work]),
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with _opened(path) as file:
        yield from map(json.loads, file)


def _table(path: Path) -> Iterator[dict[str, str]]:
    with _opened(path) as file:
        yield from csv.DictReader(file)


def _opened(path: Path) -> Any:
    if not path.exists():
        raise RecordingsMissing(
            f"{path} does not exist. Name the folder that has `prediction/` and `traces/` by "
            "--data or BUTLER_BENCH_DATA; docs/prediction.md says what the files have."
        )
    return gzip.open(path, "rt", encoding="utf-8")
