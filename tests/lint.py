"""`make lint`: style and formatting of Python and templates, and types; all complaints, then the status."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def main() -> int:
    """Run every check; return 0 if none complained."""
    templates = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("templates/**/*.html"))]
    checks = [
        [str(BIN / "ruff"), "check", "--quiet", "."],
        [str(BIN / "ruff"), "format", "--quiet", "--check", "."],
        *([[str(BIN / "djade"), "--check", "--target-version", "5.2", *templates]] if templates else []),
        [str(BIN / "mypy"), "--no-error-summary"],
    ]
    failed = [check for check in checks if subprocess.run(check, cwd=ROOT, check=False).returncode]
    for check in failed:
        sys.stdout.write(f"Complained: {Path(check[0]).name} {check[1]}\n")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
