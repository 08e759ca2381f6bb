"""`python -m bench`: print how fast the books are, beside pgbench running the same SQL."""

import argparse
import atexit
import gc
import os
import shutil
import sys
import tempfile

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "butler_site.settings")


def main() -> None:
    """Parse, make a database of our own, run the parts asked for, throw the database away."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one measurement")
    parser.add_argument(
        "--clients", type=int, nargs="+", default=[1, 8, 32, 100], help="how many at once"
    )
    parser.add_argument("--only", choices=["service", "http", "selection"], nargs="+", default=None)
    asked = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="butler-bench-")
    os.environ["BUTLER_VAR_DIR"] = folder
    # Registered before the embedded server's own, so that it runs after the server has stopped.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    run(asked)


def run(asked: argparse.Namespace) -> None:
    """Import what needs settings only now, when they name our own database."""
    import django  # noqa: PLC0415

    django.setup()
    from bench import parts  # noqa: PLC0415

    # As the web server does, see butler_site.asgi.
    gc.freeze()

    parts.run(
        seconds=asked.seconds,
        clients=asked.clients,
        only=asked.only or ["service", "http", "selection"],
        out=sys.stdout,
    )


if __name__ == "__main__":
    main()
