"""Uploads: signed addresses, what they refuse, and the file afterwards."""

import re

import httpx
import pytest

from lamina_integration.sandbox import Sandbox
from tests.lamina_integration.sandbox.conftest import KEYS, photo, uploaded


def offered(api: httpx.Client, *names: str, kind: str = "image") -> list[dict[str, str]]:
    files = [{"filename": name, "mediaType": kind} for name in names]
    return list(api.post("/v1/assets/upload-urls", json={"files": files}).json()["data"]["uploads"])


def test_upload_is_put_without_a_key_and_read_with_ranges(lamina: Sandbox, api: httpx.Client) -> None:
    content = photo()
    url = uploaded(api, content)
    answer = httpx.get(url)
    assert (answer.content, answer.headers["Content-Type"]) == (content, "image/jpeg")
    part = httpx.get(url, headers={"Range": "bytes=2-5"})
    assert (part.status_code, part.content) == (206, content[2:6])
    (noted,) = lamina.ledger()["uploads"]
    assert (noted["filename"], noted["bytes"]) == ("mug.jpg", len(content))


def test_each_file_gets_an_address_in_order_with_a_hint(api: httpx.Client) -> None:
    uploads = offered(api, "a.PNG", "b.heic", "noend", 'ש "q" <b>/../x.webp')
    assert [upload["contentTypeHint"] for upload in uploads] == ["image/png", "image/heic", "image/jpeg", "image/webp"]
    assert [upload["filename"] for upload in uploads][3] == 'ש "q" <b>/../x.webp'
    assert all(upload["assetId"] in upload["assetUrl"] and upload["expiresAt"] for upload in uploads)
    assert ".." not in uploads[3]["assetUrl"].split("/")


@pytest.mark.parametrize("headers", [{"x-api-key": KEYS[0]}, {"Authorization": f"Bearer {KEYS[0]}"}])
def test_key_on_the_put_is_refused(api: httpx.Client, headers: dict[str, str]) -> None:
    (upload,) = offered(api, "a.jpg")
    answer = httpx.put(upload["uploadUrl"], content=b"x", headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/xml")
    assert httpx.get(upload["assetUrl"]).status_code == 404


@pytest.mark.parametrize("pattern", [r"signature=....", r"expires=\d+", r"\?.*"])
def test_address_that_was_changed_is_refused(api: httpx.Client, pattern: str) -> None:
    (upload,) = offered(api, "a.jpg")
    changed = re.sub(pattern, lambda match: match[0][:-4] + "9999" if "=" in match[0][:10] else "", upload["uploadUrl"])
    assert changed != upload["uploadUrl"]
    assert httpx.put(changed, content=b"x").status_code == 403


def test_address_expires(lamina: Sandbox, api: httpx.Client) -> None:
    lamina.set(upload_seconds=0.0)
    (upload,) = offered(api, "a.jpg")
    answer = httpx.put(upload["uploadUrl"], content=b"x")
    assert (answer.status_code, "expired" in answer.text) == (403, True)


@pytest.mark.parametrize(
    "files", [None, [], "a", [{}], [{"filename": "", "mediaType": "image"}], [{"filename": "a", "mediaType": "pdf"}]]
)
def test_files_that_cannot_be_uploaded_are_refused(api: httpx.Client, files: object) -> None:
    assert api.post("/v1/assets/upload-urls", json={"files": files}).json()["code"] == "VALIDATION_ERROR"
