"""A body that is not what was asked for is refused clearly, and never reaches the model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from modelway_bentoml.serving.body import Refused, rows_of

REFUSED: list[tuple[bytes, int, str]] = [
    (b"", 400, "not JSON"),
    (b'{"rows": [{"a": 1}]', 400, "not JSON"),
    (b'{"rows": [{"a": NaN}]}', 400, "NaN"),
    (b'{"rows": [{"a": -Infinity}]}', 400, "Infinity"),
    (b'{"rows": [{"a": 1, "a": 2}]}', 400, "'a' twice"),
    ('{"rows": [{"a": "é"}]}'.encode("latin-1"), 400, "UTF-8"),
    ('{"rows": [{"a": 1}]}'.encode("utf-16"), 400, "UTF-8"),
    (b'{"rows": ' + b"[" * 100_000, 400, "nested"),
    (b'{"row": {"a": ' + b"9" * 10_000 + b"}}", 400, "digits"),
    (b"[1]", 400, "rows"),
    (b"null", 400, "rows"),
    (b'{"rows": []}', 400, "no rows"),
    (b'{"columns": {}}', 400, "no rows"),
    (b'{"columns": {"a": []}}', 400, "no rows"),
    (b'{"rows": {"a": 1}}', 400, "form"),
    (b'{"row": [1]}', 400, "form"),
    (b'{"rows": [{}], "columns": {}}', 400, "form"),
    (b'{"lines": [{}]}', 400, "form"),
    (b'{"columns": {"a": 1}}', 400, "'a' is not a list"),
    (b'{"columns": {"a": [1, 2], "b": [1]}}', 400, "'b' has 1 values and 'a' 2"),
    (json.dumps({"rows": [{}] * 11}).encode(), 413, "11 rows"),
    (json.dumps({"columns": {"a": [1] * 11}}).encode(), 413, "11 rows"),
]


@pytest.mark.parametrize(("body", "status", "said"), REFUSED, ids=[str(i) for i in range(len(REFUSED))])
def test_a_wrong_body_is_refused_with_its_status_and_reason(body: bytes, status: int, said: str) -> None:
    with pytest.raises(Refused) as refused:
        rows_of(body, 10)
    assert refused.value.status == status
    assert said in refused.value.message


def test_rows_come_as_one_as_many_and_as_columns() -> None:
    def ask(body: Any) -> Any:
        return rows_of(json.dumps(body).encode(), 10)

    assert ask({"row": {"a": 1}}).records == [{"a": 1}]
    assert ask({"rows": [{"a": 1}, {"a": 2}]}).records == [{"a": 1}, {"a": 2}]
    assert ask({"columns": {"a": [1, 2]}}).columns == {"a": [1, 2]}
