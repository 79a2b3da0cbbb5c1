#!/usr/bin/env python3
"""Makes the golden values and gradients of every loss with PyTorch, in float64.

    pip install torch==2.13.0
    python3 test/losses/goldens/make.py

Losses that PyTorch has no function for (RMSE, log-cosh, quantile, hinge, contrastive, Wasserstein, focal) are written here
with its elementary operations, from their definitions. A case's gradients are those of sum(value) by its float inputs.
"""
import json
import pathlib

import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).resolve().parent
torch.set_default_dtype(torch.float64)
torch.manual_seed(23)
cases = []
tensors = []


def flat(t):
    kind = "int32" if t.dtype == torch.int64 else "float64"
    data = t.detach().flatten().tolist()
    return {"shape": list(t.shape), "dtype": kind, "data": data if kind == "int32" else [float(f"{v:.15g}") for v in data]}


def add(name, inputs, options, fn, wrt=None):
    """fn(*inputs, **tensor options) under every reduction; fn gives the losses and what each counts in the mean."""
    wrt = [i for i, x in enumerate(inputs) if x.dtype == torch.float64] if wrt is None else wrt
    results = {}
    for r in ["mean", "sum", "none"]:
        leaves = [x.clone().requires_grad_(i in wrt) for i, x in enumerate(inputs)]
        value = fn(*leaves, r)
        grads = torch.autograd.grad(value.sum(), [leaves[i] for i in wrt])
        # 'sum' and 'none' have the same gradients, but for the root of a sum.
        results[r] = {"value": flat(value), "gradients": [] if r == "none" and name != "rmse" else [flat(g) for g in grads]}
        assert all(g.isfinite().all() for g in grads), (name, options)
    options = {k: reference(v) if torch.is_tensor(v) else v for k, v in options.items()}
    cases.append({"name": name, "options": options, "inputs": [reference(x) for x in inputs], "wrt": wrt, "results": results})


def reference(t):
    """Index of a tensor in the file's list."""
    encoded = flat(t)
    if encoded not in tensors:
        tensors.append(encoded)
    return {"tensor": tensors.index(encoded)}


def reduced(values, r, w=None):
    if w is not None:
        w = w.reshape(w.shape + (1,) * (values.dim() - w.dim())).expand(values.shape)
        values = values * w
    if r == "mean":
        return values.mean() if w is None else values.sum() / w.sum()
    return values.sum() if r == "sum" else values


def elementwise(name, options, fn, inputs):
    """fn gives the losses; also with weights of the rows, and of every element."""
    add(name, inputs, options, lambda *a: reduced(fn(*a[:-1]), a[-1]))
    shape = fn(*inputs).shape
    for w in [torch.rand(shape[:1]) + 0.1, torch.rand(shape)]:
        add(name, inputs, {**options, "weights": w}, lambda *a, w=w: reduced(fn(*a[:-1]), a[-1], w))


x, y = torch.randn(3, 4) * 2, torch.randn(3, 4)
pair = [x, y]
add("mse", pair, {}, lambda a, b, r: F.mse_loss(a, b, reduction=r))
elementwise("mse", {"half": True}, lambda a, b: F.mse_loss(a, b, reduction="none") / 2, pair)
w = torch.rand(3, 4)
add("mse", pair, {"weights": w}, lambda a, b, r: F.mse_loss(a, b, reduction=r, weight=w))
add("mae", pair, {"weights": w}, lambda a, b, r: F.l1_loss(a, b, reduction=r, weight=w))
add("rmse", pair, {}, lambda a, b, r: reduced((a - b) ** 2, r).sqrt())
add("rmse", pair, {"weights": w}, lambda a, b, r: reduced((a - b) ** 2, r, w).sqrt())
elementwise("mae", {}, lambda a, b: F.l1_loss(a, b, reduction="none"), pair)
for o in [{}, {"delta": 0.4}]:
    elementwise("huberLoss", o, lambda a, b: F.huber_loss(a, b, reduction="none", delta=o.get("delta", 1.0)), pair)
for o in [{}, {"beta": 0.5}, {"beta": 0}]:
    elementwise("smoothL1Loss", o, lambda a, b: F.smooth_l1_loss(a, b, reduction="none", beta=o.get("beta", 1.0)), pair)
