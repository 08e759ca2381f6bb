"""One API key of a list: the names of its values, and what they mean."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from django.views.decorators.debug import sensitive_variables

from keys import services as keys
from keys.limits.limit_names import LIMIT_NAMES
from keys.models import Period
from keys.refusals import WrongValue
from keys.supply.pricing import Rates, doubt

COLUMNS = (
    "key_id",
    "provider",
    "model",
    "secret",
    "serves",
    "passed_fields",
    "base_url",
    "priority",
    "sandbox",
    "input_cost",
    "output_cost",
    "requests_per_minute",
    "tokens_per_minute",
    *LIMIT_NAMES,
    "zone",
    "reset_hour",
)
# What people call these columns, too.
_OTHER_NAMES = {
    "id": "key_id",
    "name": "key_id",
    "title": "key_id",
    "slug": "key_id",
    "alias": "key_id",
    "key_name": "key_id",
    "key": "secret",
    "api_key": "secret",
    "apikey": "secret",
    "token": "secret",
    "api_token": "secret",
    "secret_key": "secret",
    "credential": "secret",
    "vendor": "provider",
    "models": "serves",
    "url": "base_url",
    "endpoint": "base_url",
    "api_base": "base_url",
    "rpm": "requests_per_minute",
    "tpm": "tokens_per_minute",
    "timezone": "zone",
    "time_zone": "zone",
    "daily_tokens": "tokens_per_day",
    "monthly_tokens": "tokens_per_month",
    "daily_usd": "usd_per_day",
    "monthly_usd": "usd_per_month",
    "budget_usd": "usd_per_month",
}
# Columns for people, which say nothing to Butler.
_NOTES = {
    *("", "note", "notes", "comment", "comments", "description", "owner", "team", "status"),
    *("username", "user", "user_name", "email", "login", "folder", "group", "grouping", "tags"),
    *("created", "created_at", "modified", "updated", "updated_at"),
}
_PASSWORDS = {"password", "login_password", "pwd"}
_TRUE, _FALSE = {"1", "true", "yes", "y", "on"}, {"", "0", "false", "no", "n", "off"}
NO_LIMIT = "none"
_NO_LIMIT = {NO_LIMIT, "unlimited", "no limit", "infinite"}
# 1,000,000 and 1,000.50 can be read in one way only; 1,000 may also be a decimal fraction.
_GROUPS = re.compile(r"\d{1,3}(,\d{3})+\.\d+|\d{1,3}(,\d{3}){2,}|\d{1,3}(\.\d{3}){2,}")
_DOLLARS = re.compile(r"(?:us)?\$|usd", re.IGNORECASE)
_MULTIPLES = {"k": 3, "m": 6}
_COSTS = ("input_cost", "output_cost")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A key of the list: the `line` (or the number of the object) where it is, and its values by
    column. What is wrong with the line itself is the `problem`. `left_out`: why the line of an
    export is no key, so that it is passed over."""

    line: int
    values: Mapping[str, str]
    problem: str = ""
    left_out: str = ""


@dataclass(frozen=True, kw_only=True)
class NewKey:
    """A key as it is added; the `secret` is None if the list has none."""

    key_id: str
    terms: keys.KeyTerms
    secret: str | None
    limits: tuple[keys.Terms, ...]


def known_column(name: str) -> str | None:
    """The column that people mean by `name`; None if it is none, or for people."""
    plain = plain_name(name)
    return plain if plain in COLUMNS else _OTHER_NAMES.get(plain)


def column(name: str) -> str | None:
    """The column that people mean by `name`; None for a note. Refusals: WrongValue."""
    if (plain := plain_name(name)) in _NOTES:
        return None
    if plain in _PASSWORDS:
        raise WrongValue(
            f"{name!r} is no column of a list of keys: a password may be that of a website. If it "
            "has the API keys, name it secret.",
            field="columns",
        )
    if (found := known_column(name)) is None:
        close = difflib.get_close_matches(plain, [*COLUMNS, *_OTHER_NAMES], n=1)
        hint = f" Did you mean {close[0]}?" if close else f" Columns are {', '.join(COLUMNS)}."
        raise WrongValue(f"{name!r} is no column of a list of keys.{hint}", field="columns")
    return found


def plain_name(name: str) -> str:
    """The name of a column without what people write it with."""
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")


