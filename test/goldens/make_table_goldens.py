"""Writes golden numbers for BagOfWords and TableEncoder from scikit-learn.

Run from the repository root:  python3 test/goldens/make_table_goldens.py
"""

import json
import os

import numpy as np
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

TEST = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
texts = [
    "Free money! Get FREE money now, a dozen ways.",
    "The meeting is at noon; bring the notes.",
    "Is the café über-nice? Ja, naïve_friend 42, the café is.",
    "money money money",
    "",
]
fresh = ["get the free café", "nothing known here: zzz", "42 notes NOW now"]


def words(vectorizer):
    train = vectorizer.fit_transform(texts).toarray()
    return {
        "vocabulary": vectorizer.get_feature_names_out().tolist(),
        "train": train.tolist(),
        "fresh": vectorizer.transform(fresh).toarray().tolist(),
    }


cities = ["Rome", "Oslo", "Bern"]
rng = np.random.default_rng(20)
rows = [
    {"age": float(rng.integers(18, 80)), "income": float(np.round(rng.normal(3e4, 1e4), 2)), "city": cities[i % 3], "size": ["s", "m", "l"][(i * 7) % 3]}
    for i in range(17)
]
made = ColumnTransformer(
    [
        ("standard", StandardScaler(), [0]),
        ("minMax", MinMaxScaler(), [1]),
        ("oneHot", OneHotEncoder(sparse_output=False), [2]),
        ("ordinal", OrdinalEncoder(), [3]),
    ]
)
frame = np.array([list(r.values()) for r in rows], dtype=object)
made.fit(frame[:12])
body = {
    "madeBy": {
        "script": "test/goldens/make_table_goldens.py",
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "seed": 20,
    },
    "texts": texts,
    "fresh": fresh,
    "words": [
        {"options": {}, **words(CountVectorizer())},
        {"options": {"weighting": "binary", "minTexts": 2}, **words(CountVectorizer(binary=True, min_df=2))},
        {"options": {"weighting": "tfidf"}, **words(TfidfVectorizer())},
        {"options": {"maxFeatures": 2}, **words(CountVectorizer(max_features=2))},
    ],
    "rows": rows,
    "fitted": 12,
    "columns": made.transform(frame).tolist(),
}
with open(os.path.join(TEST, "preprocess/goldens/table.json"), "w") as f:
    f.write(json.dumps(body, separators=(",", ":")) + "\n")
