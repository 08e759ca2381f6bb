"""The vendor: payments, its own balance, and idempotency keys, kept in a file or in memory."""

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

_TABLES = """
CREATE TABLE IF NOT EXISTS payment (
    id TEXT PRIMARY KEY, key TEXT UNIQUE NOT NULL, body_sha256 TEXT NOT NULL, answer TEXT NOT NULL,
    http_status INTEGER NOT NULL, purchase TEXT NOT NULL, payee TEXT NOT NULL, amount TEXT NOT NULL,
    currency TEXT NOT NULL, status TEXT NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL,
    settles_at REAL, credits_at REAL, credited INTEGER NOT NULL DEFAULT 0, reverses_at REAL);
CREATE INDEX IF NOT EXISTS payment_by_purchase ON payment (purchase);
CREATE INDEX IF NOT EXISTS payment_to_settle ON payment (settles_at) WHERE status = 'processing';
CREATE INDEX IF NOT EXISTS payment_to_credit ON payment (credits_at)
    WHERE status = 'succeeded' AND credited = 0;
CREATE INDEX IF NOT EXISTS payment_to_reverse ON payment (reverses_at)
    WHERE status = 'succeeded' AND reverses_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS line (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, amount TEXT NOT NULL,
    currency TEXT NOT NULL, kind TEXT NOT NULL, payment TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL,
    payment TEXT NOT NULL, purchase TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS refund (
    id TEXT PRIMARY KEY, key TEXT UNIQUE NOT NULL, body_sha256 TEXT NOT NULL, payment TEXT NOT NULL,
    refund TEXT NOT NULL, amount TEXT NOT NULL, status TEXT NOT NULL, code TEXT NOT NULL,
    settles_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS refund_by_payment ON refund (payment);
CREATE TABLE IF NOT EXISTS usage (payee TEXT PRIMARY KEY, amount TEXT NOT NULL);
"""
_SHOWN = ("id", "purchase", "payee", "amount", "currency", "status", "code", "message")
_SHOWN_OF_REFUND = ("id", "payment", "refund", "amount", "status", "code")


