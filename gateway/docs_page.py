"""The page at /docs: every operation with its parameters, body, answers and examples.

Without a script and without a foreign host: the folding is `<details>`, the links are anchors.
"""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from gateway import docs_schema
from gateway.docs_schema import Document

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>DicoEvent API</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; text-transform: capitalize; }
details { border: 1px solid #8884; border-radius: .4rem; margin: .4rem 0; padding: .2rem .8rem; }
summary { cursor: pointer; padding: .3rem 0; }
summary b { display: inline-block; width: 4.5rem; }
summary:hover { text-decoration: underline; }
.token { font: .75rem system-ui, sans-serif; border: 1px solid #8886; border-radius: .8rem;
  padding: 0 .5rem; }
summary span { opacity: .75; margin-left: .6rem; }
table { border-collapse: collapse; width: 100%; margin: .3rem 0 .8rem; }
th, td { border-top: 1px solid #8884; padding: .25rem .8rem .25rem 0; vertical-align: top; text-align: left; }
pre { background: #8881; border-radius: .3rem; padding: .6rem; overflow-x: auto; font-size: .85rem; }
code { font-size: .9em; }
</style>
</head>
<body>
<h1>DicoEvent API</h1>
<p>As data: <a href="/openapi.json">/openapi.json</a>. An operation marked <em class="token">token</em>
needs one of <code>POST /api/login/</code>, sent as <code>Authorization: Bearer TOKEN</code>. Every path
answers with and without its closing slash.</p>
"""


def render(document: Document) -> str:
    """The HTML page of an OpenAPI document; all text in it is escaped."""
    services: dict[str, list[str]] = {}
    for path, item in document.get("paths", {}).items():
        for method in METHODS:
            if method in item:
                shown = "".join(_operation(document, method, path, item, item[method]))
                services.setdefault(str(item.get("x-service", "")), []).append(shown)
    index = " &middot; ".join(f'<a href="#{escape(name)}">{escape(name)}</a>' for name in sorted(services))
    sections = [
        f'<h2 id="{escape(name)}">{escape(name)}</h2>\n' + "\n".join(operations)
        for name, operations in sorted(services.items())
    ]
    body = "\n".join(sections) or "<p>No service answers at the moment.</p>"
    return f"{_HEAD}<p>{index}</p>\n{body}\n{''.join(_schemas(document))}</body>\n</html>\n"


def _operation(
    document: Document, method: str, path: str, item: Document, operation: Document
) -> Iterator[str]:
    ways = operation.get("security", ())
    # An empty way among them: it can be asked without a token too.
    needs = bool(ways) and {} not in ways
    lock = ' <em class="token">token</em>' if needs else ""
    yield f"<details><summary><b>{escape(method.upper())}</b> <code>{escape(path)}</code>{lock}"
    yield f"<span>{escape(str(operation.get('summary', '')))}</span></summary>\n"
    if text := operation.get("description"):
        yield f"<p>{escape(str(text))}</p>\n"
    yield from _parameters(document, [*item.get("parameters", ()), *operation.get("parameters", ())])
    if "requestBody" in operation:
        body = docs_schema.resolve(document, operation["requestBody"])
        yield f"<h4>Body{'' if body.get('required') else ' (optional)'}</h4>\n"
        yield from _content(document, body)
    yield from _answers(document, operation.get("responses", {}))
    yield "</details>"


def _parameters(document: Document, parameters: list[Document]) -> Iterator[str]:
    if not parameters:
        return
    yield "<h4>Parameters</h4>\n<table><tr><th>name<th>in<th>type<th>meaning</tr>\n"
    for given in parameters:
        one = docs_schema.resolve(document, given)
        name = escape(str(one.get("name", ""))) + (
            "" if one.get("required") else " <small>(optional)</small>"
        )
        schema = one.get("schema", {})
        text = one.get("description") or schema.get("description", "")
        yield f"<tr><td><code>{name}</code><td>{escape(str(one.get('in', '')))}"
        yield f"<td>{_type(schema)}<td>{escape(str(text))}</tr>\n"
    yield "</table>\n"


def _answers(document: Document, answers: Mapping[str, Document]) -> Iterator[str]:
    yield "<h4>Answers</h4>\n"
    for status, given in answers.items():
        answer = docs_schema.resolve(document, given)
        yield f"<p><b>{escape(str(status))}</b> {escape(str(answer.get('description', '')))}</p>\n"
        yield from _content(document, answer)


def _content(document: Document, holder: Document) -> Iterator[str]:
    for media, content in holder.get("content", {}).items():
        schema = content.get("schema", {})
        yield f"<p><code>{escape(str(media))}</code>: {_type(schema)}</p>\n"
        for name, value in docs_schema.examples(document, content):
            title = f"<p>{escape(name)}</p>\n" if name else ""
            yield f"{title}<pre>{escape(docs_schema.as_json(value))}</pre>\n"


def _schemas(document: Document) -> Iterator[str]:
    schemas = document.get("components", {}).get("schemas", {})
    if schemas:
        yield "<h2>Shapes</h2>\n"
    for name, schema in sorted(schemas.items()):
        yield f'<details id="{escape(_anchor(name))}"><summary><code>{escape(name)}</code></summary>\n'
        if text := schema.get("description"):
            yield f"<p>{escape(str(text))}</p>\n"
        properties = schema.get("properties", {})
        if not properties:
            yield f"<p>{_type(schema)}</p></details>\n"
            continue
        yield "<table><tr><th>field<th>type<th>meaning</tr>\n"
        for field, of in properties.items():
            optional = "" if field in schema.get("required", ()) else " <small>(optional)</small>"
            yield f"<tr><td><code>{escape(field)}</code>{optional}<td>{_type(of)}"
            yield f"<td>{escape(str(of.get('description', '')))}</tr>\n"
        yield "</table></details>\n"


def _type(schema: Any) -> str:
    """A type in words; a component is a link to where it is described."""
    words = []
    for text, name in docs_schema.type_words(schema):
        link = f'<a href="#{escape(_anchor(name))}">{escape(name)}</a>' if name else escape(text)
        words.append(link)
    return " ".join(words)


def _anchor(name: str) -> str:
    return f"shape-{name}"
