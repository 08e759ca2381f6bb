"""A table as an Excel workbook: its rows on one sheet, what the file says about itself on another.

Rows go to disk as they come, so memory stays flat.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import IO, Any
from zoneinfo import ZoneInfo

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from dashboard.exports.content import Content, exact_text
from dashboard.tables import Column
from reports.refusals import TooManyRows

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# What one sheet holds, besides its head.
ROWS_MAX = 1_048_575
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
_FORMATS = {
    "money": "#,##0.00#######",
    "tokens": "#,##0",
    "count": "#,##0",
    "percent": "0.0##",
    "moment": "yyyy-mm-dd hh:mm:ss",
}
_WIDTHS = {"text": 28, "link": 28, "status": 14, "moment": 20}
_FIGURE_WIDTH = 16


def write_xlsx(
    content: Content, file: IO[bytes], *, progress: Callable[[int], object] = lambda rows: None
) -> None:
    """Write the workbook to `file`; `progress` is told the number of rows after each of them.

    Refusals: TooManyRows.
    """
    workbook = Workbook(file, _OPTIONS)
    bold = workbook.add_format({"bold": True})
    sheet = workbook.add_worksheet("Table")
    formats = [_format(workbook, column) for column in content.columns]
    for number, (column, look) in enumerate(zip(content.columns, formats, strict=True)):
        sheet.set_column(number, number, _WIDTHS.get(column.kind, _FIGURE_WIDTH), look)
    sheet.freeze_panes(1, 1)
    sheet.write_row(0, 0, content.heads, bold)
    for row in content.rows():
        if content.count > ROWS_MAX:
            raise TooManyRows(rows_max=ROWS_MAX)
        for number, (value, look) in enumerate(zip(row, formats, strict=True)):
            _write(sheet, content.count, number, value, look, content.zone)
        progress(content.count)
    about = workbook.add_worksheet("About")
    about.set_column(0, 1, 40)
    for number, (name, fact) in enumerate(content.facts()):
        about.write_string(number, 0, name, bold)
        about.write_string(number, 1, exact_text(fact, content.zone))
    workbook.close()


def _format(workbook: Workbook, column: Column) -> Any:
    return workbook.add_format({"num_format": _FORMATS.get(column.kind, "General")})


def _write(
    sheet: Worksheet, row: int, column: int, value: object, look: Any, zone: ZoneInfo
) -> None:
    if value is None:
        return
    if isinstance(value, datetime):
        sheet.write_datetime(row, column, value.astimezone(zone).replace(tzinfo=None), look)
    elif isinstance(value, int | Decimal) and _is_exact(value):
        sheet.write_number(row, column, float(value), look)
    else:
        sheet.write_string(row, column, exact_text(value, zone))


def _is_exact(number: int | Decimal) -> bool:
    """Whether Excel, which counts in floats, keeps every place; else the number is kept as text."""
    return Decimal(f"{float(number):.16G}") == number
