"""`python -m gateway.sandbox --port 0`: starts quickly, because it does not load Django."""

from gateway.sandbox.server import main

main()
