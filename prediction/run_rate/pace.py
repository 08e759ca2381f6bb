"""How fast something is used: the better of two forecasters on the past, and how sure it is.

    hour_class   the median of the same weekday and hour in the four weeks before
    last_hour    the last hour × the hours ahead

Both are asked at past moments what was to come; the one that missed by less is taken, for a day
ahead and for longer by themselves. How sure it is follows from the same past days: by which share
of what was expected at this hour more or less came, in a day and in six days. Stretches of six
days are taken as they were: a busy week is busy on each of its days.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from prediction.run_rate.draws import SHARES

Floats = NDArray[np.float64]
Method = Literal["hour_class", "last_hour"]

# How many days of usage are looked at, the running one included.
HISTORY_DAYS = 57
# Complete days since the first usage: before that, nothing says how sure a pace is.
DAYS_MIN = 8
# Days before the first one for which there is a median: two of each weekday.
_CLASS_DAYS = 14
_WEEKS = 4
# So many of the newest days judge the forecasters and say how sure they are.
_JUDGED_DAYS = 42
_DAY_HOURS = 24
# Six days: the median of the hours of a seventh would know something of what it is to expect.
_LONG_HOURS = 144
_ORIGINS_MIN = 7 * _DAY_HOURS
# For so many days ahead the shares are kept; between them they change evenly.
DAYS_AHEAD = (1, 6)
# The least that a share is of: so much of a usual day, where next to nothing is expected.
SHARE_OF_DAY_MIN = 0.1
# With fewer days, nothing says how alike they are; and no more than so much is believed.
_ORDER_DAYS_MIN = 14
_FOLLOWS_MAX = 0.7
_FREE_MIN = 4.0


@dataclass(frozen=True, slots=True)
class Outlook:
    """A forecaster, and by which share of what it expects of so many days ahead it may be off.

    `missed`: by how much each forecaster missed on the past, as a part of a usual day and per day.
    `low`, `mid`, `high`: for each of DAYS_AHEAD; between `low` and `high` four times in five.
    """

    method: Method
    missed: dict[str, float]
    low: list[float]
    mid: list[float]
    high: list[float]


@dataclass(frozen=True, slots=True)
class Pace:
    """What was learned of the usage of one scope in one unit.

    `usual_day`: the mean of the last six weeks. `week`: what is expected of each hour of a week,
    from the start of the day on which it was learned; empty without two weeks of usage.
    `last_hour`: of when it was learned. `day`: for a day ahead, `long`: for longer.
    """

    usual_day: float
    week: list[float]
    last_hour: float
    day: Outlook
    long: Outlook

    def as_json(self) -> dict[str, Any]:
        """The pace as `from_json` reads it."""
        return asdict(self)


def from_json(data: Mapping[str, Any]) -> Pace:
    """The pace that `Pace.as_json` wrote."""
    return Pace(**{**data, "day": Outlook(**data["day"]), "long": Outlook(**data["long"])})


def learn(used: Floats, *, hour: int) -> Pace | None:
    """The pace of a usage by day and hour (`days × 24`), of which the last day runs and is at
    `hour`. None before there were DAYS_MIN complete days since the first with usage."""
    today = used.shape[0] - 1
    active = np.flatnonzero(used[:today].sum(axis=1))
    if not active.size or today - active[0] < DAYS_MIN:
        return None
    first, now = int(active[0]), today * _DAY_HOURS + hour
    since = max(first, today - _JUDGED_DAYS)
    usual = float(used[since:today].sum() / (today - since))
    if usual <= 0:
        return None
    flat = used.reshape(-1).copy()
    flat[now:] = 0
    past = _Past(flat, _medians(used, first=first, today=today), usual=usual, first=first, now=now)
    week = past.medians[today : today + 7].reshape(-1)
    known = today - first >= _CLASS_DAYS
    return Pace(
        usual_day=usual,
        week=[round(float(each), 9) for each in week] if known else [],
        last_hour=float(flat[now - 1]),
        day=past.outlook(_DAY_HOURS),
        long=past.outlook(_LONG_HOURS),
    )


def _medians(used: Floats, *, first: int, today: int) -> Floats:
    """What is expected of each hour of each day, and of the six days after the last one."""
    known = used.copy()
    known[:first] = np.nan
    known[today] = np.nan
    days = today + 7
    before = np.full((_WEEKS, days, _DAY_HOURS), np.nan)
    for week in range(1, _WEEKS + 1):
        whole = known[: days - 7 * week]
        before[week - 1, 7 * week : 7 * week + len(whole)] = whole
    seen = ~np.isnan(before).all(axis=(0, 2))
    medians = np.zeros((days, _DAY_HOURS))
    medians[seen] = np.nanmedian(before[:, seen], axis=0)
    return medians


@dataclass(frozen=True, slots=True)
class _Past:
    """Usage by hour until `now`, and what was expected of each hour."""

    flat: Floats
    medians: Floats
    usual: float
    first: int
    now: int

    def outlook(self, hours: int) -> Outlook:
        """The better forecaster for so many hours ahead, and how sure it is."""
        missed = self._missed(hours)
        by_class = "hour_class" in missed and missed["hour_class"] <= missed["last_hour"]
        method: Method = "hour_class" if by_class else "last_hour"
        alike = days_alike(self._shares(method, _DAY_HOURS))
        ends = [self._ends(method, each, alike) for each in (_DAY_HOURS, _LONG_HOURS)]
        low, mid, high = ([round(float(each), 6) for each in row] for row in np.array(ends).T)
        return Outlook(method, missed, low, mid, high)

    def _ends(self, method: Method, hours: int, alike: float) -> Floats:
        """The low end, the middle and the high end of the shares of so many hours.

        Stretches overlap, and days in a row are alike: what they say is that of fewer stretches,
        and the ends of so few are drawn out as Student's law has it.
        """
        shares = self._shares(method, hours)
        if not shares.size:
            return self._ends(method, _DAY_HOURS, alike)
        ends = np.quantile(shares, SHARES, method="weibull")
        stretches = shares.size / (hours / _DAY_HOURS + alike - 1)
        return np.asarray(ends[1] + (ends - ends[1]) * drawn_out(stretches))

    def _missed(self, hours: int) -> dict[str, float]:
        """The mean miss of each forecaster, as a part of a usual day and per day ahead."""
        origins = self._origins(hours, first=self.first + _CLASS_DAYS)
        methods: tuple[Method, ...] = ("hour_class", "last_hour")
        if origins.size < _ORIGINS_MIN:
            origins, methods = self._origins(hours, first=self.first + 1), ("last_hour",)
        if not origins.size:
            return {}
        whole = self.usual * hours / _DAY_HOURS
        actual = _sums(self.flat, origins, hours)
        return {
            method: round(
                float(np.abs(actual - self._expected(method, origins, hours)).mean() / whole), 4
            )
            for method in methods
        }

    def _origins(self, hours: int, *, first: int) -> NDArray[np.int64]:
        """The hours of the past after which so many are known."""
        day = max(first, self.now // _DAY_HOURS - _JUDGED_DAYS)
        return np.arange(max(day * _DAY_HOURS, 1), self.now - hours + 1)

    def _expected(self, method: Method, origins: NDArray[np.int64], hours: int) -> Floats:
        if method == "last_hour":
            return np.asarray(self.flat[origins - 1] * hours)
        return _sums(self.medians.reshape(-1), origins, hours)

    def _shares(self, method: Method, hours: int) -> Floats:
        """By which share of what was expected at this hour of each past day more came."""
        first = self.first + (_CLASS_DAYS if method == "hour_class" else 1)
        origins = self._origins(hours, first=first)
        same = origins[origins % _DAY_HOURS == self.now % _DAY_HOURS]
        expected = self._expected(method, same, hours)
        least = SHARE_OF_DAY_MIN * self.usual * hours / _DAY_HOURS
        more = _sums(self.flat, same, hours) - expected
        return np.asarray(more / np.maximum(expected, least))


def days_alike(shares: Floats) -> float:
    """How many days in a row count as one: 1 if a day says nothing of the next one."""
    if shares.size < _ORDER_DAYS_MIN or not (spread := shares.std()):
        return 1.0
    # By ranks: one extreme day would decide.
    ranks = np.argsort(np.argsort(shares)).astype(float)
    follows = float(np.corrcoef(ranks[:-1], ranks[1:])[0, 1]) if spread else 0.0
    follows = min(max(follows, 0.0), _FOLLOWS_MAX)
    return (1 + follows) / (1 - follows)


def drawn_out(stretches: float) -> float:
    """By how much an interval of a few stretches is wider than one of many: the 90th percentile of
    Student's law for one stretch more, in units of a normal law's."""
    free = max(stretches - 1, _FREE_MIN)
    # The expansion of Student's quantile by Cornish and Fisher, for 1.2816.
    student = 1.2816 + 0.8467 / free + 0.5709 / free**2
    return float(student * np.sqrt(1 + 1 / (free + 1)) / 1.2816)


def _sums(hours: Floats, starts: NDArray[np.int64], length: int) -> Floats:
    total = np.concatenate([[0.0], np.cumsum(hours)])
    return np.asarray(total[starts + length] - total[starts])
