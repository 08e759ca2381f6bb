"""The table of a file, built for its reader by the builder that its page uses."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import QueryDict

from common.public_urls import absolute
from dashboard import tables
from dashboard.exports.content import Content
from gate.queries import bindings
from keys.identity.queries.organisation import organisation
from reports.models import ExportFile
from reports.refusals import ExportNotAllowed


def content_of_page(
    user: User, *, table: str, path: str, query: QueryDict, now: datetime
) -> Content:
    """The rows that this person sees. PermissionDenied if the page is not theirs to open."""
    registered = tables.registered(table)
    if not user.has_perm(registered.permission):
        raise PermissionDenied
    found = organisation()
    return Content(
        table=registered.build(user, query, now),
        query=query,
        zone=ZoneInfo(found.reporting_zone),
        url=absolute(f"{path}?{query.urlencode()}"),
        organisation=found.name,
        author=user.get_username(),
        made_at=now,
    )


def content_of_file(file: ExportFile) -> Content:
    """The rows as its owner saw them when asking. Refusals: ExportNotAllowed."""
    check_access(file)
    return content_of_page(
        file.owner,
        table=file.table,
        path=file.path,
        query=QueryDict(file.query),
        now=file.created_at,
    )


def check_access(file: ExportFile) -> None:
    """Refuse a file to an owner who may no longer see all of it. Refusals: ExportNotAllowed."""
    owner = file.owner
    may_open = tables.is_registered(file.table) and owner.has_perm(
        tables.registered(file.table).permission
    )
    if not may_open or sorted(bindings(owner)) != file.centres:
        raise ExportNotAllowed
