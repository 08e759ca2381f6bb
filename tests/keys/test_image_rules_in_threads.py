"""Rules of images, read by many threads of a process that has not read any before."""

import subprocess
import sys

import pytest
from django.conf import settings

_READ_AT_ONCE = """
import sys, threading, django
django.setup()
sys.setswitchinterval(1e-6)
from keys.supply.image_rules import image_rules_from_json
barrier = threading.Barrier(32)
def read():
    barrier.wait()
    image_rules_from_json({"tiles": {"base": 85, "tile": 170}})
threads = [threading.Thread(target=read) for _ in range(32)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


@pytest.mark.parametrize("attempt", range(3))
def test_the_first_reads_at_once_do_not_end_the_process(attempt):
    command = [sys.executable, "-c", _READ_AT_ONCE]
    subprocess.run(command, cwd=settings.BASE_DIR, check=True)  # noqa: S603 - our own program
