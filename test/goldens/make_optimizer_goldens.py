"""Writes optimizer-rules.json: 20 float64 steps of every optimizer on 0.5 sum c (w - t)^2 of a matrix and a vector, condition
number 1000, by torch.optim where it has the rule, else by the formulas of the paper in float64 tensors.
python3 test/goldens/make_optimizer_goldens.py"""

import json
import math
import pathlib

import torch

torch.set_default_dtype(torch.float64)
STEPS = 20
torch.manual_seed(7)
SHAPES = [(3, 4), (5,)]
CURVATURE = [torch.logspace(3, 0, 12).reshape(3, 4), torch.logspace(0, 3, 5)]
TARGET = [2 * torch.rand(s) - 1 for s in SHAPES]
START = [4 * torch.rand(s) - 2 for s in SHAPES]


def newton_schulz(grad, coefficients, steps, eps):
    """torch.optim.Muon's iteration, in the dtype of the gradient instead of bfloat16."""
    a, b, c = coefficients
    x = grad.T if grad.size(0) > grad.size(1) else grad
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if grad.size(0) > grad.size(1) else x


torch.optim._muon._zeropower_via_newtonschulz = newton_schulz


def by_torch(cls, only_matrices=False, **options):
    params = [s.clone().requires_grad_() for s in START]
    optimizer = cls(params[:1] if only_matrices else params, **options)
    trace = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = sum((0.5 * c * (w - t) ** 2).sum() for c, w, t in zip(CURVATURE, params, TARGET))
        loss.backward()
        optimizer.step()
        trace.append(torch.cat([p.detach().clone().ravel() for p in params]))
    return trace


def by_formula(rule):
    """rule(w, g, state, t) -> new w, for one parameter; state is its dict."""
    params, states, trace = [s.clone() for s in START], [{}, {}], []
    for t in range(1, STEPS + 1):
        for i, w in enumerate(params):
            params[i] = rule(w, CURVATURE[i] * (w - TARGET[i]), states[i], t)
        trace.append(torch.cat([p.ravel() for p in params]))
    return trace


def momentum(lr, mu, form, nesterov=False):
    """The three forms of the catalogue: v = mu v + lr g; v = mu v - lr g; v = mu v + (1 - mu) g."""
    def rule(w, g, state, _):
        added = {"scaled": lr * g, "negative": -lr * g, "average": (1 - mu) * g}[form]
        v = state["v"] = mu * state.get("v", 0) + added
        move = mu * v + added if nesterov else v
        return {"scaled": w - move, "negative": w + move, "average": w - lr * move}[form]
    return rule


def adam_inside(lr, b1, b2, eps, correct):
    def rule(w, g, state, t):
        m = state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
        v = state["v"] = b2 * state.get("v", 0) + (1 - b2) * g * g
        if correct:
            m, v = m / (1 - b1**t), v / (1 - b2**t)
        return w - lr * m / torch.sqrt(v + eps)
    return rule


def inside(lr, eps, alpha):
    """RMSprop (alpha) or Adagrad (None) with eps inside the root."""
    def rule(w, g, state, _):
        v = state["v"] = state.get("v", 0) + g * g if alpha is None else alpha * state.get("v", 0) + (1 - alpha) * g * g
        return w - lr * g / torch.sqrt(v + eps)
    return rule


def lion(lr, b1, b2, decay):
    def rule(w, g, state, _):
        m = state.get("m", torch.zeros_like(w))
        state["m"] = b2 * m + (1 - b2) * g
        return w * (1 - lr * decay) - lr * torch.sign(b1 * m + (1 - b1) * g)
    return rule


def delta_bar_delta(lr, kappa, phi, theta):
    def rule(w, g, state, _):
        bar, rate = state.get("bar", torch.zeros_like(w)), state.get("rate", torch.full_like(w, lr))
        rate = state["rate"] = torch.where(bar * g > 0, rate + kappa, torch.where(bar * g < 0, rate * (1 - phi), rate))
        state["bar"] = (1 - theta) * g + theta * bar
        return w - rate * g
    return rule


def lars(lr, mu, trust, eps, decay, exempt_vectors):
    def rule(w, g, state, _):
        exempt = exempt_vectors and w.ndim < 2
        beta = 0 if exempt else decay
        norm_w, norm_g = torch.linalg.norm(w), torch.linalg.norm(g)
        local = 1 if exempt or norm_w == 0 or norm_g == 0 else trust * norm_w / (norm_g + beta * norm_w + eps)
        v = state["v"] = mu * state.get("v", 0) + lr * local * (g + beta * w)
        return w - v
    return rule


