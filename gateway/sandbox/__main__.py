"""`python -m gateway.sandbox --port 0`: starts in no time, for it knows no Django."""

from gateway.sandbox.server import main

main()