far = [torch.tensor([300.0, -300.0, 0.7, 1.3]), torch.tensor([0.0, 0.0, 0.1, 0.1])]
elementwise("logCoshLoss", {}, lambda a, b: torch.log(torch.cosh(a - b)), far)
elementwise("logCoshLoss", {}, lambda a, b: torch.log(torch.cosh(a - b)), pair)
for o in [{}, {"q": 0.9}]:
    q = o.get("q", 0.5)
    elementwise("quantileLoss", o, lambda a, b: torch.maximum(q * (b - a), (q - 1) * (b - a)), pair)

bits, soft = torch.randint(0, 2, (3, 4)).double(), torch.rand(3, 4)
pos = torch.tensor([0.5, 1.0, 2.0, 7.0])
for target in [bits, soft]:
    elementwise("binaryCrossEntropy", {}, lambda a, b: F.binary_cross_entropy_with_logits(a, b, reduction="none"), [x, target])
elementwise("binaryCrossEntropy", {"posWeight": pos},
            lambda a, b: F.binary_cross_entropy_with_logits(a, b, reduction="none", pos_weight=pos), [x, bits])
elementwise("binaryCrossEntropy", {"posWeight": 3},
            lambda a, b: F.binary_cross_entropy_with_logits(a, b, reduction="none", pos_weight=torch.tensor(3.0)), [x, bits])
elementwise("binaryCrossEntropy", {"fromLogits": False}, lambda a, b: F.binary_cross_entropy(a, b, reduction="none"),
            [torch.rand(3, 4) * 0.98 + 0.01, soft])


def focal(a, b, alpha, gamma):
    p, ce = torch.sigmoid(a), F.binary_cross_entropy_with_logits(a, b, reduction="none")
    loss = ce * (1 - (p * b + (1 - p) * (1 - b))) ** gamma
    return loss if alpha is None else (alpha * b + (1 - alpha) * (1 - b)) * loss


for o in [{}, {"alpha": None, "gamma": 0.5}, {"alpha": 0.6, "gamma": 0}, {"gamma": 1}, {"gamma": 3.5}]:
    elementwise("focalLoss", o, lambda a, b: focal(a, b, o.get("alpha", 0.25), o.get("gamma", 2)), [x, bits])
p = torch.rand(3, 4) * 0.9 + 0.05
elementwise("focalLoss", {"fromLogits": False}, lambda a, b: focal(torch.log(a / (1 - a)), b, 0.25, 2), [p, bits])

z, labels, classes = torch.randn(5, 4) * 3, torch.tensor([3, 0, -100, 2, 0]), torch.tensor([0.5, 2.0, 1.0, 0.25])
plain = torch.tensor([3, 0, 1, 2, 0])
for o, k in [({}, {}), ({"classWeights": classes}, {"weight": classes}), ({"labelSmoothing": 0.2}, {"label_smoothing": 0.2}),
             ({"classWeights": classes, "labelSmoothing": 0.3}, {"weight": classes, "label_smoothing": 0.3})]:
    add("crossEntropy", [z, plain], o, lambda a, b, r: F.cross_entropy(a, b, reduction=r, **k), [0])
    add("crossEntropy", [z, labels], {**o, "ignoreIndex": -100}, lambda a, b, r: F.cross_entropy(a, b, reduction=r, **k), [0])
    probabilities = torch.softmax(z, -1)
    if "label_smoothing" not in k:  # F.cross_entropy would normalise the logarithms again, which changes the gradient
        add("crossEntropy", [probabilities, plain], {**o, "fromLogits": False},
            lambda a, b, r: F.nll_loss(a.log(), b, reduction=r, **k), [0])
    targets = torch.softmax(torch.randn(5, 4), -1)
    add("categoricalCrossEntropy", [z, targets], o, lambda a, b, r: F.cross_entropy(a, b, reduction=r, **k))
    hot = F.one_hot(plain, 4).double()
    add("categoricalCrossEntropy", [z, hot], o, lambda a, b, r: F.cross_entropy(a, b, reduction=r, **k))
add("crossEntropy", [z, plain], {"ignoreIndex": 0}, lambda a, b, r: F.cross_entropy(a, b, reduction=r, ignore_index=0), [0])
rows = torch.rand(5)


def weighted_ce(a, b, r):
    values = F.cross_entropy(a, b, reduction="none", weight=classes) * rows
    counts = torch.where(b == -100, 0, classes[b.clamp(min=0)] * rows)
    return values.sum() / counts.sum() if r == "mean" else reduced(values, r)


