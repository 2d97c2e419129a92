"""The contract is docs/asyncapi.yaml and one example of each message: both sides are held to both."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from services.notifications.handlers import MessageHandlers
from services.notifications.settings import read_reminders
from shared.messages import SHAPES, consumers_of, parse, read_envelope

ROOT = Path(__file__).parents[2]
CONTRACT = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text(encoding="utf-8"))


def load(message_type: str) -> dict:
    return json.loads((ROOT / "tests" / "contracts" / f"{message_type}.json").read_text(encoding="utf-8"))


def resolve(node: object) -> object:
    """The contract's schemas with `#/components` references followed."""
    if isinstance(node, dict):
        if "$ref" in node:
            target: object = CONTRACT
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            return resolve(target)
        return {key: resolve(value) for key, value in node.items()}
    return [resolve(item) for item in node] if isinstance(node, list) else node


def test_every_type_has_an_example_and_a_place_in_the_contract() -> None:
    files = {file.stem for file in (ROOT / "tests" / "contracts").glob("*.json")}
    assert files == set(SHAPES) == set(CONTRACT["components"]["messages"])


@pytest.mark.parametrize("message_type", sorted(SHAPES))
def test_an_example_is_what_the_contract_says(message_type: str) -> None:
    schema = resolve(CONTRACT["components"]["messages"][message_type]["payload"])
    errors = list(Draft202012Validator(schema).iter_errors(load(message_type)))
    assert errors == []


@pytest.mark.parametrize("message_type", sorted(SHAPES))
def test_a_consumer_understands_the_example(message_type: str) -> None:
    envelope = read_envelope(load(message_type))
    assert isinstance(parse(envelope), SHAPES[message_type])


@pytest.mark.parametrize("message_type", sorted(SHAPES))
def test_what_a_publisher_writes_is_what_the_contract_says(message_type: str) -> None:
    example = load(message_type)
    written = parse(read_envelope(example)).model_dump(mode="json", exclude_none=True)
    schema = resolve(CONTRACT["components"]["messages"][message_type]["payload"])
    errors = list(Draft202012Validator(schema).iter_errors({**example, "data": written}))
    assert errors == []


def test_each_queue_of_the_contract_is_the_queue_of_its_consumer() -> None:
    for name, channel in CONTRACT["channels"].items():
        takes = {ref["$ref"].rsplit("/", 1)[1] for ref in channel["messages"].values()}
        assert takes == {t for t in SHAPES if name in consumers_of(t)}


def test_notifications_handles_every_type() -> None:
    assert set(MessageHandlers(read_reminders({})).table()) == set(SHAPES)
