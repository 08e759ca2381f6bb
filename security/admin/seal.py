"""The audit chain, read-only: the seals, and up to where everything is sealed."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from common.admin import widgets
from common.admin.read_only import ReadOnlyAdmin
from security.audit_chain import checkpoint_file
from security.audit_chain.checkpoint import Malformed
from security.audit_chain.tail import unsealed_tail
from security.models import Seal


@admin.register(Seal)
class SealAdmin(ReadOnlyAdmin):
    """The list of seals, newest first, below the state of the chain."""

    list_display = ("number", "moment", "source", "row_count", "size", "key")
    fields = ("number", "moment", "source", "row_count", "row_ids", "size", "checkpoint")
    list_before_template = "security/audit_chain.html"
    list_filter = ("source",)
    ordering = ("-number",)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with the state of the chain above it."""
        context = {"butler_chain": _state(), **(extra_context or {})}
        return super().changelist_view(request, context)

    @display(description="Sealed (UTC)")
    def moment(self, seal: Seal) -> SafeString | str:
        """When the rows were sealed."""
        return widgets.moment(seal.sealed_at)

    @display(description="Rows")
    def row_count(self, seal: Seal) -> int:
        """How many rows it seals."""
        return len(seal.rows)

    @display(description="Ids of the rows")
    def row_ids(self, seal: Seal) -> SafeString | str:
        """Which rows it seals."""
        return widgets.block(", ".join(map(str, seal.rows)))

    @display(description="Checkpoint")
    def checkpoint(self, seal: Seal) -> SafeString | str:
        """The signed head, to be kept outside."""
        return widgets.block(checkpoint_file.note_of(seal))


def _state() -> dict[str, Any]:
    """Up to where everything is sealed, what waits, and the last checkpoint kept outside."""
    now, tail = timezone.now(), unsealed_tail()
    return {
        "last": Seal.objects.first(),
        "waiting": tail if tail.rows else None,
        "seconds": int(tail.age(now).total_seconds()),
        "kept": _kept(),
    }


def _kept() -> str:
    try:
        checkpoints = checkpoint_file.read(settings.AUDIT_CHECKPOINTS)
    except (Malformed, OSError) as failure:
        return f"The file of checkpoints cannot be read: {failure}"
    if not checkpoints:
        return "No checkpoint has been written to the file outside yet."
    head = checkpoints[-1].checkpoint
    return f"The last checkpoint in the file outside is over {head.size} rows, of {head.signed_at}."
