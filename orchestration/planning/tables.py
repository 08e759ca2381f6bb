"""Tables of tasks: each row below a head with a column such as “Task” is an item."""

import csv
import re
from collections.abc import Iterator
from typing import NamedTuple

_TABLE = re.compile(
    r"^(?P<head>[ \t]*+\|?[^\n|]*+\|[^\n]*+)\n"
    r"[ \t]*+\|?[ \t]*+:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)*+\|?[ \t]*+$"
    r"(?P<rows>(?:\n[^\n|]*+\|[^\n]*+)++)",
    re.MULTILINE,
)
# A head after an empty line or a colon, and lines with the same mark between their cells.
_SHEET = re.compile(
    r"\n(?<=\n\n|:\n)(?P<head>[^\n\t;,|]{0,80}(?P<mark>[\t;,](?=[^\n|]+\n)|\|)[^\n]{1,200})\n"
    r"(?=[^\n]*?(?P=mark))"
)
_SHEET_ROWS = {
    mark: re.compile(rf"[^\n{mark}]*+[{mark}][^\n]*+(?:\n[^\n{mark}]*+[{mark}][^\n]*+)*+")
    for mark in "\t;,|"
}
_TASK_COLUMN = re.compile(
    r"(?:sub-?)?tasks?|to-?do|steps?|actions?|action items?|work|what|what to do|"
    r"deliverable|activity|aufgaben?|schritte?|maßnahmen?|tätigkeit|was|tareas?|pasos?|acción|"
    r"acciones|actividad|"
    r"tâches?|étapes?|actions?|任务|任務|步骤|步驟|工作|工作内容|事项|タスク|作業|作業内容|手順|"
    r"やること|"
    r"कार्य|काम|चरण|المهمة|مهمة|الخطوة|العمل",
    re.IGNORECASE,
)
# Names of columns of tasks beside a column that says how far they are, too.
_WORK_COLUMN = re.compile(
    r"(?:user )?(?:story|stories)|tickets?|issues?|features?|bugs?|epics?|requirements?|"
    r"milestones?|summary|zusammenfassung|resumen|résumé",
    re.IGNORECASE,
)
# Names of columns of tasks only beside a column that says who, when or how much.
_TITLE_COLUMN = re.compile(
    r"(?:user )?(?:story|stories)|tickets?|issues?|items?|titles?|names?|features?|subjects?|"
    r"topics?|"
    r"description|requirements?|bugs?|epics?|titel|thema|themen|beschreibung|título|descripción|"
    r"titre|sujet|标题|内容|件名|内容",
    re.IGNORECASE,
)
_PLANNING_COLUMN = re.compile(
    r"owners?|who|assignees?|assigned(?: to)?|responsible|dri|due|due date|by when|deadline|"
    r"when|priority|"
    r"prio|(?:story )?points|estimate|effort|sprint|wer|verantwortlich|zuständig|bis|bis wann|"
    r"fällig|frist|priorität|aufwand|responsable|quién|fecha límite|plazo|prioridad|qui|"
    r"échéance|priorité|"
    r"负责人|截止日期|优先级|担当|担当者|期限|優先度|जिम्मेदार|المسؤول|الموعد",
    re.IGNORECASE,
)
_STATUS_COLUMN = re.compile(
    r"status|state|done\??|progress|erledigt\??|stand|estado|hecho|état|statut|fait|状态|狀態|完成|"
    r"状況|ステータス|स्थिति|الحالة",
    re.IGNORECASE,
)
_DONE = re.compile(
    r"\W*(?:done|complete|completed|finished|closed|yes|x|erledigt|fertig|abgeschlossen|ja|hecho|"
    r"hecha|completad[oa]|terminad[oa]|listo|sí|fait|faite|terminée?|oui|完成|已完成|完了|済|済み|"
    r"पूर्ण|पूरा|हो गया|تم|مكتمل|مكتملة|منجز|منجزة)\W*|\W*[✓✔✅☑]\W*",
    re.IGNORECASE,
)


