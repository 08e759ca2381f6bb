"""`python -m bench.gateway`: what the gateway costs, beside a bare proxy on the same stack.

Every proxy has the same upstream, which answers with fixed bytes, and the same number of processes.
Latencies are what a proxy adds to a direct call of one client. CPU is of all its processes, per
call; load, upstream and PostgreSQL run on the same machine and take their share of it.

`--before` names another checkout of Butler with the same tables, such as one of an earlier commit;
it is measured in turn with this one. LiteLLM's proxy is measured too if `make litellm` has
installed it, or if BUTLER_BENCH_LITELLM names an environment that has it.
"""

import argparse
import os
import sys
from pathlib import Path

from bench import fresh

_LITELLM = Path("var/litellm")
_PARTS = ["calls", "shapes", "rate", "rest", "memory"]


def main() -> None:
    """Parse the options, start database and upstream, run the requested parts."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.gateway",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    quick = "--quick" in sys.argv
    add = parser.add_argument
    add("--quick", action="store_true", help="calls, rate and rest, short")
    add("--seconds", type=float, default=1 if quick else 3, help="of each, five of rates (3; 1)")
    add("--clients", type=int, nargs="+", default=[1, 16, 64, 200], help="at once")
    add("--latencies", type=int, nargs="+", choices=[0, 50], default=[0] if quick else [0, 50])
    add("--rates", type=int, nargs="+", default=[200, 400], help="calls per second offered")
    add("--workers", type=int, nargs="+", default=[1, 2], help="processes of each")
    add("--calls", type=int, default=100_000, help="of the memory part")
    add("--before", type=Path, help="another checkout, to compare with")
    add("--only", choices=_PARTS, nargs="+", default=["calls", "rate", "rest"] if quick else _PARTS)
    arguments = parser.parse_args()
    fresh.database()
    _run(arguments)


def _run(arguments: argparse.Namespace) -> None:
    # Modules with models need the settings, which name the fresh database only from here on.
    from bench.gateway import cost, measure, parts, report, targets  # noqa: PLC0415

    options = parts.Options(
        seconds=arguments.seconds,
        clients=arguments.clients,
        latencies=arguments.latencies,
        rates=arguments.rates,
        workers=arguments.workers,
        only=arguments.only,
        calls=arguments.calls,
        before=arguments.before and arguments.before.resolve(),
        litellm=_litellm(),
    )
    if options.litellm is None:
        report.say(sys.stdout, "LiteLLM is left out: `make litellm` installs it.")
    with targets.upstream() as provider:
        tokens = targets.lend(provider)
        with measure.meter(cost.postgres_pid()) as meter:
            parts.Bench(options, provider, tokens, meter, sys.stdout).run()


def _litellm() -> Path | None:
    folder = Path(os.environ.get("BUTLER_BENCH_LITELLM") or _LITELLM).resolve()
    return folder if (folder / "bin" / "litellm").exists() else None


if __name__ == "__main__":
    main()
