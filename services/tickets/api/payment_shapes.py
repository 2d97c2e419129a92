"""Bodies of payments."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from services.tickets import model
from services.tickets.api.shapes import Id, Name, Price, Text
from services.tickets.model import Payment
from shared.http import Pagination
from shared.times import write_time


def _status(text: str) -> str:
    status = text.strip().lower()
    if status not in model.PAYMENT_STATUSES:
        raise ValueError(f"is not one of {', '.join(model.PAYMENT_STATUSES)}")
    return status


Status = Annotated[Text, Field(max_length=30, examples=["pending"]), AfterValidator(_status)]
Method = Annotated[Name, Field(examples=["transfer"])]


class PaymentChange(BaseModel):
    """Any subset of a payment's fields; it stays with its registration."""

    registration_id: Id | None = None
    payment_method: Method | None = None
    payment_status: Status | None = None
    amount_paid: Price | None = None

    def fields(self) -> dict[str, Any]:
        """What is to be changed."""
        given = {"method": self.payment_method, "status": self.payment_status, "amount": self.amount_paid}
        return {name: value for name, value in given.items() if value is not None}


class NewPayment(BaseModel):
    """A payment to be. Status in any letter case; only staff may say `completed` or `refunded`."""

    registration_id: Id
    payment_method: Method
    payment_status: Status = model.PENDING
    amount_paid: Price


class PaymentBody(BaseModel):
    """A payment; `registration` and `user` are ids."""

    id: str
    registration: str
    registration_id: str
    user: str
    event: str
    payment_method: str
    payment_status: str
    amount_paid: float
    created_at: str

    @classmethod
    def of(cls, payment: Payment) -> "PaymentBody":
        return cls(
            id=payment.id,
            registration=payment.order_id,
            registration_id=payment.order_id,
            user=payment.user_id,
            event=payment.event_id,
            payment_method=payment.method,
            payment_status=payment.status,
            amount_paid=_number(payment.amount),
            created_at=write_time(payment.created_at, "UTC"),
        )


def _number(amount: Decimal) -> float:
    # JSON's number, at the last moment: twelve digits are exact in it.
    return float(amount)


class PaymentPage(BaseModel):
    """One page of payments, newest first."""

    payments: list[PaymentBody]
    pagination: Pagination
