"""The kinds of rules over usage: each module registers one. They read slices, days and windows."""

from reports.alert_rules import budget_landing, estimated_share, key_runs_out, spend_spike

__all__ = ["budget_landing", "estimated_share", "key_runs_out", "spend_spike"]
