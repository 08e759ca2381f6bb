"""Figures are read from the providers' own documented answers, exactly, or not at all."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treasury.balances.base import Figure
from treasury.balances.formats import FORMATS, usual_format
from treasury.vendor_calls import Unreadable, VendorAnswer

DOCUMENTED = {
    "openrouter": (
        '{"data": {"total_credits": 100.5, "total_usage": 25.75}}',
        [Figure("USD", Decimal("74.75"))],
    ),
    "deepseek": (
        '{"is_available": true, "balance_infos": [{"currency": "CNY", "total_balance": "110.00",'
        ' "granted_balance": "10.00", "topped_up_balance": "100.00"}, {"currency": "USD",'
        ' "total_balance": "3.21", "granted_balance": "0.00", "topped_up_balance": "3.21"}]}',
        [
            Figure("CNY", Decimal("110.00"), Decimal("10.00")),
            Figure("USD", Decimal("3.21"), Decimal("0.00")),
        ],
    ),
    "moonshot": (
        '{"code": 0, "data": {"available_balance": 49.58894, "voucher_balance": 46.58893,'
        ' "cash_balance": -3.00001}, "scode": "0x0", "status": true}',
        [Figure("USD", Decimal("49.58894"), Decimal("46.58893"))],
    ),
    "moonshot-cn": (
        '{"data": {"available_balance": 1, "voucher_balance": 0, "cash_balance": 1}}',
        [Figure("CNY", Decimal(1), Decimal(0))],
    ),
    # In cents with the sign turned: bought for 10 USD twice, 5 of them are used.
    "x-ai": (
        '{"changes": [{"changeOrigin": "PURCHASE", "amount": {"val": "-1000"}}],'
        ' "total": {"val": "-1500"}}',
        [Figure("USD", Decimal("15.00"))],
    ),
    "vercel": (
        '{"balance": "95.50", "total_used": "4.50"}',
        [Figure("USD", Decimal("95.50"))],
    ),
    "simulator": ('{"credit": "-0.000000001"}', [Figure("USD", Decimal("-0.000000001"))]),
}


@pytest.mark.parametrize("slug", FORMATS)
def test_each_format_reads_the_documented_answer(slug):
    text, figures = DOCUMENTED[slug]
    assert FORMATS[slug].read(VendorAnswer(200, text.encode()).json()) == figures


@pytest.mark.parametrize("slug", FORMATS)
@pytest.mark.parametrize(
    "wrong", ["", "[]", "{}", "null", '"x"', '{"data": []}', "[" * 9000, '{"data": {"a": NaN}}']
)
def test_what_is_not_the_documented_answer_is_no_figure(slug, wrong):
    with pytest.raises(Unreadable):
        FORMATS[slug].read(VendorAnswer(200, wrong.encode()).json())


@pytest.mark.parametrize("value", ["1e999999", "NaN", "Infinity", "", "12,5", True, None, [], {}])
def test_what_is_no_amount_is_no_figure(value):
    with pytest.raises(Unreadable):
        FORMATS["vercel"].read({"balance": value})


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=9))
def test_numbers_of_json_never_pass_through_a_float(number):
    text = f'{{"data": {{"total_credits": {number:f}, "total_usage": 0}}}}'
    (figure,) = FORMATS["openrouter"].read(VendorAnswer(200, text.encode()).json())
    assert figure.amount == number


def test_the_usual_format_is_that_of_the_provider_also_of_a_second_account():
    assert usual_format("deepseek") == "deepseek"
    assert usual_format("x-ai-2") == "x-ai"
    assert usual_format("openai") == usual_format("anthropic") == ""


def test_every_format_is_documented_here():
    assert set(DOCUMENTED) == set(FORMATS)
    assert all(json.loads(text) for text, _ in DOCUMENTED.values())
