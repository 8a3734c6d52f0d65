"""Credits and budgets in words for people."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from math import ceil, floor

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.workspaces.budgets import BudgetState, OverBudget, Price, SpendingRefused, SpendingStopped
from portal.workspaces.models import LedgerLine, LineKind, LineState


def plain(number: Decimal | int) -> str:
    """Return an amount as people write it, with decimals only where it has some."""
    whole = number == int(number)
    return number_format(int(number) if whole else number, None if whole else 2, force_grouping=True)


def whole(number: Decimal, rounding: str = ROUND_HALF_UP) -> str:
    """Return a sum in whole credits; less than one is not rounded away."""
    return plain(number if 0 < number < 1 else number.quantize(Decimal(1), rounding))


def spent(state: BudgetState) -> str:
    """Return what the month has cost so far."""
    return whole(state.spent)


def held(state: BudgetState) -> str:
    """Return what is held for what goes on, rounded up."""
    return whole(state.held, ROUND_CEILING)


def left(amount: Decimal) -> str:
    """Return what may still be spent, rounded down: never more than there is."""
    return whole(amount, ROUND_FLOOR)


def credits(number: Decimal | int) -> str:
    """Return "1 credit" or "12 credits"."""
    return ngettext("%(n)s credit", "%(n)s credits", 1 if number == 1 else 2) % {"n": plain(number)}


def about(number: Decimal) -> str:
    """Return "about 12 credits"; what is less than one is not rounded away."""
    if number < 1:
        return _("less than 1 credit") if number else credits(0)
    return _("about %s") % credits(number.quantize(Decimal(1), ROUND_HALF_UP))


def price_text(price: Price) -> str:
    """Return "about 12 credits (9 to 20)"; empty when Lamina gave no estimate."""
    likely = price.expected if price.expected is not None else price.ceiling
    if likely is None:
        return ""
    if price.least is None or price.most is None or price.least == price.most:
        return about(likely)
    span = _("%(least)s to %(most)s") % {"least": plain(floor(price.least)), "most": plain(ceil(price.most))}
    return f"{about(likely)} ({span})"


def cost_text(price: Price, balance: Decimal | None) -> str:
    """Return "about 12 credits (9 to 20); the workspace has 340", and say what of it is not known."""
    cost = price_text(price) or _("not known: Lamina gives no estimate for this app")
    if balance is None:
        return _("%(cost)s; what the workspace has is not known") % {"cost": cost}
    return _("%(cost)s; the workspace has %(balance)s") % {"cost": cost, "balance": left(balance)}


def used_text(state: BudgetState) -> str:
    """Return how much of the month's budget is spent, and what is held of it besides."""
    if state.limit is None:
        if state.held:
            amounts = {"spent": spent(state), "held": held(state)}
            return _("%(spent)s credits spent, and %(held)s held for runs that are going") % amounts
        return _("%(spent)s credits spent") % {"spent": spent(state)}
    of_limit = {"spent": spent(state), "limit": credits(state.limit), "held": held(state)}
    if state.held:
        return _("%(spent)s of %(limit)s spent, and %(held)s held for runs that are going") % of_limit
    return _("%(spent)s of %(limit)s spent") % of_limit


def way_out(state: BudgetState) -> str:
    """Return when the budget begins anew, and who can raise it."""
    day = date_format(state.resets_on, "j F")
    return _("The budget begins anew on %s; the portal's staff can raise it.") % day


def month_text(state: BudgetState) -> str:
    """Return "This month: 120 of 500 spent, 20 held", for a narrow place."""
    amounts = {"spent": spent(state), "limit": "" if state.limit is None else plain(state.limit), "held": held(state)}
    if state.limit is None:
        if state.held:
            return _("This month: %(spent)s spent, %(held)s held") % amounts
        return _("This month: %(spent)s spent") % amounts
    if state.held:
        return _("This month: %(spent)s of %(limit)s spent, %(held)s held") % amounts
    return _("This month: %(spent)s of %(limit)s spent") % amounts


def spending_notice(stopped_why: str, state: BudgetState) -> dict[str, str]:
    """Return the banner that says spending is stopped, or a budget nearly or wholly used; empty for neither."""
    if stopped_why:
        text = _("%s. Nothing new can be started; what waits is saved and goes on by itself when staff lift it.")
        return {
            "tone": "bad",
            "title": _("Staff have stopped spending for now"),
            "text": text % stopped_why.rstrip("."),
        }
    if not state.is_near:
        return {}
    if state.is_used_up:
        title = _("This month's budget is used up")
    else:
        title = _("%(percent)d %% of this month's budget is used") % {"percent": state.percent}
    tone = "bad" if state.is_used_up else "warn"
    return {"tone": tone, "title": title, "text": f"{used_text(state)}. {way_out(state)}"}


def line_text(line: LedgerLine) -> str:
    """Return what something costs: held while it goes on, counted when it has ended, exact only where that is known."""
    if line.state == LineState.HELD:
        if line.expected is None and line.most is None:
            return _("Lamina does not say what it costs; %s are held for it.") % credits(line.held)
        return _("%(about)s; up to %(most)s are held for it.") % {
            "about": about(line.likely).capitalize(),
            "most": plain(line.held),
        }
    if line.state == LineState.RELEASED:
        return _("Nothing is counted for it.")
    if line.kind == LineKind.CORRECTION:
        return ("+" if line.settled > 0 else "−") + credits(abs(line.settled))
    if line.is_exact:
        return _("%s, as Lamina counts.") % credits(line.settled)
    if not line.settled:
        return _("Nothing is counted for it.")
    return _("%s, as estimated.") % about(line.settled).capitalize()


def refusal(error: SpendingRefused) -> str:
    """Return why a run is not sent, that it cost nothing, and what can be done."""
    nothing = _("Nothing was sent and nothing is charged; everything you filled in is still here.")
    match error:
        case SpendingStopped():
            stopped = _("Staff have stopped spending for now (%(why)s).") % {"why": error.stop.why}
            return f"{stopped} {nothing}"
        case OverBudget():
            if error.price.is_known:
                needs = _("This run may cost up to %s.") % credits(error.price.amount)
            else:
                needs = _("Lamina does not say what this app costs, so %s would be held.") % credits(error.price.amount)
            left = _("This month's budget has %(left)s left: %(used)s.") % {
                "left": credits(error.state.left or 0),
                "used": used_text(error.state),
            }
            return f"{needs} {left} {nothing} {way_out(error.state)}"
    return nothing
