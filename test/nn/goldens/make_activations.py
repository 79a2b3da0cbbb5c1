#!/usr/bin/env python3
"""Makes the golden values and gradients of the activations with PyTorch, in float64.

    pip install torch==2.13.0
    python3 test/nn/goldens/make_activations.py

Infinities and NaN are written as strings.
"""
import json
import math
import pathlib

import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).resolve().parent
torch.set_default_dtype(torch.float64)
torch.manual_seed(11)


def number(v):
    return v if math.isfinite(v) else str(v).replace("inf", "Infinity").replace("nan", "NaN")


def flat(t):
    return {"shape": list(t.shape), "data": [number(v) for v in t.detach().flatten().tolist()]}


class Step(torch.autograd.Function):
    """Heaviside with the identity as its gradient."""

    @staticmethod
    def forward(ctx, x):
        return torch.where(x.isnan(), x, torch.heaviside(x, torch.tensor(1.0)))  # PyTorch: 0 at NaN

    @staticmethod
    def backward(ctx, g):
        return g


class Hard(Step):
    """Heaviside with its own gradient, 0."""

    @staticmethod
    def backward(ctx, g):
        return 0 * g


def maxout(x, k, axis=-1):
    axis %= x.dim()
    return x.unflatten(axis, (-1, k)).max(axis + 1).values


def swiglu(x, axis=-1):
    a, b = x.chunk(2, axis)
    return F.silu(a) * b


table = [
    ("Identity", [], lambda x: x),
    ("Step", [], Hard.apply),
    ("Step", [{"straightThrough": True}], Step.apply),
    ("Sigmoid", [], torch.sigmoid),
    ("HardSigmoid", [], F.hardsigmoid),
    ("Tanh", [], torch.tanh),
    ("HardTanh", [], F.hardtanh),
    ("HardTanh", [{"min": -2, "max": 0.5}], lambda x: F.hardtanh(x, -2, 0.5)),
    ("ReLU", [], F.relu),
    ("ReLU6", [], F.relu6),
    ("LeakyReLU", [], F.leaky_relu),
    ("LeakyReLU", [0.3], lambda x: F.leaky_relu(x, 0.3)),
    ("GeneralizedRectifier", [-1], lambda x: F.leaky_relu(x, -1)),
    ("GeneralizedRectifier", [0.2], lambda x: F.leaky_relu(x, 0.2)),
    ("GeneralizedRectifier", [0], F.relu),
    ("ELU", [], F.elu),
    ("ELU", [1.7], lambda x: F.elu(x, 1.7)),
    ("SELU", [], F.selu),
    ("CELU", [], F.celu),
    ("CELU", [2.5], lambda x: F.celu(x, 2.5)),
    ("GELU", [], F.gelu),
    ("GELU", [{"approximate": "tanh"}], lambda x: F.gelu(x, approximate="tanh")),
    ("SiLU", [], F.silu),
    ("Mish", [], F.mish),
    ("Softplus", [], lambda x: F.softplus(x, threshold=500)),
    ("Softplus", [{"beta": 3, "threshold": 20}], lambda x: F.softplus(x, 3, 20)),
    ("Softplus", [{"beta": 0.5, "threshold": 1}], lambda x: F.softplus(x, 0.5, 1)),
    ("Softsign", [], F.softsign),
    ("Maxout", [2], lambda x: maxout(x, 2)),
    ("Maxout", [3, {"axis": 0}], lambda x: maxout(x, 3, 0)),
    ("GLU", [], F.glu),
    ("GLU", [0], lambda x: F.glu(x, 0)),
    ("SwiGLU", [], swiglu),
    ("SwiGLU", [0], lambda x: swiglu(x, 0)),
    ("Softmax", [], lambda x: F.softmax(x, -1)),
    ("Softmax", [0], lambda x: F.softmax(x, 0)),
    ("Softmax", [1], lambda x: F.softmax(x, 1)),
    ("LogSoftmax", [], lambda x: F.log_softmax(x, -1)),
    ("LogSoftmax", [0], lambda x: F.log_softmax(x, 0)),
    ("LogSoftmax", [-2], lambda x: F.log_softmax(x, -2)),
]
x = torch.randn(6, 3, 4) * 3
extremes = torch.tensor([1e4, -1e4, 200.0, -200.0, 20.5, 0.0, -0.0, 1e-300, -1e-300, 1e-12, math.inf, -math.inf, math.nan])
elementwise = {"Maxout", "GLU", "SwiGLU", "Softmax", "LogSoftmax"}


def evaluate(fn, at, g):
    a = at.clone().requires_grad_()
    y = fn(a)
    w = g[: y.numel()].reshape(y.shape)
    (grad,) = torch.autograd.grad(y, a, w)
    return {"y": flat(y), "grad": flat(grad)}


g = torch.randn(x.numel())
cases = []
for name, args, fn in table:
    case = {"name": name, "args": args, **evaluate(fn, x, g)}
    if name not in elementwise:
        case["extremes"] = evaluate(fn, extremes, torch.ones(len(extremes)))
    cases.append(case)
prelu = []
for channels in [1, 4]:
    a, slope = x.reshape(-1, 4).clone().requires_grad_(), torch.randn(channels).requires_grad_()
    y = F.prelu(a, slope)
    dx, ds = torch.autograd.grad(y, (a, slope), g.reshape(y.shape))
    prelu.append({"slope": flat(slope), "y": flat(y), "grad": flat(dx), "gradSlope": flat(ds)})
body = {"made with": f"torch {torch.__version__}", "x": flat(x), "cotangent": flat(g), "extremes": flat(extremes), "cases": cases,
        "prelu": prelu}
text = json.dumps(body, separators=(",", ":")).replace('{"name"', '\n{"name"')
(HERE / "activation_functions.json").write_text(text + "\n")
