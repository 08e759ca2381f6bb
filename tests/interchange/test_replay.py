"""Replays of small invented traces, in the format of real ones."""

import gzip
import io
import os
import signal
import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from interchange.replay import traces
from interchange.replay.driver import Driver, Plan
from keys import services as keys
from keys.models import Agent, Allocation, Charge
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key
from tests.moments import NOON

FLEET = "instance_id,step,created_unix,prompt_tokens,cached_tokens,completion_tokens,"
FLEET += "reasoning_tokens,cost_usd"


def fleet_trace(path, *, sessions=6, calls=8, prompt=3000):
    """Sessions that overlap: each call has the prompt of the one before and more."""
    rows = [
        f"repo__repo-{session},{step},{1000 + 7 * session + 10 * step},{prompt * (step + 1)},"
        f"{prompt * step},{100 + step},{10 * step},"
        for session in range(sessions)
        for step in range(calls)
    ]
    path.write_text("\n".join([FLEET, *rows]) + "\n", encoding="utf-8")
    return path


def conversation_trace(path, *, calls=60):
    """Write a trace whose calls name no session."""
    rows = [f"{number / 2},{300 + number},{40 + number}" for number in range(calls)]
    path.write_text("\n".join(["t_s,input_tokens,output_tokens", *rows]), encoding="utf-8")
    return path


@pytest.fixture
def replay(transactional_db):
    """Run the command; its report by the word each line begins with."""

    def run(path, **options):
        out = io.StringIO()
        call_command("replay", str(path), stdout=out, **options)
        lines = (line.split(maxsplit=1) for line in out.getvalue().splitlines())
        return {first: rest[0] for first, *rest in lines}

    return run


def test_every_call_of_the_trace_is_in_the_books_once(replay, tmp_path):
    add_key("nvidia-1", per_day=100_000_000)
    path = fleet_trace(tmp_path / "trace.csv")
    printed = replay(path, budget=50_000)
    assert printed["calls"] == "48 of 48"
    assert Charge.objects.filter(status="settled").count() == 48
    assert sum(Charge.objects.values_list("tokens", flat=True)) == sum(
        call.tokens for call in traces.read(path)
    )
    assert printed["the"] == "books balance: yes"
    assert not Allocation.objects.filter(status="active").exists()
    assert_books_balance()


def test_what_does_not_fit_the_limits_is_refused_and_counted(replay, tmp_path):
    add_key("nvidia-1", per_day=200_000)
    printed = replay(fleet_trace(tmp_path / "trace.csv"), budget=60_000)
    done, offered = printed["calls"].split(" of ")
    assert 0 < int(done) < int(offered)
    assert printed["refusals"].startswith(f"{int(offered) - int(done)} (no_key_capacity")
    assert printed["the"] == "books balance: yes"
    assert_books_balance()


def test_a_session_gives_back_what_it_did_not_use_at_its_last_call(replay, tmp_path):
    add_key("nvidia-1", per_day=150_000)
    path = tmp_path / "trace.csv"
    path.write_text(f"{FLEET}\na,0,1,500,0,10,0,\nb,0,2,500,0,10,0,\n", encoding="utf-8")
    assert replay(path, budget=100_000, threads=1)["calls"] == "2 of 2"


def test_a_replay_can_be_repeated_on_one_database(replay, tmp_path):
    add_key("nvidia-1", per_day=100_000_000)
    path = fleet_trace(tmp_path / "trace.csv", sessions=2)
    assert replay(path)["calls"] == replay(path)["calls"] == "16 of 16"
    assert Charge.objects.count() == 32
    assert_books_balance()


def test_thresholds_crossed_on_the_way_raise_alerts_and_rotate(replay, tmp_path):
    add_key("nvidia-1", per_day=100_000_000, priority=2)
    add_key("nvidia-2", per_day=100_000_000, priority=1)
    printed = replay(fleet_trace(tmp_path / "trace.csv"), budget=50_000)
    assert "rotation_needed" in printed["alerts"]
    assert int(printed["rotations"]) > 0
    assert_books_balance()


