"""Workbooks as Excel reads them: of each sheet, the type and the text of each cell."""

import io
import zipfile
from xml.etree import ElementTree

_NAMES = {"s": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def sheets(content):
    """Of each sheet, its rows; of each row, the cells as (type, text), `n` for a number."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [_rows(archive.read(f"xl/worksheets/sheet{number}.xml")) for number in (1, 2)]


def _rows(xml):
    root = ElementTree.fromstring(xml)  # noqa: S314 - Butler wrote it
    assert not root.findall(".//s:f", _NAMES), "a cell is a formula"
    return [
        [(cell.get("t", "n"), "".join(cell.itertext())) for cell in row.iterfind("s:c", _NAMES)]
        for row in root.iterfind(".//s:row", _NAMES)
    ]
