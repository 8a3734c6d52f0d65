"""What a stage needs in its database, made by the portal itself in one process: tables, people, apps.

python -m tests.storm.furnish <app> <app> ...
"""

import sys

import django
from django.core.management import call_command


def main(*apps: str) -> None:
    """Make the tables, the demo's people, and pin these apps."""
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("demo_data")
    for app_id in apps:
        call_command("pin_app", app_id, "--capability", "image", "--workspace", "demo")


if __name__ == "__main__":
    main(*sys.argv[1:])
