"""Anomalies that are planted in the fleet's calls: how many are found, how fast, and how often
there is an alarm without one.

The recorded runs are played again for 13 weeks, each by the agent of its repository, as many as
there are at that hour and on that day. Of these, 5 weeks are history. Then 50 anomalies are planted
into the others, one at a time: 10 each of spike, creep, loop, stuck and storm.
"""

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from bench.prediction import recordings
from prediction.anomalies import calls as sessions
from prediction.anomalies import series

Floats = NDArray[np.float64]
WEEKS, HISTORY_WEEKS = 13, 5
EACH = 10
# Every five minutes calls are looked at.
_TICK = 300.0
_DAY_HOURS, _WEEK_HOURS = 24, 168
_AGENTS = 8
# Per token, in and out.
_IN, _OUT = 1.25e-6, 1e-5
_LEAST_USD = 1.0
_COOL_OFF_HOURS = 6
_SHAPE = np.array([0.2] * 7 + [1, 2, 4, 5, 5, 4, 5, 5, 4, 3, 2, 1] + [0.5] * 5)


class Agent(NamedTuple):
    """An agent's usage by hour, the recorded runs it does, and how often each was done."""

    name: str
    hours: Floats
    failed: NDArray[np.int64]
    runs: list[list[sessions.Call]]
    played: NDArray[np.int64]


class Found(NamedTuple):
    """Whether a planted anomaly was found, and after how many hours."""

    kind: str
    hours: float | None


def run(folder: Path, seeds: list[int], out: TextIO) -> None:
    """Print what is found of what is planted, and the alarms of a week without any."""
    print("\nanomalies: 50 planted; goal 45 found, at most one false alarm a week", file=out)  # noqa: T201
    for seed in seeds:
        chance = np.random.default_rng(seed)
        fleet = agents(folder, chance)
        found = [each for kind in KINDS for each in planted(kind, fleet, chance)]
        alarms = false_alarms(fleet)
        print(f"  seed {seed}", file=out)  # noqa: T201
        for kind in KINDS:
            own = [each.hours for each in found if each.kind == kind]
            hours = [each for each in own if each is not None]
            took = f"{np.median(hours):>7.2f} h  {max(hours):>7.2f} h" if hours else ""
            print(f"{kind:>10} found {len(hours):>2} of {len(own)}  median, most {took}", file=out)  # noqa: T201
        total = sum(each.hours is not None for each in found)
        rate = sum(alarms.values()) / (WEEKS - HISTORY_WEEKS)
        print(  # noqa: T201
            f"{'all':>10} found {total} of {len(found)}; false alarms a week: {rate:.2f} "
            f"({', '.join(f'{kind} {count}' for kind, count in alarms.items())})",
            file=out,
            flush=True,
        )


def agents(folder: Path, chance: np.random.Generator) -> list[Agent]:
    """The agents with their usage of all weeks."""
    runs: dict[str, list[list[sessions.Call]]] = defaultdict(list)
    by_run: dict[str, list[sessions.Call]] = defaultdict(list)
    for call in recordings.fleet_calls(folder):
        by_run[call.run].append(sessions.Call(call.at, "model", call.input, call.output))
    for name, recorded in by_run.items():
        runs[name.split("__")[0]].append(recorded)
    largest = sorted(runs, key=lambda name: -len(runs[name]))[:_AGENTS]
    return [agent_of(name, runs[name], chance) for name in largest]


def agent_of(name: str, runs: list[list[sessions.Call]], chance: np.random.Generator) -> Agent:
    """An agent that does these runs, as many as there are at each hour of its weeks."""
    days = WEEKS * 7
    level = np.array([1, 1.1, 1.1, 1.1, 0.9, 0.15, 0.1])[np.arange(days) % 7]
    level = level * chance.lognormal(0, 0.25, days)
    often = chance.poisson(0.5 * len(runs) * level[:, None] * _SHAPE / _SHAPE.sum())
    cost = np.array([_cost(each) for each in runs])
    size = np.array([len(each) for each in runs])
    hours, failed = np.zeros(days * _DAY_HOURS), np.zeros(days * _DAY_HOURS * 2, int)
    played = np.zeros(len(runs), int)
    for hour, count in enumerate(often.reshape(-1)):
        which = chance.integers(0, len(runs), count)
        hours[hour] = cost[which].sum()
        if hour >= HISTORY_WEEKS * _WEEK_HOURS:
            np.add.at(played, which, 1)
        # Two calls of a hundred come to nothing, in one half hour or the other.
        failed[2 * hour : 2 * hour + 2] = chance.poisson(0.01 * size[which].sum(), 2)
    return Agent(name, hours, failed, runs, played)


def _cost(calls: list[sessions.Call]) -> float:
    return sum(each.input_tokens * _IN + each.output_tokens * _OUT for each in calls)


def spikes(hours: Floats, first: int, until: int) -> list[int]:
    """The hours at whose end a spike is told."""
    found: list[int] = []
    for hour in range(first, until):
        if found and hour - found[-1] <= _COOL_OFF_HOURS:
            continue
        if series.spike(hours[hour - series.SPIKE_HOURS + 1 : hour + 1], least=_LEAST_USD):
            found.append(hour)
    return found


def creeps(hours: Floats, first: int, until: int) -> list[int]:
    """The days at whose end creep is told, once in two weeks."""
    days = hours.reshape(-1, _DAY_HOURS).sum(axis=1)
    weekend = np.arange(days.size) % 7 >= 5
    found: list[int] = []
    for day in range(max(first, series.CREEP_DAYS - 1), until):
        if found and day - found[-1] < 14:
            continue
        span = slice(day - series.CREEP_DAYS + 1, day + 1)
        if series.creep(days[span], weekend[span], least=_LEAST_USD):
            found.append(day)
    return found


