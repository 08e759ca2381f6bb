"""Save, change and delete views of pages."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from reports.models import SavedView
from reports.refusals import ViewNameTaken


@transaction.atomic(durable=True)
def save_view(
    *, owner: User, page: str, name: str, query: str, shared_at: datetime | None = None
) -> SavedView:
    """Keep the query of a page under a name. Refusals: ViewNameTaken."""
    view = SavedView(owner=owner, page=page, name=name, query=query, shared_at=shared_at)
    return _save(view)


@transaction.atomic(durable=True)
def change_view(view: SavedView, *, name: str, shared_at: datetime | None) -> SavedView:
    """Rename, share or no longer share a view. Refusals: ViewNameTaken."""
    view.name, view.shared_at = name, shared_at
    return _save(view)


def delete_view(view: SavedView) -> None:
    """Delete a view."""
    view.delete()


def _save(view: SavedView) -> SavedView:
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError as error:
        if "savedview_once_per_owner_page_and_name" not in str(error):
            raise
        raise ViewNameTaken(name=view.name) from None
    return view
