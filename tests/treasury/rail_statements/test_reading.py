"""Files of banks and rails: what is read of them, and what is refused."""

from datetime import date
from decimal import Decimal

import pytest

from common.file_text import UnreadableError
from tests.treasury.rail_statements.files import DETAIL, camt, entry, mt940, statement
from treasury import rail_statements
from treasury.rail_statements import read
from treasury.rail_statements.movements import Asked

DAY = date(2026, 3, 10)


def read_csv(text, *, opening=None, closing=None, **columns):
    balances = {"opening": opening, "closing": closing}
    asked = Asked(columns, **{name: value and Decimal(value) for name, value in balances.items()})
    return read(text.encode(), format_name="csv", asked=asked)


def read_camt(content):
    return read(content, format_name="camt053", asked=Asked())


def read_mt940(content):
    return read(content, format_name="mt940", asked=Asked())


def brief(file):
    return [(each.amount, each.kind, each.reference) for each in file.movements]


@pytest.mark.parametrize("version", ["02", "08", "14"])
def test_camt053_of_each_version_has_its_movements_and_balances(version):
    file = read_camt(
        camt(
            statement(
                "100.00",
                "79.12",
                entry(DAY, "-20", "PAY-1", theirs="BANK-1", text="Credit for tokens"),
                entry(DAY, "-0.88", "PAY-1", family="CHRG", status="BOOK"),
                entry(DAY, "55", status="<Cd>PDNG</Cd>"),
            ),
            version=version,
        )
    )
    assert brief(file) == [(-20, "movement", "PAY-1"), (Decimal("-0.88"), "fee", "PAY-1")]
    assert (file.opening, file.closing) == (100, Decimal("79.12"))
    assert (file.since, file.until, file.currency) == (DAY, DAY, "USD")
    assert file.account == "DE02120300000000202051"
    assert file.movements[0].their_reference == "BANK-1"
    assert file.movements[0].description == "Credit for tokens"


def test_a_batch_is_a_line_for_each_payment_if_its_amounts_are_told():
    parts = [("A-1", "30.00"), ("B-2", "12.50")]
    amounts = [f'<Amt Ccy="USD">{size}</Amt>' for _, size in parts]
    details = "".join(
        DETAIL.format(reference=name, amount=amount)
        for (name, _), amount in zip(parts, amounts, strict=True)
    )
    content = camt(statement("100", "57.50", entry(DAY, "-42.50", details=details)))
    assert brief(read_camt(content)) == [
        (-30, "movement", "A-1"),
        (Decimal("-12.5"), "movement", "B-2"),
    ]
    wrong = content.replace(b"30.00", b"31.00")
    assert brief(read_camt(wrong)) == [(Decimal("-42.5"), "movement", "")]


def test_statements_of_one_file_follow_one_another():
    first = statement("100", "90", entry(DAY, "-10"))
    second = statement("90", "95", entry("2026-03-11", "5"), since="2026-03-11", until="2026-03-11")
    file = read_camt(camt(first, second))
    assert (file.opening, file.closing, len(file.movements)) == (100, 95, 2)
    assert (file.since, file.until) == (DAY, date(2026, 3, 11))
    with pytest.raises(UnreadableError, match="A statement between them is missing"):
        read_camt(camt(first, second.replace(">90<", ">91<").replace(">95<", ">96<")))
    with pytest.raises(UnreadableError, match="one account at a time"):
        read_camt(camt(first, second.replace("DE02", "DE99")))


