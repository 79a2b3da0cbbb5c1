"""Neighbours that imbalanced-learn's SMOTE draws from, and samples it makes of given draws: python3 make_smote.py > smote.json"""

import json

import imblearn
import numpy as np
from imblearn.over_sampling import SMOTE

SEED, K = 4, 3
rng = np.random.default_rng(SEED)
large = rng.normal(size=(14, 3)).round(3)
small = rng.normal(2, 1, size=(6, 3)).round(3)
x = np.concatenate([large, small])
y = np.array([0] * len(large) + [1] * len(small))

smote = SMOTE(k_neighbors=K, random_state=SEED)
smote.fit_resample(x, y)
neighbours = smote.nn_k_.kneighbors(small, return_distance=False)[:, 1:]
rows, columns, steps = rng.integers(0, len(small), 5), rng.integers(0, K, 5), rng.uniform(size=5).round(4)
made = smote._generate_samples(small, small, neighbours, rows, columns, steps.reshape(-1, 1))
print(
    json.dumps(
        {
            "made_with": f"imbalanced-learn {imblearn.__version__}, test/data/goldens/make_smote.py, seed {SEED}",
            "k": K,
            "x": x.tolist(),
            "y": y.tolist(),
            "neighbours": neighbours.tolist(),
            "rows": rows.tolist(),
            "columns": columns.tolist(),
            "steps": steps.tolist(),
            "made": made.tolist(),
        }
    )
)
