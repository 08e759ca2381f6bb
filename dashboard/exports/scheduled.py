"""Send a run of a scheduled report: its file is what the owner may see at that moment."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from tempfile import TemporaryFile
from typing import IO, Any
from zoneinfo import ZoneInfo

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import QueryDict

from alerts import services as alerts
from common import mail
from common.public_urls import absolute
from common.refusal import Refusal
from dashboard import tables
from dashboard.exports import csv_files, focus_files, xlsx_files
from dashboard.exports.build import content_of_page
from dashboard.exports.content import Content, exact_text
from gate.queries import bindings
from reports import services as reports
from reports.models import ReportDelivery, ReportRun, ReportSchedule
from reports.queries.month_closes import last_close

# A larger file is not attached: the message has a link to the page.
ATTACHED_BYTES_MAX = 5 * 1024 * 1024
_WEBHOOK_TEXT_MAX = 256 * 1024
_PROGRESS_ROWS = 2_000
_MEDIA_TYPES = {"csv": csv_files.MEDIA_TYPE, "xlsx": xlsx_files.MEDIA_TYPE}
_NO_ACCESS = "The owner may no longer see this report."
FOCUS = "focus"


@dataclass(frozen=True)
class _File:
    """The file of a run; `content` is None if it is too large for a message."""

    name: str
    media_type: str
    rows: int
    size: int
    total: str
    url: str
    content: bytes | None


def send_run(run: ReportRun, *, clock: Callable[[], datetime]) -> bool:
    """Make the file and send its messages, each of which was claimed before; whether it was sent.

    Not inside a transaction. The rights of owner and receivers are read each time. `clock` gives
    the time at which the job says that it lives.
    """
    try:
        file = _file(run, clock)
    except (PermissionDenied, Refusal) as refusal:
        reports.fail_run(run, error=getattr(refusal, "detail", "") or _NO_ACCESS, now=clock())
        return False
    reports.record_file(run, rows=file.rows, size=file.size, total=file.total)
    for delivery in reports.claim_deliveries(run, clock=clock):
        _deliver(run, delivery, file, now=clock())
    reports.end_run(run, now=clock())
    return True


def _deliver(run: ReportRun, delivery: ReportDelivery, file: _File, *, now: datetime) -> None:
    if refusal := _refusal(run, delivery):
        reports.refuse_delivery(delivery, answer=refusal)
        return
    try:
        answer = _send(run, delivery, file, now=now)
    except (mail.MailNotSent, alerts.ReportNotDelivered, Refusal) as failure:
        reports.fail_delivery(delivery, answer=str(failure)[:300])
    else:
        reports.record_delivery(delivery, answer=answer, now=now)


def _refusal(run: ReportRun, delivery: ReportDelivery) -> str:
    """Why the receiver must not get the file; empty if they may."""
    person: Any = delivery.person
    if person is None:
        return ""
    if not person.is_active or not person.email:
        return "The person was switched off or has no e-mail address."
    theirs, owners = bindings(person), bindings(run.schedule.owner)
    sees_all = not theirs or (bool(owners) and {*owners} <= {*theirs})
    if not sees_all or not _may_open(person, run.schedule):
        return "The person may not see all of this report."
    return ""


def _may_open(user: Any, schedule: ReportSchedule) -> bool:
    if not user.is_active or not user.is_staff:
        return False
    if schedule.table == FOCUS:
        return bool(user.has_perm("keys.view_charge"))
    return tables.is_registered(schedule.table) and user.has_perm(
        tables.registered(schedule.table).permission
    )


def _send(run: ReportRun, delivery: ReportDelivery, file: _File, *, now: datetime) -> str:
    name, delivery_id = run.schedule.name, str(delivery.delivery_id)
    if delivery.channel:
        return alerts.send_report(
            delivery.channel, _payload(run, file), delivery_id=delivery_id, now=now
        )
    attachment = (
        None
        if file.content is None
        else mail.Attachment(file.name, file.content, file.media_type.partition(";")[0])
    )
    mail.send(
        delivery.person.email,  # type: ignore[union-attr]  # one of the two is set
        title=f"Butler report: {name}",
        body="\n".join(_lines(run, file, delivery_id)),
        attachment=attachment,
        delivery_id=delivery_id,
    )
    return ""


def _lines(run: ReportRun, file: _File, delivery_id: str) -> Iterator[str]:
    yield f"{run.schedule.name}, with {file.rows:,} rows. {file.total}".strip()
    if file.content is None:
        yield "The file is too large for a message. Sign in to see the report:"
    yield file.url
    yield ""
    yield f"It shows what {run.schedule.owner.get_username()} may see. Delivery {delivery_id}"


def _payload(run: ReportRun, file: _File) -> dict[str, Any]:
    is_text = file.media_type == csv_files.MEDIA_TYPE
    fits = is_text and file.content is not None and file.size <= _WEBHOOK_TEXT_MAX
    return {
        "type": "report",
        "name": run.schedule.name,
        "due_at": run.due_at,
        "rows": file.rows,
        "total": file.total,
        "url": file.url,
        "file_name": file.name,
        "csv": file.content.decode() if fits and file.content is not None else None,
    }


def _file(run: ReportRun, clock: Callable[[], datetime]) -> _File:
    """The file. PermissionDenied if the owner may not open the page; Refusals: TooManyRows."""
    schedule = run.schedule
    owner: Any = get_user_model().objects.get(pk=schedule.owner_id)
    if not _may_open(owner, schedule):
        raise PermissionDenied
    with TemporaryFile() as made:
        if schedule.table == FOCUS:
            return _focus_file(run, owner, made, clock)
        query = QueryDict(_query(schedule))
        content = content_of_page(
            owner, table=schedule.table, path=schedule.path, query=query, now=run.due_at
        )
        if schedule.file_format == "xlsx":
            xlsx_files.write_xlsx(content, made, progress=partial(_progress, run, clock))
        else:
            made.writelines(_kept(run, csv_files.csv_pieces(content), clock))
        return _finished(run, made, rows=content.count, total=_total(content), url=content.url)


def _query(schedule: ReportSchedule) -> str:
    """The query string; statements are those of the latest closed month."""
    if schedule.table == "statements" and not schedule.query and (last := last_close()):
        return f"month={last.slug}"
    return schedule.query


def _progress(run: ReportRun, clock: Callable[[], datetime], rows: int) -> None:
    if rows % _PROGRESS_ROWS == 0:
        reports.keep_run(run, now=clock())


def _kept(
    run: ReportRun, pieces: Iterable[bytes], clock: Callable[[], datetime]
) -> Iterator[bytes]:
    """The pieces of a file; with each of them the job says that it lives."""
    for piece in pieces:
        reports.keep_run(run, now=clock())
        yield piece


def _focus_file(
    run: ReportRun, owner: Any, made: IO[bytes], clock: Callable[[], datetime]
) -> _File:
    month = focus_files.focus_month(owner, run.due_at)
    counted = focus_files.Counted(month)
    made.writelines(_kept(run, csv_files.pieces(counted.lines()), clock))
    url = absolute(f"{run.schedule.path}?month={month.first:%Y-%m}")
    return _finished(run, made, rows=counted.rows, total=_usd(counted.billed), url=url)


def _finished(run: ReportRun, made: IO[bytes], *, rows: int, total: str, url: str) -> _File:
    size = made.tell() or made.seek(0, 2)
    made.seek(0)
    schedule = run.schedule
    return _File(
        name=f"{schedule.table}-{run.due_at:%Y-%m-%d}.{schedule.file_format}",
        media_type=_MEDIA_TYPES[schedule.file_format],
        rows=rows,
        size=size,
        total=total,
        url=url,
        content=made.read() if size <= ATTACHED_BYTES_MAX else None,
    )


def _total(content: Content) -> str:
    """The sums of money in the file, such as `Cost: $4.20`."""
    return "; ".join(
        f"{column.label}: {_usd(content.total(column))}"
        for column in content.columns
        if column.total and column.kind == "money"
    )


def _usd(amount: Decimal | int) -> str:
    return f"${exact_text(Decimal(amount), ZoneInfo('UTC'))}"
