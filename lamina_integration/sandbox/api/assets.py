"""Assets: addresses to upload to, and what runs have made."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lamina_integration.sandbox.api.answers import data
from lamina_integration.sandbox.gate import caller_of, read_object, world_of
from lamina_integration.sandbox.refusals import invalid, problem

MEDIA_TYPES = ("image", "video", "audio")
MOST_FILES = 50


async def upload_urls(request: Request) -> Response:
    """Return where each file may be put, in the order they were named."""
    files = (await read_object(request)).get("files")
    if not isinstance(files, list) or not 1 <= len(files) <= MOST_FILES:
        raise invalid("Invalid files", problem("files", "invalid_type", f"files must be a list of 1 to {MOST_FILES}."))
    problems = [each for position, file in enumerate(files) for each in _file_problems(position, file)]
    if problems:
        raise invalid("Invalid files", *problems)
    assets, workspace = world_of(request).assets, caller_of(request).workspace.slug
    return data(
        {
            "uploads": [
                assets.offer(workspace=workspace, filename=file["filename"], media_type=file["mediaType"])
                for file in files
            ]
        }
    )


def _file_problems(position: int, file: Any) -> list[dict[str, str]]:
    where = f"files[{position}]"
    if not isinstance(file, dict):
        return [problem(where, "invalid_type", f"{where} must be an object.")]
    problems = []
    if not isinstance(file.get("filename"), str) or not file["filename"]:
        problems.append(problem(f"{where}.filename", "invalid_type", "filename must be text."))
    if file.get("mediaType") not in MEDIA_TYPES:
        problems.append(
            problem(f"{where}.mediaType", "invalid_option", f"mediaType must be one of: {', '.join(MEDIA_TYPES)}.")
        )
    return problems


routes = [Route("/v1/assets/upload-urls", upload_urls, methods=["POST"])]
