"""What may enter the store: finite numbers, plain JSON, text that both databases can hold."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from engine.errors import InvalidInput


def dumps(value: Any) -> str:
    """JSON without NaN and infinity; raises ValueError or TypeError for what JSON can't hold."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def finite(field: str, value: Any) -> float:
    """A number as a float. Raises InvalidInput for NaN, infinity, text and everything else that is no number."""
    try:
        number = math.nan if isinstance(value, (str, bytes)) or value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InvalidInput(field, f"must be a finite number, not {value!r}.")
    return number


def outcomes(values: Mapping[str, Any] | None) -> dict[str, float]:
    """The values of a trial, all finite; raises InvalidInput naming the one that isn't."""
    return {str(name): finite(f"values.{name}", value) for name, value in (values or {}).items()}


def plain(field: str, value: Any) -> Any:
    """The value as JSON gives it back. Raises InvalidInput if it holds NaN, infinity or what JSON can't hold."""
    try:
        return json.loads(dumps(value))
    except (TypeError, ValueError) as error:
        raise InvalidInput(field, f"can't be stored as JSON: {error}.") from None


def lenient(value: Any) -> Any:
    """JSON of something that is only shown: NaN and infinity become null, an unknown object its text."""
    if isinstance(value, Mapping):
        return {str(k): lenient(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [lenient(v) for v in value]
    if isinstance(value, (str, bool, int)) or value is None:
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return number if math.isfinite(number) else None


def text(value: Any, limit: int = 20_000) -> str:
    """Text that both databases can hold; the middle of a longer one is left out."""
    cleaned = str(value).replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    if len(cleaned) <= limit:
        return cleaned
    half = limit // 2
    return f"{cleaned[:half]}\n… {len(cleaned) - 2 * half:,} characters left out …\n{cleaned[-half:]}"
