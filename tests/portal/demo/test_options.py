"""What a person may choose on the command line of the demo."""

from pathlib import Path

import pytest

from portal.demo.errors import DemoError
from portal.demo.options import Options, read_options


def test_options_have_defaults_for_all_that_is_not_given() -> None:
    options = read_options({"PORT": ""})
    assert options == Options(port=8000, data=Path("var/demo").resolve(), apps=None, webhooks=True, speed=1.0)


def test_options_are_read_from_the_environment(tmp_path: Path) -> None:
    options = read_options({"PORT": "9000", "DATA": "~/demo", "APPS": str(tmp_path), "WEBHOOKS": "off", "SPEED": "2.5"})
    assert options == Options(port=9000, data=Path("~/demo").expanduser(), apps=tmp_path, webhooks=False, speed=2.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("APPS", "/nowhere/at/all"),
        ("WEBHOOKS", "maybe"),
        ("SPEED", "fast"),
        ("SPEED", "0"),
        ("SPEED", "nan"),
        ("SPEED", "-2"),
    ],
)
def test_wrong_option_is_refused_in_one_line_that_names_it(name: str, value: str) -> None:
    with pytest.raises(DemoError, match=name) as refused:
        read_options({name: value})
    assert "\n" not in str(refused.value)
