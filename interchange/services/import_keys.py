"""Import a list of API keys: checked as a whole first, then added one by one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from common.refusal import Refusal
from interchange.key_lists.entries import Entry, NewKey, new_key
from keys import services as keys
from keys.limits.limit_names import LIMIT_NAMES
from keys.models import ApiKey
from security.actor import Actor


@dataclass(frozen=True, kw_only=True)
class KeyDefaults:
    """What counts for keys that do not say it: the `models` by provider, the limit in tokens per
    day (`none`: no limit) of those that have no limit, and the zone of limits."""

    models: Mapping[str, str] = field(default_factory=dict)
    tokens_per_day: str = ""
    zone: str = ""


_STAYS = "It is there already, and stays as it is."
_SWITCHED_OFF = "It has no secret yet, so it is switched off."


class KeyOutcome(StrEnum):
    """What became, or would become, of a key of the list."""

    NEW = "new"
    EXISTS = "exists"
    WRONG = "wrong"
    LEFT_OUT = "left_out"


@dataclass(frozen=True, kw_only=True)
class KeyResult:
    """What became of the key on a `line`; `detail` is a sentence for people, without any secret."""

    line: int
    key_id: str
    provider: str
    model: str
    outcome: KeyOutcome
    detail: str = ""


@sensitive_variables()
def import_keys(
    entries: Sequence[Entry], *, defaults: KeyDefaults, dry_run: bool, actor: Actor, now: datetime
) -> list[KeyResult]:
    """Add the keys of a list that are not there yet; a result for each entry, in their order.
    Entries that are no keys are left out.

    Every key is checked first, as it would be added. If one is wrong, or with `dry_run`, nothing is
    written. Each key is then added by itself, so that agents go on spending; after a crash in the
    middle, the same list adds the rest.
    """
    described = _numbered([_with_defaults(entry.values, defaults) for entry in entries])
    there = set(
        ApiKey.objects.filter(
            pk__in=[values["key_id"] for values in described if "key_id" in values]
        ).values_list("pk", flat=True)
    )
    once = _Once(described)
    results, new = [], []
    for entry, values in zip(entries, described, strict=True):
        result = partial(
            KeyResult,
            line=entry.line,
            key_id=values.get("key_id", ""),
            provider=values.get("provider", ""),
            model=values.get("model", ""),
        )
        if values.get("key_id") in there:
            results.append(result(outcome=KeyOutcome.EXISTS, detail=_STAYS))
        elif decided := _decided(entry) or once.decided(values):
            results.append(result(outcome=decided[0], detail=decided[1]))
        else:
            try:
                key = _checked(values, actor=actor, now=now)
            except Refusal as refusal:
                results.append(result(outcome=KeyOutcome.WRONG, detail=refusal.detail))
            else:
                new.append(key)
                detail = _SWITCHED_OFF if key.secret is None else ""
                results.append(result(outcome=KeyOutcome.NEW, detail=detail))
    if not dry_run and all(result.outcome != KeyOutcome.WRONG for result in results):
        for key in new:
            _add(key, actor=actor, now=now)
    return results


def _decided(entry: Entry) -> tuple[KeyOutcome, str] | None:
    if entry.left_out:
        return KeyOutcome.LEFT_OUT, entry.left_out
    return (KeyOutcome.WRONG, entry.problem) if entry.problem else None


class _Once:
    """Names and secrets that a list may have only once."""

    @sensitive_variables()
    def __init__(self, described: Sequence[Mapping[str, str]]) -> None:
        self._seen = {
            name: Counter(values[name] for values in described if values.get(name))
            for name in ("key_id", "secret")
        }

    @sensitive_variables()
    def decided(self, values: Mapping[str, str]) -> tuple[KeyOutcome, str] | None:
        """A sentence if another key of the list has the same."""
        for name, words in (("key_id", "name"), ("secret", "secret")):
            if self._seen[name][values.get(name, "")] > 1:
                return KeyOutcome.WRONG, f"The list has its {words} more than once."
        return None


def _with_defaults(values: Mapping[str, str], defaults: KeyDefaults) -> dict[str, str]:
    given = {name: value for name, value in values.items() if value}
    usual = {"zone": defaults.zone, "model": defaults.models.get(given.get("provider", "").lower())}
    if not LIMIT_NAMES.keys() & given.keys():
        usual["tokens_per_day"] = defaults.tokens_per_day
    return {**{name: value for name, value in usual.items() if value}, **given}


def _numbered(described: list[dict[str, str]]) -> list[dict[str, str]]:
    """Keys without a name get one: the provider's, with the next number that is free."""
    names = {values["key_id"] for values in described if "key_id" in values}
    names.update(ApiKey.objects.values_list("pk", flat=True))
    for values in described:
        if "key_id" in values or not values.get("provider"):
            continue
        number = 1
        while (name := f"{values['provider'].lower()}-{number}") in names:
            number += 1
        values["key_id"] = name
        names.add(name)
    return described


class _TakenBack(Exception):  # noqa: N818 - it is no error
    """The key could be added."""


@sensitive_variables()
def _checked(values: Mapping[str, str], *, actor: Actor, now: datetime) -> NewKey:
    """The key, which was added and taken back. Its limits, for which all spending would wait, are
    checked by their values alone. Refusals: WrongValue, and those of `keys.add_key`."""
    key = new_key(values)
    try:
        with transaction.atomic():
            keys.add_key(key.key_id, terms=key.terms, secret=key.secret, actor=actor, now=now)
            raise _TakenBack
    except _TakenBack:
        return key


@sensitive_variables()
def _add(key: NewKey, *, actor: Actor, now: datetime) -> None:
    keys.add_key(
        key.key_id, terms=key.terms, secret=key.secret, limits=key.limits, actor=actor, now=now
    )


def counts(results: Sequence[KeyResult]) -> dict[str, Any]:
    """How many keys had each outcome."""
    found = Counter(result.outcome for result in results)
    return {outcome.value: found[outcome] for outcome in KeyOutcome}
