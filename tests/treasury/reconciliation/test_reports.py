"""Reports of providers: what is read of each format, and what is refused, and why."""

import json
from datetime import date
from decimal import Decimal

import pytest

from common.file_text import UnreadableError
from treasury.reconciliation.lines import Line
from treasury.reconciliation.reports import read

DAY = date(2026, 3, 10)
HEADINGS = "day,key,model,kind,quantity,amount,currency,request_id\n"
# 2026-03-10 in Unix seconds.
START = 1773100800


def as_json(data):
    return json.dumps({"object": "page", "data": data, "has_more": False}).encode()


def test_openai_costs_are_exact_dollars_with_their_line_items():
    content = as_json(
        [
            {
                "start_time": START,
                "end_time": START + 86400,
                "results": [
                    {
                        "amount": {"value": 0.1, "currency": "usd"},
                        "line_item": "gpt-6-astra, input_tokens",
                        "project_id": "proj",
                        "api_key_id": "key_1",
                    },
                    {"amount": {"value": 3, "currency": "eur"}, "line_item": "Tax"},
                ],
            }
        ]
    )
    assert read(content, format_name="openai_costs") == [
        Line(DAY, "key_1", "gpt-6-astra", "cost", None, Decimal("0.1")),
        Line(DAY, "", "", "tax", None, Decimal(3), "EUR"),
    ]


def test_openai_usage_has_quantities_and_no_money():
    row = {
        "api_key_id": "key_1",
        "model": "gpt-6-astra",
        "num_model_requests": 2,
        "input_tokens": 100,
        "input_cached_tokens": 40,
        "output_tokens": 7,
    }
    lines = read(as_json([{"start_time": START, "results": [row]}]), format_name="openai_usage")
    assert {line.kind: line.quantity for line in lines} == {
        "calls": 2,
        "input_tokens": 100,
        "cached_tokens": 40,
        "output_tokens": 7,
    }
    assert {line.amount for line in lines} == {None}


@pytest.mark.parametrize(
    "bucket",
    [
        {
            "starting_at": "2026-03-10T00:00:00Z",
            "group": {"api_key_id": "apikey_1", "model": "claude-x"},
            "cost": {"amount": "123.45", "currency": "USD"},
        },
        {
            "starting_at": "2026-03-10T00:00:00Z",
            "results": [
                {
                    "amount": "123.45",
                    "currency": "USD",
                    "model": "claude-x",
                    "api_key_id": "apikey_1",
                }
            ],
        },
    ],
    ids=["analytics", "older"],
)
def test_anthropic_costs_are_cents(bucket):
    lines = read(as_json([bucket]), format_name="anthropic_cost")
    assert lines == [Line(DAY, "apikey_1", "claude-x", "cost", None, Decimal("1.2345"))]


def test_anthropic_usage_adds_what_was_cached_to_the_input():
    row = {
        "api_key_id": None,
        "model": "claude-x",
        "uncached_input_tokens": 10,
        "cache_read_input_tokens": 20,
        "cache_creation": {"ephemeral_1h_input_tokens": 3, "ephemeral_5m_input_tokens": 4},
        "output_tokens": 5,
    }
    bucket = {"starting_at": "2026-03-10T00:00:00Z", "results": [row]}
    lines = read(as_json([bucket]), format_name="anthropic_usage")
    assert {line.kind: line.quantity for line in lines} == {
        "input_tokens": 37,
        "cached_tokens": 20,
        "cache_write_tokens": 7,
        "output_tokens": 5,
    }


def test_openrouter_activity():
    row = {
        "date": "2026-03-10 00:00:00",
        "model": "openai/gpt-6",
        "requests": 3,
        "prompt_tokens": 30,
        "completion_tokens": 6,
        "cached_tokens": 99,
        "usage": 0.25,
    }
    lines = read(as_json([row]), format_name="openrouter_activity")
    assert lines[0] == Line(DAY, "", "openai/gpt-6", "cost", None, Decimal("0.25"))
    assert [(line.kind, line.quantity) for line in lines[1:]] == [
        ("calls", 3),
        ("input_tokens", 30),
        ("output_tokens", 6),
    ]


