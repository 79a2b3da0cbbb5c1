"""Counts and edges of numpy.histogram. Run: python3 test/plot/goldens/make_histogram.py"""

import json
import pathlib

import numpy as np

rng = np.random.default_rng(1)
cases = []


def case(name, values, bins=None, value_range=None):
    counts, edges = np.histogram(values, bins="auto" if bins is None else bins, range=value_range)
    cases.append(
        {
            "name": name,
            "values": [float(v) for v in values],
            "bins": bins,
            "range": value_range,
            "counts": counts.tolist(),
            "edges": edges.tolist(),
        }
    )


case("normal, auto", rng.normal(size=200).round(4))
case("exponential, auto", rng.exponential(size=150).round(4))
case("uniform, 7 bins", rng.uniform(-3, 5, size=100).round(4), bins=7)
case("whole numbers on edges", rng.integers(0, 10, size=100), bins=9)
case("a range inside the values", rng.normal(size=100).round(4), bins=5, value_range=[-1, 1])

path = pathlib.Path(__file__).with_name("histogram.json")
text = json.dumps({"numpy": np.__version__, "script": "make_histogram.py", "cases": cases}, indent=None)
path.write_text(text.replace('{"name"', '\n{"name"') + "\n")
