"""Set prices as people do: at once, or by a second person where the policy says so."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from keys.models import ApiKey
from keys.reasons import check_reason
from keys.refusals import ApiKeyNotFound
from keys.supply import pricing
from keys.supply.pricing import Rates
from keys.supply.services.api_keys import lock_key, set_price
from keys.supply.services.served_models import set_served_models
from security import approvals
from security import services as security
from security.actor import Actor
from security.approvals import ApprovalKind
from security.deciders import policy_of
from security.models import Approval
from security.reasons import REASON_MAX
from security.refusals import ApprovalOutdated


@transaction.atomic(durable=True)
def propose_price(
    slug: str, *, rates: Rates, actor: Actor, reason: str, now: datetime
) -> Approval | None:
    """Give a key its own rates as `set_price` does, or ask for an approval.

    Returns the approval, or None when the price was set. Refusals: ApiKeyNotFound,
    WrongValue.
    """
    check_reason(reason)
    if not _needs_second_person():
        set_price(slug, rates=rates, actor=actor, reason=reason, now=now)
        return None
    change = {"before": _present(slug), "rates": pricing.rates_as_json(rates)}
    effect = f"Now: {_words(change['before']['rates'])}.\nThen: {_words(change['rates'])}."
    return _ask(slug, change, effect, reason=reason, actor=actor, now=now)


@transaction.atomic(durable=True)
def propose_served_models(
    slug: str,
    *,
    serves: Sequence[str],
    rates: Mapping[str, Rates],
    actor: Actor,
    reason: str,
    now: datetime,
) -> Approval | None:
    """Say which models a key serves as `set_served_models` does, or ask for an approval if some get
    rates of their own. Returns the approval, or None. Refusals: ApiKeyNotFound, WrongValue.
    """
    check_reason(reason)
    if not (rates and _needs_second_person()):
        set_served_models(slug, serves=serves, rates=rates, actor=actor, reason=reason, now=now)
        return None
    by_model = {model: pricing.rates_as_json(each) for model, each in rates.items()}
    change = {"before": _present(slug), "serves": [*serves], "models": by_model}
    lines = [f"{model}: {_words(each)}." for model, each in by_model.items()]
    return _ask(slug, change, "\n".join(lines), reason=reason, actor=actor, now=now)


def _needs_second_person() -> bool:
    return policy_of(PRICE).needs_second_person()


def _present(slug: str) -> dict[str, Any]:
    """What a change of prices is based on."""
    api_key = ApiKey.objects.select_related("price").filter(pk=slug).first()
    if api_key is None:
        raise ApiKeyNotFound(key_id=slug)
    return {"rates": pricing.rates_as_json(api_key.price.rates), "serves": api_key.serves}


def _ask(
    slug: str, change: dict[str, Any], effect: str, *, reason: str, actor: Actor, now: datetime
) -> Approval:
    approval, _ = security.ask_approval(
        kind=PRICE,
        subject=f"key:{slug}",
        change=change,
        effect=f"US dollars per 1,000.\n{effect}",
        reason=reason,
        actor=actor,
        now=now,
    )
    return approval


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    change, slug = approval.change, approval.subject.partition(":")[2]
    lock_key(slug)
    if change["before"] != _present(slug):
        raise ApprovalOutdated("The prices of the key were changed since. Ask again.")
    by: dict[str, Any] = {
        "reason": f"asked for by {approval.asked_by}: {approval.reason}"[:REASON_MAX],
        "actor": actor,
        "now": now,
    }
    if "models" in change:
        own = {model: pricing.rates_from_json(each) for model, each in change["models"].items()}
        set_served_models(slug, serves=change["serves"], rates=own, **by)
    else:
        set_price(slug, rates=pricing.rates_from_json(change["rates"]), **by)


def _words(rates: Mapping[str, Any]) -> str:
    shown = {name: rate for name, rate in rates.items() if isinstance(rate, str)}
    words = ", ".join(f"{name.replace('_', ' ')} {rate}" for name, rate in shown.items())
    return words if len(shown) == len(rates) else f"{words}, and other rates by length and tier"


PRICE = approvals.register(
    ApprovalKind(
        slug="price",
        meaning="An API key, or a model that it serves, gets rates of its own in the price book.",
        permission="security.decide_approval",
        apply=_apply,
    )
)
