"""Names from people, shown and made safe."""

import pytest

from portal.media.names import download_name, shown_name, uploaded_name, wire_name


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("mug.jpg", "mug.jpg"),
        ("a\r\nSet-Cookie: x.jpg", "a Set-Cookie: x.jpg"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("  two   spaces .jpg ", "two spaces .jpg"),
        ("", "file"),
        ("\x00\x01", "file"),
        ("صورة.jpg", "صورة.jpg"),
        ("👩\u200d🍳.png", "👩\u200d🍳.png"),
    ],
)
def test_shown_name_is_what_was_typed_without_tricks(given: str, shown: str) -> None:
    assert shown_name(given) == shown


def test_uploaded_name_is_what_it_was_before_the_browser_wrote_it_down() -> None:
    assert uploaded_name("12%22 plate%0D%0A, 50%25 off.jpg") == '12" plate , 50%25 off.jpg'


def test_long_name_keeps_its_ending() -> None:
    assert shown_name("x" * 300 + ".jpeg") == "x" * 250 + ".jpeg"


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("IMG_1.HEIC", "IMG_1.jpg"),
        ('a"b/c\\d:e.png', "a_b_c_d_e.jpg"),
        ("../../etc/passwd", "etc_passwd.jpg"),
        ("program.exe", "program.exe.jpg"),
        ("AI Designer", "AI Designer.jpg"),
        ("...", "file.jpg"),
        ("<b>صورة</b>", "b_صورة_b.jpg"),
    ],
)
def test_download_name_is_no_path_and_ends_as_what_it_is(name: str, saved: str) -> None:
    assert download_name(name, extension="jpg").lstrip("_") == saved


def test_download_name_fits_every_file_system() -> None:
    assert len(download_name("صورة " * 60, extension="webp").encode()) <= 200


def test_wire_name_is_plain() -> None:
    assert wire_name("Blaue Tasse №1.HEIC", extension="jpg") == "blaue-tasse-no1.jpg"
    assert wire_name("صورة", extension="mp4") == "file.mp4"
