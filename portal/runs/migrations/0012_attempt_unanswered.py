from django.db import migrations, models


def mark(apps, schema_editor):
    """Mark what is out now, and what went without an answer before there was a column for it."""
    Attempt = apps.get_model("runs", "Attempt")
    unknown = models.Q(closed_at=None) | models.Q(outcome__startswith="no answer") | models.Q(outcome="its worker was lost")
    Attempt.objects.filter(unknown, sent_at__isnull=False, run__lamina_run_id=None).update(unanswered=True)


class Migration(migrations.Migration):
    dependencies = [
        ("runs", "0011_draft"),
    ]

    operations = [
        migrations.AddField(
            model_name="attempt",
            name="unanswered",
            field=models.BooleanField(
                default=False,
                help_text="It was sent, and nobody knows what became of it: some run at Lamina may be its.",
            ),
        ),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(condition=models.Q(("unanswered", True)), fields=["sent_at"], name="attempt_unanswered"),
        ),
        migrations.RunPython(mark, migrations.RunPython.noop, elidable=True),
    ]
