"""What a run holds and costs: the budget's ledger told of every move, in the transaction that makes it.

Lamina tells a balance and totals for a key and never what one run cost. So a run counts as its
app's estimate, in proportion to the outputs that were made; what Lamina certainly did not take
counts nothing, and what it may have taken counts as a whole.
"""

import uuid
from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import JSONField, Subquery
from django.db.models.functions import JSONObject

from portal.catalogue.models import App
from portal.runs.states import ACTIVE, FINAL, Status
from portal.workspaces import budgets
from portal.workspaces.budgets import CENT, Price
from portal.workspaces.models import LedgerLine

if TYPE_CHECKING:
    from portal.runs.models import Run

AMOUNTS = ("expected", "most", "amount", "held", "settled")
TOLD = ("state", "is_exact", *AMOUNTS)
NO_CREDITS = "insufficient_credits"
UNANSWERED = "unanswered"  # ended by staff without knowing what became of it


def price_of(app: App, *, outputs: int = 0) -> Price:
    """Return what a run of the app costs, as last estimated for so many outputs."""
    figures = (app.credits_expected, app.credits_min, app.credits_max)
    expected, least, most = (None if figure is None else Decimal(str(figure)).quantize(CENT) for figure in figures)
    return Price(expected=expected, least=least, most=most, outputs=outputs)


def to_confirm(app: App) -> int | None:
    """Return the credits that a person must agree to before a run of the app; None when it costs too little to ask."""
    ceiling = price_of(app).ceiling
    return ceil(ceiling) if ceiling is not None and ceiling > settings.CONFIRM_ABOVE_CREDITS else None


def hold(run: "Run", *, outputs: int) -> None:
    """Hold for a new run what it may cost; raises SpendingRefused, and then the run must not be saved."""
    budgets.hold(
        workspace=run.workspace,
        key=run.pk,
        price=price_of(run.app, outputs=outputs),
        run_id=run.pk,
        reference=run.reference,
        what=run.title,
    )


def amount_of(key: uuid.UUID) -> Decimal:
    """Return what a run or a change holds while it goes on; nothing where it has no line."""
    return LedgerLine.objects.filter(pk=key).values_list("amount", flat=True).first() or Decimal(0)


def line_of(run_id: Any) -> Subquery:
    """Return an expression for what a screen tells of a run's ledger line, in the query that reads the run."""
    line = LedgerLine.objects.filter(pk=run_id)
    return Subquery(line.values(told=JSONObject(**{name: name for name in TOLD})), output_field=JSONField())


def line_from(told: dict[str, Any]) -> LedgerLine:
    """Return the line that `line_of` has read; not to be saved."""
    amounts = {name: None if told[name] is None else Decimal(str(told[name])).quantize(CENT) for name in AMOUNTS}
    return LedgerLine(state=told["state"], is_exact=bool(told["is_exact"]), **amounts)


def follow(run: "Run", *, leaving: str) -> None:
    """Change a run's ledger line as its move demands."""
    if run.status in FINAL:
        book(run, was_unconfirmed=leaving == Status.UNCONFIRMED)
    elif run.status == Status.NEEDS_ATTENTION:
        # A person mends it and sends a new run, tomorrow or never; it must not keep others from running.
        budgets.release(run.pk)
    elif leaving not in ACTIVE:
        budgets.hold_again(run.pk)


def book(run: "Run", *, was_unconfirmed: bool = False, is_over: bool = True) -> None:
    """Count what an ended run came to; later news of it may be booked too.

    `was_unconfirmed`: it was ended without knowing whether Lamina has it. `is_over`: whether it has
    ended at Lamina as well.
    """
    if not run.lamina_run_id and not was_unconfirmed:
        budgets.release(run.pk)
    elif run.error_code == NO_CREDITS:
        budgets.settle(run.pk, made=0)
    elif not run.lamina_run_id or not is_over or run.error_code == UNANSWERED:
        budgets.settle(run.pk, made=None)
    else:
        made = run.count_made()
        budgets.settle(run.pk, made=made or (None if run.status == Status.COMPLETED else 0))


def book_second(run: "Run", lamina_run_id: str, *, made: int | None) -> None:
    """Count another run that Lamina has for the same one of ours, once however often it is heard of."""
    key = uuid.uuid5(run.pk, lamina_run_id)
    budgets.count_second(key, run_id=run.pk, lamina_run_id=lamina_run_id, made=made)
