"""Triggers: what must never happen is refused by the database, whoever connects."""

import pgtrigger


def append_only(name: str) -> pgtrigger.Protect:
    """Rows are written once: no UPDATE, no DELETE."""
    return pgtrigger.Protect(name=name, operation=pgtrigger.Update | pgtrigger.Delete)


def fixed(name: str, *columns: str) -> pgtrigger.ReadOnly:
    """These columns keep for life what the INSERT wrote."""
    return pgtrigger.ReadOnly(name=name, fields=columns)