class Row(NamedTuple):
    """A row of a table of tasks; `task` is its cell in the column of tasks."""

    start: int
    end: int
    head_start: int
    task: str
    text: str
    is_done: bool

    def is_below(self, other: "Row") -> bool:
        """Whether both are rows of one table."""
        return self.head_start == other.head_start


def rows(text: str) -> Iterator[Row]:
    """The rows of the tables in `text` that have a column of tasks, in their order."""
    found = _rows_of_markdown(text) if "|" in text and "-" in text else iter(())
    first = next(found, None)
    if first is None:
        yield from _rows_of_sheet(text)
        return
    yield first
    yield from found


def _rows_of_sheet(text: str) -> Iterator[Row]:
    """The rows that were copied from a sheet, or are those of a CSV file."""
    padded = f"\n\n{text}"
    for table in _SHEET.finditer(padded):
        mark, begin = table["mark"], table.start("head") - 2
        head = [cell.strip() for cell in table["head"].split(mark)]
        column = task_column(head)
        if column is None:
            continue
        found = _SHEET_ROWS[mark].match(padded, table.end())
        lines = found[0].split("\n") if found else []
        cells = [_sheet_cells(line, mark) for line in lines]
        if any(len(row) != len(head) for row in cells):
            continue
        status = _column(head, _STATUS_COLUMN)
        at = table.end() - 2
        for line, row in zip(lines, cells, strict=True):
            if row[column]:
                description = description_of_cells(head, row, column)
                done = _is_done(row, status)
                yield Row(at, at + len(line), begin, row[column], description, done)
            at += len(line) + 1


def _sheet_cells(line: str, mark: str) -> list[str]:
    if '"' not in line:
        return [cell.strip() for cell in line.split(mark)]
    return [cell.strip() for cell in next(csv.reader([line], delimiter=mark))]


def _rows_of_markdown(text: str) -> Iterator[Row]:
    for table in _TABLE.finditer(text):
        head = _cells(table["head"])
        column = task_column(head)
        if column is None:
            continue
        status = _column(head, _STATUS_COLUMN)
        at = table.start("rows") + 1
        for line in table["rows"][1:].split("\n"):
            cells = _cells(line)
            if len(cells) > column and cells[column]:
                yield Row(
                    start=at,
                    end=at + len(line),
                    head_start=table.start(),
                    task=cells[column],
                    text=description_of_cells(head, cells, column),
                    is_done=_is_done(cells, status),
                )
            at += len(line) + 1


def _cells(line: str) -> list[str]:
    cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())]
    begin = 1 if not cells[0] else 0
    return cells[begin:-1] if len(cells) > 1 and not cells[-1] else cells[begin:]


def task_column(head: list[str]) -> int | None:
    """Which of these columns has the tasks; None if no column or no name of a field says so."""
    column = _column(head, _TASK_COLUMN)
    if column is None and _column(head, _PLANNING_COLUMN) is not None:
        column = _column(head, _TITLE_COLUMN)
    if column is None and _column(head, _STATUS_COLUMN) is not None:
        column = _column(head, _WORK_COLUMN)
    return column


def _column(head: list[str], wanted: re.Pattern[str]) -> int | None:
    names = [cell.strip(" *_`") for cell in head]
    return next((at for at, name in enumerate(names) if wanted.fullmatch(name)), None)


def _is_done(cells: list[str], status: int | None) -> bool:
    return status is not None and status < len(cells) and says_done(cells[status])


def says_done(status: str) -> bool:
    """Whether the status of a task, such as “Done” or “erledigt”, says that it is done."""
    return bool(_DONE.fullmatch(status))


def description_of_cells(head: list[str], cells: list[str], column: int) -> str:
    """The task, then the other cells with the names of their columns."""
    others = [
        f"{name}: {cell}" if name else cell
        for at, (name, cell) in enumerate(zip(head, cells, strict=False))
        if at != column and cell
    ]
    return "\n".join([cells[column], *others])
