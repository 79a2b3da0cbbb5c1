#!/usr/bin/env python3
"""Makes gains, fans and standard deviations of the initialisers with PyTorch.

    pip install torch==2.13.0
    python3 test/nn/goldens/make_init.py
"""
import json
import math
import pathlib

import torch
from torch.nn import init

HERE = pathlib.Path(__file__).resolve().parent
torch.set_default_dtype(torch.float64)
torch.manual_seed(5)
N = 2_000_000

gains = [["linear", None, init.calculate_gain("linear")], ["sigmoid", None, init.calculate_gain("sigmoid")],
         ["tanh", None, init.calculate_gain("tanh")], ["relu", None, init.calculate_gain("relu")],
         ["leakyRelu", None, init.calculate_gain("leaky_relu")], ["leakyRelu", 0.3, init.calculate_gain("leaky_relu", 0.3)],
         ["selu", None, init.calculate_gain("selu")]]
fans = [[list(s), *init._calculate_fan_in_and_fan_out(torch.empty(s))] for s in [(3, 5), (128, 784), (16, 3, 5, 5), (8, 4, 7)]]
bounds = {}  # largest possible value of the uniform laws on [150, 50], from PyTorch's own formulas
w = torch.empty(150, 50)
for name, fill in {
    "xavierUniform": lambda t: init.xavier_uniform_(t), "xavierUniform gain 2": lambda t: init.xavier_uniform_(t, 2),
    "kaimingUniform": lambda t: init.kaiming_uniform_(t),
    "kaimingUniform fanOut 0.2": lambda t: init.kaiming_uniform_(t, 0.2, "fan_out", "leaky_relu"),
    "fanInUniform": lambda t: init.kaiming_uniform_(t, math.sqrt(5)),
}.items():
    bounds[name] = max(fill(w).abs().max().item() for _ in range(20))
stds = {}
for name, fill in {
    "xavierNormal": lambda t: init.xavier_normal_(t), "kaimingNormal": lambda t: init.kaiming_normal_(t),
    "kaimingNormal fanOut": lambda t: init.kaiming_normal_(t, mode="fan_out"),
}.items():
    stds[name] = torch.cat([fill(w).flatten().clone() for _ in range(50)]).std().item()
truncated = []
for options in [{}, {"mean": 0.5, "std": 0.3, "low": 0, "high": 0.7}, {"std": 0.02}, {"mean": -1, "std": 2, "low": -2, "high": 6}]:
    o = {"mean": 0.0, "std": 1.0, "low": -2.0, "high": 2.0, **options}
    t = init.trunc_normal_(torch.empty(N), o["mean"], o["std"], o["low"], o["high"])
    truncated.append({"options": options, "mean": t.mean().item(), "std": t.std().item()})
sizes = [[1, 1, 1], [4, 3, 3], [3, 5, 2]]
dirac = [{"shape": s, "data": init.dirac_(torch.empty(s)).flatten().tolist()} for s in [*sizes, [2, 3, 3, 2], [2, 2, 1, 3, 3]]]
body = {"made with": f"torch {torch.__version__}", "gains": gains, "fans": fans, "bounds": bounds, "stds": stds,
        "samples": N, "truncated": truncated, "dirac": dirac}
(HERE / "init.json").write_text(json.dumps(body, indent=1) + "\n")
