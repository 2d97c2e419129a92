"""What a JSON Schema of an OpenAPI document says, in words and as an example. Pure."""

import json
from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]

# Deeper than any body of ours; a schema may refer to itself.
MAX_DEPTH = 6
_LIMITS = (
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "minItems",
    "maxItems",
    "pattern",
)
_SAMPLES = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "null": None}
_FORMATS = {
    "date-time": "2030-01-31T19:00:00Z",
    "date": "2030-01-31",
    "email": "siti@example.com",
    "uuid": "01930000-0000-7000-8000-000000000000",
    "uri": "https://example.com/",
    "binary": "(bytes)",
}


def resolve(document: Document, node: Any) -> Document:
    """A node, or what it refers to inside of the document; {} for what leads nowhere."""
    for _ in range(MAX_DEPTH):
        reference = node.get("$ref") if isinstance(node, dict) else None
        if not isinstance(reference, str):
            return node if isinstance(node, dict) else {}
        node = document
        for part in reference.removeprefix("#/").split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            node = node.get(key, {}) if isinstance(node, dict) else {}
    return {}


def type_words(schema: Any) -> Iterator[tuple[str, str]]:
    """A type as (words, name of a component or ""), in reading order."""
    if not isinstance(schema, dict) or not schema:
        yield "anything", ""
        return
    if "$ref" in schema:
        yield "", str(schema["$ref"]).rpartition("/")[2]
        return
    for key, word in (("anyOf", "or"), ("oneOf", "or"), ("allOf", "and")):
        for number, part in enumerate(schema.get(key, ())):
            if number:
                yield word, ""
            yield from type_words(part)
    yield from _plain(schema)


def _plain(schema: Document) -> Iterator[tuple[str, str]]:
    kind = schema.get("type")
    if kind == "array":
        yield "list of", ""
        yield from type_words(schema.get("items", {}))
    elif "enum" in schema:
        yield "one of " + ", ".join(json.dumps(value) for value in schema["enum"]), ""
    elif "const" in schema:
        yield json.dumps(schema["const"]), ""
    elif kind:
        words = kind if isinstance(kind, str) else " or ".join(map(str, kind))
        yield f"{words} ({schema['format']})" if "format" in schema else words, ""
    limits = [f"{key} {schema[key]}" for key in _LIMITS if key in schema]
    if "default" in schema:
        limits.append(f"default {json.dumps(schema['default'])}")
    if limits:
        yield f"[{', '.join(limits)}]", ""


def examples(document: Document, content: Document) -> Iterator[tuple[str, Any]]:
    """The examples of a body as (title, value): those it gives, else one made of its schema."""
    if "examples" in content:
        for name, given in content["examples"].items():
            one = resolve(document, given)
            yield str(one.get("summary") or name), one.get("value")
    elif "example" in content:
        yield "", content["example"]
    elif content.get("schema"):
        yield "", sample(document, content["schema"])


def sample(document: Document, schema: Any, depth: int = 0) -> Any:
    """A value of this shape: the schema's own example where it has one."""
    schema = resolve(document, schema)
    if depth > MAX_DEPTH:
        return None
    if schema.get("examples"):
        return schema["examples"][0]
    for key in ("example", "const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return sample(document, schema[key][0], depth + 1)
    return _of_type(document, schema, depth)


def _of_type(document: Document, schema: Document, depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0] if kind else "null"
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: sample(document, of, depth + 1) for name, of in properties.items()}
    if kind == "array":
        return [sample(document, schema.get("items", {}), depth + 1)]
    return _FORMATS.get(schema.get("format", ""), _SAMPLES.get(kind))


def as_json(value: Any) -> str:
    """A value as a person reads it."""
    return json.dumps(value, indent=2, ensure_ascii=False)
