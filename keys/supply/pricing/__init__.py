"""What tokens cost: rates, the cost of a call, the most a number of tokens can cost.

Money is `Decimal` US dollars, never float; rates are per 1,000 tokens, requests or searches, as in
a Price row and in state files. A cost is rounded once, to 9 places, half up; a bound is rounded up.
"""

from keys.supply.pricing.bundled import bundled_provider_id, default_rates
from keys.supply.pricing.costs import PricedPart, bound, cost, priced_parts
from keys.supply.pricing.rates import (
    NO_FEES,
    RATE_NAMES,
    STANDARD,
    Rates,
    Tier,
    Variant,
    doubt,
    unstorable,
)
from keys.supply.pricing.stored import (
    rates_as_json,
    rates_from_json,
    tiers_as_json,
    tiers_from_json,
    variants_as_json,
    variants_from_json,
)
from keys.supply.pricing.variants import served_rates

__all__ = [
    "NO_FEES",
    "RATE_NAMES",
    "STANDARD",
    "PricedPart",
    "Rates",
    "Tier",
    "Variant",
    "bound",
    "bundled_provider_id",
    "cost",
    "default_rates",
    "doubt",
    "priced_parts",
    "rates_as_json",
    "rates_from_json",
    "served_rates",
    "tiers_as_json",
    "tiers_from_json",
    "unstorable",
    "variants_as_json",
    "variants_from_json",
]
