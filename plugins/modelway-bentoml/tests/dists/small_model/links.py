from typing import Any


def sigmoid(raw: Any) -> Any:
    import numpy as np

    return 1 / (1 + np.exp(-raw))
