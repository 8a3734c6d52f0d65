"""`manage.py prune`: remove old deliveries, old runs and old drafts."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal.operations.pruning import (
    old_deliveries,
    old_drafts,
    old_runs,
    prune_deliveries,
    prune_drafts,
    prune_runs,
)


def days(text: str) -> int:
    """Return a whole number of days, one or more."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError("a whole number of days, one or more")
    return int(text)


class Command(BaseCommand):
    """Deletes in chunks, so that nobody waits for it; what is not settled stays whatever its age."""

    help = "Delete applied deliveries, runs that are over with their files, and drafts, older than so many days."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the ages."""
        parser.add_argument("--deliveries-older-than", type=days, metavar="DAYS")
        parser.add_argument("--runs-older-than", type=days, metavar="DAYS", help="since they ended; files go with them")
        parser.add_argument("--drafts-older-than", type=days, metavar="DAYS", help="since they were last saved")
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prune what was asked for, or count it."""
        ages = options["deliveries_older_than"], options["runs_older_than"], options["drafts_older_than"]
        if not any(ages):
            raise CommandError(
                "Say what to prune: --deliveries-older-than DAYS, --runs-older-than DAYS, --drafts-older-than DAYS."
            )
        now = timezone.now()
        if ages[0]:
            self._deliveries(now - timedelta(days=ages[0]), dry=options["dry_run"])
        if ages[1]:
            self._runs(now - timedelta(days=ages[1]), dry=options["dry_run"])
        if ages[2]:
            self._drafts(now - timedelta(days=ages[2]), dry=options["dry_run"])

    def _deliveries(self, before: Any, *, dry: bool) -> None:
        if dry:
            self.stdout.write(f"{old_deliveries(before).count()} deliveries would go.")
        else:
            self.stdout.write(f"{prune_deliveries(before)} deliveries are gone.")

    def _drafts(self, before: Any, *, dry: bool) -> None:
        if dry:
            self.stdout.write(f"{old_drafts(before).count()} drafts would go.")
        else:
            self.stdout.write(f"{prune_drafts(before)} drafts are gone.")

    def _runs(self, before: Any, *, dry: bool) -> None:
        if dry:
            self.stdout.write(f"{old_runs(before).count()} runs would go, with the files that only they have.")
        else:
            runs, media = prune_runs(before)
            self.stdout.write(f"{runs} runs are gone, and {media} files that only they had.")
