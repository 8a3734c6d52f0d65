from datetime import timedelta

from django.db import migrations, models
from django.utils import timezone

SHOWN_FOR = timedelta(days=7)


def count_old_as_dealt_with(apps, schema_editor):
    """Count second runs as dealt with from when they left the staff's list, which was after seven days.

    Nobody could say so then, and which of them were is not known: listing all of them again would hide those that
    are new. The admin's log has no entry for one of these, which tells them from those that somebody dealt with.
    What is younger is on the list now, and stays there.
    """
    seconds = apps.get_model("workspaces", "LedgerLine").objects.filter(kind="second", dealt_with_at=None)
    old = seconds.filter(created_at__lt=timezone.now() - SHOWN_FOR)
    old.update(dealt_with_at=models.F("created_at") + SHOWN_FOR)


class Migration(migrations.Migration):
    dependencies = [
        ("workspaces", "0005_key_refused"),
    ]

    operations = [
        migrations.AddField(
            model_name="ledgerline",
            name="dealt_with_at",
            field=models.DateTimeField(
                help_text="When staff said so of a second run. Empty: not yet.",
                null=True,
                verbose_name="dealt with",
            ),
        ),
        migrations.AddField(
            model_name="ledgerline",
            name="lamina_run_id",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Of a second run only.",
                max_length=100,
                verbose_name="Lamina's run id",
            ),
        ),
        migrations.RunPython(count_old_as_dealt_with, migrations.RunPython.noop, elidable=True),
    ]
