"""Links in mails that need no sign-in: signed, for one person and one organizer. Pure."""

import base64
import binascii
import hmac
import json
from dataclasses import dataclass
from json.encoder import encode_basestring

from services.notifications.errors import LinkRefused

_LONGEST = 1000
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True)
class UnsubscribeLink:
    """Whom a link was made for; `organizer_id` is '' where the event had none."""

    holder_id: str
    organizer_id: str


def write_token(secret: str, holder_id: str, organizer_id: str | None) -> str:
    """A token that nobody else can make: what it says and an HMAC (RFC 2104) of it. It does not expire:
    RFC 8058 asks that old mails can be unsubscribed from too.
    """
    # As json.dumps() would write the two, which makes an encoder for each link.
    said = f"[{encode_basestring(holder_id)},{encode_basestring(organizer_id or '')}]".encode()
    return f"{_encode(said)}.{_encode(_sign(secret, said))}"


def read_token(secret: str, token: str) -> UnsubscribeLink:
    """What a token says; raises LinkRefused for one that we did not make."""
    said, _, signature = token.partition(".")
    try:
        if len(token) > _LONGEST or not hmac.compare_digest(_sign(secret, _decode(said)), _decode(signature)):
            raise LinkRefused("This link is not one of ours, or it is not whole.")
        holder_id, organizer_id = json.loads(_decode(said))
    except (ValueError, binascii.Error):
        raise LinkRefused("This link is not one of ours, or it is not whole.") from None
    return UnsubscribeLink(holder_id, organizer_id)


def unsubscribe_url(public_url: str, secret: str, holder_id: str, organizer_id: str | None) -> str:
    """Where somebody says that he wants no more reminders."""
    return f"{public_url}/unsubscribe/{write_token(secret, holder_id, organizer_id)}"


def _sign(secret: str, said: bytes) -> bytes:
    return hmac.digest(secret.encode(), b"unsubscribe\0" + said, "sha256")[:18]


def _encode(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE, b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
