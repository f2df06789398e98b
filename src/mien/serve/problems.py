"""What can go wrong with a request, as typed JSON: ``{"error": {"type": ..., "message": ...}}``.

=====================  ======  =====================================================================
type                   status
=====================  ======  =====================================================================
UsageError             400     an option is unknown or out of range
UnauthorizedError      401     the token is missing or wrong
ForbiddenError         403     called from another site's page
NotFoundError          404     there is no such address
MethodError            405     the address exists, but not for this method
UploadTimeoutError     408     the picture did not arrive in time
UploadTooLargeError    413     the picture has too many bytes
ImageError             422     the upload is not a picture, is damaged, or has too many pixels
WrongHostError         421     called under a name that is not this server's
InternalError          500     a fault in mien; details are in the server's log, never in the answer
BusyError              503     too many pictures wait already; ``Retry-After`` says when to come again
AnalysisTimeoutError   504     the analysis took too long
=====================  ======  =====================================================================
"""

from __future__ import annotations

from starlette.responses import JSONResponse

from mien.errors import ImageError, MienError, UsageError


class RequestError(MienError):
    """Something about a request; its ``status`` is the HTTP status."""

    status = 400
    headers: dict[str, str] = {}  # noqa: RUF012


class UnauthorizedError(RequestError):
    """The token is missing or wrong."""

    status = 401
    headers = {"WWW-Authenticate": 'Bearer realm="mien"'}  # noqa: RUF012


class ForbiddenError(RequestError):
    """The request comes from another site's page."""

    status = 403


class NotFoundError(RequestError):
    """There is no such address."""

    status = 404


class MethodError(RequestError):
    """The address exists, but not for this method."""

    status = 405


class UploadTimeoutError(RequestError):
    """The picture did not arrive in time."""

    status = 408


class UploadTooLargeError(RequestError):
    """The picture has too many bytes."""

    status = 413


class WrongHostError(RequestError):
    """The server was called under a name that is not its own."""

    status = 421


class BusyError(RequestError):
    """Too many pictures wait already."""

    status = 503
    headers = {"Retry-After": "1"}  # noqa: RUF012


class AnalysisTimeoutError(RequestError):
    """The analysis took too long."""

    status = 504


def answer_to(error: Exception) -> JSONResponse:
    """The response to an error."""
    if isinstance(error, RequestError):
        return problem(type(error).__name__, str(error), error.status, error.headers)
    if isinstance(error, UsageError):
        return problem("UsageError", str(error), 400)
    if isinstance(error, ImageError):
        return problem("ImageError", str(error), 422)
    if isinstance(error, MienError):
        return problem(type(error).__name__, str(error), 500)
    return problem("InternalError", "mien failed on this request; the server's log says how", 500)


def problem(kind: str, message: str, status: int, headers: dict[str, str] | None = None) -> JSONResponse:
    """``{"error": {"type": kind, "message": message}}``."""
    return JSONResponse({"error": {"type": kind, "message": message}}, status, headers)
