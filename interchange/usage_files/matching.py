"""Find the API key, the agent and the cost centre of each row, and make sessions of the rows."""

import difflib
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from interchange.usage_files.dates import When
from interchange.usage_files.reading import RowNames, UsageRow, Wrong
from keys import services as keys
from keys.models import Agent, ApiKey, Charge, CostCentre, Price, ServedModel
from keys.refusals import WrongValue
from security.redact import redact

_SESSION = "imported-"
_NOON = timedelta(hours=12)


@dataclass(frozen=True, kw_only=True)
class UsageNames:
    """What the names of a file are called in Butler; the name for rows without one is by "".

    `api_keys` are also by providers.
    """

    api_keys: Mapping[str, str] = field(default_factory=dict)
    agents: Mapping[str, str] = field(default_factory=dict)
    cost_centres: Mapping[str, str] = field(default_factory=dict)


class MatchedRow(NamedTuple):
    """A row, and what it is about in Butler: counted `at` a moment, at a `cost` in USD.

    A blank cost centre is that of the agent.
    """

    row: UsageRow
    session_id: str
    agent: str
    key_id: str
    cost_centre: str
    at: datetime
    cost: Decimal

    def session(self, *, file: str) -> keys.PastSession:
        """The session that the row becomes."""
        row, tokens = self.row, self.row.usage.tokens
        kind = keys.CallKind(
            model=row.names.model,
            usage=row.usage,
            held_tokens=tokens,
            basis=Charge.Basis.IMPORTED,
            cost=self.cost,
            route="",
        )
        return keys.PastSession(
            session_id=self.session_id,
            agent=self.agent,
            key_id=self.key_id,
            cost_centre=self.cost_centre,
            label=row.names.label,
            status_reason=f"imported from {file}, {row.where.lower()}"[:300],
            # The same row has the same, in any file.
            origin={"figures": _digest(_figures(row))[:16]},
            allocated=max(tokens, 1),
            created_at=self.at,
            closed_at=self.at,
            calls=[keys.PastCall(kind, self.at, self.at)],
        )


class Matches(NamedTuple):
    """The rows that can be imported, and those that cannot."""

    matched: list[MatchedRow]
    wrong: list[Wrong]


def names_of(assignments: Iterable[str]) -> dict[str, str]:
    """The mapping of `writer=agent-1`, or of `agent-1` alone for rows without a name."""
    parts = (each.rpartition("=") for each in assignments)
    return {known.strip(): name.strip() for known, _, name in parts}


def match(rows: Sequence[UsageRow], *, names: UsageNames, now: datetime) -> Matches:
    """What the rows are about. A row is the same session each time it is read, in any file, with
    the same id, or with the same date, key, provider, model, agent, cost centre and label."""
    finder = _Finder(names)
    matched, wrong = [], []
    for number, session_id, row in _numbered(rows):
        if number > 1 and row.names.id:
            wrong.append(Wrong(row.where, redact(f"Another row has the id {row.names.id}, too.")))
            continue
        try:
            matched.append(finder.match(row, session_id=session_id, now=now))
        except WrongValue as refusal:
            # A secret may be where a name should be.
            wrong.append(Wrong(row.where, redact(refusal.detail)))
    return Matches(matched, wrong)


def _numbered(rows: Sequence[UsageRow]) -> Iterator[tuple[int, str, UsageRow]]:
    """Each row with its number and its session. Rows of one date that have the same names are
    numbered by their figures, so that their order in the file does not matter."""
    alike = defaultdict(list)
    for row in rows:
        alike[_identity(row)].append(row)
    for identity, group in alike.items():
        for number, row in enumerate(sorted(group, key=_figures), 1):
            yield number, f"{_SESSION}{_digest(identity)[:32]}-{number}", row


def _identity(row: UsageRow) -> tuple[str, ...]:
    if row_id := row.names.id:
        return ("id", row_id)
    return (row.when.name, *row.names)