def storms(failed: NDArray[np.int64], calls: int, first: int, until: int) -> list[int]:
    """The half hours at whose end a storm is told."""
    week = 2 * _WEEK_HOURS
    return [
        half
        for half in range(first, until)
        if sessions.is_storm(int(failed[half]), calls, int(failed[half - week : half].max()))
    ]


def told_of_loop(calls: list[sessions.Call], since: float) -> float | None:
    """At which look, every five minutes since a moment, a loop is seen."""
    for look in np.arange(since + _TICK, calls[-1].at + 2 * _TICK, _TICK):
        if sessions.loop([each for each in calls if look - 900 < each.at <= look]):
            return float(look)
    return None


def told_of_stuck(calls: list[sessions.Call], until: float, after: float) -> float | None:
    """At which look until a moment a session is seen that waits for too long."""
    moments = [each.at for each in calls] + [until]
    for before, following in zip(moments, moments[1:], strict=False):
        if following - before > after:
            return float(before + after + _TICK / 2)
    return None


def gaps_of(agent: Agent) -> list[float]:
    """The gaps between the calls of the agent's runs."""
    return [
        after.at - before.at
        for run in agent.runs
        for before, after in zip(run, run[1:], strict=False)
    ]


def false_alarms(fleet: list[Agent]) -> dict[str, int]:
    """The alarms of each kind in all weeks after the history, without anything planted."""
    first, until = HISTORY_WEEKS * _WEEK_HOURS, WEEKS * _WEEK_HOURS
    found = dict.fromkeys(KINDS, 0)
    for agent in fleet:
        after = sessions.stuck_after(gaps_of(agent))
        found["spike"] += len(spikes(agent.hours, first, until))
        found["creep"] += len(creeps(agent.hours, first // 24, until // 24))
        found["storm"] += len(storms(agent.failed, 0, 2 * first, 2 * until))
        for run, often in zip(agent.runs, agent.played, strict=True):
            found["loop"] += int(often) * (told_of_loop(run, run[0].at) is not None)
            found["stuck"] += int(often) * (told_of_stuck(run, run[-1].at, after) is not None)
    return found


def planted(kind: str, fleet: list[Agent], chance: np.random.Generator) -> list[Found]:
    """EACH anomalies of a kind, in agents and at moments by chance, and whether each is found."""
    return [
        Found(kind, KINDS[kind](fleet[chance.integers(len(fleet))], chance)) for _ in range(EACH)
    ]


def _moment(chance: np.random.Generator) -> int:
    """An hour at work, in the first weeks after the history."""
    day = chance.integers(HISTORY_WEEKS * 7, (HISTORY_WEEKS + 3) * 7)
    return int(day - day % 7 + day % 5) * _DAY_HOURS + int(chance.integers(8, 18))


def _spike(agent: Agent, chance: np.random.Generator) -> float | None:
    """Two to four hours, each 6 to 25 times the mean hour at work on top."""
    start, hours = _moment(chance), agent.hours.copy()
    length = int(chance.integers(2, 5))
    at_work = float(hours[hours > 0].mean())
    hours[start : start + length] += np.maximum(chance.uniform(6, 25, length) * at_work, 2)
    found = list(spikes(hours, start, start + length + 1))
    return found[0] + 1 - start if found else None


def _creep(agent: Agent, chance: np.random.Generator) -> float | None:
    """Each day 4 to 8 % more than the day before, for four weeks."""
    start, days = _moment(chance) // _DAY_HOURS, agent.hours.reshape(-1, _DAY_HOURS).copy()
    more = np.minimum((1 + chance.uniform(0.04, 0.08)) ** np.arange(1, 29), 3.0)
    days[start : start + 28] *= more[:, None]
    found = creeps(days.reshape(-1), start, min(start + 28, WEEKS * 7))
    return (found[0] + 1 - start) * 24.0 if found else None


def _loop(agent: Agent, chance: np.random.Generator) -> float | None:
    """The same call, or one that grows by the same, every 3 to 30 s for half an hour."""
    run = agent.runs[chance.integers(len(agent.runs))]
    calls = list(run[: chance.integers(1, len(run)) + 1])
    last, pause = calls[-1], chance.uniform(3, 30)
    step = int(chance.integers(2) * chance.integers(50, 2_000))
    for number in range(1, int(1_800 / pause)):
        output = int(last.output_tokens * chance.uniform(0.9, 1.1))
        tokens = last.input_tokens + step * number
        calls.append(sessions.Call(last.at + number * pause, "model", tokens, output))
    found = told_of_loop(calls, last.at - chance.uniform(0, _TICK))
    return None if found is None else (found - last.at) / 3600


def _stuck(agent: Agent, chance: np.random.Generator) -> float | None:
    """A run that stops in the middle of a call, for two hours."""
    run = agent.runs[chance.integers(len(agent.runs))]
    calls = run[: chance.integers(1, len(run)) + 1]
    until, after = calls[-1].at + 7_200, sessions.stuck_after(gaps_of(agent))
    found = told_of_stuck(calls, until, after)
    return None if found is None else (found - calls[-1].at) / 3600


def _storm(agent: Agent, chance: np.random.Generator) -> float | None:
    """30 to 200 calls that come to nothing in half an hour, while hardly one is answered."""
    half, failed = 2 * _moment(chance), agent.failed.copy()
    more = int(chance.integers(30, 200))
    failed[half] += more
    found = storms(failed, int(more * chance.uniform(0, 0.5)), half, half + 1)
    return 0.5 if found else None


KINDS = {"spike": _spike, "creep": _creep, "loop": _loop, "stuck": _stuck, "storm": _storm}
