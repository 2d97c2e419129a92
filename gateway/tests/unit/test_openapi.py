from typing import Any

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
