"""The page at /docs: every operation by service, without a script and without a foreign host."""

from collections.abc import Iterator
from html import escape
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>DicoEvent API</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
td { border-top: 1px solid #ccc; padding: .3rem .6rem .3rem 0; vertical-align: top; }
td:first-child { width: 5rem; font-weight: bold; }
</style>
</head>
<body>
<h1>DicoEvent API</h1>
<p>As data: <a href="/openapi.json">/openapi.json</a></p>
"""


def render(document: dict[str, Any]) -> str:
    """The HTML page of an OpenAPI document; all text in it is escaped."""
    services: dict[str, list[str]] = {}
    for service, method, path, summary in _operations(document):
        row = f"<tr><td>{escape(method.upper())}</td><td><code>{escape(path)}</code></td>"
        services.setdefault(service, []).append(row + f"<td>{escape(summary)}</td></tr>")
    sections = [
        f"<h2>{escape(service)}</h2>\n<table>\n" + "\n".join(rows) + "\n</table>\n"
        for service, rows in sorted(services.items())
    ]
    return _HEAD + "".join(sections or ["<p>No service answers at the moment.</p>\n"]) + "</body>\n</html>\n"


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for path, item in document.get("paths", {}).items():
        for method in METHODS:
            if method in item:
                yield str(item.get("x-service", "")), method, path, str(item[method].get("summary", ""))
