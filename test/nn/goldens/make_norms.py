"""Writes norms.json beside it: normalisations, weight and spectral norm from PyTorch on the CPU, training and evaluation.

Run from the repository root:  python3 test/nn/goldens/make_norms.py
Channels are last in the file, as in Neurite; PyTorch's are second.
"""

import json
import os
import sys

import torch
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "goldens"))
from make_goldens import SEED, enc  # noqa: E402

torch.manual_seed(SEED)


def last(t):
    """[n, c, …] to [n, …, c]."""
    return t.movedim(1, -1) if t.dim() > 1 else t


def first(t):
    return t.movedim(-1, 1) if t.dim() > 2 else t


def step(module, x, channels_second=True):
    x = x.requires_grad_()
    module.zero_grad()
    y = module(first(x)) if channels_second else module(x)
    y = last(y) if channels_second else y
    g = torch.randn(y.shape)
    (y * g).sum().backward()
    grads = {n.replace("running_", "running"): enc(p.grad) for n, p in module.named_parameters()}
    buffers = {n: enc(b.clone().float()) for n, b in module.named_buffers() if n != "num_batches_tracked"}
    return {"x": enc(x), "output": enc(y), "cotangent": enc(g), "dx": enc(x.grad), "gradients": grads, "buffers": buffers}


def layer(name, args, module, shape, steps=1, channels_second=True):
    with torch.no_grad():
        for n, p in module.named_parameters():
            if n == "weight" and p.dim() == 1:
                p.copy_(torch.rand(p.shape) + 0.5)
            elif n == "bias":
                p.copy_(torch.randn(p.shape))
    out = {"layer": name, "args": args, "name": f"{name} {json.dumps(args)} of {list(shape)}",
           "parameters": {n: enc(p.clone()) for n, p in module.named_parameters()},
           "before": {n: enc(b.clone().float()) for n, b in module.named_buffers() if n != "num_batches_tracked"}}
    draw = lambda: 2 * torch.randn(shape) + 1
    out["training"] = [step(module, draw(), channels_second) for _ in range(steps)]
    module.eval()
    out["evaluation"] = step(module, draw(), channels_second)
    return out


def make():
    cases = [
        layer("RMSNorm", [6], torch.nn.RMSNorm(6), (4, 6), 1, False),
        layer("RMSNorm", [[2, 5], {"eps": 1e-3}], torch.nn.RMSNorm([2, 5], eps=1e-3), (3, 2, 5), 1, False),
        layer("RMSNorm", [7, {"affine": False}], torch.nn.RMSNorm(7, elementwise_affine=False), (2, 3, 7), 1, False),
        layer("GroupNorm", [2, 6], torch.nn.GroupNorm(2, 6), (3, 4, 5, 6)),
        layer("GroupNorm", [3, 6, {"affine": False, "eps": 1e-3}], torch.nn.GroupNorm(3, 6, affine=False, eps=1e-3), (2, 5, 6)),
        layer("GroupNorm", [1, 4], torch.nn.GroupNorm(1, 4), (3, 4)),
        layer("InstanceNorm1d", [3], torch.nn.InstanceNorm1d(3), (2, 5, 3)),
        layer("InstanceNorm1d", [3, {"affine": True, "trackRunningStats": True, "momentum": 0.3}],
              torch.nn.InstanceNorm1d(3, affine=True, track_running_stats=True, momentum=0.3), (2, 5, 3), 3),
        layer("InstanceNorm2d", [3, {"affine": True, "eps": 1e-2}], torch.nn.InstanceNorm2d(3, affine=True, eps=1e-2), (2, 4, 3, 3)),
        layer("InstanceNorm2d", [2, {"trackRunningStats": True}], torch.nn.InstanceNorm2d(2, track_running_stats=True), (3, 3, 2, 2), 2),
        layer("BatchNorm2d", [3], torch.nn.BatchNorm2d(3), (4, 3, 2, 3), 3),
        layer("BatchNorm2d", [2, {"momentum": None, "affine": False}], torch.nn.BatchNorm2d(2, momentum=None, affine=False), (2, 2, 2, 2), 3),
        layer("BatchNorm3d", [2, {"momentum": 0.2}], torch.nn.BatchNorm3d(2, momentum=0.2), (2, 2, 3, 2, 2), 2),
        layer("InstanceNorm3d", [2, {"affine": True, "trackRunningStats": True}],
              torch.nn.InstanceNorm3d(2, affine=True, track_running_stats=True), (2, 3, 2, 2, 2), 2),
        layer("weightNorm", [5, 4], weight_norm(torch.nn.Linear(5, 4)), (3, 5), 1, False),
        layer("weightNorm", [5, 4, {"axis": 1}], weight_norm(torch.nn.Linear(5, 4), dim=1), (3, 5), 1, False),
        layer("spectralNorm", [5, 4], spectral_norm(torch.nn.Linear(5, 4)), (3, 5), 3, False),
        layer("spectralNorm", [6, 3, {"iterations": 2, "axis": 1}], spectral_norm(torch.nn.Linear(6, 3), n_power_iterations=2, dim=1), (2, 6), 2, False),
    ]
    renorm = []
    for p, axis, limit in [(2, 0, 1.5), (1, 1, 2.0), (2, -1, 0.5), (3, 0, 100.0)]:
        x = torch.randn(4, 5, requires_grad=True)
        y = torch.renorm(x, p, axis, limit)
        g = torch.randn(4, 5)
        (y * g).sum().backward()
        renorm.append({"ord": p, "axis": axis, "limit": limit, "x": enc(x), "output": enc(y), "cotangent": enc(g), "dx": enc(x.grad)})
    path = os.path.join(HERE, "norms.json")
    header = {"script": "test/nn/goldens/make_norms.py", "torch": torch.__version__, "seed": SEED}
    with open(path, "w") as f:
        f.write(json.dumps({"madeBy": header, "cases": cases, "renorm": renorm}, separators=(",", ":")) + "\n")
    print(f"norms.json {os.path.getsize(path)} bytes")


make()
