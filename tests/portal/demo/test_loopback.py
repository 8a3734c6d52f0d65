"""Ports: free or not, and what answers on them."""

import socket
import threading
from pathlib import Path

import pytest

from portal.demo.errors import DemoError
from portal.demo.loopback import check_portal_port, find_free, get_status, is_free, ports_for


def test_port_in_use_is_refused_with_a_free_one_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(DemoError, match=rf"Port {port} is in use.* make demo PORT=\d+"):
            check_portal_port(port)
    check_portal_port(port)


def test_port_listened_on_by_all_addresses_counts_as_in_use() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert not is_free(server.getsockname()[1])


def test_find_free_says_so_when_there_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(DemoError, match="None of the ports"):
            find_free(range(port, port + 1), but_not=0)


@pytest.mark.parametrize(
    ("answer", "status"), [(b"HTTP/1.1 204 No Content\r\n\r\n", 204), (b"SSH-2.0-x\r\n", None), (b"", None)]
)
def test_get_status_reads_the_status_or_nothing(answer: bytes, status: int | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _address = server.accept()
            with client:
                client.recv(1024)
                client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert get_status(server.getsockname()[1], "/") == status
        thread.join()


def test_get_status_is_nothing_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert get_status(port, "/") is None


def test_two_new_folders_try_different_ports_first() -> None:
    spring, summer = ports_for(Path("/demo/spring")), ports_for(Path("/demo/summer"))
    assert spring[0] != summer[0]
    assert sorted(spring) == sorted(summer)
