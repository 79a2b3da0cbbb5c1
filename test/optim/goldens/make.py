#!/usr/bin/env python3
"""Makes the golden numbers of losses, optimizers and layers with PyTorch, in float64.

    pip install torch==2.13.0
    python3 test/optim/goldens/make.py
"""
import json
import pathlib

import torch
import torch.nn.functional as F

TEST = pathlib.Path(__file__).resolve().parents[2]
torch.set_default_dtype(torch.float64)
torch.manual_seed(7)


def flat(t):
    return {"shape": list(t.shape), "data": t.detach().flatten().tolist()}


def write(path, cases):
    text = json.dumps({"made with": f"torch {torch.__version__}", "cases": cases}, indent=1)
    (TEST / path).write_text(text + "\n")


def optimizers():
    start = [torch.randn(3), torch.randn(2, 2)]
    # The second parameter has no gradient in the first two steps.
    grads = [[torch.randn(3), None if i < 2 else torch.randn(2, 2)] for i in range(6)]
    configs = {
        "sgd": [{}, {"lr": 0.1, "weight_decay": 0.3}, {"lr": 0.1, "momentum": 0.9}, {"lr": 0.1, "maximize": True},
                {"lr": 0.1, "momentum": 0.9, "dampening": 0.4, "weight_decay": 0.2},
                {"lr": 0.05, "momentum": 0.7, "nesterov": True, "weight_decay": 0.1, "maximize": True}],
        "adam": [{}, {"lr": 0.1, "weight_decay": 0.3}, {"lr": 0.1, "betas": (0.5, 0.75), "eps": 0.1},
                 {"lr": 0.1, "maximize": True, "weight_decay": 0.1}],
        "adamw": [{}, {"lr": 0.1}, {"lr": 0.1, "weight_decay": 0.3, "maximize": True}],
    }
    classes = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    cases = []
    for name, list_of_options in configs.items():
        for options in list_of_options:
            params = [w.clone().requires_grad_() for w in start]
            optimizer = classes[name](params, **options)
            after = []
            for step in grads:
                for p, g in zip(params, step):
                    p.grad = None if g is None else g.clone()
                optimizer.step()
                after.append([flat(p) for p in params])
            cases.append({"name": name, "options": options, "after": after})
    write("optim/goldens/optimizers.json", {
        "start": [flat(w) for w in start],
        "grads": [[None if g is None else flat(g) for g in step] for step in grads],
        "runs": cases,
    })


def losses():
    cases = []

    def add(name, options, outputs, targets, fn):
        outputs = outputs.clone().requires_grad_()
        value = fn(outputs, targets)
        (grad,) = torch.autograd.grad(value.sum(), outputs)
        cases.append({"name": name, "options": options, "outputs": flat(outputs), "targets": flat(targets),
                      "value": flat(value), "grad": flat(grad)})

    x, y = torch.randn(3, 4), torch.randn(3, 4)
    logits, labels = torch.randn(2, 3, 5) * 3, torch.randint(0, 5, (2, 3))
    wide = torch.tensor([[500.0, -500.0, 0.0], [1e3, 1e3, -1e3]])
    z = torch.tensor([0.0, 1.5, -2.0, 40.0, -40.0, 200.0, -200.0])
    t = torch.tensor([1.0, 0.25, 0.0, 1.0, 0.0, 1.0, 0.0])
    p = torch.tensor([0.5, 0.9, 1e-9, 0.999999])
    q = torch.tensor([1.0, 0.25, 0.0, 1.0])
    for r in ["mean", "sum", "none"]:
        o = {"reduction": r}
        add("mse", o, x, y, lambda a, b: F.mse_loss(a, b, reduction=r))
        add("crossEntropy", o, logits, labels,
            lambda a, b: F.cross_entropy(a.reshape(-1, 5), b.reshape(-1), reduction=r).reshape(b.shape if r == "none" else ()))
        add("crossEntropy", o, wide, torch.tensor([1, 0]), lambda a, b: F.cross_entropy(a, b, reduction=r))
        add("binaryCrossEntropy", o, z, t, lambda a, b: F.binary_cross_entropy_with_logits(a, b, reduction=r))
        add("binaryCrossEntropy", {**o, "fromLogits": False}, p, q, lambda a, b: F.binary_cross_entropy(a, b, reduction=r))
    write("losses/goldens/losses.json", cases)


def layers():
    x = torch.tensor([-200.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.25, 1.0, 3.0, 200.0])
    made = {
        "ReLU": torch.nn.ReLU(), "Tanh": torch.nn.Tanh(), "Sigmoid": torch.nn.Sigmoid(), "Softmax": torch.nn.Softmax(-1),
        "LogSoftmax": torch.nn.LogSoftmax(-1), "Softplus": torch.nn.Softplus(threshold=500),
        "LeakyReLU": torch.nn.LeakyReLU(), "GELU": torch.nn.GELU(), "SiLU": torch.nn.SiLU(), "ELU": torch.nn.ELU(),
        "Identity": torch.nn.Identity(),
    }
    weights = torch.randn(len(x))
    cases = []
    for name, layer in made.items():
        a = x.clone().requires_grad_()
        y = layer(a)
        (grad,) = torch.autograd.grad((y * weights).sum(), a)
        cases.append({"name": name, "y": flat(y), "grad": flat(grad)})
    write("nn/goldens/activations.json", {"x": flat(x), "weights": flat(weights), "layers": cases})


def training():
    model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 4))
    start = {k: flat(v.clone()) for k, v in model.state_dict().items()}
    x, y = torch.randn(8, 3), torch.randint(0, 4, (8,))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    values = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    end = {k: flat(v) for k, v in model.state_dict().items()}
    write("nn/goldens/training.json", {"start": start, "x": flat(x), "y": flat(y), "losses": values, "end": end})


optimizers()
losses()
layers()
training()