add("crossEntropy", [z, labels], {"weights": rows, "classWeights": classes, "ignoreIndex": -100}, weighted_ce, [0])
elementwise("categoricalCrossEntropy", {}, lambda a, b: F.cross_entropy(a, b, reduction="none"), [z, targets])
elementwise("categoricalCrossEntropy", {"fromLogits": False}, lambda a, b: -(b * a.log()).sum(-1), [probabilities, targets])
logp = torch.log_softmax(z, -1)
for o, k in [({}, {}), ({"classWeights": classes}, {"weight": classes})]:
    add("nllLoss", [logp, plain], o, lambda a, b, r: F.nll_loss(a, b, reduction=r, **k), [0])
    add("nllLoss", [logp, labels], {**o, "ignoreIndex": -100}, lambda a, b, r: F.nll_loss(a, b, reduction=r, **k), [0])

elementwise("klDivergence", {}, lambda a, b: F.kl_div(a, b, reduction="none"), [logp, targets])
elementwise("klDivergence", {"logTargets": True}, lambda a, b: F.kl_div(a, b, reduction="none", log_target=True), [logp, targets.log()])
elementwise("klDivergence", {"from": "logits"}, lambda a, b: F.kl_div(torch.log_softmax(a, -1), b, reduction="none"), [z, targets])
elementwise("klDivergence", {"from": "probabilities"}, lambda a, b: F.kl_div(a.log(), b, reduction="none"), [probabilities, targets])
add("klDivergence", [logp, hot], {}, lambda a, b, r: F.kl_div(a, b, reduction=r), [0])

sign = bits * 2 - 1
for o in [{}, {"margin": 0.5}, {"squared": True}]:
    power, m = (2 if o.get("squared") else 1), o.get("margin", 1)
    elementwise("hingeLoss", o, lambda a, b: torch.clamp(m - b * a, min=0) ** power, [x, sign])
elementwise("cosineLoss", {}, lambda a, b: F.cosine_embedding_loss(a, b, torch.ones(3), reduction="none"), pair)
ls = torch.tensor([1.0, -1.0, -1.0])
for m in [0, -0.5]:
    elementwise("cosineLoss", {"labels": ls, "margin": m},
                lambda a, b: F.cosine_embedding_loss(a, b, ls, margin=m, reduction="none"), pair)
t3 = [torch.randn(4, 3), torch.randn(4, 3), torch.randn(4, 3)]
for o in [{}, {"margin": 2.5, "p": 1}, {"p": 3, "eps": 1e-3}, {"swap": True}]:
    elementwise("tripletLoss", o, lambda a, b, c: F.triplet_margin_loss(a, b, c, reduction="none", **o), t3)


def contrastive(a, b, margin):
    d, like = (a - b).norm(dim=-1), torch.tensor([1.0, 0.0, 0.0])
    return 0.5 * (like * d**2 + (1 - like) * torch.clamp(margin - d, min=0) ** 2)


near = [torch.randn(3, 2) * 0.3, torch.randn(3, 2) * 0.3]
for o in [{}, {"margin": 3}]:
    labelled = torch.tensor([1, 0, 0])
    elementwise("contrastiveLoss", o, lambda a, b, _: contrastive(a, b, o.get("margin", 1)), [*near, labelled])
elementwise("wassersteinLoss", {}, lambda a, b: -b * a, [x, sign])
counts = torch.tensor([[0.0, 1.0, 2.0, 7.0], [3.0, 0.0, 1.0, 12.0], [5.0, 4.0, 0.0, 2.0]])
elementwise("poissonNllLoss", {}, lambda a, b: F.poisson_nll_loss(a, b, reduction="none"), [x, counts])
# By the outputs only: PyTorch's gradient by a count of 0 is NaN here.
add("poissonNllLoss", [x, counts], {"full": True}, lambda a, b, r: F.poisson_nll_loss(a, b, full=True, reduction=r), [0])
elementwise("poissonNllLoss", {"logInput": False, "eps": 0.01},
            lambda a, b: F.poisson_nll_loss(a, b, log_input=False, eps=0.01, reduction="none"), [x.exp(), counts])
v = torch.rand(3, 4) + 0.05
for o in [{}, {"full": True}, {"eps": 0.5}]:
    elementwise("gaussianNllLoss", o, lambda a, b, c: F.gaussian_nll_loss(a, b, c, reduction="none", **o), [x, y, v])
body = json.dumps({"made with": f"torch {torch.__version__}", "tensors": tensors, "cases": cases}, separators=(",", ":"))
(HERE / "all.json").write_text(body.replace('{"name"', '\n{"name"') + "\n")