def lamb(lr, b1, b2, eps, decay, exempt_vectors):
    def rule(w, g, state, t):
        exempt = exempt_vectors and w.ndim < 2
        m = state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
        v = state["v"] = b2 * state.get("v", 0) + (1 - b2) * g * g
        r = (m / (1 - b1**t)) / (torch.sqrt(v / (1 - b2**t)) + eps) + (0 if exempt else decay) * w
        norm_w, norm_r = torch.linalg.norm(w), torch.linalg.norm(r)
        return w - lr * (1 if exempt or norm_w == 0 or norm_r == 0 else norm_w / norm_r) * r
    return rule


O = torch.optim
RUNS = [
    ("SGD", {"lr": 5e-4, "momentum": 0.9, "momentumForm": "scaled"}, by_formula(momentum(5e-4, 0.9, "scaled"))),
    ("SGD", {"lr": 5e-4, "momentum": 0.9, "momentumForm": "negative"}, by_formula(momentum(5e-4, 0.9, "negative"))),
    ("SGD", {"lr": 5e-3, "momentum": 0.9, "momentumForm": "average"}, by_formula(momentum(5e-3, 0.9, "average"))),
    ("SGD", {"lr": 5e-4, "momentum": 0.9, "momentumForm": "scaled", "nesterov": True}, by_formula(momentum(5e-4, 0.9, "scaled", True))),
    ("SGD", {"lr": 5e-3, "momentum": 0.9, "momentumForm": "average", "nesterov": True}, by_formula(momentum(5e-3, 0.9, "average", True))),
    ("Adam", {"lr": 0.05, "amsgrad": True}, by_torch(O.Adam, lr=0.05, amsgrad=True)),
    ("Adam", {"lr": 0.05, "weightDecay": 0.1, "decoupledWeightDecay": True}, by_torch(O.Adam, lr=0.05, weight_decay=0.1, decoupled_weight_decay=True)),
    ("AdamW", {"lr": 0.05, "amsgrad": True, "weightDecay": 0.1}, by_torch(O.AdamW, lr=0.05, amsgrad=True, weight_decay=0.1)),
    ("Adam", {"lr": 0.05, "eps": 1e-3, "epsInSqrt": True}, by_formula(adam_inside(0.05, 0.9, 0.999, 1e-3, True))),
    ("Adam", {"lr": 0.05, "eps": 1e-3, "epsInSqrt": True, "biasCorrection": False}, by_formula(adam_inside(0.05, 0.9, 0.999, 1e-3, False))),
    ("RMSprop", {"lr": 0.01, "eps": 1e-3, "epsInSqrt": True, "alpha": 0.9}, by_formula(inside(0.01, 1e-3, 0.9))),
    ("Adagrad", {"lr": 0.1, "eps": 1e-2, "epsInSqrt": True}, by_formula(inside(0.1, 1e-2, None))),
    ("Adadelta", {}, by_torch(O.Adadelta)),
    ("Adadelta", {"lr": 5, "rho": 0.8, "eps": 1e-4, "weightDecay": 0.1}, by_torch(O.Adadelta, lr=5, rho=0.8, eps=1e-4, weight_decay=0.1)),
    ("Adadelta", {"maximize": True}, by_torch(O.Adadelta, maximize=True)),
    ("Adamax", {}, by_torch(O.Adamax)),
    ("Adamax", {"lr": 0.05, "betas": [0.8, 0.9], "eps": 1e-3, "weightDecay": 0.1}, by_torch(O.Adamax, lr=0.05, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1)),
    ("NAdam", {}, by_torch(O.NAdam)),
    ("NAdam", {"lr": 0.05, "betas": [0.8, 0.99], "eps": 1e-3, "momentumDecay": 0.1, "weightDecay": 0.1}, by_torch(O.NAdam, lr=0.05, betas=(0.8, 0.99), eps=1e-3, momentum_decay=0.1, weight_decay=0.1)),
    ("NAdam", {"lr": 0.05, "weightDecay": 0.1, "decoupledWeightDecay": True}, by_torch(O.NAdam, lr=0.05, weight_decay=0.1, decoupled_weight_decay=True)),
    ("RAdam", {}, by_torch(O.RAdam)),
    ("RAdam", {"lr": 0.05, "betas": [0.8, 0.9], "eps": 1e-3, "weightDecay": 0.1}, by_torch(O.RAdam, lr=0.05, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1)),
    ("RAdam", {"lr": 0.05, "weightDecay": 0.1, "decoupledWeightDecay": True}, by_torch(O.RAdam, lr=0.05, weight_decay=0.1, decoupled_weight_decay=True)),
    ("Lion", {"lr": 0.03}, by_formula(lion(0.03, 0.9, 0.99, 0))),
    ("Lion", {"lr": 0.03, "betas": [0.8, 0.95], "weightDecay": 0.1}, by_formula(lion(0.03, 0.8, 0.95, 0.1))),
    ("Rprop", {}, by_torch(O.Rprop)),
    ("Rprop", {"lr": 0.1, "etas": [0.4, 1.5], "stepSizes": [0.01, 0.2]}, by_torch(O.Rprop, lr=0.1, etas=(0.4, 1.5), step_sizes=(0.01, 0.2))),
    ("DeltaBarDelta", {"lr": 1e-4, "kappa": 1e-4}, by_formula(delta_bar_delta(1e-4, 1e-4, 0.1, 0.7))),
    ("DeltaBarDelta", {"lr": 5e-4, "kappa": 2e-4, "phi": 0.3, "theta": 0.5}, by_formula(delta_bar_delta(5e-4, 2e-4, 0.3, 0.5))),
    ("Adafactor", {}, by_torch(O.Adafactor)),
    ("Adafactor", {"lr": 0.1, "beta2Decay": -0.5, "eps": [1e-6, 1e-2], "d": 1.5, "weightDecay": 0.1}, by_torch(O.Adafactor, lr=0.1, beta2_decay=-0.5, eps=(1e-6, 1e-2), d=1.5, weight_decay=0.1)),
    ("Adafactor", {"lr": 0.1, "maximize": True}, by_torch(O.Adafactor, lr=0.1, maximize=True)),
    ("Muon", {"lr": 0.02}, by_torch(O.Muon, True, lr=0.02)),
    ("Muon", {"lr": 0.02, "momentum": 0.8, "nesterov": False, "nsSteps": 3, "adjustLr": "matchRmsAdamW", "weightDecay": 0.5}, by_torch(O.Muon, True, lr=0.02, momentum=0.8, nesterov=False, ns_steps=3, adjust_lr_fn="match_rms_adamw", weight_decay=0.5)),
    ("LARS", {}, by_formula(lars(0.1, 0.9, 1e-3, 1e-8, 0, False))),
    ("LARS", {"lr": 1e-3, "momentum": 0.5, "trustCoefficient": 0.1, "weightDecay": 0.1, "eps": 1e-3, "decayExempt": "biasAndNorm"}, by_formula(lars(1e-3, 0.5, 0.1, 1e-3, 0.1, True))),
    ("LAMB", {"lr": 0.05}, by_formula(lamb(0.05, 0.9, 0.999, 1e-6, 0.01, False))),
    ("LAMB", {"lr": 0.05, "betas": [0.8, 0.99], "eps": 1e-3, "weightDecay": 0.2, "decayExempt": "biasAndNorm"}, by_formula(lamb(0.05, 0.8, 0.99, 1e-3, 0.2, True))),
]



