"""`python -m bench.gateway`: what the gateway costs, beside a bare proxy on the same stack.

Every proxy has the same upstream, which answers with fixed bytes, and the same number of processes.
Latencies are what a proxy adds to a direct call of one client. CPU is of all its processes, per
call; load, upstream and PostgreSQL run on the same machine and take their share of it.

LiteLLM's proxy is measured too when it is installed in an environment of its own:

    python3 -m venv somewhere && somewhere/bin/pip install 'litellm[proxy]'
    BUTLER_BENCH_LITELLM=somewhere make bench-gateway
"""

import argparse
import os
import sys

from bench import fresh

_PARTS = ["calls", "shapes", "rate", "memory"]


def main() -> None:
    """Parse the options, start database and upstream, run the requested parts."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.gateway",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="a coarse look, in two minutes")
    parser.add_argument("--seconds", type=float, help="length of one measurement (3; quick: 1)")
    parser.add_argument("--clients", type=int, nargs="+", help="how many at once (1 16 64 200)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="processes of each")
    parser.add_argument("--calls", type=int, help="of the memory part (100000; quick: 10000)")
    parser.add_argument("--only", choices=_PARTS, nargs="+", default=_PARTS)
    arguments = parser.parse_args()
    fresh.database()
    _run(arguments)


def _run(arguments: argparse.Namespace) -> None:
    # Modules with models need the settings, which name the fresh database only from here on.
    from bench.gateway import cost, measure, parts, targets  # noqa: PLC0415

    options = parts.Options(
        seconds=arguments.seconds or (1 if arguments.quick else 3),
        clients=arguments.clients or ([1, 64] if arguments.quick else [1, 16, 64, 200]),
        workers=arguments.workers,
        only=arguments.only,
        calls=arguments.calls or (10_000 if arguments.quick else 100_000),
        litellm=os.environ.get("BUTLER_BENCH_LITELLM"),
    )
    with targets.upstream() as provider:
        tokens = targets.lend(provider)
        with measure.meter(cost.postgres_pid()) as meter:
            parts.Bench(options, provider, tokens, meter, sys.stdout).run()


if __name__ == "__main__":
    main()
