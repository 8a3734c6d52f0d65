"""Start the stand-in from the command line."""

from lamina_integration.sandbox.cli import main

raise SystemExit(main())
