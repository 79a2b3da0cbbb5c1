"""Writes edges.json: PyTorch's values and gradients of elementwise ops at extreme float32 inputs.

Run from the repository root:  python3 test/autodiff/goldens/make_edges.py
Numbers are texts where JSON has none: "NaN", "Infinity", "-Infinity", "-0".
"""

import json
import math
import os

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)
# The largest float32 too; 1e-40 is denormal.
EDGES = [1e4, -1e4, 3.4028234663852886e38, -3.4028234663852886e38, 1e-40, -1e-40, 0.0, -0.0,
         math.inf, -math.inf, math.nan, 1.0, -1.0]


def text(v):
    if math.isnan(v):
        return "NaN"
    if math.isinf(v):
        return "Infinity" if v > 0 else "-Infinity"
    if v == 0 and math.copysign(1, v) < 0:
        return "-0"
    return float(f"{v:.9g}")


def enc(t):
    return [text(v) for v in t.detach().reshape(-1).tolist()]


UNARY = {
    "neg": torch.neg, "abs": torch.abs, "sign": torch.sign, "floor": torch.floor, "ceil": torch.ceil,
    "round": torch.round, "trunc": torch.trunc, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt,
    "reciprocal": torch.reciprocal, "square": torch.square, "exp": torch.exp, "expm1": torch.expm1,
    "log": torch.log, "log1p": torch.log1p, "sin": torch.sin, "cos": torch.cos, "tan": torch.tan,
    "tanh": torch.tanh, "sigmoid": torch.sigmoid, "erf": torch.erf, "softplus": torch.nn.functional.softplus,
    "relu": torch.relu,
}
BINARY = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "pow": torch.pow,
    "maximum": torch.maximum, "minimum": torch.minimum,
}


def gradients(fn, *xs):
    leaves = [torch.tensor(x, dtype=torch.float32).requires_grad_() for x in xs]
    y = fn(*leaves)
    y.sum().backward()
    return {"y": enc(y), "gradients": [enc(x.grad) for x in leaves]}


pairs = [(a, b) for a in EDGES for b in EDGES]
body = {
    "madeBy": {"script": "test/autodiff/goldens/make_edges.py", "torch": torch.__version__},
    "unary": {"x": [text(v) for v in torch.tensor(EDGES, dtype=torch.float32).tolist()],
              "ops": {n: gradients(f, EDGES) for n, f in UNARY.items()}},
    "binary": {"a": [text(a) for a, _ in pairs], "b": [text(b) for _, b in pairs],
               "ops": {n: gradients(f, [a for a, _ in pairs], [b for _, b in pairs]) for n, f in BINARY.items()}},
}
path = os.path.join(HERE, "edges.json")
with open(path, "w") as f:
    f.write(json.dumps(body, separators=(",", ":")) + "\n")
print(os.path.getsize(path), "bytes")
