"""Every setting and dependency tried once, each trouble named with its mend in one line.

Unlike readiness this asks Lamina and the mail server, once, and writes a file into the storage; it never counts as
the portal's own work, so that a check holds nobody up. A check that needs what another one found wrong is not looked
at, and says so: one trouble, one line to mend, and no "ok" for what nobody knows. What means nothing at all stops
the settings before this (see portal.reading).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from portal.operations.selfcheck.outside import check_lamina, check_mail
from portal.operations.selfcheck.parts import (
    check_budgets,
    check_database,
    check_disk,
    check_encryption,
    check_redis,
    check_storage,
    check_workers,
)
from portal.operations.selfcheck.rules import check_addresses, check_settings
from portal.operations.selfcheck.troubles import Check, NotLookedAt, Trouble


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one check: its troubles, or why it was not made."""

    name: str
    troubles: list[Trouble]
    not_looked_at: str = ""


def outcomes() -> Iterator[Outcome]:
    """Yield what came of each check, one after the other."""
    for name, check in CHECKS.items():
        try:
            yield Outcome(name, list(check()))
        except NotLookedAt as error:
            yield Outcome(name, [], not_looked_at=str(error))


CHECKS: dict[str, Check] = {
    "settings": check_settings,
    "addresses": check_addresses,
    "database": check_database,
    "redis": check_redis,
    "workers": check_workers,
    # Before the storage, which may make the folder.
    "disk": check_disk,
    "storage": check_storage,
    "lamina": check_lamina,
    "mail": check_mail,
    "encryption": check_encryption,
    "budgets": check_budgets,
}