ENTITIES = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<Document><BkToCstmrStmt>&b;</BkToCstmrStmt></Document>"""
EXTERNAL = b"""<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Document>&a;</Document>"""
FROM_NETWORK = b"""<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><Document/>"""


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (ENTITIES, "document type or entities"),
        (EXTERNAL, "document type or entities"),
        (FROM_NETWORK, "document type or entities"),
        (b"<Document>", "is no XML"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "is no XML"),
        (b"\x00\x01", "is no XML"),
        (b"<Document><BkToCstmrAcctRpt/></Document>", "no camt.053"),
        (camt(), "has no statement"),
        (camt(statement("1", "2")), "Lines are missing or doubled"),
        (camt(statement("1", "3", entry(DAY, "2", currency="EUR"))), "is in EUR"),
        (camt(statement("1", "3", entry(DAY, "2", direction="UP"))), "neither a credit"),
        (camt(statement("1", "3", entry("soon", "2"))), "not a day"),
        (camt(statement("1", "3", entry(DAY, "2", size="NaN"))), "not a number"),
        (camt(statement("1", "3", entry(DAY, "2", size="1e99"))), "too large"),
        (camt(statement("1", "1.0000000001", entry(DAY, "0.0000000001"))), "nine decimal places"),
    ],
)
def test_camt053_that_cannot_be_right_is_refused(content, why):
    with pytest.raises(UnreadableError, match=why):
        read_camt(content)


def test_deep_xml_is_read_or_refused():
    content = b"<Document>" + b"<a>" * 50_000 + b"</a>" * 50_000 + b"</Document>"
    with pytest.raises(UnreadableError, match="no camt.053"):
        read_camt(content)


def test_mt940_has_its_movements_and_balances():
    file = read_mt940(
        mt940(
            "100,00",
            "79,12",
            ":61:2603100310D20,00NTRFPAY-1//BANK-1",
            ":86:Credit for tokens",
            ":61:2603100310D0,88NCHGNONREF//BANK-2",
            ":86:Fee",
        )
    )
    assert brief(file) == [(-20, "movement", "PAY-1"), (Decimal("-0.88"), "fee", "")]
    assert (file.opening, file.closing) == (100, Decimal("79.12"))
    assert (file.since, file.until, file.currency) == (DAY, DAY, "USD")
    assert [each.their_reference for each in file.movements] == ["BANK-1", "BANK-2"]
    assert file.movements[0].description == "Credit for tokens"


def test_a_reversed_credit_leaves_the_account():
    file = read_mt940(mt940("100,00", "90,00", ":61:2603100310RC10,00NTRFPAY-1"))
    assert brief(file) == [(-10, "movement", "PAY-1")]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"x", "is no MT940"),
        (b"/etc/passwd", "is no MT940"),
        (b":20:S1\n:25:X\n", "no opening or closing balance"),
        (mt940("1,00", "2,00"), "Lines are missing or doubled"),
        (mt940("1,00", "3,00", ":61:2613400310C2,00NTRFX"), "is no MT940"),
        (mt940("1,00", "3,00", ":61:not a line"), "is no MT940"),
        (mt940("1,00", "3,00", ":61:2603100310C1,0,0NTRFX"), "is no MT940"),
        (mt940("1,00", "1,00").replace(b":62F:C260310USD", b":62F:C260310EUR"), "closes in EUR"),
        (b":20:\0", "NUL"),
    ],
)
def test_mt940_that_cannot_be_right_is_refused(content, why):
    with pytest.raises(UnreadableError, match=why):
        read_mt940(content)


def test_csv_with_a_mapping_and_balances_in_either_order():
    rows = ["2026-03-10;-20.00;80.00;PAY-1"]
    rows += ["2026-03-11;5.00;85.00;PAY-2"]
    names = {"day": "Date", "amount": "Money", "balance": "After", "reference": "Ref"}
    for order in (rows, rows[::-1]):
        file = read_csv("\n".join(["Date;Money;After;Ref", *order]), **names)
        assert (file.opening, file.closing) == (100, 85)
        assert [each.reference for each in file.movements] == ["PAY-1", "PAY-2"]
        assert (file.since, file.until) == (DAY, date(2026, 3, 11))
    with pytest.raises(UnreadableError, match="does not follow"):
        read_csv("\n".join(["Date;Money;After;Ref", rows[0], rows[1].replace("85", "84")]), **names)


def test_csv_with_net_amounts_has_fees():
    text = f"day,amount,net,reference\n{DAY},-20.00,-20.88,PAY-1\n{DAY},50.00,48.25,PAY-2\n"
    file = read_csv(text, opening="100.00", closing="127.37")
    assert brief(file) == [
        (-20, "movement", "PAY-1"),
        (Decimal("-0.88"), "fee", "PAY-1"),
        (50, "movement", "PAY-2"),
        (Decimal("-1.75"), "fee", "PAY-2"),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("day,amount\n", "has no lines"),
        ("amount\n1\n", "no column day"),
        ("day,amount\n2026-03-10,1\n", "does not tell its balances"),
        ("day,amount,balance\n2026-03-10,1,x\n", "not a number"),
        ("day,amount,balance\n2026-03-10,1,\n", "does not follow"),
        ("day,amount,currency\n2026-03-10,1,USD\n2026-03-10,1,EUR\n", "one currency at a time"),
        ('day,amount\n"2026-03-10,1\n', "is no CSV"),
    ],
)
def test_csv_that_cannot_be_right_is_refused(text, why):
    with pytest.raises(UnreadableError, match=why):
        read_csv(text)


def test_given_balances_must_be_those_of_the_file():
    text = "day,amount,balance\n2026-03-10,1,2\n"
    assert read_csv(text, opening="1").closing == 2
    with pytest.raises(UnreadableError, match="you gave 5"):
        read_csv(text, opening="5")


def test_large_files_and_unknown_formats_are_refused(monkeypatch):
    monkeypatch.setattr(rail_statements, "BYTES_MAX", 30)
    with pytest.raises(UnreadableError, match="larger than"):
        read_csv("day,amount,balance\n2026-03-10,1,2\n")
    monkeypatch.undo()
    monkeypatch.setattr(rail_statements, "LINES_MAX", 0)
    with pytest.raises(UnreadableError, match="more than 0 lines"):
        read_csv("day,amount,balance\n2026-03-10,1,2\n")
    with pytest.raises(UnreadableError, match="no format pdf"):
        read(b"x", format_name="pdf", asked=Asked())
