"""What a data folder keeps from start to start."""

import socket
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from portal.demo.errors import DemoError
from portal.demo.kept import load_or_make


def test_kept_values_are_the_same_at_the_next_start_and_private(tmp_path: Path) -> None:
    first = load_or_make(tmp_path, portal_port=8000)
    assert load_or_make(tmp_path, portal_port=8000) == first
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600


def test_kept_values_differ_between_folders_and_can_be_used(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    one, other = (load_or_make(tmp_path / name, portal_port=8000) for name in "ab")
    assert one.secret_key != other.secret_key
    assert one.passwords != other.passwords
    assert set(one.passwords) == {"owner", "creator", "staff"}
    assert len(set(one.passwords.values())) == 3
    assert min(map(len, one.passwords.values())) >= 12
    Fernet(one.field_encryption_key)


def test_stand_in_port_that_was_taken_meanwhile_is_named(tmp_path: Path) -> None:
    port = load_or_make(tmp_path, portal_port=8000).stand_in_port
    with socket.create_server(("127.0.0.1", port)), pytest.raises(DemoError, match=f"Port {port}.*DATA=folder"):
        load_or_make(tmp_path, portal_port=8000)


def test_portal_may_not_take_the_stand_in_s_port(tmp_path: Path) -> None:
    port = load_or_make(tmp_path, portal_port=8000).stand_in_port
    with pytest.raises(DemoError, match=f"Port {port} is the stand-in's"):
        load_or_make(tmp_path, portal_port=port)


def test_broken_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text("{")
    with pytest.raises(DemoError, match="cannot be read"):
        load_or_make(tmp_path, portal_port=8000)
    assert (tmp_path / "demo.json").read_text() == "{"
