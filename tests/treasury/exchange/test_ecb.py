"""Files of the European Central Bank: what is read of them, and what is refused."""

from datetime import date
from decimal import Decimal

import pytest

from common.file_text import UnreadableError
from treasury.exchange import ecb
from treasury.exchange.ecb import DayRate, read

DAY = date(2026, 3, 9)
DAILY = b"Date, USD, JPY, GBP, \n09 March 2026, 1.0812, 161.45, 0.85613, \n"
HISTORY = b"Date,USD,JPY,CYP,\n2026-03-09,1.0812,161.45,N/A,\n2026-03-06,1.0799,161.02,N/A,\n"
XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"
 xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
<gesmes:subject>Reference rates</gesmes:subject><Cube><Cube time='2026-03-09'>
<Cube currency='USD' rate='1.0812'/><Cube currency='JPY' rate='161.45'/></Cube></Cube>
</gesmes:Envelope>"""
DOLLAR, YEN = DayRate(DAY, "USD", Decimal("1.0812")), DayRate(DAY, "JPY", Decimal("161.45"))


def test_each_of_the_three_files_has_its_rates():
    assert read(XML) == [DOLLAR, YEN]
    assert read(DAILY) == [DOLLAR, YEN, DayRate(DAY, "GBP", Decimal("0.85613"))]
    before = date(2026, 3, 6)
    assert read(HISTORY) == [
        DOLLAR,
        YEN,
        DayRate(before, "USD", Decimal("1.0799")),
        DayRate(before, "JPY", Decimal("161.02")),
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "none of the ECB"),
        (b"Day,USD\n2026-03-09,1\n", "none of the ECB"),
        (b"Date,USD\n", "has no rates"),
        (b"Date,USD\n2026-03-09,0\n", "is no rate"),
        (b"Date,USD\n2026-03-09,-1\n", "is no rate"),
        (b"Date,USD\n2026-03-09,NaN\n", "not a number"),
        (b"Date,USD\n2026-03-09,1.00000000001\n", "is no rate"),
        (b"Date,USD\nsoon,1\n", "not a day"),
        (b"Date,USD\n2026-03-09,1,2,3\n", "more cells"),
        (b"Date,USD\n2026-03-09,1\n2026-03-09,2\n", "two rates"),
        (b"<a>", "is no XML"),
        (b"<a/>", "has no rates"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
        (XML.replace(b"1.0812", b"x"), "not a number"),
        (XML.replace(b"USD", b"U$D"), "no currency"),
    ],
)
def test_what_cannot_be_right_is_refused(content, why):
    with pytest.raises(UnreadableError, match=why):
        read(content)


def test_large_files_are_refused(monkeypatch):
    monkeypatch.setattr(ecb, "BYTES_MAX", 10)
    with pytest.raises(UnreadableError, match="larger than"):
        read(DAILY)