def test_a_csv_file_with_its_own_headings():
    content = "Date,Modell,Cost in USD\n2026-03-10,gpt-6,1.50\n2026-03-10,gpt-6,-0.5\n"
    columns = {"day": "Date", "model": "Modell", "amount": "Cost in USD"}
    lines = read(b"\xef\xbb\xbf" + content.encode(), format_name="csv", columns=columns)
    assert lines == [
        Line(DAY, "", "gpt-6", "cost", None, Decimal("1.5")),
        Line(DAY, "", "gpt-6", "refund", None, Decimal("-0.5")),
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no column day"),
        (HEADINGS, "has no lines"),
        ("date,amount\n2026-03-10,1\n", "no column day. It has: date, amount"),
        ("day,model\n2026-03-10,x\n", "the amount or for the quantity"),
        ("day,day,amount\n", "same heading"),
        ("day,amount\n2026-03-10\n", "Line 2 has 1 cells"),
        ("day,amount\n10.03.2026,1\n", "Line 2: '10.03.2026' is not a day"),
        ("day,amount\n2026-03-10,1e400\n", "too large"),
        ("day,amount\n2026-03-10,1e999999999\n", "too large"),
        ("day,amount\n2026-03-10,NaN\n", "is not a number"),
        ("day,amount\n2026-03-10,Infinity\n", "is not a number"),
        ('day,amount\n2026-03-10,"1,5,0"\n', "is not a number"),
        ("day,quantity\n2026-03-10,-5\n", "below zero"),
        ("day,quantity\n2026-03-10,1e16\n", "too large"),
        ("day,amount\n2026-03-10,\n", "no amount and no quantity"),
        ('day,model,amount\n2026-03-10,"=HYPERLINK(""x"")",1\n', "formula"),
        ("day,amount\n2026-03-10,=1+1\n", "is not a number"),
        ("day,kind,amount\n2026-03-10,gift,1\n", "'gift' is no kind"),
        ("day,currency,amount\n2026-03-10,$,1\n", "is no currency"),
        (f"day,model,amount\n2026-03-10,{'x' * 201},1\n", "at most 200"),
        ('day,amount\n2026-03-10,"1\n', "no CSV"),
        ("day,amount\n2026-03-10,1\n".encode("utf-16"), "not UTF-8"),
        ("day,modell,amount\n2026-03-10,é,1\n".encode("latin-1"), "not UTF-8"),
        (b"day,amount\n2026-03-10,1\0\n", "NUL"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not UTF-8"),
        (b"PK\x03\x04", "no column day"),
    ],
)
def test_a_wrong_csv_file_says_what_is_wrong(content, says):
    content = content if isinstance(content, bytes) else content.encode()
    with pytest.raises(UnreadableError) as caught:
        read(content, format_name="csv")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"null", "no list named data"),
        (b'{"data": 3}', "no list named data"),
        (b'{"data": [3]}', "start_time is missing"),
        (b'{"data": [{"start_time": 1e300, "results": []}]}', "is not a day"),
        (b'{"data": [{"start_time": 0, "results": [null]}]}', "amount is missing"),
        (b'{"data": [{"start_time": 0, "results": [{"amount": 3}]}]}', "value is missing"),
        (b'{"data": []}', "has no lines"),
        (b'{"data": [{"start_time": 0, "results": [{"amount": {"value": true}}]}]}', "no number"),
    ],
)
def test_a_wrong_json_file_says_what_is_wrong(content, says):
    with pytest.raises(UnreadableError) as caught:
        read(content, format_name="openai_costs")
    assert says.replace("no number", "not a number") in str(caught.value)


def test_columns_that_are_not_there_and_formats_that_are_not():
    with pytest.raises(UnreadableError, match="no field price"):
        read(b"day,amount\n", format_name="csv", columns={"price": "amount"})
    with pytest.raises(UnreadableError, match="no column Cost"):
        read(b"day,amount\n", format_name="csv", columns={"amount": "Cost"})
    with pytest.raises(UnreadableError, match="no format xls"):
        read(b"", format_name="xls")


def test_a_file_is_at_most_50_mb():
    with pytest.raises(UnreadableError, match="50 MB"):
        read(bytes(50_000_001), format_name="csv")
