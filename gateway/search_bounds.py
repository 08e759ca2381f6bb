"""How much the web searches of a call can cost: beside its tokens, and in tokens of their results.

`search_results.toml` says what is known of the results. No provider documents how long one can be,
so where nothing else is known, all searches together can fill the context of the model.
"""

import re
import tomllib
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from gateway.call import Call
from gateway.refusals import CannotBeBounded

_FILE = Path(__file__).with_name("search_results.toml")


def check(call: Call) -> None:
    """Refuse searches whose price is not known. Refusals: CannotBeBounded."""
    if not call.dialect.spends:
        return
    if call.facts.always_searches:
        _check_model(call)
    searches, served = call.parameters.searches, call.choice.served
    if searches is None:
        return
    is_priced = served.search_cost is not None if searches.most else call.facts.always_searches
    if not is_priced:
        raise CannotBeBounded(
            f"The provider runs {searches.tool!r}, and no price of searches is known for the model"
            f" {call.model}, so the tokens held for the call may not cover them. Leave it out, or"
            " search in the client with a function of your own.",
            field=searches.field,
            tool=searches.tool,
        )


def cost_max(call: Call) -> Decimal:
    """The most that the call can cost beside its tokens, in USD."""
    searches, served = call.parameters.searches, call.choice.served
    if searches is None or not searches.most:
        return served.request_cost
    each = served.search_cost_max if searches.kind else served.search_cost or Decimal(0)
    return served.request_cost + each * searches.most


def results_max(call: Call) -> int:
    """The most input tokens that the results of searches can add. Refusals: CannotBeBounded."""
    searches = call.parameters.searches
    if searches is None and not call.facts.always_searches:
        return 0
    known = _known(call.model)
    if (per_search := known.get("tokens")) is not None:
        return int(per_search) * (searches.most if searches else 1)
    contexts = (call.choice.served.context_tokens, known.get("context_tokens"))
    context = min((each for each in contexts if each is not None), default=None)
    if context is None:
        raise CannotBeBounded(
            "How long the results of searches can be is not known: the model catalogue has no"
            f" context of the model {call.model}. Ask the operator to enter it.",
            field=searches.field if searches else "model",
            tool=searches.tool if searches else None,
        )
    return max(context - call.input_max, 0)


def advice(call: Call, results: int) -> str:
    """What to change in a call that needs more than is left, of which `results` tokens are for
    searches; "" if it has none."""
    searches = call.parameters.searches
    if not searches or not searches.most:
        return ""
    return (
        f"Of that, {results:,} are for the results of web searches, beside"
        f" {cost_max(call):f} USD for {searches.most} of them. Request a larger allocation, set a"
        " lower `max_uses` (`max_tool_calls` in responses), or leave the search out."
    )


def _check_model(call: Call) -> None:
    if not call.choice.served.request_cost:
        raise CannotBeBounded(
            f"The model {call.model} searches with every call, which costs more than its tokens,"
            " and no price of its searches is known. Request an allocation on another model.",
            field="model",
        )


def _known(model: str) -> dict[str, Any]:
    name = model.rsplit("/", 1)[-1].lower()
    return next((row for row in _rows() if re.match(row["models"], name)), {})


@cache
def _rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = tomllib.loads(_FILE.read_text())["results"]
    return rows
