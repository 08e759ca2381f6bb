"""Cut the vendors' OpenAPI documents down to the operations that the rails use.

    python -m tests.treasury.contracts.cut_specs FOLDER_OF_THE_DOCUMENTS

The documents have up to four megabytes. What is left out: other paths and methods, descriptions,
and, of Stripe, the objects that it puts in the place of an id only where a request asks for that.
Where each document comes from, and its licence, is in specs/README.md.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

SPECS = Path(__file__).parent / "specs"
# The file of the vendor, and the operations that are kept.
OPERATIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "stripe": (
        "stripe.json",
        (
            "post /v1/payment_intents",
            "get /v1/payment_intents",
            "get /v1/payment_intents/{intent}",
            "post /v1/checkout/sessions",
            "get /v1/checkout/sessions",
            "get /v1/checkout/sessions/{session}",
            "post /v1/refunds",
            "get /v1/refunds",
            "get /v1/refunds/{refund}",
            "post /v1/payouts",
            "get /v1/payouts",
            "get /v1/payouts/{payout}",
            "get /v1/balance",
            "get /v1/balance_transactions",
        ),
    ),
    "paypal": (
        "paypal_orders_v2.json",
        (
            "post /v2/checkout/orders",
            "get /v2/checkout/orders/{id}",
            "post /v2/checkout/orders/{id}/capture",
        ),
    ),
    "circle": (
        "circle.yaml",
        (
            "get /v1/businessAccount/balances",
            "post /v1/businessAccount/transfers",
            "get /v1/businessAccount/transfers",
            "get /v1/businessAccount/transfers/{id}",
            "post /v1/businessAccount/payouts",
            "get /v1/businessAccount/payouts",
            "get /v1/businessAccount/payouts/{id}",
            "get /v1/businessAccount/deposits",
            "post /v1/businessAccount/wallets/addresses/deposit",
        ),
    ),
}
_TEXTS = ("description", "summary", "title", "externalDocs", "tags", "x-stripeBypassValidation")


def main(folder: Path) -> None:
    """Cut each document whose file is in `folder`."""
    for name, (file, operations) in OPERATIONS.items():
        if (source := folder / file).is_file():
            # YAML is a superset of JSON, but slow to read.
            text = source.read_text(encoding="utf-8")
            document = json.loads(text) if file.endswith(".json") else yaml.safe_load(text)
            cut_document = cut(document, operations)
            (SPECS / f"{name}.json").write_text(
                json.dumps(cut_document, indent=1, sort_keys=True) + "\n", encoding="utf-8"
            )


def cut(document: dict[str, Any], operations: tuple[str, ...]) -> dict[str, Any]:
    """The document with these operations and what they refer to. Raises KeyError for one that is
    not in it."""
    paths: dict[str, Any] = {}
    for operation in operations:
        method, path = operation.split(" ")
        whole = document["paths"][path]
        part = paths.setdefault(path, {})
        part[method] = _without_texts(whole[method])
        if "parameters" in whole:
            part["parameters"] = _without_texts(whole["parameters"])
    cut_document = {
        "openapi": document["openapi"],
        "info": {name: document["info"][name] for name in ("title", "version")},
        "servers": document.get("servers", []),
        "paths": paths,
    }
    components: dict[str, dict[str, Any]] = {}
    open_refs = list(_refs(paths))
    while open_refs:
        kind, name = open_refs.pop().removeprefix("#/components/").split("/")
        if name not in components.setdefault(kind, {}):
            found = _without_texts(document["components"][kind][name])
            components[kind][name] = found
            open_refs += _refs(found)
    return cut_document | {"components": components}


def _without_texts(node: Any, *, is_schema_names: bool = False) -> Any:
    """The node without texts for people, and with ids for what is expanded on request."""
    if isinstance(node, list):
        return [_without_texts(each) for each in node]
    if not isinstance(node, dict):
        return node
    if "x-expansionResources" in node:
        return {"type": "string", **({"nullable": True} if node.get("nullable") else {})}
    return {
        name: _without_texts(each, is_schema_names=name == "properties")
        for name, each in node.items()
        if is_schema_names or name not in _TEXTS and not name.startswith("x-")
    }


def _refs(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for each in node.values():
            yield from _refs(each)
    elif isinstance(node, list):
        for each in node:
            yield from _refs(each)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
