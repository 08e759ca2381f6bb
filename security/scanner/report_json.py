"""The findings as JSON and as SARIF 2.1.0, without a secret and without a line of the file."""

from __future__ import annotations

import hashlib
import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from security.scanner.finding import Finding

_SEVERITY = {"error": "8.0", "warning": "5.0", "note": "2.0"}
_HELP = "Replace the secret, and keep it outside of the repository."


def report(findings: list[Finding]) -> str:
    """A list of objects."""
    return json.dumps([_object(finding) for finding in findings], indent=2) + "\n"


def _object(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "title": finding.title,
        "level": finding.level,
        "certain": finding.certain,
        "path": finding.path,
        "line": finding.line,
        "column": finding.column,
        "end_line": finding.end_line,
        "end_column": finding.end_column,
        "excerpt": finding.excerpt,
        "commit": finding.commit,
    }


def report_sarif(findings: list[Finding]) -> str:
    """One run of SARIF, without snippets."""
    rules = sorted({finding.rule: finding for finding in findings}.values(), key=lambda f: f.rule)
    index = {finding.rule: number for number, finding in enumerate(rules)}
    run = {
        "tool": {"driver": {
            "name": "butler-gate",
            "semanticVersion": "0.1.0",
            "rules": [_sarif_rule(finding) for finding in rules],
        }},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(finding, index[finding.rule]) for finding in findings],
    }  # fmt: skip
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _sarif_rule(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.rule,
        "shortDescription": {"text": finding.title},
        "help": {"text": _HELP},
        "defaultConfiguration": {"level": "error"},
        "properties": {"security-severity": _SEVERITY[finding.level], "tags": ["security"]},
    }


def _sarif_result(finding: Finding, index: int) -> dict[str, Any]:
    place = f"{finding.rule}:{finding.path}:{finding.line}"
    region = {
        "startLine": finding.line,
        "startColumn": finding.column,
        "endLine": finding.end_line,
        "endColumn": finding.end_column,
    }
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": finding.level,
        "message": {"text": f"{finding.title}: {finding.excerpt}"},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": _uri(finding.path), "uriBaseId": "%SRCROOT%"},
            "region": region,
        }}],
        "partialFingerprints": {"primaryLocationLineHash": _digest(place)},
        **({"properties": {"commit": finding.commit}} if finding.commit else {}),
    }  # fmt: skip


def _uri(path: str) -> str:
    safe = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"
    return "".join(chr(b) if b in safe else f"%{b:02X}" for b in os.fsencode(path))


def _digest(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:16]
