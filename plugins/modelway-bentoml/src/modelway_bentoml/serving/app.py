"""The service's HTTP side: routes, limits and refusals, as an ASGI application."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from modelway import ModelwayError
from modelway_bentoml.serving.body import Refused
from modelway_bentoml.serving.describe import openapi, request_schema
from modelway_bentoml.serving.predictor import Predictor, Reply
from modelway_bentoml.serving.scorer import load

#: Bodies up to so many bytes are answered at once; larger ones on a thread, so that others are not held up.
_SMALL = 65_536
#: Golden rows shown as the example of a request.
_SHOWN = 2

_log = logging.getLogger("bentoml.modelway")


class Service:
    """What the routes share: the predictor once it is loaded, or why it is not.

    Args:
        root: The bundle's source folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.manifest: Mapping[str, Any] = json.loads((root / "manifest.json").read_bytes())
        self.predictor: Predictor | None = None
        self.reason = "The model is being loaded"
        self._described: dict[str, bytes] = {}

    def start(self) -> None:
        """Load and test the model; a failure leaves the service up, not ready, and able to say why."""
        try:
            self.predictor = Predictor(load(self.root))
        except ModelwayError as error:
            self.reason = str(error)
        except Exception as error:
            _log.exception("The model cannot be loaded")
            self.reason = f"The model cannot be loaded: {type(error).__name__}: {error}"
        if self.predictor is None:
            _log.error("Not ready. %s", self.reason)

    def health(self) -> Reply:
        """Tell whether the model scores its golden rows rightly, and by how much it misses."""
        about: dict[str, Any] = {
            "model": {"project": self.manifest["project"], "version": self.manifest["version"]},
            "digests": self.manifest["digests"],
            "tolerance": self.manifest["tolerance"],
        }
        if self.predictor is None:
            return Reply.of(503, {"status": "not ready", "reason": self.reason, **about})
        scorer = self.predictor.scorer
        golden = {"golden_rows": len(scorer.model.golden["rows"]), "largest_difference": scorer.difference}
        return Reply.of(200, {"status": "ready", **golden, "load_seconds": round(scorer.seconds, 3), **about})

    def describe(self, what: str) -> Reply:
        """Return ``schema`` or ``openapi``."""
        if what not in self._described:
            self._described[what] = Reply.of(200, describe(self.root, self.manifest)[what]).body
        return Reply(200, self._described[what])

    async def predict(self, request: Request) -> Response:
        """Answer a request to score rows."""
        if self.predictor is None:
            return _response(Reply.error(503, f"The service is not ready. {self.reason}"))
        limits = self.manifest["limits"]
        try:
            _acceptable(request)
            body = await _read(request, limits["bytes"], limits["seconds"])
        except Refused as refused:
            # The rest of the body is not read, so the connection cannot serve another request.
            return _response(Reply.error(refused.status, refused.message), {"connection": "close"})
        except ClientDisconnect:
            return Response(status_code=400)
        if len(body) <= _SMALL:
            return _response(self.predictor.answer(body))
        return _response(await anyio.to_thread.run_sync(self.predictor.answer, body))


def describe(root: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of a request and the OpenAPI description, read from a bundle without loading its model."""
    from modelway import Schema

    scoring = json.loads((root / "model" / "scoring.json").read_bytes())
    schema, most = Schema.of(scoring["schema"]), manifest["limits"]["rows"]
    examples = scoring["golden"].get("rows", [])[:_SHOWN]
    return {
        "schema": request_schema(schema, most),
        "openapi": openapi(manifest, schema, most, scoring["classes"], examples),
    }


def application(service: Service) -> Starlette:
    """Return the ASGI application of a service."""

    async def health(request: Request) -> Response:
        return _response(service.health())

    async def schema(request: Request) -> Response:
        return _response(service.describe("schema"))

    async def described(request: Request) -> Response:
        return _response(service.describe("openapi"))

    async def front(request: Request) -> Response:
        return _response(Reply.of(200, {"model": service.manifest["project"], "routes": [r.path for r in routes]}))

    routes = [
        Route("/predict", service.predict, methods=["POST"]),
        Route("/schema", schema),
        Route("/health", health),
        Route("/openapi.json", described),
        # BentoML's own pages describe its own endpoints, of which there are none.
        Route("/docs.json", described),
        Route("/", front),
    ]
    return Starlette(routes=routes)


class NoPickle:
    """Refuses pickled bodies on every route, whoever offers it.

    Args:
        app: The application that the others go to.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 415."""
        if scope["type"] == "http":
            for name, value in scope["headers"]:
                if name in (b"content-type", b"payload-container") and b"pickle" in value.lower():
                    refused = Reply.error(415, "Pickled bodies are not accepted: send application/json")
                    await _response(refused, {"connection": "close"})(scope, receive, send)
                    return
        await self.app(scope, receive, send)


def _response(reply: Reply, headers: Mapping[str, str] | None = None) -> Response:
    return Response(reply.body, reply.status, headers, media_type="application/json")


def _acceptable(request: Request) -> None:
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Refused(415, f"A body of type '{kind[:60]}' is not accepted: send application/json")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "Compressed bodies are not accepted")


async def _read(request: Request, most: int, seconds: float) -> bytes:
    said = request.headers.get("content-length", "0")
    too_large = Refused(413, f"The body is larger than {most} bytes: send the rows in pieces")
    if said.isdigit() and int(said[:20]) > most:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise too_large
                parts.append(part)
    except TimeoutError:
        raise Refused(408, f"The body did not arrive within {seconds:g} seconds") from None
    return b"".join(parts)
