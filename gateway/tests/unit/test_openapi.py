from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate

from gateway import docs_schema
from gateway.docs_page import render
from gateway.openapi import merge


def document(path: str, reference: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "paths": {
            path: {
                "get": {"summary": "<b>Lists</b>", "schema": {"$ref": f"#/components/schemas/{reference}"}}
            },
            "/internal/feed": {"get": {}},
            "/health": {"get": {}},
        },
        "components": {"schemas": {reference: schema}},
    }


def test_equal_names_of_two_services_stay_two_schemas() -> None:
    merged = merge(
        {
            "accounts": document("/api/users/", "Item", {"type": "string"}),
            "events": document(
                "/api/events/", "Item", {"type": "array", "items": {"$ref": "#/components/schemas/Item"}}
            ),
        }
    )
    schemas = merged["components"]["schemas"]
    assert schemas["Item"] == {"type": "string"}
    assert schemas["events_Item"]["items"] == {"$ref": "#/components/schemas/events_Item"}
    operation = merged["paths"]["/api/events/"]["get"]
    assert operation["schema"] == {"$ref": "#/components/schemas/events_Item"}


def test_only_what_is_routed_to_a_service_is_shown() -> None:
    merged = merge(
        {"events": {"paths": {"/api/events/": {}, "/api/users/": {}, "/internal/feed": {}, "/health": {}}}}
    )
    assert merged["info"]["title"] == "DicoEvent"
    assert merged["paths"] == {"/api/events/": {"x-service": "events"}}


def test_the_page_escapes_what_services_say() -> None:
    page = render(merge({"events": document("/api/events/", "Item", {})}))
    assert "&lt;b&gt;Lists&lt;/b&gt;" in page
    assert "<b>Lists" not in page


def test_the_page_asks_no_other_host() -> None:
    page = render(merge({"events": document("/api/events/", "Item", {})}))
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page


def service(path: str) -> dict[str, Any]:
    """A document as FastAPI makes it, with a component name that other services have too."""
    error = {
        "description": "No",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "x", "version": "1"},
        "paths": {
            path: {
                "post": {
                    "summary": "Makes one",
                    "security": [{"HTTPBearer": []}],
                    "parameters": [
                        {
                            "name": "page",
                            "in": "query",
                            "description": "Which page",
                            "schema": {"type": "integer", "minimum": 1, "default": 1},
                        }
                    ],
                    "requestBody": {
                        "required": True,
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}},
                    },
                    "responses": {
                        "201": {
                            "description": "Made",
                            "content": {
                                "application/json": {
                                    "schema": {"$ref": "#/components/schemas/Item"},
                                    "examples": {
                                        "one": {"summary": "A jazz night", "value": {"name": "Jazz"}}
                                    },
                                }
                            },
                        },
                        "400": error,
                    },
                }
            }
        },
        "components": {
            "schemas": {
                "Item": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string", "maxLength": 80, "description": "What it is called"},
                        "inner": {"anyOf": [{"$ref": "#/components/schemas/Item"}, {"type": "null"}]},
                        "at": {"type": "string", "format": "date-time"},
                    },
                }
            },
            "securitySchemes": {"HTTPBearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def test_the_merged_document_is_valid_openapi() -> None:
    merged = merge({"events": service("/api/events/"), "tickets": service("/api/tickets/")})
    validate(merged)
    assert set(merged["components"]["schemas"]) == {"Item", "tickets_Item"}


def test_a_document_of_nobody_is_valid_too() -> None:
    validate(merge({}))


@pytest.mark.parametrize(
    "text",
    [
        "Makes one", "page", "Which page", "minimum 1, default 1", "(optional)", "Body", "201", "Made",
        "A jazz night",
        "&quot;name&quot;: &quot;Jazz&quot;", "400", 'href="#shape-Item"', 'id="shape-Item"',
        "What it is called", "maxLength 80", "string (date-time)", 'class="token">token',
    ],
)  # fmt: skip
def test_the_page_shows_parameters_bodies_answers_and_examples(text: str) -> None:
    assert text in render(merge({"events": service("/api/events/")}))


def test_a_shape_that_holds_itself_gets_an_example_with_an_end() -> None:
    document = service("/api/events/")
    example = docs_schema.sample(document, {"$ref": "#/components/schemas/Item"})
    assert example["name"] == "text"
    assert example["at"] == "2030-01-31T19:00:00Z"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(), st.sampled_from(["<script>", "</pre>", '"', "&"]))
def test_whatever_a_service_says_about_itself_is_escaped(text: str, mark: str) -> None:
    document = service("/api/events/")
    operation = document["paths"]["/api/events/"]["post"]
    said = f"{text}{mark}tail{text}"
    operation.update(summary=said, description=said)
    operation["parameters"][0].update(name=said, description=said, schema={"type": said, "enum": [said]})
    operation["responses"]["201"] = {"description": said, "content": {said: {"example": {said: said}}}}
    assert f"{mark}tail" not in render(merge({"events": document})).replace("&amp;", "").replace("&quot;", "")
