"""The HTTP API and its page. Pictures are analysed in memory and never written anywhere."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache, partial
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from mien.analyze.analyzer import Analyzer
from mien.analyze.examples import PLAIN, TITLES
from mien.analyze.table import COLUMNS
from mien.assets import SAMPLE
from mien.errors import MienError, MissingExtraError, UsageError
from mien.face.areas import PART_LANDMARKS
from mien.face.detect import DetectorChoice
from mien.serve.guard import COOKIE, REPORT_POLICY, Guard
from mien.serve.pool import WorkerPool
from mien.serve.problems import NotFoundError, answer_to, problem
from mien.serve.schema import PICTURE
from mien.serve.settings import ServeSettings
from mien.serve.trust import trust_tables
from mien.serve.upload import FIELD, read_picture
from mien.serve.work import Upload, answer_example, answer_upload, draw_example, get_ready
from mien.trust.models import Models
from mien.trust.prior import Prior
from mien.types import AREAS, EMOTIONS, PARTS

Made = TypeVar("Made")

WEB = Path(__file__).parent / "web"
WAY_BACK = (
    '<nav aria-label="mien" style="padding:10px 16px;background:#fff;font:16px/1.4 system-ui,sans-serif">'
    '<a href="/" style="color:#1f5a70">\u2190 Back to mien</a></nav>'
)
log = logging.getLogger("mien.serve")

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODY = {
    "requestBody": {
        "required": True,
        "description": f"One picture: the body itself, or the form field `{FIELD}`.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {FIELD: {"type": "string", "format": "binary"}},
                }
            },
            "image/jpeg": _BINARY,
            "image/png": _BINARY,
            "image/webp": _BINARY,
            "image/tiff": _BINARY,
            "image/bmp": _BINARY,
            "application/octet-stream": _BINARY,
        },
    }
}
_PROBLEM = {
    "description": "What went wrong, in one sentence.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "error": {
                        "type": "object",
                        "properties": {"type": {"type": "string"}, "message": {"type": "string"}},
                    }
                },
            }
        }
    },
}
_PROBLEMS: dict[int | str, dict[str, Any]] = dict.fromkeys((400, 401, 403, 408, 413, 421, 422, 503, 504), _PROBLEM)
_ANSWER = {"description": "The faces and their answers.", "content": {"application/json": {"schema": PICTURE}}}
_STATIC_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
_STATUS_TYPES = {404: "NotFoundError", 405: "MethodError"}


def create_app(settings: ServeSettings, analyzer: Analyzer | None = None) -> FastAPI:
    """The application.

    Args:
        settings: limits and who may call.
        analyzer: whose models answer; None is the shipped ones.

    Raises:
        ModelError: the shipped models are missing.
    """
    analyzer = Analyzer() if analyzer is None else analyzer
    models = Models(analyzer.models.folder, analyzer.models.network, threads=1)
    pool = WorkerPool(settings, partial(get_ready, models, settings.limits))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        pool.open()
        try:
            yield
        finally:
            pool.close()

    app = FastAPI(
        title="mien",
        version=version("mien"),
        summary="Emotions from faces that are only partly visible, and how far each answer can be trusted.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        license_info={"name": "MIT", "identifier": "MIT"},
    )
    app.add_middleware(Guard, settings=settings)
    _add_problems(app)
    _add_pages(app, settings)
    _add_api(app, settings, analyzer, pool)
    _add_examples(app, pool)
    return app


def _add_problems(app: FastAPI) -> None:
    """Every error leaves as typed JSON, and no traceback leaves at all."""

    @app.exception_handler(MienError)
    async def known(_: Request, error: MienError) -> JSONResponse:
        return answer_to(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return problem("UsageError", f"{first['loc'][-1]}: {first['msg']}", 400)

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        kind = _STATUS_TYPES.get(error.status_code, "HTTPError")
        return problem(kind, str(error.detail), error.status_code, dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return answer_to(error)


def _add_pages(app: FastAPI, settings: ServeSettings) -> None:
    files = {path.name: path.read_bytes() for path in WEB.iterdir() if path.is_file()}

    @app.get("/static/{name}", include_in_schema=False)
    async def static(name: str) -> Response:
        if name not in files:
            raise HTTPException(404, "Not Found")
        return Response(files[name], media_type=_STATIC_TYPES[Path(name).suffix])

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(WEB / "index.html", media_type="text/html; charset=utf-8")

    @app.get("/favicon.ico", include_in_schema=False)
    async def icon() -> FileResponse:
        return FileResponse(WEB / "favicon.svg", media_type="image/svg+xml")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(WEB / "docs.html", media_type="text/html; charset=utf-8")

    @app.get("/docs/{name}", include_in_schema=False)
    async def swagger(name: Literal["swagger-ui-bundle.js", "swagger-ui.css"]) -> Response:
        kind = "text/css" if name.endswith(".css") else "text/javascript"
        return Response(_swagger(name), media_type=kind)

    @app.get("/report", include_in_schema=False)
    async def report() -> Response:
        if settings.report is None:
            raise HTTPException(404, "this server was started without --report")
        page = with_way_back(settings.report.read_text("utf-8"))
        return HTMLResponse(page, headers={"Content-Security-Policy": REPORT_POLICY})

    @app.get("/results/{name}", include_in_schema=False)
    async def report_numbers(name: str) -> FileResponse:
        return _file_of_report(settings, "results", name)

    @app.get("/figures/{name}", include_in_schema=False)
    async def report_figure(name: str) -> FileResponse:
        return _file_of_report(settings, "figures", name)


def _file_of_report(settings: ServeSettings, kind: str, name: str) -> FileResponse:
    """A data file or figure that the report links."""
    file = settings.report and settings.report.parent / kind / name
    if file is None or not REPORT_FILE.fullmatch(name) or not file.is_file():
        raise HTTPException(404, "there is no such file of a report")
    return FileResponse(file)


REPORT_FILE = re.compile(r"[A-Za-z0-9][\w-]*(\.[\w-]+)?\.(csv|json|svg|png)")
"""Names of the files that a report links; no folder, nothing hidden."""


def with_way_back(html: str) -> str:
    """A report with a link to the page as the first thing in its body."""
    opening = re.search(r"<body[^>]*>", html, re.IGNORECASE)
    place = opening.end() if opening else 0
    return html[:place] + WAY_BACK + html[place:] if opening else html + WAY_BACK


def _swagger(name: str) -> bytes:
    """A file of Swagger UI, from the package that carries it (FastAPI's own page would load it from a CDN)."""
    try:
        return (resources.files("fastapi_swagger") / "resources" / name).read_bytes()
    except ModuleNotFoundError as error:
        raise MissingExtraError("fastapi-swagger", "serve", "the page of the HTTP API") from error


def _boxes(texts: list[str] | None) -> tuple[tuple[float, ...], ...] | None:
    if texts is None:
        return None
    try:
        return tuple(tuple(float(v) for v in text.split(",")) for text in texts)
    except ValueError:
        raise UsageError("box: give four numbers, x0,y0,x1,y1") from None


def _add_api(app: FastAPI, settings: ServeSettings, analyzer: Analyzer, pool: WorkerPool) -> None:
    tables = cache(partial(trust_tables, analyzer))

    @app.post("/api/analyze", responses={**_PROBLEMS, 200: _ANSWER}, openapi_extra=_BODY, tags=["analysis"])
    async def analyze(
        request: Request,
        area: Annotated[
            list[str] | None,
            Query(description="What is visible: eyes, nose, mouth (repeat for several), or an area; absent finds out."),
        ] = None,
        detector: Annotated[DetectorChoice, Query(description="Face detector.")] = "mesh",
        heatmap: Annotated[bool, Query(description="Add each face's class activation map as a PNG.")] = False,
        what_if: Annotated[bool, Query(description="Add the answer for every set of visible parts.")] = False,
        preview: Annotated[
            bool, Query(description="Add the picture as a JPEG, for browsers that show no TIFF.")
        ] = False,
        rows: Annotated[bool, Query(description="Add the rows of the table that `mien analyze --out` writes.")] = False,
        box: Annotated[
            list[str] | None,
            Query(description="A face's box, x0,y0,x1,y1 in pixels (repeat for several): nothing is looked for."),
        ] = None,
        whole_picture: Annotated[
            bool, Query(description="The whole picture is one face: nothing is looked for.")
        ] = False,
        input: Annotated[str, Query(max_length=400, description="Name of the picture, given back in the answer.")] = "",
        prior: Annotated[
            str | None,
            Query(
                max_length=400,
                description="Mix of emotions among the faces: balanced, ferplus, or emotion=share,...; absent takes the"
                " mix on which the networks were calibrated.",
            ),
        ] = None,
    ) -> dict[str, Any]:
        """Find the faces of one picture and say what each area tells, and how far that can be trusted.

        The answer is the same JSON as one entry of `mien analyze --json`. The picture is not stored.
        """
        picture = await read_picture(request, settings)
        visible = None if area is None else tuple(area)
        mix = None if prior is None else Prior.parse(prior, files=False)
        boxes = _boxes(box)
        upload = Upload(
            picture, visible, detector, heatmap, what_if, preview, input, boxes, whole_picture, mix, rows=rows
        )
        return await pool.run(answer_upload, upload)

    @app.get("/api/trust", responses={**_PROBLEMS, 404: _PROBLEM}, tags=["trust"])
    async def trust() -> dict[str, Any]:
        """The <emotion, area> authenticity tables: how often each answer was right, of each area and fused."""
        return tables()

    @app.get("/api/about", tags=["server"])
    async def about() -> dict[str, Any]:
        """Version, networks, vocabulary and limits."""
        spec = analyzer.models.entry(analyzer.models.areas[0]).spec
        return {
            "version": version("mien"),
            "models": analyzer.models.title,
            "dataset": analyzer.models.manifest.dataset,
            "emotions": [e.value for e in EMOTIONS],
            "areas": {a.value: [p.value for p in PARTS if p in a.parts] for a in AREAS},
            "part_landmarks": {p.value: list(PART_LANDMARKS[spec.eyes][p]) for p in PARTS},
            "eyes": spec.eyes,
            "limits": {
                "upload_bytes": settings.upload_bytes,
                "pixels": settings.pixels,
                "concurrency": settings.concurrency,
                "waiting": settings.waiting,
                "upload_seconds": settings.upload_seconds,
                "analysis_seconds": settings.analysis_seconds,
                "memory": settings.memory,
                "total_memory": settings.total_memory,
            },
            "heatmap": analyzer.models.manifest.visualisation is not None,
            "report": settings.report is not None,
            "examples": [{"name": name, "title": title} for name, title in TITLES.items()],
            "columns": list(COLUMNS),
            "options": {"whole_picture": True, "prior": True},
        }

    @app.get("/api/sample", tags=["server"], response_class=FileResponse)
    async def sample() -> FileResponse:
        """The bundled photo: NASA's portrait of astronaut Eileen Collins (public domain)."""
        return FileResponse(SAMPLE, media_type="image/jpeg")

    @app.post("/api/session", tags=["server"], status_code=204)
    async def session() -> Response:
        """Let a browser keep the token that this request carries (as a cookie that scripts cannot read)."""
        response = Response(status_code=204)
        if settings.token is not None:
            response.set_cookie(COOKIE, settings.token, httponly=True, samesite="strict", path="/")
        return response


def _add_examples(app: FastAPI, pool: WorkerPool) -> None:
    pictures: dict[str, bytes] = {PLAIN: SAMPLE.read_bytes()}
    answers: dict[str, dict[str, Any]] = {}
    lock = asyncio.Lock()

    async def made(kept: dict[str, Made], name: str, make: Callable[[str], Made]) -> Made:
        """Made once, and one at a time."""
        if name not in TITLES:
            raise NotFoundError(f"no example is called {name!r}: choose from {', '.join(TITLES)}")
        if name not in kept:
            async with lock:
                if name not in kept:
                    kept[name] = await pool.run(make, name)
        return kept[name]

    @app.get("/api/examples/{name}.jpg", responses={404: _PROBLEM}, tags=["server"], response_class=Response)
    async def picture(name: str) -> Response:
        """A face to try: the bundled photo, or it behind something drawn over it."""
        return Response(await made(pictures, name, draw_example), media_type="image/jpeg")

    @app.get("/api/examples/{name}.json", responses={404: _PROBLEM, 200: _ANSWER}, tags=["server"])
    async def answer(name: str) -> dict[str, Any]:
        """The answer for a face to try, as `/api/analyze` gives it, worked out once."""
        return await made(answers, name, answer_example)
