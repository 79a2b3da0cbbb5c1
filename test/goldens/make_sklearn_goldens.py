"""Writes golden numbers for metrics, preprocessing and splits from scikit-learn.

Run from the repository root:  python3 test/goldens/make_sklearn_goldens.py
Every file records this script, the versions and the seed. Numbers are float64 with all digits; inputs are rounded to
float32 first, so that both sides start from the same values.
"""

import json
import os
import warnings

import numpy as np
import sklearn
from sklearn import metrics as M
from sklearn import preprocessing as P
from sklearn.calibration import calibration_curve
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit
from sklearn.utils.class_weight import compute_class_weight

SEED = 20
TEST = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
rng = np.random.default_rng(SEED)
warnings.simplefilter("ignore")


def f32(a):
    return np.asarray(a, dtype=np.float32).astype(np.float64)


def write(path, body):
    header = {
        "script": "test/goldens/make_sklearn_goldens.py",
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "seed": SEED,
    }
    path = os.path.join(TEST, path)
    with open(path, "w") as f:
        f.write(json.dumps({"madeBy": header, **body}, separators=(",", ":"), default=plain) + "\n")
    size = os.path.getsize(path)
    assert size < 100_000, f"{path} has {size} bytes"
    print(os.path.relpath(path, TEST), size, "bytes")


def plain(x):
    return x.tolist()


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def metrics():
    n, classes = 61, 4
    # Class 3 is never predicted, to meet zero division.
    y = rng.integers(0, classes, n)
    z = f32(rng.normal(size=(n, classes)) + 1.2 * np.eye(classes)[y])
    z[:, 3] -= 8
    p, pred = softmax(z), z.argmax(axis=1)
    labels = range(classes)
    multi = {
        "labels": y,
        "logits": z,
        "confusion": M.confusion_matrix(y, pred, labels=labels),
        "accuracy": M.accuracy_score(y, pred),
        "top2": M.top_k_accuracy_score(y, z, k=2, labels=labels),
        "logLoss": M.log_loss(y, p, labels=labels),
        "rocAuc": {a: M.roc_auc_score(y, p, multi_class="ovr", average=a) for a in ("macro", "weighted")},
        "prAuc": {a: M.average_precision_score(np.eye(classes)[y], p, average=a) for a in ("macro", "weighted")},
        "perClass": np.array(M.precision_recall_fscore_support(y, pred, labels=labels, zero_division=0)),
    }
    for a in ("micro", "macro", "weighted"):
        s = M.precision_recall_fscore_support(y, pred, average=a, zero_division=0)
        multi[a] = {"precision": s[0], "recall": s[1], "f1": s[2]}
    yb = rng.integers(0, 2, 80)
    zb = f32(np.round(rng.normal(size=80) + yb, 1))  # one digit: many ties
    pb = 1 / (1 + np.exp(-zb))
    fpr, tpr, thresholds = M.roc_curve(yb, zb, drop_intermediate=False)
    prec, rec, prt = M.precision_recall_curve(yb, zb)
    s = M.precision_recall_fscore_support(yb, zb > 0, average="binary")
    true, mean = calibration_curve(yb, pb, n_bins=10)
    binary = {
        "labels": yb,
        "logits": zb,
        "binary": {"precision": s[0], "recall": s[1], "f1": s[2]},
        "rocAuc": M.roc_auc_score(yb, zb),
        "prAuc": M.average_precision_score(yb, zb),
        "logLoss": M.log_loss(yb, pb),
        "roc": {"fpr": fpr, "tpr": tpr, "thresholds": thresholds[1:]},
        "pr": {"precision": prec[:-1], "recall": rec[:-1], "thresholds": prt},
        "calibration": {"accuracy": true, "confidence": mean},
    }
    t = f32(rng.normal(size=(50, 3)) * [1, 10, 0.1] + [1000, 0, -3])
    o = f32(t + rng.normal(size=(50, 3)) * [0.3, 4, 0.2])
    regression = {
        "targets": t,
        "outputs": o,
        "meanAbsoluteError": M.mean_absolute_error(t, o),
        "meanSquaredError": M.mean_squared_error(t, o),
        "rootMeanSquaredError": float(np.sqrt(M.mean_squared_error(t, o))),
        "rSquared": M.r2_score(t, o),
    }
    write("metrics/goldens/metrics.json", {"multi": multi, "binary": binary, "regression": regression})


