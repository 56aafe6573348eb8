"""XGBoost's parameters checked, and its errors said plainly, before any row is read."""

from __future__ import annotations

import json
import re
import threading
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from modelway import ConfigError, nearest

#: What warnings are caught is the process's: trials side by side must not catch each other's.
_CATCHING = threading.Lock()


def said(error: BaseException | str) -> str:
    """Return what XGBoost says, without its time stamp, source line and native stack trace."""
    text = str(error).partition("\nStack trace")[0].strip()
    text = re.sub(r"^\[\d\d:\d\d:\d\d\] (WARNING: )?\S+:\d+:\s*(Check failed: .*?: )?", "", text)
    return " ".join(text.split()).rstrip(".")


def out_of_touch(error: BaseException) -> bool:
    """Return whether XGBoost's error is that the other workers of a training do not answer."""
    return re.search(r"\bcollective[/\\]", str(error)) is not None


def check(parameters: Mapping[str, Any], columns: int, known: Iterable[str]) -> None:
    """Let XGBoost judge its parameters before any row is read.

    Args:
        parameters: What is to be trained with.
        columns: Number of feature columns.
        known: Names of the trainer's own fields, to suggest.

    Raises:
        ConfigError: a parameter that XGBoost refuses, or would not use, or a device that is not there.
    """
    from xgboost.core import Booster, XGBoostError

    with _CATCHING, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            config = Booster({**parameters, "num_feature": columns}).save_config()
        except (XGBoostError, ValueError, TypeError) as error:
            raise ConfigError(f"XGBoost refuses a parameter: {said(error)}", where="xgboost") from None
    for warning in caught:
        text = said(str(warning.message))
        unused = re.findall(r'"([^"]+)"', text) if "are not used" in text else []
        if unused:
            names = {*known, *_names(json.loads(config))} - set(unused)
            raise ConfigError(
                f"XGBoost has no parameter '{unused[0]}', or does not use it here",
                where=f"xgboost.{unused[0]}",
                mend=nearest(unused[0], names),
            )
        if "Device is changed" in text:
            raise ConfigError(f"The device '{parameters['device']}' is not there", where="xgboost.device", mend=text)


def _names(config: Any) -> set[str]:
    if isinstance(config, list):
        return set().union(*map(_names, config))
    if not isinstance(config, dict):
        return set()
    own = {name for name, value in config.items() if isinstance(value, str)}
    return own.union(*map(_names, config.values()))
