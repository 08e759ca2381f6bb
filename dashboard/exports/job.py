"""Make a file that was asked for: into a temporary file first, then into the database in parts."""

from functools import partial
from tempfile import TemporaryFile

from django.utils import timezone

from common.refusal import Refusal
from dashboard.exports.build import content_of_file
from dashboard.exports.xlsx_files import write_xlsx
from reports import services as reports
from reports.models import ExportFile

_PART_BYTES = 1024 * 1024
_PROGRESS_ROWS = 2_000


def make(file: ExportFile) -> None:
    """Make and store the file; if that is refused, the file keeps the reason."""
    try:
        content = content_of_file(file)
        with TemporaryFile() as made:
            write_xlsx(content, made, progress=partial(_progress, file))
            made.seek(0)
            reports.store_export(
                file,
                iter(partial(made.read, _PART_BYTES), b""),
                rows=content.count,
                now=timezone.now(),
            )
    except Refusal as refusal:
        reports.fail_export(file, error=refusal.detail)


def _progress(file: ExportFile, rows: int) -> None:
    if rows % _PROGRESS_ROWS == 0:
        reports.note_progress(file, rows=rows, now=timezone.now())