def preprocess():
    x = f32(rng.normal(size=(40, 5)) @ rng.normal(size=(5, 5)) + [0, 100, -5, 1e4, 0.01])
    test = f32(rng.normal(size=(7, 5)) + [0, 100, -5, 1e4, 0.01])
    cases = []
    for name, options, made in [
        ("MeanCenterer", {}, P.StandardScaler(with_std=False)),
        ("StandardScaler", {}, P.StandardScaler()),
        ("MinMaxScaler", {}, P.MinMaxScaler()),
        ("MinMaxScaler", {"range": [-1, 3]}, P.MinMaxScaler(feature_range=(-1, 3))),
        ("RobustScaler", {}, P.RobustScaler()),
        ("RobustScaler", {"quantiles": [10, 80]}, P.RobustScaler(quantile_range=(10, 80))),
        ("Normalizer", {"norm": "l1"}, P.Normalizer("l1")),
        ("Normalizer", {}, P.Normalizer("l2")),
        ("Normalizer", {"norm": "max"}, P.Normalizer("max")),
        ("PCA", {}, PCA(svd_solver="full")),
        ("PCA", {"components": 3}, PCA(3, svd_solver="full")),
        ("PCA", {"components": 0.9}, PCA(0.9, svd_solver="full")),
        ("PCA", {"components": 3, "whiten": True}, PCA(3, whiten=True, svd_solver="full")),
    ]:
        made.fit(x)
        case = {"name": name, "options": options, "train": made.transform(x), "test": made.transform(test)}
        if name == "PCA":
            case["explained"] = made.explained_variance_
            case["explainedRatio"] = made.explained_variance_ratio_
            case["inverse"] = made.inverse_transform(case["test"])
        cases.append(case)
    holes = f32(np.round(rng.normal(size=(20, 3)) * 2))
    holes[rng.random((20, 3)) < 0.3] = np.nan
    impute = {"x": [[None if np.isnan(v) else v for v in row] for row in holes]}
    for ours, theirs in [("mean", "mean"), ("median", "median"), ("mostFrequent", "most_frequent"), ("constant", "constant")]:
        impute[ours] = SimpleImputer(strategy=theirs, fill_value=0).fit_transform(holes)
    rows = [["red", 3], ["blue", 1], ["red", 2], ["green", 3], ["blue", 2]]
    objects = np.array(rows, dtype=object)
    encode = {
        "rows": rows,
        "oneHot": P.OneHotEncoder(sparse_output=False).fit_transform(objects),
        "dropFirst": P.OneHotEncoder(sparse_output=False, drop="first").fit_transform(objects),
        "ordinal": P.OrdinalEncoder().fit_transform(objects),
        "label": P.LabelEncoder().fit_transform([r[0] for r in rows]),
    }
    body = {"train": x, "test": test, "cases": cases, "impute": impute, "encode": encode}
    write("preprocess/goldens/preprocess.json", body)


def splits():
    labels = rng.choice(3, 47, p=[0.6, 0.25, 0.15])
    groups = np.repeat(np.arange(8), [9, 1, 7, 3, 12, 2, 5, 8])
    rng.shuffle(groups)

    def folds(made, *args):
        return [{"train": a, "test": b} for a, b in made.split(*args)]

    x = np.zeros(47)
    body = {
        "labels": labels,
        "groups": groups,
        "kFold": {str(k): folds(KFold(k), x) for k in (2, 5, 47)},
        "stratifiedKFold": {str(k): folds(StratifiedKFold(k), x, labels) for k in (2, 5)},
        "groupKFold": {str(k): folds(GroupKFold(k), x, None, groups) for k in (2, 4)},
        "timeSeriesSplit": [
            {"options": {"k": 5}, "folds": folds(TimeSeriesSplit(5), x)},
            {
                "options": {"k": 3, "testSize": 6, "gap": 2, "maxTrainSize": 10},
                "folds": folds(TimeSeriesSplit(3, test_size=6, gap=2, max_train_size=10), x),
            },
        ],
        "classWeights": compute_class_weight("balanced", classes=np.arange(3), y=labels),
    }
    write("data/goldens/splits.json", body)


metrics()
preprocess()
splits()