def lbfgs(steps):
    """Weights after this many steps of L-BFGS with strong-Wolfe line search on Rosenbrock's function, and its value there."""
    w = torch.tensor([-1.2, 1.0], requires_grad=True)
    options = {"history_size": 5, "line_search_fn": "strong_wolfe", "tolerance_grad": 0, "tolerance_change": 1e-14}
    optimizer = O.LBFGS([w], lr=1, max_iter=steps, max_eval=1000, **options)

    def closure():
        optimizer.zero_grad()
        loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
        loss.backward()
        return loss

    optimizer.step(closure)
    return [*[float(x) for x in w.detach()], float(closure().detach())]


def flat(arrays):
    return [float(x) for a in arrays for x in a.ravel()]


out = {
    "made by": f"make_optimizer_goldens.py, PyTorch {torch.__version__}",
    "shapes": SHAPES,
    "curvature": flat(CURVATURE),
    "target": flat(TARGET),
    "start": flat(START),
    "steps": [1, 2, 5, 20],
    "runs": [{"optimizer": n, "options": o, "weights": [flat([trace[s - 1]]) for s in (1, 2, 5, 20)]} for n, o, trace in RUNS],
    "lbfgs": [lbfgs(n) for n in range(1, 31)],
}
assert all(math.isfinite(x) for r in out["runs"] for row in r["weights"] for x in row)
path = pathlib.Path(__file__).with_name("optimizer-rules.json")
path.write_text(json.dumps(out, indent=None, separators=(",", ":")) + "\n")
