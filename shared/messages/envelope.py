"""CloudEvents 1.0 in JSON (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import uuid_utils
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

Text128 = Annotated[str, Field(min_length=1, max_length=128)]


class MessageRefused(Exception):
    """A message that no retry can make right; the text is the reason people read."""


class Envelope(BaseModel):
    """What is around every message.

    `sequence` is the version of the subject, 0 when absent. `feedposition` and `feedepoch` say where the
    message stands in its publisher's feed; an injected message has neither. `traceparent` is the extension of
    https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md
    """

    model_config = ConfigDict(extra="allow")

    specversion: Literal["1.0"]
    id: Text128
    type: Text128
    source: Text128
    data: dict[str, Any]
    subject: str | None = Field(default=None, max_length=256)
    time: AwareDatetime | None = None
    dataschema: str | None = Field(default=None, max_length=512)
    sequence: int = Field(default=0, ge=0, le=2**62)
    feedposition: int | None = Field(default=None, ge=1, le=2**62)
    feedepoch: str | None = Field(default=None, max_length=64)
    requestid: str | None = Field(default=None, max_length=128)
    traceparent: str | None = Field(default=None, max_length=256)


@dataclass(frozen=True, slots=True)
class Message:
    """A fact to publish: its type, whom it is about, that one's version, and the data.

    `request_id` and `traceparent` tell of the request that caused it, where one transaction answers several.
    """

    type: str
    subject: str
    sequence: int
    data: BaseModel
    request_id: str | None = None
    traceparent: str | None = None


def new_id() -> str:
    """A UUIDv7 (RFC 9562): unique, and in the order of its making."""
    return str(uuid_utils.uuid7())


def read_envelope(body: object) -> Envelope:
    """The envelope in a decoded message body; raises MessageRefused with every problem named."""
    if not isinstance(body, dict):
        raise MessageRefused(f"not a CloudEvents envelope: a JSON {type(body).__name__}, not an object")
    try:
        return Envelope.model_validate(body)
    except ValidationError as error:
        raise MessageRefused(f"not a CloudEvents envelope: {describe(error)}") from None


def describe(error: ValidationError) -> str:
    """A validation error in one line: `field: problem; field: problem`."""
    problems = (f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors()[:10])
    return "; ".join(problems)


def envelope_document(
    source: str, id_: str, message: Message, time: datetime, request_id: str | None
) -> dict[str, Any]:
    """A message as the JSON object that travels."""
    document: dict[str, Any] = {
        "specversion": "1.0",
        "id": id_,
        "type": message.type,
        "source": source,
        "subject": message.subject,
        "time": time.isoformat(),
        "dataschema": f"urn:dicoevent:{message.type}:1",
        "sequence": message.sequence,
        "data": message.data.model_dump(mode="json", exclude_none=True),
    }
    if request_id:
        document["requestid"] = request_id
    return document
