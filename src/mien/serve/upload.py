"""One picture out of a request's body, in memory: never a temporary file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from python_multipart.exceptions import MultipartParseError
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from mien.errors import UsageError
from mien.serve.problems import UploadTimeoutError, UploadTooLargeError
from mien.serve.settings import ServeSettings

FIELD = "image"
FORM_BYTES = 16_384
"""What a form may hold besides the picture: boundaries, headers, small fields."""


async def read_picture(request: Request, settings: ServeSettings) -> bytes:
    """The picture of a request: its whole body, or the field ``image`` of a multipart form.

    Raises:
        UploadTooLargeError: more bytes than allowed; reading stops there.
        UploadTimeoutError: it did not arrive in time.
        UsageError: no picture was sent, or the form is damaged.
    """
    kind = request.headers.get("content-type", "")
    form = kind.lower().startswith("multipart/form-data")
    try:
        async with asyncio.timeout(settings.upload_seconds):
            body = await _read(request, settings.upload_bytes + (FORM_BYTES if form else 0), settings.upload_bytes)
    except TimeoutError as error:
        raise UploadTimeoutError(f"the picture did not arrive within {settings.upload_seconds:g} s") from error
    except ClientDisconnect as error:
        raise UsageError("the picture did not arrive completely") from error
    picture = await _from_form(request.headers, body) if form else body
    if not picture:
        raise UsageError(f"send one picture: as the request's body, or as the form field {FIELD!r}")
    _check_size(len(picture), settings.upload_bytes, settings.upload_bytes)
    return picture


async def _read(request: Request, limit: int, shown: int) -> bytes:
    stated = request.headers.get("content-length", "")
    if stated.isdigit():
        _check_size(int(stated), limit, shown)
    body = bytearray()
    async for chunk in request.stream():
        _check_size(len(body) + len(chunk), limit, shown)
        body += chunk
    return bytes(body)


def _check_size(size: int, limit: int, shown: int) -> None:
    if size > limit:
        raise UploadTooLargeError(f"the picture is larger than {shown / 1e6:g} MB, the limit")


async def _from_form(headers: Headers, body: bytes) -> bytes | None:
    async def stream() -> AsyncIterator[bytes]:
        yield body

    parser = MultiPartParser(headers, stream(), max_files=1, max_fields=8)  # type: ignore[arg-type]
    parser.spool_max_size = len(body) + 1  # all of it stays in memory
    try:
        fields = await parser.parse()
    except (MultiPartException, MultipartParseError, KeyError, ValueError) as error:
        raise UsageError(f"the form is damaged ({getattr(error, 'message', error)})") from error
    try:
        picture = fields.get(FIELD)
        return await picture.read() if isinstance(picture, UploadFile) else None
    finally:
        await fields.close()
