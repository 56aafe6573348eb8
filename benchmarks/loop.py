"""A sweep by hand: W read, prepared and quantised once in one process, then one training and evaluation per trial."""

import itertools
import sys

import plain
import xgboost as xgb
from sklearn.metrics import f1_score, roc_auc_score


def main(data: str, rounds: int, depths: list[int], rates: list[float]) -> None:
    """Train once per combination and print the scores."""
    x_train, y_train, x_test, y_test = plain.prepare(data)
    matrix = xgb.QuantileDMatrix(x_train, y_train)
    for depth, rate in itertools.product(depths, rates):
        params = {"objective": "binary:logistic", "max_depth": depth, "learning_rate": rate, "tree_method": "hist"}
        booster = xgb.train({**params, "nthread": 2, "seed": 1}, matrix, num_boost_round=rounds)
        score = booster.inplace_predict(x_test)
        print(depth, rate, roc_auc_score(y_test, score), f1_score(y_test, score >= 0.5))


if __name__ == "__main__":
    data, rounds, depths, rates = sys.argv[1:5]
    main(data, int(rounds), [int(d) for d in depths.split(",")], [float(r) for r in rates.split(",")])