def _figures(row: UsageRow) -> tuple[str, ...]:
    cost = "" if row.cost is None else f"{row.cost:f}"
    return (*map(str, row.usage.as_columns().values()), cost)


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _not_later(when: When, now: datetime) -> datetime:
    """The moment at which the row counts: a day that has begun counts as of now at the latest."""
    if (when.at - _NOON if when.is_day else when.at) > now:
        raise WrongValue(f"{when.name} is in the future.", field="date")
    return min(when.at, now)


class _Known:
    """Rows of one kind by their slugs, with what the file calls them."""

    def __init__(
        self, what: str, option: str, names: Mapping[str, str], known: Mapping[str, str]
    ) -> None:
        self._what, self._option, self._names, self._known = what, option, names, known
        titles = Counter(title.casefold() for title in known.values())
        self._by_title = {
            title.casefold(): slug for slug, title in known.items() if titles[title.casefold()] == 1
        }

    def find(self, name: str) -> str:
        """The slug of what the file calls `name`; blank: that of rows without a name, or blank.

        Refusals: WrongValue, which asks.
        """
        slug = self._names.get(name)
        if slug is None:
            slug = name if name in self._known else self._by_title.get(name.casefold(), name)
        if slug and slug not in self._known:
            raise WrongValue(self._asks(slug), field=self._option)
        return slug

    def _asks(self, name: str) -> str:
        close = difflib.get_close_matches(name, self._known, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        return (
            f"There is no {self._what} {name}.{hint} Add it, or say what it is called in Butler: "
            f"--{self._option} {name}=NAME."
        )


class _Finder:
    """What there is in Butler, read once."""

    def __init__(self, names: UsageNames) -> None:
        self._keys_of_provider = defaultdict(list)
        api_keys = dict(ApiKey.objects.order_by("pk").values_list("pk", "provider_id"))
        for slug, provider in api_keys.items():
            self._keys_of_provider[provider].append(slug)
        self._named_keys = names.api_keys
        self._api_keys = _Known("API key", "key", names.api_keys, {slug: slug for slug in api_keys})
        agents, centres = (
            dict(model.objects.values_list("pk", "name")) for model in (Agent, CostCentre)
        )
        self._agents = _Known("agent", "agent", names.agents, agents)
        self._centres = _Known("cost centre", "centre", names.cost_centres, centres)
        served = ServedModel.objects.select_related("price", "model")
        self._prices: dict[tuple[str, str], Price] = {
            (each.api_key_id, each.model.name): each.price for each in served
        }

    def match(self, row: UsageRow, *, session_id: str, now: datetime) -> MatchedRow:
        """Refusals: WrongValue."""
        at, key_id = _not_later(row.when, now), self._key(row.names)
        if not (agent := self._agents.find(row.names.agent)):
            raise WrongValue(
                "The row names no agent. Say which one it is: --agent NAME.", field="agent"
            )
        return MatchedRow(
            row,
            session_id,
            agent,
            key_id,
            self._centres.find(row.names.cost_centre),
            at,
            self._cost(row, key_id, at),
        )

    def _key(self, names: RowNames) -> str:
        provider = names.provider
        if asked := names.key_id or (provider if provider in self._named_keys else ""):
            return self._api_keys.find(asked)
        if "" in self._named_keys:
            return self._api_keys.find("")
        if not provider:
            raise WrongValue(
                "The row names no API key. Say which one it is: --key NAME.", field="key"
            )
        of_provider = self._keys_of_provider[provider.lower()]
        if len(of_provider) != 1:
            number = len(of_provider) or "no"
            raise WrongValue(
                f"The provider {provider} has {number} API keys. Say which one: --key "
                f"{provider}=NAME.",
                field="key",
            )
        return of_provider[0]

    def _cost(self, row: UsageRow, key_id: str, at: datetime) -> Decimal:
        if row.cost is not None:
            return row.cost
        model = row.names.model
        if price := self._prices.get((key_id, model)):
            return row.usage.cost(price, at=at)
        raise WrongValue(
            f"The row has no cost, and the API key {key_id} no price for "
            f"{f'the model {model}' if model else 'calls without a model'}. Give the cost in USD, "
            "or add the model to the key.",
            field="cost",
        )