def test_a_paid_key_shows_what_it_cost(replay, tmp_path):
    add_key("openai-1", provider="openai", rates=PAID, per_day=None)
    printed = replay(conversation_trace(tmp_path / "trace.csv", calls=1))
    assert printed["cost"] == "0.001500000 USD"


def test_agents_share_the_sessions_and_a_gzipped_trace_is_the_same(replay, tmp_path):
    add_key("nvidia-1", per_day=100_000_000)
    plain = conversation_trace(tmp_path / "trace.csv")
    packed = tmp_path / "trace.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert traces.read(packed) == traces.read(plain)
    assert replay(packed, agents=3, limit=45)["calls"] == "45 of 45"
    spenders = set(Allocation.objects.values_list("agent", flat=True))
    assert spenders == {"replay-1", "replay-2", "replay-3"}
    assert Agent.objects.get(pk="replay-1").cost_centre.path == ["org", "replay"]


def test_at_a_speed_calls_wait_for_their_moment(replay, tmp_path):
    add_key("nvidia-1", per_day=100_000_000)
    printed = replay(conversation_trace(tmp_path / "trace.csv", calls=21), speed=20.0)
    assert float(printed["duration"].split()[0]) >= 0.5


def test_ctrl_c_ends_it_with_everything_completed_and_booked(transactional_db, tmp_path):
    add_key("nvidia-1", per_day=100_000_000)
    keys.create_agent_of("a", cost_centre="org", actor=ACTOR, now=NOON)
    calls = traces.read(fleet_trace(tmp_path / "trace.csv"))
    done = threading.Event()
    driver = Driver(
        calls,
        Plan(agents=["a"], threads=2, budget=200_000, speed=1),
        on_call=done.set,
    )
    threading.Thread(target=lambda: done.wait(10) and os.kill(os.getpid(), signal.SIGINT)).start()
    tally = driver.run()
    assert (tally.stopped, tally.offered) == (True, len(calls))
    assert 0 < tally.calls == Charge.objects.count() < len(calls)
    assert not Allocation.objects.filter(status="active").exists()
    assert_books_balance()


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("x,y\n1,2\n", "Line 1 is not the header"),
        (f"{FLEET}\na,0,1,5,0,1,0,\na,1,1,five,0,1,0,\n", "Line 3: prompt_tokens is 'five'"),
        (f"{FLEET}\na,0,1,5,9,1,0,\n", "Line 2: cached_tokens are more"),
        (f"{FLEET}\na,0,1,5\n", "Line 2: completion_tokens is ''"),
        (f"{FLEET}\n,0,1,5,0,1,0,\n", "Line 2: instance_id is empty"),
        ("t_s,input_tokens,output_tokens\nnan,1,1\n", "Line 2: t_s is 'nan'"),
        ("t_s,input_tokens,output_tokens\n0,-1,1\n", "Line 2: input_tokens is '-1'"),
        ("t_s,input_tokens,output_tokens\n", "has no calls"),
        ("t_s,\xff", "Line 1"),
    ],
)
def test_a_broken_trace_is_refused_with_its_line_and_nothing_is_replayed(
    db, tmp_path, broken, says
):
    path = tmp_path / "trace.csv"
    path.write_text(broken, encoding="utf-8")
    with pytest.raises(CommandError, match=says):
        call_command("replay", str(path))
    assert not Agent.objects.exists()


@pytest.mark.parametrize("content", [b"\x1f\x8b broken", b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_refused(db, tmp_path, content):
    (tmp_path / "trace.csv").write_bytes(content)
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("replay", str(tmp_path / "trace.csv"))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("replay", str(tmp_path / "missing.csv"))


def test_reasoning_counted_beside_the_answer_is_added_to_it(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text(f"{FLEET}\na,0,1,5,0,40,193,\n", encoding="utf-8")
    (call,) = traces.read(path)
    assert (call.output_tokens, call.reasoning_tokens, call.tokens) == (233, 193, 238)


def test_broken_books_end_a_replay_with_an_error(replay, tmp_path):
    add_key("nvidia-1", per_day=100_000_000)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE keys_window SET used = used + 1")
    with pytest.raises(CommandError, match="3 window-used"):
        replay(conversation_trace(tmp_path / "trace.csv", calls=2))
