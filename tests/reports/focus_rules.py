"""The rules of FOCUS 1.2 over the rows of a file.

`focus-1.2.0.1.json.gz` is the rule file of the official validator (focus-validator 2.2.1, MIT
License, FinOps Foundation), packed. The rules are read from the root down, and the
ones that only a person can judge (`Dynamic`) are passed.
"""

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path

_ROOT = "CostAndUsage-D-000-M"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_ENFORCED = {"MUST", "MUST NOT"}
# What Butler has of what the rules call supported.
SUPPORTED = {
    "ACCOUNT_NAMING_SUPPORTED",
    "USAGE_MEASUREMENT_SUPPORTED",
    "SUB_ACCOUNT_SUPPORTED",
    "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED",
    "TAGGING_SUPPORTED",
    "BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED",
}
Row = Mapping[str, str]


@cache
def rules():
    """Every rule by its id."""
    packed = Path(__file__).with_name("focus-1.2.0.1.json.gz").read_bytes()
    return json.loads(gzip.decompress(packed))["ModelRules"]


def broken(rows: list[Row]) -> dict[str, str]:
    """What the rules that the rows break say, by their ids, innermost first."""
    found: dict[str, str] = {}
    groups = _distinct(rows)
    for row in rows:
        _holds(_ROOT, row, groups, found)
    return found


def _distinct(rows: Iterable[Row]):
    """How many values of one column each value of another one has, as rules ask for it."""
    rows = list(rows)

    def count(row: Row, a: str, b: str) -> int:
        values = defaultdict(set)
        for each in rows:
            values[each.get(a, "")].add(each.get(b, ""))
        return len(values[row.get(a, "")])

    return count


def _holds(rule_id, row, groups, found) -> bool:
    rule = rules()[rule_id]
    criteria = rule["ValidationCriteria"]
    is_judged = rule["Type"] == "Static" and criteria["Keyword"] in _ENFORCED
    column = rule["Reference"]
    is_absent = rule["EntityType"] == "Column" and column not in row
    if not is_judged or is_absent or not {*rule["ApplicabilityCriteria"]} <= SUPPORTED:
        return True
    if criteria["Condition"] and not _check(criteria["Condition"], row, groups, {}):
        return True
    inner: dict[str, str] = {}
    if not criteria["Requirement"] or _check(criteria["Requirement"], row, groups, inner):
        return True
    found.update(inner)
    found[rule_id] = criteria["MustSatisfy"]
    return False


def _check(check, row, groups, found) -> bool:
    name = check["CheckFunction"]
    if name == "CheckModelRule":
        return _holds(check["ModelRuleId"], row, groups, found)
    if name in ("AND", "OR"):
        held = [_check(each, row, groups, found) for each in check["Items"]]
        return all(held) if name == "AND" else any(held)
    if name == "ColumnPresent":
        return check["ColumnName"] in row
    return _CHECKS[name](check, row, groups)


def _value(check, row, name="ColumnName"):
    # One rule of the file (ResourceId-C-006-C) names its column in another way.
    column = check.get(name) or check["CheckCondition"]
    return row.get(column, "") or None


def _compared(check):
    value = check["Value"]
    return value if value is None else str(value)


def _matches(test):
    def check(check, row, groups):
        value = _value(check, row)
        return value is None or bool(test(value))

    return check


def _is_same(check, row, groups):
    return _value(check, row, "ColumnAName") == _value(check, row, "ColumnBName")


def _multiplies(check, row, groups):
    a, b, result = (
        _value(check, row, name) for name in ("ColumnAName", "ColumnBName", "ResultColumnName")
    )
    return a is None or b is None or Decimal(a) * Decimal(b) == Decimal(result or 0)


def _is_text(value: str) -> bool:
    """A reader that guesses types takes it for a text, not for a number."""
    try:
        Decimal(value)
    except InvalidOperation:
        return True
    return False


def _is_decimal(value: str) -> bool:
    return bool(_NUMBER.fullmatch(value)) and "." in value


_CHECKS = {
    "CheckValue": lambda check, row, groups: _value(check, row) == _compared(check),
    "CheckNotValue": lambda check, row, groups: _value(check, row) != _compared(check),
    "CheckSameValue": _is_same,
    "CheckNotSameValue": lambda *of: not _is_same(*of),
    "ColumnByColumnEqualsColumnValue": _multiplies,
    "CheckGreaterOrEqualThanValue": lambda check, row, groups: (
        Decimal(_value(check, row) or check["Value"]) >= check["Value"]
    ),
    "CheckDistinctCount": lambda check, row, groups: (
        groups(row, check["ColumnAName"], check["ColumnBName"]) == check["ExpectedCount"]
    ),
    "TypeString": _matches(_is_text),
    "TypeDecimal": _matches(_is_decimal),
    "CheckDecimalValue": _matches(_is_decimal),
    "TypeDateTime": _matches(_MOMENT.fullmatch),
    "FormatDateTime": _matches(_MOMENT.fullmatch),
    "FormatNumeric": _matches(_NUMBER.fullmatch),
    "FormatString": _matches(lambda value: value == value.strip()),
    "FormatUnit": _matches(re.compile(r"[A-Z][A-Za-z]*(-[A-Z][a-z]+| [A-Za-z]+)*").fullmatch),
    "FormatKeyValue": _matches(lambda value: isinstance(json.loads(value), dict)),
    "FormatCurrency": _matches(re.compile(r"[A-Z]{3}").fullmatch),
    "CheckNationalCurrency": _matches(re.compile(r"[A-Z]{3}").fullmatch),
}
