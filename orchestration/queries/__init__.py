"""Reads of the Agent Orchestrator."""
