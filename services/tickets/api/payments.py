"""The public calls on payments."""

from fastapi import APIRouter

from services.tickets.api.keys import Key, once
from services.tickets.api.shapes import NewPayment, PaymentBody, PaymentChange, PaymentPage
from services.tickets.api.wiring import Caller, PageWanted, PaymentId, Wired
from services.tickets.handlers import payments as handlers
from services.tickets.store import payments as store
from shared.http import problems

router = APIRouter(prefix="/api/payments", tags=["payments"])
PATH = "/api/payments"
_ABSENT = "There is no such payment."
_NOT_YOURS = "Only staff of the event change payments."
_GONE = "The registration is expired."


@router.post(
    "",
    status_code=201,
    responses=problems(
        403, 404, 409, _403="Only staff of the event set a payment to completed.",
        _404="There is no such registration.", _409=_GONE,
    ),
)  # fmt: skip
def create_payment(
    body: NewPayment, caller: Caller, wired: Wired, idempotency_key: Key = None
) -> PaymentBody:
    """Notes a payment, for staff and the holder. With an Idempotency-Key it happens once.

    409: the registration holds no seat any more, or the key was used with another request.
    """
    with wired.engine.begin() as connection:

        def act() -> PaymentBody:
            payment = handlers.create_payment(
                connection,
                body.registration_id,
                body.payment_method,
                body.payment_status,
                body.amount_paid,
                caller,
            )
            return PaymentBody.of(payment)

        return once(connection, caller, PATH, idempotency_key, body, act, PaymentBody)


@router.get("")
def list_payments(caller: Caller, wired: Wired, wanted: PageWanted) -> PaymentPage:
    """All payments for admins, else one's own and, for organizers, those of their events."""
    with wired.engine.connect() as connection:
        page = store.list_payments(connection, caller, wanted)
    payments = [PaymentBody.of(payment) for payment in page.items]
    return PaymentPage(payments=payments, pagination=page.pagination)


@router.get("/{payment_id}", responses=problems(403, 404, _403=_NOT_YOURS, _404=_ABSENT))
def get_payment(payment_id: PaymentId, caller: Caller, wired: Wired) -> PaymentBody:
    """One payment, for staff and the holder."""
    with wired.engine.connect() as connection:
        return PaymentBody.of(handlers.get_payment(connection, payment_id, caller))


@router.put("/{payment_id}", responses=problems(403, 404, 409, _403=_NOT_YOURS, _404=_ABSENT, _409=_GONE))
@router.patch("/{payment_id}", responses=problems(403, 404, 409, _403=_NOT_YOURS, _404=_ABSENT, _409=_GONE))
def change_payment(payment_id: PaymentId, body: PaymentChange, caller: Caller, wired: Wired) -> PaymentBody:
    """Staff change any subset of the fields. `completed` pays the order; `refunded` cancels it,
    unless another payment pays it.
    """
    with wired.engine.begin() as connection:
        payment = handlers.change_payment(connection, payment_id, body.fields(), body.registration_id, caller)
        return PaymentBody.of(payment)


@router.delete("/{payment_id}", status_code=204, responses=problems(403, 404, _403=_NOT_YOURS, _404=_ABSENT))
def delete_payment(payment_id: PaymentId, caller: Caller, wired: Wired) -> None:
    """Deletes a payment; without a completed one its order is unpaid again."""
    with wired.engine.begin() as connection:
        handlers.delete_payment(connection, payment_id, caller)
