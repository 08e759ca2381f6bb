"""Numbers as files of people have them; what has two readings is asked, never guessed."""

import pytest

from common.file_text import UnreadableError
from common.number_forms import decimal_mark, plain
from treasury.rail_statements import csv_file as statement_csv
from treasury.rail_statements.movements import Asked
from treasury.reconciliation.reports import csv_file


@pytest.mark.parametrize(
    ("cell", "mark"),
    [
        ("1.234,56", ","),
        ("1,234.56", "."),
        ("12,5", ","),
        ("12.50", "."),
        ("1.234.567", ","),
        ("1,234,567", "."),
        ("0.125", "."),
        ("0,125", ","),
        (",125", ","),
        ("1234.567", "."),
        ("1'234.50", "."),
        ("1 234,567", ","),
        ("(12.00)", "."),
        ("12,00-", ","),
        ("1.5e-5", "."),
        ("1234", None),
        ("", None),
    ],
)
def test_a_cell_with_one_reading_tells_the_mark(cell, mark):
    assert decimal_mark([cell]) == mark


@pytest.mark.parametrize("cells", [["1.234"], ["-1,234", "(999,000)"], ["5", "12.000-"]])
def test_what_has_two_readings_is_asked(cells):
    with pytest.raises(UnreadableError, match="decimal=point or decimal=comma"):
        decimal_mark(cells)


def test_another_number_of_the_file_tells():
    assert decimal_mark(["1.234", "5", "2,5"]) == ","


@pytest.mark.parametrize(
    ("cell", "mark", "number"),
    [
        ("1.234,56", ",", "1234.56"),
        ("1,234.56", ".", "1234.56"),
        ("1.234", ",", "1234"),
        ("1.234", ".", "1.234"),
        ("(12.00)", ".", "-12.00"),
        ("12.00-", ".", "-12.00"),
        ("−12,5", ",", "-12.5"),
        ("+7", None, "7"),
        ("1 234 567,8", ",", "1234567.8"),
        ("1\u00a0234", ",", "1234"),
        ("1’234.5", ".", "1234.5"),
        ("1e-5", ".", "1e-5"),
        (".5", ".", ".5"),
        ("1.23,4", ",", None),
        ("12.34,56", ",", None),
        ("1,234 567", ",", None),
        ("2.50", ",", None),
        ("--1", ".", None),
        ("(-1)", ".", None),
        ("NaN", ".", None),
        ("", ".", None),
    ],
)
def test_a_number_is_made_plain(cell, mark, number):
    assert plain(cell, mark) == number


BILL = "day;amount\n2026-03-10;1.234\n2026-03-11;(2.000)\n"


def test_a_bill_with_decimal_commas():
    text = "day;amount;quantity\n2026-03-10;1.234,50;1.000\n2026-03-11;2,25-;2.000.000\n"
    first, second = csv_file.read(text.encode(), {})
    assert (f"{first.amount:f}", f"{first.quantity:f}") == ("1234.500000000000", "1000.000000")
    assert (second.kind, second.amount, second.quantity) == ("refund", -2.25, 2_000_000)


def test_a_bill_that_does_not_tell_is_asked_for():
    with pytest.raises(UnreadableError, match="'1.234' may have thousands or decimals"):
        csv_file.read(BILL.encode(), {})
    amounts = [line.amount for line in csv_file.read(BILL.encode(), {"decimal": "comma"})]
    assert amounts == [1234, -2000]
    amounts = [line.amount for line in csv_file.read(BILL.encode(), {"decimal": "point"})]
    assert [f"{each:.3f}" for each in amounts] == ["1.234", "-2.000"]
    with pytest.raises(UnreadableError, match="decimal is point or comma"):
        csv_file.read(BILL.encode(), {"decimal": "dot"})


def test_one_file_has_one_mark():
    text = "day;amount\n2026-03-10;1,50\n2026-03-11;2.50\n"
    with pytest.raises(UnreadableError, match="Line 3: '2.50' is not a number with a decimal"):
        csv_file.read(text.encode(), {})


def test_a_statement_with_decimal_commas_and_balances():
    text = "Tag;Betrag;Saldo\n2026-03-10;1.000,00;1.000,00\n2026-03-11;(250,50);749,50\n"
    columns = {"day": "Tag", "amount": "Betrag", "balance": "Saldo"}
    (part,) = statement_csv.read(text.encode(), Asked(columns=columns))
    assert [each.amount for each in part.movements] == [1000, -250.5]
    assert part.closing == 749.5
