"""The columns of a file of usage: what they are called here, and elsewhere."""

import re
from collections.abc import Iterable, Mapping, Sequence

from common.file_text import UnreadableError
from keys.refusals import WrongValue

# Each field with its headings in files of others, in small letters, with _ for all else.
_HEADINGS = {
    "date": "day time timestamp datetime created created_at start_time starttime started_at "
    "usage_date date_utc usage_date_utc startedat",
    "id": "request_id call_id generation_id log_id uuid",
    "key_id": "key api_key api_key_id api_key_name key_name key_alias",
    "provider": "provider_name vendor custom_llm_provider",
    "model": "model_name model_id model_version model_permaslug",
    "agent": "agent_id agent_name user user_id user_name end_user app app_name application service",
    "cost_centre": "cost_center centre center team team_id team_name team_alias department project "
    "project_id project_name workspace",
    "label": "tag task task_id",
    "input_tokens": "prompt_tokens tokens_prompt input tokens_in n_context_tokens_total",
    "uncached_tokens": "uncached_input_tokens usage_input_tokens_no_cache input_tokens_no_cache",
    "cached_tokens": "cached_input_tokens input_cached_tokens cache_read_tokens tokens_cached "
    "cache_read_input_tokens usage_input_tokens_cache_read",
    "cache_write_tokens": "cache_creation_tokens cache_creation_input_tokens",
    "output_tokens": "completion_tokens tokens_completion output tokens_out "
    "n_generated_tokens_total usage_output_tokens",
    "reasoning_tokens": "output_reasoning_tokens tokens_reasoning",
    "tokens": "total_tokens token_count tokens_total usage_tokens",
    "cost": "cost_usd usd cost_in_usd spend spend_usd amount amount_usd amount_value total_cost "
    "total_cost_usd cost_total usage_cost",
    "currency": "amount_currency",
}
FIELDS = tuple(_HEADINGS)
COUNTS = (
    *("input_tokens", "uncached_tokens", "cached_tokens", "cache_write_tokens"),
    *("output_tokens", "reasoning_tokens", "tokens"),
)
NUMBERS = (*COUNTS, "cost")
_FIELD_OF = {
    heading: field
    for field, headings in _HEADINGS.items()
    for heading in (field, *headings.split())
}


def columns_from(assignments: Iterable[str]) -> dict[str, str]:
    """The mapping of `cost=Net price`, as `columns_of` takes it. Refusals: WrongValue."""
    columns = {}
    for assignment in assignments:
        field, mark, heading = assignment.partition("=")
        if not (mark and heading.strip()):
            raise WrongValue(f"{assignment[:40]!r} is not FIELD=HEADING.", field="column")
        columns[field.strip()] = heading.strip()
    return columns


def columns_of(headings: Sequence[str], asked: Mapping[str, str]) -> dict[str, str]:
    """The heading of each field: the one that `asked` names, else the one that means it.

    Errors: UnreadableError if two may mean the same field, or none is a date or an amount.
    """
    found = dict(asked)
    for heading in headings:
        field = _FIELD_OF.get(_plain(heading))
        if field is None or field in asked or heading in asked.values():
            continue
        # A heading that is there twice is refused by the reader.
        if found.get(field, heading) != heading:
            raise UnreadableError(
                f"Both {found[field]} and {heading} may be the {field}. Say which one is: "
                f"{field}={found[field]}, or {field}={heading}."
            )
        found[field] = heading
    if "date" not in found:
        raise UnreadableError(_without("date of each row, such as date=Day", headings))
    if not found.keys() & {*NUMBERS}:
        raise UnreadableError(_without("tokens or the cost, such as tokens=Used", headings))
    return found


def _without(what: str, headings: Sequence[str]) -> str:
    listed = ", ".join(headings)[:200]
    return f"Say which column has the {what}. The file has: {listed}."


def _plain(heading: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", heading.strip().lower()).strip("_")
