"""How the status of a part or an attempt looks: a sign and a word beside the colour."""

SIGNS = {
    "blocked": "◌",
    "gated": "!",
    "waiting": "○",
    "running": "▸",
    "succeeded": "✓",
    "failed": "✕",
    "cancelled": "–",
}
