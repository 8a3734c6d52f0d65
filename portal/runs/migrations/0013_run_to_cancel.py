from django.db import migrations, models


def forget(apps, schema_editor):
    """Let go of cancels of runs that are over: from here on one that is due is one to be asked about."""
    Run = apps.get_model("runs", "Run")
    over = Run.objects.filter(status__in=["completed", "failed", "cancelled"], cancel_next_at__isnull=False)
    over.update(cancel_next_at=None)


class Migration(migrations.Migration):
    dependencies = [
        ("runs", "0012_attempt_unanswered"),
    ]

    operations = [
        migrations.RunPython(forget, migrations.RunPython.noop, elidable=True),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(("cancel_next_at__isnull", False)), fields=["cancel_next_at"], name="run_to_cancel"
            ),
        ),
    ]
