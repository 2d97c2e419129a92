"""A mail as somebody sees it before it goes out: previews, and test mails to oneself. Pure."""

from dataclasses import dataclass, replace
from datetime import timedelta

from services.notifications.model import Claim, Content, Kind

SAMPLE_CODE = "K7WQ2M9XPA"
_MARKS = {"en": "[Test] ", "id": "[Uji] "}


@dataclass(frozen=True, slots=True)
class Sample:
    """Which mail is shown; a test mail carries it in its delivery's subject id."""

    kind: Kind
    lang: str

    def write(self, id_: str) -> str:
        """As a subject id."""
        return f"{self.kind}:{self.lang}:{id_}"

    @classmethod
    def read(cls, subject_id: str) -> "Sample":
        """What `write` wrote."""
        kind, lang, _ = subject_id.split(":", 2)
        return cls(Kind(kind), lang)


def sample_of(claim: Claim, sample: Sample) -> Claim:
    """A claim as the kind of mail that is to be seen: sent its lead time before the start, with a code."""
    lead = timedelta(minutes=claim.lead_minutes)
    moved = sample.kind.is_notice
    return replace(
        claim,
        kind=sample.kind,
        locale=sample.lang,
        worded_at=claim.starts_at - lead,
        codes=(SAMPLE_CODE,),
        subject_id="sample" if sample.kind == Kind.CONFIRMATION else "",
        known=_earlier(claim) if moved else None,
    )


def mark(subject_id: str) -> str:
    """What a test mail's subject begins with."""
    return _MARKS[Sample.read(subject_id).lang]


def _earlier(claim: Claim) -> Content:
    return Content(
        version=claim.content_version,
        name=claim.event_name,
        location=claim.location,
        timezone=claim.timezone,
        starts_at=claim.starts_at - timedelta(days=1),
    )
