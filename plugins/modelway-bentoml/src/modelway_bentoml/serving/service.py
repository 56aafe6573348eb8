"""The bento's service: one class, no endpoint of BentoML's own, our application mounted in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def make(root: Path) -> Any:
    """Return the BentoML service of a bundle; its model is loaded when a worker starts, not before.

    Args:
        root: The bundle's source folder.
    """
    import bentoml

    from modelway_bentoml.serving.app import NoPickle, Service, application
    from modelway_bentoml.serving.scorer import close

    manifest = json.loads((root / "manifest.json").read_bytes())
    settings = manifest["service"]
    shared = Service(root)

    class Scoring:
        """Scores rows."""

        def __init__(self) -> None:
            close(manifest["closed"])
            shared.start()

        def __is_ready__(self) -> bool:
            return shared.predictor is not None

    service = bentoml.service(
        bentoml.asgi_app(application(shared))(Scoring),
        name=settings["name"],
        workers=settings["workers"],
        traffic={"timeout": settings["timeout"]},
        http={"host": "127.0.0.1"},
        logging={"access": {"enabled": False}},
    )
    service.add_asgi_middleware(NoPickle)
    return service
