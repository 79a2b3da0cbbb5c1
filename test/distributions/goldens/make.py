"""Writes distributions.json: torch.distributions in float64, values and gradients.

Run from the repository root:  python3 test/distributions/goldens/make.py
Infinities are written as texts.
"""

import json
import math
import os

import torch
from torch import distributions as D

HERE = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(7)
torch.set_default_dtype(torch.float64)


def text(v):
    return v if math.isfinite(v) else str(v).replace("inf", "Infinity").replace("nan", "NaN")


def enc(t):
    return {"shape": list(t.shape), "data": [text(v) for v in t.detach().reshape(-1).tolist()]}


def case(name, make, params, value, other):
    leaves = {k: v.clone().requires_grad_() for k, v in params.items()}
    d = make(**leaves)
    logp = d.log_prob(value)
    finite = torch.where(torch.isfinite(logp), logp, torch.zeros_like(logp))
    (finite.sum() + d.entropy().sum()).backward()
    q = make(**other)
    out = {"name": name, "params": {k: enc(v) for k, v in params.items()}, "value": enc(value.to(torch.float64)),
           "other": {k: enc(v) for k, v in other.items()}, "logProb": enc(logp), "entropy": enc(d.entropy()),
           "kl": enc(D.kl_divergence(make(**params), q)), "gradients": {k: enc(v.grad) for k, v in leaves.items()}}
    if name != "Categorical":
        out["mean"] = enc(d.mean)
        out["variance"] = enc(d.variance)
    if name in ("Normal", "Uniform"):
        out["cdf"] = enc(d.cdf(value))
    return out


loose = {"validate_args": False}
r = torch.randn
body = {
    "madeBy": {"script": "test/distributions/goldens/make.py", "torch": torch.__version__, "seed": 7},
    "cases": [
        case("Normal", lambda loc, scale: D.Normal(loc, scale), {"loc": r(3, 1), "scale": 0.2 + torch.rand(4)}, r(3, 4),
             {"loc": r(4), "scale": 0.5 + torch.rand(4)}),
        case("Uniform", lambda low, high: D.Uniform(low, high, **loose), {"low": r(3), "high": r(3).abs() + 3},
             torch.tensor([[0.5, 1.0, 2.0], [9.0, -9.0, 1.5]]), {"low": r(3) - 3, "high": torch.tensor([9.0, 9.0, 0.1])}),
        case("Bernoulli", lambda logits: D.Bernoulli(logits=logits), {"logits": torch.tensor([-40.0, -1.5, 0.0, 0.3, 40.0])},
             torch.tensor([[1.0, 0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0, 1.0]]), {"logits": r(5)}),
        case("Bernoulli", lambda probs: D.Bernoulli(probs=probs), {"probs": torch.tensor([0.1, 0.5, 0.75])},
             torch.tensor([1.0, 0.0, 1.0]), {"probs": torch.tensor([0.2, 0.9, 0.5])}),
        case("Categorical", lambda logits: D.Categorical(logits=logits), {"logits": 3 * r(4, 5)},
             torch.tensor([[0, 1, 4, 2], [3, 3, 0, 1]]), {"logits": r(5)}),
        case("Categorical", lambda probs: D.Categorical(probs=probs), {"probs": torch.rand(2, 3) + 0.1},
             torch.tensor([2, 0]), {"probs": torch.rand(2, 3) + 0.1}),
    ],
}
path = os.path.join(HERE, "distributions.json")
with open(path, "w") as f:
    f.write(json.dumps(body, separators=(",", ":")) + "\n")
print(os.path.getsize(path), "bytes")
