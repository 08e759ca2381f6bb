"""The formats of balances that Butler reads."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from keys.supply.known_providers import without_account
from treasury.balances.base import BalanceFormat, Figure, ListedReload, amount, member
from treasury.rails.base import Outcome
from treasury.rails.xai.changes import automatic_purchases
from treasury.vendor_calls import Unreadable


def _openrouter(answer: Any) -> list[Figure]:
    """What was bought less what was used."""
    bought = amount(member(answer, "data", "total_credits"))
    return [Figure("USD", bought - amount(member(answer, "data", "total_usage")))]


def _deepseek(answer: Any) -> list[Figure]:
    """A line for each currency."""
    lines = member(answer, "balance_infos")
    if not isinstance(lines, list) or not lines:
        raise Unreadable("The answer has no balance_infos.")
    return [
        Figure(
            _currency(member(line, "currency")),
            amount(member(line, "total_balance")),
            amount(member(line, "granted_balance")),
        )
        for line in lines
    ]


def _moonshot(currency: str) -> Any:
    def read(answer: Any) -> list[Figure]:
        """`cash_balance` may be negative; vouchers expire."""
        data = member(answer, "data")
        granted = amount(member(data, "voucher_balance"))
        return [Figure(currency, amount(member(data, "available_balance")), granted)]

    return read


def _xai(answer: Any) -> list[Figure]:
    """In cents with the sign turned: a credit of 15 USD is `"-1500"`."""
    return [Figure("USD", -amount(member(answer, "total", "val")) / 100)]


def _xai_reloads(answer: Any) -> list[ListedReload]:
    """Those that were charged; others may fail."""
    try:
        made = automatic_purchases(answer if isinstance(answer, dict) else {})
    except ValueError as error:
        raise Unreadable(str(error)) from None
    return [
        ListedReload(each.created, each.at, each.amount)
        for each in made
        if each.answer.outcome == Outcome.SETTLED and each.amount > 0
    ]


def _vercel(answer: Any) -> list[Figure]:
    return [Figure("USD", amount(member(answer, "balance")))]


def _simulator(answer: Any) -> list[Figure]:
    return [Figure("USD", amount(member(answer, "credit")))]


def _currency(value: Any) -> str:
    if not isinstance(value, str) or not (3 <= len(value) <= 5 and value.isascii()):
        raise Unreadable(f"{str(value)[:40]!r} is no currency.")
    return value.upper()


_ALL = (
    BalanceFormat(
        slug="openrouter",
        name="OpenRouter, with a management key",
        base_url="https://openrouter.ai/api/v1",
        path="/credits",
        takes_api_key=False,
        read=_openrouter,
    ),
    BalanceFormat(
        slug="deepseek",
        name="DeepSeek",
        base_url="https://api.deepseek.com",
        path="/user/balance",
        takes_api_key=True,
        read=_deepseek,
    ),
    BalanceFormat(
        slug="moonshot",
        name="Moonshot AI (api.moonshot.ai, in USD)",
        base_url="https://api.moonshot.ai/v1",
        path="/users/me/balance",
        takes_api_key=True,
        read=_moonshot("USD"),
    ),
    BalanceFormat(
        slug="moonshot-cn",
        name="Moonshot AI (api.moonshot.cn, in CNY)",
        base_url="https://api.moonshot.cn/v1",
        path="/users/me/balance",
        takes_api_key=True,
        read=_moonshot("CNY"),
    ),
    BalanceFormat(
        slug="x-ai",
        name="xAI, with a management key and the id of the team",
        base_url="https://management-api.x.ai",
        path="/v1/billing/teams/{team}/prepaid/balance",
        takes_api_key=False,
        read=_xai,
        reloads=_xai_reloads,
    ),
    BalanceFormat(
        slug="vercel",
        name="Vercel AI Gateway",
        base_url="https://ai-gateway.vercel.sh/v1",
        path="/credits",
        takes_api_key=True,
        read=_vercel,
    ),
    BalanceFormat(
        slug="simulator",
        name="The simulator of payments (play money)",
        base_url="",
        path="/v1/credit?payee={team}",
        takes_api_key=False,
        read=_simulator,
    ),
)
FORMATS: Mapping[str, BalanceFormat] = MappingProxyType({each.slug: each for each in _ALL})
SIMULATOR = "simulator"


def usual_format(provider: str) -> str:
    """The format of a provider by its slug; empty if it tells no balance."""
    slug = without_account(provider)
    return slug if slug in FORMATS else ""
