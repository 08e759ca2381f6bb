"""Statements as banks and rails write them."""

from decimal import Decimal

CAMT = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"><BkToCstmrStmt>
<GrpHdr><MsgId>M1</MsgId></GrpHdr>{statements}</BkToCstmrStmt></Document>"""
STATEMENT = """<Stmt><Id>S1</Id><Acct><Id><IBAN>{iban}</IBAN></Id><Ccy>{currency}</Ccy></Acct>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="{currency}">{opening}</Amt>
<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{since}</Dt></Dt></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="{currency}">{closing}</Amt>
<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{until}</Dt></Dt></Bal>{entries}</Stmt>"""
ENTRY = """<Ntry><Amt Ccy="{currency}">{size}</Amt><CdtDbtInd>{direction}</CdtDbtInd>
<Sts>{status}</Sts><BookgDt><Dt>{day}</Dt></BookgDt><AcctSvcrRef>{theirs}</AcctSvcrRef>
<BkTxCd><Domn><Fmly><SubFmlyCd>{family}</SubFmlyCd></Fmly></Domn></BkTxCd>
<NtryDtls>{details}</NtryDtls><AddtlNtryInf>{text}</AddtlNtryInf></Ntry>"""
DETAIL = """<TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs>{amount}</TxDtls>"""


def entry(day, amount, reference="NOTPROVIDED", **changes) -> str:
    """A booked entry; below zero, money left the account."""
    told = {
        "currency": "USD",
        "size": abs(Decimal(amount)),
        "direction": "DBIT" if Decimal(amount) < 0 else "CRDT",
        "status": "<Cd>BOOK</Cd>",
        "day": day,
        "theirs": "",
        "family": "OTHR",
        "text": "",
        "details": DETAIL.format(reference=reference, amount=""),
    }
    return ENTRY.format(**(told | changes))


def statement(opening, closing, *entries, since="2026-03-10", until="2026-03-10", **changes) -> str:
    """A statement of an account."""
    told = {"iban": "DE02120300000000202051", "currency": "USD"} | changes
    return STATEMENT.format(
        opening=opening, closing=closing, since=since, until=until, entries="".join(entries), **told
    )


def camt(*statements, version="08") -> bytes:
    """A file of statements."""
    return CAMT.format(version=version, statements="".join(statements)).encode()


def mt940(opening, closing, *lines, currency="USD", day="260310") -> bytes:
    """A statement with the lines of `:61:` and what follows them."""
    text = [":20:S1", ":25:DE02120300000000202051", ":28C:1/1"]
    text += [f":60F:C{day}{currency}{opening}", *lines, f":62F:C{day}{currency}{closing}", "-"]
    return "\r\n".join(text).encode()
