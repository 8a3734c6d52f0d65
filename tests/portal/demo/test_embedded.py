"""The embedded Valkey: where it listens, that it keeps its data, that a folder has one at a time."""

from pathlib import Path

import pytest
import redis

from portal import embedded


def test_socket_path_is_inside_a_short_data_folder(tmp_path: Path) -> None:
    assert embedded.socket_path(Path("/srv/portal")) == Path("/srv/portal/valkey/socket")


def test_socket_path_of_a_long_data_folder_fits_and_stays_the_same(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    path = embedded.socket_path(long)
    assert len(str(path).encode()) <= embedded.LONGEST_SOCKET_PATH
    assert path == embedded.socket_path(long)
    assert path != embedded.socket_path(tmp_path / ("y" * 120))


@pytest.mark.parametrize("name", ["short", "long" * 30])
def test_running_serves_only_a_private_socket_and_keeps_its_data(tmp_path: Path, name: str) -> None:
    with embedded.running(tmp_path / name) as listens_at:
        client = redis.Redis.from_url(f"unix://{listens_at}?db=1")
        client.set("kept", "yes")
        assert client.info("server")["tcp_port"] == 0
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert listens_at.stat().st_mode & 0o077 == 0
        client.close()
    assert not embedded.is_answering(listens_at)
    with embedded.running(tmp_path / name) as listens_at, redis.Redis.from_url(f"unix://{listens_at}?db=1") as client:
        assert client.get("kept") == b"yes"


def test_second_server_on_a_folder_is_refused_with_the_mend(tmp_path: Path) -> None:
    with embedded.running(tmp_path) as listens_at:
        with pytest.raises(embedded.DataFolderInUse, match="DATA=folder"), embedded.running(tmp_path):
            pytest.fail("started twice")
        assert embedded.is_answering(listens_at)


def test_unwritable_folder_is_refused_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(embedded.EmbeddedServerError, match=r"cannot be written .* DATA=folder"),
        embedded.locked(tmp_path / "file" / "data"),
    ):
        pytest.fail("locked a folder that cannot be")
