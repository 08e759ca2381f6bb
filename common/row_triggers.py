"""Triggers with which the database refuses changes that must never happen, from any client."""

import pgtrigger


def append_only(name: str) -> pgtrigger.Protect:
    """Refuse every UPDATE and DELETE: rows are only inserted."""
    return pgtrigger.Protect(name=name, operation=pgtrigger.Update | pgtrigger.Delete)


def not_truncated(name: str) -> pgtrigger.Trigger:
    """Refuse TRUNCATE, of which triggers of rows learn nothing."""
    return pgtrigger.Trigger(
        name=name,
        when=pgtrigger.Before,
        operation=pgtrigger.Truncate,
        level=pgtrigger.Statement,
        func="RAISE EXCEPTION 'Cannot truncate %', TG_TABLE_NAME;",
    )


def write_once(name: str, *columns: str) -> pgtrigger.ReadOnly:
    """Refuse an UPDATE of these columns: they keep what the INSERT wrote."""
    return pgtrigger.ReadOnly(name=name, fields=list(columns))


class StateMachine(pgtrigger.FSM):
    """Refuse other changes of `field` than its `transitions`.

    An UPDATE that does not set the field does not run the trigger, which would take longer than
    the rest of a small one. So no other trigger may set it.
    """

    def __init__(self, *, name: str, field: str, transitions: list[tuple[str, str]]) -> None:
        super().__init__(name=name, field=field, transitions=transitions)
        self.operation = pgtrigger.UpdateOf(field)  # type: ignore[no-untyped-call]
