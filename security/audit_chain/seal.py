"""Seal the rows that wait: one process at a time, behind the writers, who never wait for it."""

from collections import defaultdict
from datetime import datetime
from typing import NamedTuple

from django.db import connection, transaction

from common.statements import Statement, fetch_unprepared
from security.audit_chain import keys, merkle
from security.audit_chain.models import ChainKey, ChainTip, Seal
from security.audit_chain.sources import Source, all_sources

# At most so many rows at once: after a pause of the sealer, the rest follows in the next batches.
BATCH = 5_000
# The lock of the sealer, which also keeps two first keys from being made.
LOCK = 0x7365_616C


class ChainDamaged(Exception):
    """The tree does not have the root that was signed last, so nothing is signed on top of it."""


class _Waiting(NamedTuple):
    source: str
    row_id: int


_TAKE = Statement(
    """
    DELETE FROM security_unsealedrow
     WHERE id IN (SELECT id FROM security_unsealedrow ORDER BY id LIMIT %(rows)s)
    RETURNING source, row_id
    """,
    _Waiting,
)


@transaction.atomic(durable=True)
def seal_rows(*, now: datetime) -> int:
    """Seal rows that wait, the oldest first; returns how many. 0: none, or another process seals.

    A crash leaves all of it undone. Raises ChainDamaged, KeyringUnusable. Refusal: CannotUnseal.
    """
    if not _lock():
        return 0
    by_source = defaultdict(list)
    for waiting in fetch_unprepared(_TAKE, rows=BATCH):
        by_source[waiting.source].append(waiting.row_id)
    if not by_source:
        return 0
    last = Seal.objects.first()
    number, tree = last.number if last else 0, _tree(last)
    key = keys.signing_key(now=now)
    for slug, row_ids in sorted(by_source.items()):
        number += 1
        _seal(all_sources()[slug], sorted(row_ids), tree, number=number, key=key, now=now)
    ChainTip(id=1, size=tree.size, peaks=tree.peaks).save()
    return sum(map(len, by_source.values()))


def _lock() -> bool:
    """Lock out other sealers until the end of the transaction; false if one is at work."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        [(locked,)] = cursor.fetchall()
        return bool(locked)


def _tree(last: Seal | None) -> merkle.Tree:
    """The tree after the last seal: the stored edge of it or, if that is wrong, made again."""
    tip = ChainTip.objects.first() or ChainTip()
    if last is None and tip.size:
        raise ChainDamaged("All seals are gone. Run `manage.py audit verify`.")
    tree = merkle.Tree(tip.size, bytes(tip.peaks))
    if last is None or _has_root(tree, last):
        return tree
    tree = merkle.Tree()
    for leaves in Seal.objects.order_by("number").values_list("leaves", flat=True).iterator():
        for leaf in merkle.split(bytes(leaves)):
            tree.append(leaf)
    if not _has_root(tree, last):
        raise ChainDamaged(
            f"The seals do not add up to what seal {last.number} signed. "
            "Run `manage.py audit verify`."
        )
    return tree


def _has_root(tree: merkle.Tree, seal: Seal) -> bool:
    return tree.size == seal.size and tree.root() == bytes(seal.root)


def _seal(  # noqa: PLR0913  (each by name)
    source: Source,
    row_ids: list[int],
    tree: merkle.Tree,
    *,
    number: int,
    key: ChainKey,
    now: datetime,
) -> None:
    contents = source.contents(row_ids)
    leaves = [
        # A row that is gone before it was sealed is sealed as such: `verify` reports it.
        merkle.leaf_hash(contents.get(row_id) or source.content_of_none(row_id))
        for row_id in row_ids
    ]
    for leaf in leaves:
        tree.append(leaf)
    seal = Seal(
        number=number,
        source=source.slug,
        rows=row_ids,
        leaves=b"".join(leaves),
        size=tree.size,
        root=tree.root(),
        sealed_at=now,
        key=key,
    )
    seal.signature = keys.private_key(key).sign(seal.head(key.name).text.encode())
    seal.save(force_insert=True)
