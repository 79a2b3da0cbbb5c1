"""Writes arrange.json beside it: sorting, scans, indexing, solves and einsum from PyTorch on the CPU, values and gradients.

Run from the repository root:  python3 test/ops/goldens/make_goldens.py
"""

import json
import os
import sys

import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "goldens"))
from make_goldens import SEED, away_from_zero, case  # noqa: E402

torch.manual_seed(SEED)
r = torch.randn


def padded(widths, mode):
    """PyTorch pads the last axis of [1, c, w] or the last two of [1, c, h, w]."""
    flat = [n for pair in reversed(widths) for n in pair]
    return lambda x: F.pad(x[None, None], flat, mode=mode)[0, 0]


def make():
    cases = []
    add = lambda *a, **k: cases.append(case(*a, **k))
    for axis in (0, 1, -1):
        for down in (False, True):
            o = {"axis": axis, "descending": down}
            add(f"sort {o}", "sort", lambda x: x.sort(dim=axis, descending=down, stable=True).values, [r(3, 2, 4)], o)
            add(f"argsort {o}", "argsort", lambda x: x.argsort(dim=axis, descending=down, stable=True), [r(3, 2, 4)], o, wrt=[])
        add(f"cumsum {axis}", "cumsum", lambda x: x.cumsum(axis), [r(3, 2, 4)], {"axis": axis})
        add(f"cumprod {axis}", "cumprod", lambda x: x.cumprod(axis), [away_from_zero(3, 2, 4)], {"axis": axis})
    ties = torch.tensor([3, 1, 3, 2, 1, 1], dtype=torch.int32)
    add("argsort of ties", "argsort", lambda x: x.argsort(stable=True), [ties], wrt=[])
    add("argsort of ties, descending", "argsort", lambda x: x.argsort(stable=True, descending=True), [ties], {"descending": True}, wrt=[])
    zeros = torch.tensor([[2.0, 0.0, 3.0, 4.0], [0.0, 1.5, 0.0, 2.0]])
    add("cumprod with zeros", "cumprod", lambda x: x.cumprod(1), [zeros], {"axis": 1})
    for largest in (True, False):
        add(f"topK largest {largest}", "topK", lambda x: x.topk(3, dim=1, largest=largest).values, [r(4, 9)],
            {"args": [3, {"axis": 1, "largest": largest}]})
    index = torch.tensor([[2, 0, 1, 1], [0, 0, 2, 1]])
    add("gather", "gather", lambda x, i: x.gather(0, i), [r(3, 4), index], {"axis": 0}, wrt=[0])
    unique_index = torch.tensor([[2, 0, 1, 1], [0, 1, 2, 0]])
    add("scatter", "scatter", lambda x, i, v: x.scatter(0, i, v), [r(3, 4), unique_index, r(2, 4)], {"axis": 0}, wrt=[0, 2])
    add("scatterAdd", "scatterAdd", lambda x, i, v: x.scatter_add(0, i, v), [r(3, 4), index, r(2, 4)], {"axis": 0}, wrt=[0, 2])
    add("take axis 1", "take", lambda x, i: x[:, i], [r(3, 5), torch.tensor([4, 0, 4])], {"axis": 1}, wrt=[0])
    add("tile", "tile", lambda x: x.tile(2, 1, 3), [r(2, 3)], {"args": [[2, 1, 3]]})
    add("repeat", "repeat", lambda x: x.repeat_interleave(3, dim=1), [r(2, 3)], {"args": [3, 1]})
    add("roll", "roll", lambda x: x.roll((1, -2), (0, 1)), [r(3, 5)], {"args": [[1, -2], [0, 1]]})
    add("roll flattened", "roll", lambda x: x.roll(4), [r(3, 5)], {"args": [4]})
    for k in (-2, 0, 1):
        add(f"tril {k}", "tril", lambda x: x.tril(k), [r(2, 3, 4)], {"args": [k]})
        add(f"triu {k}", "triu", lambda x: x.triu(k), [r(2, 3, 4)], {"args": [k]})
        add(f"diagonal {k}", "diagonal", lambda x: x.diagonal(k, -2, -1), [r(2, 3, 4)], {"args": [k]})
        add(f"diag {k}", "diag", lambda x: x.diag(k), [r(3)], {"args": [k]})
    add("trace", "trace", torch.trace, [r(4, 4)])
    for ours, theirs in (("reflect", "reflect"), ("replicate", "replicate"), ("circular", "circular")):
        widths = [[1, 2], [3, 1]]
        add(f"pad {ours}", "pad", padded(widths, theirs), [r(4, 5)], {"args": [widths, {"mode": ours}]})
    for equation, shapes in [("ij,jk->ik", [(3, 4), (4, 5)]), ("ij,jk", [(3, 4), (4, 5)]), ("ii->i", [(4, 4)]), ("bij,bkj->bik", [(2, 3, 4), (2, 5, 4)]),
                             ("i,ij,j->", [(3,), (3, 4), (4,)]), ("...ij,...jk->...ik", [(2, 1, 3, 4), (5, 4, 2)]), ("ij,kl->", [(2, 3), (3, 2)]),
                             ("bhqd,bhkd->bhqk", [(2, 2, 3, 4), (2, 2, 5, 4)]), ("iij,j->i", [(3, 3, 4), (4,)])]:
        add(f"einsum {equation}", "einsum", lambda *xs: torch.einsum(equation, *xs), [r(s) for s in shapes], {"first": equation})
    for batch in ((), (3,)):
        a = r(*batch, 5, 5) + 5 * torch.eye(5)
        spd = a @ a.mT / 5 + torch.eye(5)
        b = r(*batch, 5, 2)
        label = f" {list(batch)}"
        add("solve" + label, "solve", torch.linalg.solve, [a, b])
        add("cholesky" + label, "cholesky", torch.linalg.cholesky, [spd])
        add("inverse" + label, "inverse", torch.linalg.inv, [a])
        for upper in (False, True):
            add(f"solveTriangular{label} upper {upper}", "solveTriangular",
                lambda x, y: torch.linalg.solve_triangular(x, y, upper=upper), [a, b], {"upper": upper})
            add(f"solveTriangular{label} upper {upper} unit", "solveTriangular",
                lambda x, y: torch.linalg.solve_triangular(x, y, upper=upper, unitriangular=True), [a / 5, b],
                {"upper": upper, "unitDiagonal": True})
    add("solve a vector", "solve", torch.linalg.solve, [r(4, 4) + 4 * torch.eye(4), r(4)])
    tied = torch.tensor([[2.0, 5, 5], [1, 5, 0], [0, 0, 0]])
    for axis in (0, 1, [0, 1]):
        o = {"axis": axis, "ties": "share"}
        add(f"amax {axis}", "max", lambda x: x.amax(dim=axis), [tied], o)
        add(f"amin {axis}", "min", lambda x: x.amin(dim=axis), [tied], o)
    for p in (0, 0.5, 1, 3, -1, float("inf"), float("-inf")):
        name = {float("inf"): "Infinity", float("-inf"): "-Infinity"}.get(p, p)
        add(f"norm {name}", "norm", lambda x: torch.linalg.vector_norm(x, p, dim=1), [away_from_zero(3, 4)], {"axis": 1, "ord": name},
            wrt=[] if p == 0 else None)
    add("bincount", "bincount", lambda x: torch.bincount(x, minlength=6), [torch.tensor([1, 4, 1, 0])], {"args": [6]}, wrt=[])
    add("histogram", "histogram", lambda x: torch.histc(x, 8, -2, 2).int(), [2 * r(60)], {"bins": 8, "range": [-2, 2]}, wrt=[])
    path = os.path.join(HERE, "arrange.json")
    header = {"script": "test/ops/goldens/make_goldens.py", "torch": torch.__version__, "seed": SEED}
    with open(path, "w") as f:
        f.write(json.dumps({"madeBy": header, "cases": cases}, separators=(",", ":")) + "\n")
    print(f"arrange.json {os.path.getsize(path)} bytes, {len(cases)} cases")


make()
