"""Long imports and exports say how far they are, on a terminal and in a log."""

import io
from collections import defaultdict

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper

from interchange import services as interchange
from interchange.management import progress
from interchange.models import ImportedState
from interchange.state_files import counted, files, streams
from tests.actors import ACTOR
from tests.interchange.sample import DATA
from tests.moments import NOON

STATE, KEYS = DATA / files.STATE_FILE, DATA / files.KEYS_FILE


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when a test says so."""
    seconds = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: seconds[0])
    return seconds


def test_a_log_gets_a_line_every_ten_seconds_with_rate_and_time_left(clock):
    said = io.StringIO()
    with progress.stages(OutputWrapper(said)) as begin:
        tell = begin("Written", 10_000)
        for seconds, done in ((9, 900), (1, 100), (9, 900), (2, 200)):
            clock[0] += seconds
            tell(done)
        begin("Compared", 5)(5)
    assert said.getvalue().splitlines() == [
        "Written: 1,000 of 10,000, 100 a second, 90 s left",
        "Written: 2,100 of 10,000, 100 a second, 79 s left",
    ]


def test_where_the_number_is_not_known_none_is_made_up(clock):
    said = io.StringIO()
    with progress.stages(OutputWrapper(said)) as begin:
        tell = begin("Checked", None)
        clock[0] += 20
        tell(50_000)
    assert said.getvalue() == "Checked: 50,000, 2,500 a second\n"


def test_a_terminal_has_a_bar_for_each_stage():
    said = Terminal()
    with progress.stages(OutputWrapper(said)) as begin:
        begin("Checked", None)(7)
        begin("Written", 9)(9)
    assert "Checked" in said.getvalue()
    assert "9/9" in said.getvalue()


@pytest.mark.parametrize("length", [0, 1, 1_000, 2_500])
def test_each_loop_tells_of_all_entries(length):
    told = []
    entries = counted.Counted(range(length), told.append)
    for _ in range(2):
        assert list(entries) == list(range(length))
    assert sum(told) == 2 * length


@pytest.mark.django_db
def test_an_import_tells_of_each_session_and_entry_in_each_stage():
    told, totals = defaultdict(int), {}

    def begin(stage, total):
        totals[stage] = total

        def tell(done):
            told[stage] += done

        return tell

    result = interchange.import_state(
        state=streams.read(STATE, tell=begin("Read", None)),
        api_keys=files.read(KEYS),
        actor=ACTOR,
        now=NOON,
        progress=begin,
    )
    entries = result.allocations + result.history
    assert entries > 0 and told["Read"] > entries
    assert totals == {
        "Read": None,
        "Checked": None,
        "Written": entries,
        "Compared": result.allocations,
    }
    assert {stage: told[stage] for stage in ("Checked", "Written", "Compared")} == {
        "Checked": entries,
        "Written": entries,
        "Compared": result.allocations,
    }


@pytest.mark.django_db(transaction=True)
def test_ctrl_c_is_told_in_a_sentence_and_nothing_is_imported(monkeypatch):
    def interrupt(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("interchange.state_files.imported_entries.keep", interrupt)
    with pytest.raises(CommandError, match="Stopped. Nothing was imported.") as stopped:
        call_command("import_state", STATE, KEYS)
    assert stopped.value.returncode == 130
    assert not ImportedState.objects.exists()
