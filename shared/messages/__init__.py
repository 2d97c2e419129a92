"""The language the services speak: CloudEvents envelopes and what each type carries.

The contract for others is docs/asyncapi.yaml; tests/contracts holds one example of each message.
"""

from shared.messages.catalogue import CONSUMERS, SHAPES, consumers_of, parse
from shared.messages.envelope import Envelope, Message, MessageRefused, new_id, read_envelope

__all__ = [
    "CONSUMERS",
    "SHAPES",
    "Envelope",
    "Message",
    "MessageRefused",
    "consumers_of",
    "new_id",
    "parse",
    "read_envelope",
]
