"""Limits of how many attempts run at once."""

from django.db import transaction

from keys.models import CostCentre, Provider
from keys.refusals import UnknownCostCentre, UnknownProvider, WrongValue
from orchestration import runners
from orchestration.models import Concurrency
from orchestration.services.wakeup import wake

_EVERYTHING = "all"
_KINDS = "all, centre:<cost centre>, provider:<provider> or runner:<runner>"


def check_scope(scope: str) -> None:
    """Whether there is what it names.

    Refusals: WrongValue, UnknownCostCentre, UnknownProvider, UnknownRunner.
    """
    kind, _, name = scope.partition(":")
    if scope == _EVERYTHING:
        return
    if kind == "centre" and name:
        if not CostCentre.objects.filter(pk=name).exists():
            raise UnknownCostCentre(f"There is no cost centre {name}.", cost_centre=name)
    elif kind == "provider" and name:
        if not Provider.objects.filter(pk=name).exists():
            raise UnknownProvider(f"There is no provider {name}.", provider=name)
    elif kind == "runner" and name:
        runners.check(name)
    else:
        raise WrongValue(f"{scope} is no scope: write {_KINDS}.", field="scope")


@transaction.atomic(durable=True)
def set_concurrency(scope: str, *, attempts_max: int) -> Concurrency:
    """From now on at most so many attempts of `scope` begin; more that run already go on.

    Refusals: those of `check_scope`.
    """
    check_scope(scope)
    limit, _ = Concurrency.objects.update_or_create(
        scope=scope, defaults={"attempts_max": attempts_max}
    )
    wake()
    return limit


@transaction.atomic(durable=True)
def remove_concurrency(scope: str) -> None:
    """No limit any more, but for `all`, which has its usual one. Twice is once."""
    Concurrency.objects.filter(scope=scope).delete()
    wake()
