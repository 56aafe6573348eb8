"""W by hand: the plain script that `modelway run benchmarks/w` is measured against.

Schema check, three derived columns, five scaled, two encoded, 80/20 split, 50 rounds at depth 6 on two threads, AUC and
F1, model and metrics written.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa
import xgboost as xgb
from sklearn.metrics import f1_score, roc_auc_score

CITIES = ["ams", "ber", "cph", "dub", "edi", "fra", "gva", "hel"]
PLANS = ["basic", "plus", "pro"]


def main(data: str, out: str, *, keep: bool = False, train_only: bool = False) -> None:
    """Do the work; ``keep`` keeps the matrices, and ``train_only`` trains and evaluates on what was kept."""
    if train_only:
        kept = np.load(Path(out) / "kept.npz")
        learn(kept["x_train"], kept["y_train"], kept["x_test"], kept["y_test"], out)
        return
    x_train, y_train, x_test, y_test = prepare(data)
    if keep:
        Path(out).mkdir(parents=True, exist_ok=True)
        np.savez(Path(out) / "kept.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    learn(x_train, y_train, x_test, y_test, out)


def prepare(data: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Read, check, derive, split, scale and encode."""
    frame = pd.read_parquet(data)
    numbers = [f"n{i}" for i in range(15)]
    columns = {name: pa.Column(float, pa.Check.in_range(-100, 100)) for name in numbers}
    columns |= {
        "id": pa.Column(int, unique=True),
        "m0": pa.Column(float, pa.Check.ge(0), nullable=True),
        "city": pa.Column(str, pa.Check.isin(CITIES)),
        "plan": pa.Column(str, pa.Check.isin(PLANS)),
        "target": pa.Column(str, pa.Check.isin(["no", "yes"])),
    }
    pa.DataFrameSchema(columns).validate(frame, lazy=True)

    frame["total"] = frame.n0 + frame.n1
    frame["product"] = frame.n2 * frame.n3
    frame["share"] = frame.n4 / (frame.n5.abs() + 1)
    y = (frame.target == "yes").to_numpy(dtype=float)
    order = np.random.default_rng(1).permutation(len(frame))
    cut = int(len(frame) * 0.8)
    train, test = order[:cut], order[cut:]
    scaled = ["n6", "n7", "n8", "n9", "n10"]
    mean, std = frame.loc[train, scaled].mean(), frame.loc[train, scaled].std(ddof=0)
    frame[scaled] = (frame[scaled] - mean) / std
    encoded = pd.get_dummies(frame[["city", "plan"]], dtype="float32")
    x = pd.concat([frame.drop(columns=["id", "target", "city", "plan"]), encoded], axis=1).to_numpy(dtype="float32")
    return x[train], y[train], x[test], y[test]


def learn(x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, y_test: np.ndarray, out: str) -> None:
    """Train, evaluate, and write model and scores."""
    matrix = xgb.QuantileDMatrix(x_train, y_train)
    params = {"objective": "binary:logistic", "max_depth": 6, "tree_method": "hist", "nthread": 2, "seed": 1}
    booster = xgb.train(params, matrix, num_boost_round=50)
    score = booster.inplace_predict(x_test)
    scores = {"auc": roc_auc_score(y_test, score), "f1": f1_score(y_test, score >= 0.5)}
    Path(out).mkdir(parents=True, exist_ok=True)
    booster.save_model(Path(out) / "model.ubj")
    (Path(out) / "scores.json").write_text(json.dumps(scores))
    print(scores)


if __name__ == "__main__":
    flags = set(sys.argv[3:])
    main(sys.argv[1], sys.argv[2], keep="--keep" in flags, train_only="--train-only" in flags)
