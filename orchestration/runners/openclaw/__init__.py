"""OpenClaw as a runner: each attempt is a sub-agent of its gateway, paid through a slot."""
