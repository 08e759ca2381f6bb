"""The findings as text for people."""

from __future__ import annotations

from security.scanner.finding import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from security.scanner.finding import Finding

_ADVICE = """
Replace a secret that has left this machine: assume that somebody has read it. Keep it in the
environment or in a file that .gitignore names, and take it out of what you commit.
If a finding is no secret, write `butler:allow <rule> <reason>` in a comment on its line.
"""


def report(findings: list[Finding]) -> str:
    """One line for each finding, then what to do."""
    if not findings:
        return ""
    lines = [_line(finding) for finding in findings]
    count = "1 finding" if len(lines) == 1 else f"{len(lines)} findings"
    return "\n".join([*lines, f"{count}.", _ADVICE])


def _line(finding: Finding) -> str:
    path = printable(finding.path)
    sure = ", certain" if finding.certain else ""
    commit = f" in commit {finding.commit[:12]}" if finding.commit else ""
    return (
        f"{path}:{finding.line}:{finding.column}: {finding.rule}: {finding.title} "
        f"[{finding.level}{sure}] {finding.excerpt}"
    ).rstrip() + commit
