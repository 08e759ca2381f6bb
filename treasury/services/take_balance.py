"""Ask a provider for the balance of a credit, and keep what it says."""

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from urllib.parse import quote

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.views.decorators.debug import sensitive_variables
from django_q.tasks import async_task

from security import services as security
from security.vault import CannotUnseal
from treasury.balances.base import BalanceFormat, Figure, ListedReload
from treasury.balances.formats import FORMATS, SIMULATOR
from treasury.models import Account, BalanceAccess, BalanceSnapshot, Consumption
from treasury.models.amounts import PLACES, ZERO
from treasury.queries.balances_of_credit import in_transit, whole_credit
from treasury.queries.consumption import provider_of
from treasury.services.balance_alerts import tell_of_balance
from treasury.services.see_reload import see_listed_reloads, see_reload
from treasury.vendor_calls import Unreadable, VendorAnswer, call

# More of an answer than this is no balance, and is cut off.
_KEPT_BYTES = 20_000


def ask_balance(account_id: int) -> None:
    """Have the provider of a credit asked soon."""
    async_task("treasury.jobs.take_balance", account_id)


def take_balance(account_id: int, *, now: datetime) -> list[BalanceSnapshot]:
    """Ask the provider of a credit for its balance: a row for each currency, or one that says why
    there is none. No transaction is open while the provider is asked."""
    access = BalanceAccess.objects.select_related("credit_account", "api_key__provider").get(
        credit_account=account_id
    )
    read = FORMATS[access.format]
    answer = _ask(access, read)
    figures, error = _figures(read, answer)
    rows = _keep(access, answer, figures, error, now=now)
    listed = _listed(read, answer) if figures else None
    if listed is None:
        see_reload(access.credit_account_id, now=now)
    else:
        see_listed_reloads(access.credit_account_id, listed, now=now)
    return rows


def _listed(read: BalanceFormat, answer: VendorAnswer) -> list[ListedReload] | None:
    """The reloads that the answer lists; None if it lists none that can be read, so that only a
    rise of the balance shows them."""
    if read.reloads is None:
        return None
    try:
        return read.reloads(answer.json())
    except Unreadable:
        return None


@sensitive_variables("secret", "headers")
def _ask(access: BalanceAccess, read: BalanceFormat) -> VendorAnswer:
    path = read.path.replace("{team}", quote(access.team, safe=""))
    headers = {"Accept": "application/json"}
    if read.slug == SIMULATOR:
        return _ask_simulator(access, path)
    try:
        secret = _secret(access)
    except CannotUnseal as refusal:
        return VendorAnswer(None, error=f"no secret: {refusal}"[:200])
    headers["Authorization"] = f"Bearer {secret}"
    return call("GET", access.base_url + path, headers=headers, networks=settings.PROVIDER_NETWORKS)


def _secret(access: BalanceAccess) -> str:
    """Refusals: CannotUnseal, also if the API key was given another address since."""
    key = access.api_key
    if key is None:
        return security.unseal_from(access, "sealed")
    if key.sandbox or key.needs_secret:
        raise CannotUnseal(f"The secret of {key.slug} was not entered for {key.url}.")
    if not access.base_url.startswith("/".join(key.url.split("/", 3)[:3])):
        raise CannotUnseal(f"The secret of {key.slug} is for another address.")
    return security.unseal_from(key, "secret")


def _ask_simulator(access: BalanceAccess, path: str) -> VendorAnswer:
    """The simulator has no calls of its own to meter, so it is told first what was used."""
    if not settings.SIMULATOR_URL:
        return VendorAnswer(None, error="no simulator of payments runs")
    url, networks = settings.SIMULATOR_URL.rstrip("/"), settings.PROVIDER_NETWORKS
    used = Consumption.objects.filter(credit_account=access.credit_account_id).aggregate(
        sum=Sum("amount", default=ZERO)
    )["sum"]
    body = json.dumps({"payee": access.team, "amount": format(used, "f")}).encode()
    headers = {"Content-Type": "application/json"}
    told = call("POST", f"{url}/simulator/usage", headers=headers, body=body, networks=networks)
    if told.status != 200:
        return told
    return call("GET", url + path, headers={}, networks=networks)


def _figures(read: BalanceFormat, answer: VendorAnswer) -> tuple[list[Figure], str]:
    if answer.status is None:
        return [], f"The provider did not answer: {answer.error}."
    if answer.status != 200:
        return [], f"The provider answered HTTP {answer.status}."
    try:
        return read.read(answer.json()), ""
    except Unreadable as error:
        return [], str(error)[:300]


@transaction.atomic(durable=True)
def _keep(
    access: BalanceAccess,
    answer: VendorAnswer,
    figures: list[Figure],
    error: str,
    *,
    now: datetime,
) -> list[BalanceSnapshot]:
    # So that ledger and money in transit are of one moment.
    credit = Account.objects.select_for_update(no_key=True).get(pk=access.credit_account_id)
    ledger, transit = whole_credit(credit), in_transit(credit)
    shown: Sequence[Figure | None] = figures or [None]
    rows = [
        BalanceSnapshot(
            credit_account=credit,
            provider_id=provider_of(credit),
            api_key=access.api_key_id or "",
            source=access.format,
            as_of=now,
            error=error,
            content=answer.body[:_KEPT_BYTES],
            **_columns(figure, ledger=ledger, transit=transit),
        )
        for figure in shown
    ]
    saved = BalanceSnapshot.objects.bulk_create(rows)
    tell_of_balance(credit, now=now)
    return saved


def _columns(figure: Figure | None, *, ledger: Decimal, transit: Decimal) -> dict[str, object]:
    if figure is None:
        return {}
    told = {
        "currency": figure.currency,
        "amount": round(figure.amount, PLACES),
        "granted": round(figure.granted, PLACES),
    }
    return told | ({"ledger": ledger, "in_transit": transit} if figure.currency == "USD" else {})
