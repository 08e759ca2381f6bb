"""`python -m treasury.rails.simulator --port 0`: the vendor of the simulator rail."""

from treasury.rails.simulator.server import main

main()
