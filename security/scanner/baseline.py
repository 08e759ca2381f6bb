"""A file of findings that are known: rule, path and a keyed hash of the secret.

The key is random and in the file's head. It gives no one who has the file a hash that tables know,
and equal secrets in two baselines do not look equal.
"""

from __future__ import annotations

import hmac
import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from security.scanner.finding import Finding

_KEY_BYTES = 32


def without_known(findings: list[Finding], path: str) -> list[Finding]:
    """The findings that the baseline in `path` does not have."""
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    key = bytes.fromhex(content["key"])
    known = {(entry["rule"], entry["path"], entry["hash"]) for entry in content["findings"]}
    return [finding for finding in findings if _entry(finding, key) not in known]


def write(findings: list[Finding], path: str) -> None:
    """A new baseline with these findings."""
    key = os.urandom(_KEY_BYTES)
    entries = sorted({_entry(finding, key) for finding in findings})
    rows = [{"rule": rule, "path": file, "hash": digest} for rule, file, digest in entries]
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"key": key.hex(), "findings": rows}, file, indent=2)
        file.write("\n")


def _entry(finding: Finding, key: bytes) -> tuple[str, str, str]:
    secret = finding.secret.encode("utf-8", "surrogatepass")
    return finding.rule, finding.path, hmac.digest(key, secret, "sha256").hex()
