import uuid

from django.db import migrations


def name_them(apps, schema_editor):
    """Give the ledger's lines of second runs Lamina's id, from the known runs; a line's own id proves whose it is."""
    known = apps.get_model("runs", "KnownRemote").objects.all()
    lines = apps.get_model("workspaces", "LedgerLine").objects
    for line in lines.filter(kind="second", lamina_run_id="", run_id__isnull=False):
        for remote_id in known.filter(reference=line.reference).values_list("pk", flat=True):
            if uuid.uuid5(line.run_id, remote_id) == line.pk:
                lines.filter(pk=line.pk).update(lamina_run_id=remote_id)


class Migration(migrations.Migration):
    dependencies = [
        ("runs", "0017_refinement_before"),
        ("workspaces", "0006_second_runs_dealt_with"),
    ]

    operations = [
        migrations.CreateModel(
            name="SecondRun",
            fields=[],
            options={
                "verbose_name": "second run at Lamina",
                "verbose_name_plural": "second runs at Lamina",
                "ordering": ["-created_at"],
                "proxy": True,
                "default_permissions": (),
                "indexes": [],
                "constraints": [],
            },
            bases=("workspaces.ledgerline",),
        ),
        migrations.RunPython(name_them, migrations.RunPython.noop, elidable=True),
    ]