def model_by_provider(assignments: Iterable[str]) -> dict[str, str]:
    """The models of `openai=gpt-4.1-mini`, by provider. Refusals: WrongValue."""
    models = {}
    for assignment in assignments:
        provider, _, model = assignment.partition("=")
        if not (provider and model):
            raise WrongValue(f"{assignment!r} is not PROVIDER=MODEL.", field="models")
        models[provider.lower()] = model
    return models


@sensitive_variables("secret", "values")
def new_key(values: Mapping[str, str]) -> NewKey:
    """The key of these values, checked as far as they alone can be. Refusals: WrongValue."""
    secret = values.get("secret", "").strip() or None
    for name in ("key_id", "provider", "model"):
        if not values.get(name):
            raise WrongValue(f"There is no {name}.", field=name)
    return NewKey(
        key_id=values["key_id"],
        terms=keys.KeyTerms(
            provider=values["provider"].lower(),
            model=values["model"],
            priority=_whole(values, "priority") or 0,
            base_url=values.get("base_url", ""),
            rates=_rates(values),
            requests_per_minute=_count(values, "requests_per_minute"),
            tokens_per_minute=_count(values, "tokens_per_minute"),
            sandbox=_truth(values, "sandbox"),
            serves=_words(values, "serves"),
            passed_fields=_words(values, "passed_fields"),
            needs_address=True,
        ),
        secret=secret,
        limits=_limits(values),
    )


def _limits(values: Mapping[str, str]) -> tuple[keys.Terms, ...]:
    given = {name: values[name] for name in LIMIT_NAMES if values.get(name)}
    if not given:
        raise WrongValue(
            "There is no limit. Say tokens_per_day, or another limit, or none.",
            field="tokens_per_day",
        )
    reset_hour = _whole(values, "reset_hour") or 0
    limits = []
    for name, text in given.items():
        if text.lower() in _NO_LIMIT:
            continue
        unit, period = LIMIT_NAMES[name]
        terms = keys.Terms(
            unit=unit,
            period=period,
            amount=_number(text, name),
            zone=values.get("zone") or "UTC",
            reset_hour=0 if period == Period.HOUR else reset_hour,
        )
        terms.check()
        limits.append(terms)
    return tuple(limits)


def _rates(values: Mapping[str, str]) -> Rates | None:
    costs = [values.get(name, "") for name in _COSTS]
    if not any(costs):
        return None
    if not all(costs):
        raise WrongValue("Give input_cost and output_cost, or neither.", field="input_cost")
    per_1k = [_number(text, name) for text, name in zip(costs, _COSTS, strict=True)]
    try:
        rates = Rates(input=per_1k[0], output=per_1k[1])
    except ValueError as error:
        raise WrongValue(str(error), field="input_cost") from None
    if question := doubt(rates):
        raise WrongValue(question, field="input_cost")
    return rates


def _number(text: str, name: str) -> Decimal:
    """The number in a text such as `1_000_000`, `1 000 000`, `1,000,000`, `5M` or `20 USD`."""
    plain = re.sub(r"[\s_']", "", _DOLLARS.sub("", text))
    if _GROUPS.fullmatch(plain):
        plain = plain.replace(",", "") if "," in plain else plain.replace(".", "")
    power = _MULTIPLES.get(plain[-1:].lower(), 0)
    try:
        number = Decimal(plain[:-1] if power else plain).scaleb(power)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise WrongValue(
            f"{name} is no number: write 1000000 or 1_000_000, and a decimal point.", field=name
        )
    return number


def _whole(values: Mapping[str, str], name: str) -> int | None:
    text = values.get(name, "")
    if not text:
        return None
    number = _number(text, name)
    if number != number.to_integral_value():
        raise WrongValue(f"{name} must be a whole number.", field=name)
    return int(number)


def _count(values: Mapping[str, str], name: str) -> int | None:
    number = _whole(values, name)
    if number is not None and number < 1:
        raise WrongValue(f"{name} must be 1 or more.", field=name)
    return number


def _truth(values: Mapping[str, str], name: str) -> bool:
    text = values.get(name, "").lower()
    if text not in _TRUE | _FALSE:
        raise WrongValue(f"Say yes or no as {name}.", field=name)
    return text in _TRUE


def _words(values: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[\s;|,]+", values.get(name, "")) if word)