class VendorError(Exception):
    """The vendor refuses a request, as `code` says."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Vendor:
    """All that the vendor knows. Not safe for threads: the server calls it under a lock."""

    def __init__(self, file: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self._rows = sqlite3.connect(file or ":memory:", check_same_thread=False)
        self._rows.row_factory = sqlite3.Row
        self._rows.executescript(_TABLES)
        rows = self._rows.execute("SELECT amount FROM line")
        self._balance = sum((Decimal(row["amount"]) for row in rows), Decimal(0))
        self._clock = clock
        self._moved_seconds = 0.0

    @property
    def now(self) -> float:
        """The vendor's own time, in seconds since 1970."""
        return self._clock() + self._moved_seconds

    def move_clock(self, seconds: float) -> None:
        """Let time pass."""
        self._moved_seconds += seconds

    def add_funds(self, amount: str, currency: str = "USD") -> None:
        """Play money arrives."""
        self._line(Decimal(amount), currency, "funding", "")
        self._rows.commit()

    def balance(self) -> Decimal:
        """What can be paid with."""
        return self._balance

    def credit(self, payee: str) -> Decimal:
        """What the payee shows as credit: what was bought less what was used or given back."""
        rows = self._rows.execute(
            "SELECT amount FROM payment WHERE payee = ? AND credited = 1 AND status <> 'reversed'",
            (payee,),
        )
        used = self._one("SELECT amount FROM usage WHERE payee = ?", payee)
        bought = sum((Decimal(row["amount"]) for row in rows), Decimal(0))
        back = self._rows.execute(
            "SELECT r.amount FROM refund r JOIN payment p ON p.id = r.payment"
            " WHERE p.payee = ? AND p.status <> 'reversed' AND r.status = 'succeeded'",
            (payee,),
        )
        bought -= sum((Decimal(row["amount"]) for row in back), Decimal(0))
        return bought - (Decimal(used["amount"]) if used else 0)

    def use(self, payee: str, amount: str) -> None:
        """The payee meters so much in total: the simulator has no calls of its own."""
        used = format(Decimal(amount), "f")
        self._rows.execute("INSERT OR REPLACE INTO usage VALUES (?, ?)", (payee, used))
        self._rows.commit()

    def lines(self, after: int) -> list[dict[str, Any]]:
        """The statement: every movement with its number."""
        return self._all("SELECT * FROM line WHERE number > ? ORDER BY number LIMIT 1000", after)

    def events(self, after: int) -> list[dict[str, Any]]:
        """What has happened to payments, in its order."""
        return self._all("SELECT * FROM event WHERE number > ? ORDER BY number LIMIT 1000", after)

    def payments(self, purchase: str) -> list[dict[str, Any]]:
        """The payments that were sent with this identity; all of them if it is empty."""
        sql, given = "SELECT * FROM payment", ()
        if purchase:
            rows = self._rows.execute(sql + " WHERE purchase = ?", (purchase,))
        else:
            rows = self._rows.execute(sql, given)
        return [self._told(row) for row in rows]

    def _told(self, row: sqlite3.Row) -> dict[str, Any]:
        return {**_shown(row), "refunded": format(self._given_back(row["id"]), "f")}

    def pay(
        self, body: bytes, *, key: str, fault: str, seconds: float
    ) -> tuple[int, dict[str, Any]]:
        """Make a payment, or repeat the first answer to its key. Raises VendorError."""
        sha256 = hashlib.sha256(body).hexdigest()
        if known := self._one("SELECT * FROM payment WHERE key = ?", key):
            if known["body_sha256"] != sha256:
                raise VendorError(400, "idempotency_mismatch", "The key is of another request.")
            return known["http_status"], json.loads(known["answer"])
        asked = read_request(body, key, names=("purchase", "payee", "currency"))
        payment = self._new_payment(asked, fault, seconds)
        status = 402 if payment["status"] == "failed" else 201
        row = {**payment, "key": key, "body_sha256": sha256, "http_status": status}
        row["answer"] = json.dumps(_shown({**payment, "credited": 0}))
        self._insert("payment", row)
        if payment["status"] != "failed":
            self._line(-Decimal(asked["amount"]), asked["currency"], "payment", payment["id"])
        self._event(payment["status"], payment)
        self.catch_up()
        return status, json.loads(row["answer"])

    def confirm(self, payment_id: str, *, is_accepted: bool) -> dict[str, Any]:
        """A person answers 3-D Secure. Raises VendorError."""
        payment = self._one("SELECT * FROM payment WHERE id = ?", payment_id)
        if payment is None or payment["status"] != "requires_action":
            raise VendorError(404, "no_action", "No payment waits for this confirmation.")
        if is_accepted:
            self._set(payment, status="processing", settles_at=self.now, credits_at=self.now)
        else:
            self._set(payment, status="failed", code="authentication_failed")
            self._line(
                Decimal(payment["amount"]), payment["currency"], "payment_failed", payment_id
            )
        self.catch_up()
        return self.payments(payment["purchase"])[0]

    def refund(
        self, body: bytes, *, key: str, fault: str, seconds: float
    ) -> tuple[int, dict[str, Any]]:
        """Give money of a payment back, or repeat the answer to its key. Raises VendorError."""
        sha256 = hashlib.sha256(body).hexdigest()
        if known := self._one("SELECT * FROM refund WHERE key = ?", key):
            if known["body_sha256"] != sha256:
                raise VendorError(400, "idempotency_mismatch", "The key is of another request.")
            return 201, self.refunds(known["refund"])[0]
        asked = read_request(body, key, names=("payment", "refund"))
        payment = self._one("SELECT * FROM payment WHERE id = ?", asked["payment"])
        if payment is None or payment["status"] != "succeeded" or not payment["credited"]:
            raise VendorError(404, "no_payment", "There is no such payment to give back.")
        left = Decimal(payment["amount"]) - self._given_back(payment["id"], also="processing")
        if Decimal(asked["amount"]) > left:
            raise VendorError(422, "refund_exceeds", f"{left} of it are left.")
        number = self._rows.execute("SELECT count(*) FROM refund").fetchone()[0] + 1
        row = {
            **{name: asked[name] for name in ("payment", "refund", "amount")},
            "id": f"sim_r_{number}",
            "key": key,
            "body_sha256": sha256,
            "status": "failed" if fault == "decline" else "processing",
            "code": "refund_declined" if fault == "decline" else "",
            "settles_at": self.now + (seconds if fault == "delay" else 0),
        }
        self._insert("refund", row)
        self.catch_up()
        return 201, self.refunds(asked["refund"])[0]

    def refunds(self, refund: str) -> list[dict[str, Any]]:
        """The refunds that were sent with this identity."""
        return [
            {name: row[name] for name in _SHOWN_OF_REFUND}
            for row in self._rows.execute("SELECT * FROM refund WHERE refund = ?", (refund,))
        ]

    def _given_back(self, payment_id: str, *, also: str = "") -> Decimal:
        rows = self._rows.execute(
            "SELECT amount FROM refund WHERE payment = ? AND status IN ('succeeded', ?)",
            (payment_id, also),
        )
        return sum((Decimal(row["amount"]) for row in rows), Decimal(0))

    def catch_up(self) -> None:
        """Let happen what is due by now."""
        due = self._rows.execute(
            "SELECT * FROM payment WHERE status = 'processing' AND settles_at <= ?", (self.now,)
        )
        for row in due.fetchall():
            self._set(row, status="succeeded")
        due = self._rows.execute(
            "SELECT * FROM payment WHERE status = 'succeeded' AND credited = 0 AND credits_at <= ?",
            (self.now,),
        )
        for row in due.fetchall():
            self._rows.execute("UPDATE payment SET credited = 1 WHERE id = ?", (row["id"],))
            self._event("credited", row)
        due = self._rows.execute(
            "SELECT * FROM payment WHERE status = 'succeeded' AND reverses_at IS NOT NULL"
            " AND reverses_at <= ?",
            (self.now,),
        )
        for row in due.fetchall():
            self._set(row, status="reversed")
            left = Decimal(row["amount"]) - self._given_back(row["id"])
            self._line(left, row["currency"], "reversal", row["id"])
        self._give_back()
        self._rows.commit()

    def _give_back(self) -> None:
        """Let the refunds that are due settle; of a payment that came back as a whole, none."""
        due = self._rows.execute(
            "SELECT r.*, p.currency, p.purchase, p.status AS of FROM refund r"
            " JOIN payment p ON p.id = r.payment"
            " WHERE r.status = 'processing' AND r.settles_at <= ?",
            (self.now,),
        )
        for row in due.fetchall():
            status = "succeeded" if row["of"] == "succeeded" else "failed"
            self._rows.execute("UPDATE refund SET status = ? WHERE id = ?", (status, row["id"]))
            if status == "succeeded":
                self._line(Decimal(row["amount"]), row["currency"], "refund", row["payment"])
                self._event("refunded", {"id": row["payment"], "purchase": row["purchase"]})

    def _new_payment(self, asked: dict[str, Any], fault: str, seconds: float) -> dict[str, Any]:
        number = self._rows.execute("SELECT count(*) FROM payment").fetchone()[0] + 1
        status, code, message = "processing", "", ""
        if fault == "decline":
            status, code, message = "failed", "card_declined", "The card was declined."
        elif Decimal(asked["amount"]) > self.balance():
            status, code, message = "failed", "insufficient_funds", "The balance is too low."
        elif fault == "action":
            status = "requires_action"
        settles_at = self.now + (seconds if fault == "delay" else 0)
        return {
            **{name: asked[name] for name in ("purchase", "payee", "amount", "currency")},
            "id": f"sim_{number}",
            "status": status,
            "code": code,
            "message": message,
            "settles_at": settles_at,
            "credits_at": settles_at + (seconds if fault == "late_credit" else 0),
            "reverses_at": self.now + seconds if fault == "reversal" else None,
        }

    def _set(self, payment: sqlite3.Row, **columns: Any) -> None:
        # The names are written above, in this file.
        changes = ", ".join(f"{name} = ?" for name in columns)
        self._rows.execute(
            f"UPDATE payment SET {changes} WHERE id = ?",  # noqa: S608  # nosec B608
            (*columns.values(), payment["id"]),
        )
        self._event(columns["status"], payment)

    def _line(self, amount: Decimal, currency: str, kind: str, payment: str) -> None:
        self._balance += amount
        line = {"at": self.now, "amount": format(amount, "f"), "currency": currency}
        self._insert("line", {**line, "kind": kind, "payment": payment})

    def _event(self, kind: str, payment: sqlite3.Row | dict[str, Any]) -> None:
        event = {"at": self.now, "kind": kind, "payment": payment["id"]}
        self._insert("event", {**event, "purchase": payment["purchase"]})

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        places = ", ".join("?" * len(row))
        self._rows.execute(
            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})",  # noqa: S608  # nosec B608
            tuple(row.values()),
        )

    def _one(self, sql: str, value: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._rows.execute(sql, (value,)).fetchone()
        return row

    def _all(self, sql: str, value: int) -> list[dict[str, Any]]:
        return [dict(row) for row in self._rows.execute(sql, (value,))]


def read_request(body: bytes, key: str, *, names: tuple[str, ...]) -> dict[str, Any]:
    """The request, with an amount and texts of these names. Raises VendorError."""
    if not key:
        raise VendorError(400, "key_missing", "A payment needs an Idempotency-Key.")
    try:
        asked: dict[str, Any] = json.loads(body)
        amount = Decimal(asked["amount"])
        if not all(isinstance(asked[name], str) for name in names):
            raise ValueError("not text")
    except (ValueError, KeyError, TypeError, InvalidOperation) as error:
        raise VendorError(400, "invalid_request", "The request cannot be read.") from error
    if not amount.is_finite() or amount <= 0 or amount != round(amount, 2):
        raise VendorError(422, "invalid_amount", "The amount must be more than 0, in whole cents.")
    return asked


def _shown(row: sqlite3.Row | dict[str, Any]) -> dict[str, Any]:
    return {**{name: row[name] for name in _SHOWN}, "credited": bool(row["credited"])}
