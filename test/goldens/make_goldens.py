"""Writes the golden numbers of this folder from PyTorch on the CPU.

Run from the repository root:  python3 test/goldens/make_goldens.py
Every file records this script, the PyTorch version and the seed. Numbers are float32 results written with nine
significant digits, which identifies a float32 exactly. Names and options in the files are Neurite's own.
"""

import json
import os

import torch
import torch.nn.functional as F

SEED = 20
HERE = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(SEED)
torch.set_num_threads(1)


def enc(t):
    """A tensor as {shape, dtype, data}."""
    t = t.detach()
    kind = {torch.float32: "float32", torch.int64: "int32", torch.int32: "int32", torch.bool: "bool"}[t.dtype]
    flat = t.reshape(-1).tolist()
    data = [float(f"{v:.9g}") for v in flat] if kind == "float32" else [int(v) for v in flat]
    return {"shape": list(t.shape), "dtype": kind, "data": data}


def write(name, body):
    header = {"script": "test/goldens/make_goldens.py", "torch": torch.__version__, "seed": SEED}
    path = os.path.join(HERE, name + ".json")
    with open(path, "w") as f:
        f.write(json.dumps({"madeBy": header, **body}, separators=(",", ":")) + "\n")
    size = os.path.getsize(path)
    assert size < 200_000, f"{name}.json has {size} bytes"
    print(f"{name}.json {size} bytes")


def differentiate(fn, inputs, wrt):
    """Output, cotangent and gradients of sum(output * cotangent) for the inputs named by `wrt`."""
    leaves = [x.clone().requires_grad_(i in wrt) for i, x in enumerate(inputs)]
    y = fn(*leaves)
    g = torch.randn(y.shape)
    (y * g).sum().backward()
    return y, g, [leaves[i].grad for i in wrt]


def case(name, op, fn, inputs, options=None, wrt=None):
    wrt = [i for i, x in enumerate(inputs) if x.dtype == torch.float32] if wrt is None else wrt
    out = {"name": name, "op": op, "options": options or {}, "inputs": [enc(x) for x in inputs]}
    if wrt:
        y, g, grads = differentiate(fn, inputs, wrt)
        return {**out, "output": enc(y), "cotangent": enc(g), "wrt": wrt, "gradients": [enc(d) for d in grads]}
    return {**out, "output": enc(fn(*inputs)), "wrt": []}


# ---------------------------------------------------------------- operations


def away_from_zero(*shape, low=0.2, high=2.0):
    magnitude = torch.rand(shape) * (high - low) + low
    return magnitude * torch.where(torch.rand(shape) < 0.5, -1.0, 1.0)


def positive(*shape, low=0.1, high=3.0):
    return torch.rand(shape) * (high - low) + low


def make_elementwise():
    r = torch.randn
    cases = []
    unary = {
        "neg": (torch.neg, r(3, 9)), "abs": (torch.abs, away_from_zero(3, 9)), "exp": (torch.exp, 3 * r(3, 9)),
        "expm1": (torch.expm1, r(3, 9)), "log": (torch.log, positive(3, 9)), "log1p": (torch.log1p, positive(3, 9, low=-0.9)),
        "sqrt": (torch.sqrt, positive(3, 9)), "rsqrt": (torch.rsqrt, positive(3, 9)),
        "reciprocal": (torch.reciprocal, away_from_zero(3, 9)), "square": (torch.square, r(3, 9)),
        "sin": (torch.sin, 4 * r(3, 9)), "cos": (torch.cos, 4 * r(3, 9)), "tan": (torch.tan, positive(3, 9, low=-1.3, high=1.3)),
        "tanh": (torch.tanh, 3 * r(3, 9)), "sigmoid": (torch.sigmoid, 5 * r(3, 9)), "erf": (torch.erf, 2 * r(3, 9)),
        "softplus": (F.softplus, 5 * r(3, 9)), "relu": (F.relu, away_from_zero(3, 9)),
    }
    for name, (fn, x) in unary.items():
        cases.append(case(name, name, fn, [x]))
    for name in ("floor", "ceil", "round", "sign"):
        x = torch.cat([4 * r(15), torch.tensor([0.5, 1.5, -0.5, -2.5, 0.0])])
        cases.append(case(name, name, getattr(torch, name), [x], wrt=[]))
    cases.append(case("clip", "clip", lambda x: x.clip(-0.5, 1.0), [r(3, 9)], {"args": [-0.5, 1.0]}))

    shapes = [((4, 5), (4, 5)), ((4, 5), (5,)), ((4, 1), (1, 5)), ((2, 1, 3), (4, 1)), ((3,), ()), ((2, 3, 4), (1, 3, 1))]
    for a, b in shapes:
        label = f"{list(a)} with {list(b)}"
        for name in ("add", "sub", "mul", "maximum", "minimum"):
            cases.append(case(f"{name} {label}", name, getattr(torch, name), [r(a), r(b)]))
        cases.append(case(f"div {label}", "div", torch.div, [r(a), away_from_zero(*b)]))
        cases.append(case(f"pow {label}", "pow", torch.pow, [positive(*a), r(b)]))
    cases.append(case("where", "where", torch.where, [r(4, 5) > 0, r(4, 5), r(5)]))

    write("elementwise", {"cases": cases})


def make_reductions():
    r = torch.randn
    cases = []
    for axis in (None, 0, 1, 2, -1, [0, 2]):
        for keep in (False, True):
            if axis is None and keep:
                continue
            options = {} if axis is None else {"axis": axis, "keepDims": keep}
            kw = {} if axis is None else {"dim": axis, "keepdim": keep}
            every = {"dim": (0, 1, 2)} if axis is None else kw
            label = "" if axis is None else f" axis {axis}{' keepDims' if keep else ''}"
            x = r(3, 3, 5)
            cases.append(case("sum" + label, "sum", lambda x: x.sum(**kw), [x], options))
            cases.append(case("mean" + label, "mean", lambda x: x.mean(**kw), [x], options))
            cases.append(case("logSumExp" + label, "logSumExp", lambda x: x.logsumexp(**every), [3 * x], options))
            cases.append(case("norm" + label, "norm", lambda x: torch.linalg.vector_norm(x, **kw), [x], options))
            if axis is None or isinstance(axis, int):
                first = lambda v: v if isinstance(v, torch.Tensor) else v.values
                cases.append(case("max" + label, "max", lambda x: first(x.max(**kw)), [x], options))
                cases.append(case("min" + label, "min", lambda x: first(x.min(**kw)), [x], options))
                cases.append(case("prod" + label, "prod", lambda x: x.prod(**kw), [away_from_zero(3, 3, 5)], options))
            if isinstance(axis, int) and not keep:
                cases.append(case("argmax" + label, "argmax", lambda x: x.argmax(dim=axis), [x], options, wrt=[]))
                cases.append(case("argmin" + label, "argmin", lambda x: x.argmin(dim=axis), [x], options, wrt=[]))
            for name, fn in (("variance", torch.var), ("std", torch.std)):
                cases.append(case(name + label, name, lambda x: fn(x, **every), [x], options))
                population = {**options, "correction": 0}
                cases.append(
                    case(name + " of a population" + label, name, lambda x: fn(x, correction=0, **every), [x], population)
                )

    write("reductions", {"cases": cases})


def make_products():
    r = torch.randn
    cases = []
    mm = [((3, 4), (4, 5), 0, 0), ((4, 3), (4, 5), 1, 0), ((3, 4), (5, 4), 0, 1), ((4, 3), (5, 4), 1, 1),
          ((19, 37), (37, 18), 0, 0), ((2, 3, 4), (2, 4, 5), 0, 0), ((2, 3, 4), (4, 5), 0, 0), ((1, 3, 4), (6, 4, 5), 0, 0),
          ((2, 1, 3, 4), (3, 4, 2), 0, 0), ((2, 4, 3), (2, 5, 4), 1, 1), ((4,), (4, 5), 0, 0), ((3, 4), (4,), 0, 0),
          ((2, 3, 4), (4,), 0, 0), ((4,), (2, 4, 3), 0, 0), ((7,), (7,), 0, 0)]
    for a, b, ta, tb in mm:
        fn = lambda x, y: torch.matmul(x.mT if ta else x, y.mT if tb else y)
        options = ({"transA": True} if ta else {}) | ({"transB": True} if tb else {})
        label = f"matmul {list(a)}{'ᵀ' if ta else ''} {list(b)}{'ᵀ' if tb else ''}"
        cases.append(case(label, "matmul", fn, [r(a), r(b)], options))
    cases.append(case("outer", "outer", torch.outer, [r(4), r(5)]))

    index = torch.tensor([2, 0, 2, 5, 1])
    cases.append(case("take", "take", lambda t, i: t[i], [r(6, 3), index], wrt=[0]))
    cases.append(case("softmaxCrossEntropy", "softmaxCrossEntropy",
                      lambda x, y: F.cross_entropy(x, y, reduction="none"), [4 * r(6, 10), torch.tensor([0, 9, 3, 3, 7, 1])], wrt=[0]))
    cases.append(case("concat axis 1", "concat", lambda a, b: torch.cat([a, b], 1), [r(3, 2), r(3, 4)], {"axis": 1}))
    cases.append(case("stack axis 1", "stack", lambda a, b: torch.stack([a, b], 1), [r(3, 2), r(3, 2)], {"axis": 1}))
    write("products", {"cases": cases})


# ---------------------------------------------------------------- layers

def make_layers():
    points = torch.cat([2 * torch.randn(27), torch.tensor([0.0, -30.0, 30.0])]).reshape(5, 6)
    cases = []
    for name, fn, options in [
        ("ReLU", F.relu, {}), ("Tanh", torch.tanh, {}), ("Sigmoid", torch.sigmoid, {}), ("Softplus", F.softplus, {}),
        ("GELU", F.gelu, {}), ("GELU", lambda x: F.gelu(x, approximate="tanh"), {"args": [{"approximate": "tanh"}]}), ("SiLU", F.silu, {}),
        ("ELU", F.elu, {}), ("ELU", lambda x: F.elu(x, 0.5), {"args": [0.5]}), ("LeakyReLU", F.leaky_relu, {}),
        ("Softplus", lambda x: F.softplus(x, 3.0), {"args": [{"beta": 3}]}), ("LeakyReLU", lambda x: F.leaky_relu(x, 0.2), {"args": [0.2]}),
        ("Softmax", lambda x: x.softmax(-1), {}), ("LogSoftmax", lambda x: x.log_softmax(-1), {}),
        ("Softmax", lambda x: x.softmax(0), {"args": [0]}), ("LogSoftmax", lambda x: x.log_softmax(0), {"args": [0]}),
    ]:
        cases.append(case(f"{name}({json.dumps(options.get('args', []))[1:-1]})", name, fn, [points], options))
    linear = []
    for batch, n_in, n_out, bias in [((3,), 5, 4, True), ((2, 3), 5, 4, True), ((6,), 7, 1, False), ((17,), 33, 19, True), ((), 5, 4, True)]:
        x, w = torch.randn(batch + (n_in,)), torch.randn(n_out, n_in) / n_in**0.5
        inputs = [x, w] + ([torch.randn(n_out)] if bias else [])
        linear.append(case(f"Linear {list(x.shape)} {n_in}→{n_out}{'' if bias else ' without bias'}", "Linear", F.linear, inputs))
    write("layers", {"activations": cases, "linear": linear})


# ---------------------------------------------------------------- losses

def make_losses():
    cases = []
    for reduction in ("mean", "sum", "none"):
        logits = 3 * torch.randn(6, 5)
        labels = torch.tensor([0, 4, 2, 2, 1, 3])
        pred, target = torch.randn(4, 3), torch.randn(4, 3)
        z, y = torch.cat([3 * torch.randn(10), torch.tensor([-40.0, 40.0])]).reshape(4, 3), torch.rand(4, 3)
        p = torch.rand(4, 3) * 0.98 + 0.01
        o = {"reduction": reduction}
        cases.append(case(f"crossEntropy {reduction}", "crossEntropy", lambda a, b: F.cross_entropy(a, b, reduction=reduction), [logits, labels], o, [0]))
        cases.append(case(f"mse {reduction}", "mse", lambda a, b: F.mse_loss(a, b, reduction=reduction), [pred, target], o, [0]))
        cases.append(case(f"binaryCrossEntropy logits {reduction}", "binaryCrossEntropy",
                          lambda a, b: F.binary_cross_entropy_with_logits(a, b, reduction=reduction), [z, y], o, [0]))
        cases.append(case(f"binaryCrossEntropy probabilities {reduction}", "binaryCrossEntropy",
                          lambda a, b: F.binary_cross_entropy(a, b, reduction=reduction), [p, y], o | {"fromLogits": False}, [0]))
    write("losses", {"cases": cases})


# ---------------------------------------------------------------- optimizers

def make_optimizers():
    curvature = torch.logspace(0, 3, 7)  # condition number 1000
    target = torch.randn(7)
    start = torch.randn(7)
    runs = []
    for name, cls, options, torch_options in [
        ("SGD", torch.optim.SGD, {"lr": 1e-3}, {}),
        ("SGD", torch.optim.SGD, {"lr": 1e-3, "momentum": 0.9}, {}),
        ("SGD", torch.optim.SGD, {"lr": 1e-3, "momentum": 0.9, "dampening": 0.1}, {}),
        ("SGD", torch.optim.SGD, {"lr": 1e-3, "momentum": 0.9, "nesterov": True}, {}),
        ("SGD", torch.optim.SGD, {"lr": 1e-3, "weightDecay": 0.1}, {"weight_decay": 0.1}),
        ("SGD", torch.optim.SGD, {"lr": 1e-3, "momentum": 0.9, "nesterov": True, "weightDecay": 0.1}, {"weight_decay": 0.1}),
        ("SGD", torch.optim.SGD, {"lr": 1e-4, "momentum": 0.5, "maximize": True}, {}),
        ("Adam", torch.optim.Adam, {}, {}),
        ("Adam", torch.optim.Adam, {"lr": 0.05}, {}),
        ("Adam", torch.optim.Adam, {"lr": 0.05, "betas": [0.8, 0.95]}, {}),
        ("Adam", torch.optim.Adam, {"lr": 0.05, "eps": 1e-2}, {}),
        ("Adam", torch.optim.Adam, {"lr": 0.05, "weightDecay": 0.1}, {"weight_decay": 0.1}),
        ("Adam", torch.optim.Adam, {"lr": 0.05, "maximize": True}, {}),
        ("AdamW", torch.optim.AdamW, {}, {}),
        ("AdamW", torch.optim.AdamW, {"lr": 0.05, "weightDecay": 0.3, "betas": [0.85, 0.99]}, {"weight_decay": 0.3}),
    ]:
        kw = {k: v for k, v in options.items() if k != "weightDecay"} | torch_options
        w = start.clone().requires_grad_()
        optimizer = cls([w], **kw)
        trace, losses = [], []
        for _ in range(20):
            optimizer.zero_grad()
            loss = 0.5 * (curvature * (w - target) ** 2).sum()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
            trace.append(w.detach().clone())
        runs.append({"optimizer": name, "options": options, "losses": enc(torch.stack(losses)), "weights": enc(torch.stack(trace))})
    write("optimizers", {"curvature": enc(curvature), "target": enc(target), "start": enc(start), "runs": runs})


# ---------------------------------------------------------------- the reference job, three steps

def formula(count, salt, scale, offset):
    """float32(((i * 7919 + salt * 104729 + 13) % 1009 / 1009 - offset) * scale): the same bits in every language."""
    i = torch.arange(count, dtype=torch.int64)
    return (((i * 7919 + salt * 104729 + 13) % 1009).double() / 1009 - offset).mul(scale).float()


MLP = [(128, 784, 0.07), (128, 128, 0.17), (10, 128, 0.17)]
BATCH, STEPS, STRIDE = 16, 3, 97


def sample(t):
    flat = t.detach().reshape(-1)
    return {"every": STRIDE, "values": enc(flat[::STRIDE]), "sum": flat.double().sum().item(), "absSum": flat.double().abs().sum().item()}


def make_mlp():
    names, params = [], []
    for layer, (n_out, n_in, scale) in enumerate(MLP):
        names += [f"{2 * layer}.weight", f"{2 * layer}.bias"]
        params += [formula(n_out * n_in, 2 * layer, scale, 0.5).reshape(n_out, n_in), formula(n_out, 2 * layer + 1, scale, 0.5)]
    for p in params:
        p.requires_grad_()
    optimizer = torch.optim.Adam(params, lr=1e-3)
    losses, logits0, grads = [], None, None
    for step in range(STEPS):
        x = formula(BATCH * 784, 100 + step, 1.0, 0.0).reshape(BATCH, 784)
        labels = (torch.arange(BATCH) * 7 + step) % 10
        h = F.relu(F.linear(x, params[0], params[1]))
        h = F.relu(F.linear(h, params[2], params[3]))
        logits = F.linear(h, params[4], params[5])
        loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            logits0 = logits.detach().clone()
            grads = {n: sample(p.grad) for n, p in zip(names, params)}
        optimizer.step()
        losses.append(loss.detach())
    write("mlp", {
        "formula": "float32(((i * 7919 + salt * 104729 + 13) % 1009 / 1009 - offset) * scale)",
        "parameters": [{"name": n, "shape": list(p.shape), "salt": k, "scale": MLP[k // 2][2], "offset": 0.5}
                       for k, (n, p) in enumerate(zip(names, params))],
        "batch": BATCH, "steps": STEPS, "lr": 1e-3, "inputSalt": 100, "labels": "(row * 7 + step) % 10",
        "losses": enc(torch.stack(losses)), "logits": enc(logits0), "gradients": grads,
        "weights": {n: sample(p) for n, p in zip(names, params)},
    })


# ---------------------------------------------------------------- normalisation layers


def make_norms():
    layer, batch = [], []
    for shape, normalized, affine, bias, eps in [
        ((4, 6), [6], True, True, 1e-5), ((2, 3, 17), [17], True, False, 1e-5), ((3, 2, 5), [2, 5], True, True, 1e-3),
        ((66, 9), [9], True, True, 1e-5), ((3, 33), [33], False, False, 1e-5),
    ]:
        x = 2 * torch.randn(shape) + 1
        params = [torch.rand(normalized) + 0.5] + ([torch.randn(normalized)] if bias else []) if affine else []
        options = {"normalizedShape": normalized, "eps": eps, "affine": affine, "bias": bias}
        fn = lambda x, w=None, b=None: F.layer_norm(x, normalized, w, b, eps)
        layer.append(case(f"LayerNorm {list(shape)} {json.dumps(options)}", "LayerNorm", fn, [x] + params, options))
    for shape, options, torch_options in [
        ((8, 5), {}, {}), ((2, 3), {"momentum": 0.3, "eps": 1e-3}, {"momentum": 0.3, "eps": 1e-3}),
        ((129, 4), {"momentum": None}, {"momentum": None}), ((5, 4), {"affine": False}, {"affine": False}),
        ((6, 7, 3), {}, {}),
    ]:
        channels = shape[-1]
        module = torch.nn.BatchNorm1d(channels, **torch_options)
        if module.affine:
            module.weight.data, module.bias.data = torch.rand(channels) + 0.5, torch.randn(channels)
        # Neurite's channels are last, PyTorch's second.
        call = lambda v: module(v.mT).mT if v.dim() == 3 else module(v)
        steps = []
        for _ in range(3):
            x = (3 * torch.randn(shape) + 2).requires_grad_()
            module.zero_grad()
            y = call(x)
            g = torch.randn(y.shape)
            (y * g).sum().backward()
            steps.append({
                "x": enc(x), "output": enc(y), "cotangent": enc(g), "gradients": [enc(t) for t in [x.grad] + [p.grad for p in module.parameters()]],
                "runningMean": enc(module.running_mean), "runningVar": enc(module.running_var),
                "numBatchesTracked": module.num_batches_tracked.item(),
            })
            if len(steps) == 2 and x.numel() > 500:
                break
        module.eval()
        x = torch.randn(shape).requires_grad_()
        y = call(x)
        g = torch.randn(y.shape)
        module.zero_grad()
        (y * g).sum().backward()
        evaluated = {"x": enc(x), "output": enc(y), "cotangent": enc(g), "gradients": [enc(t) for t in [x.grad] + [p.grad for p in module.parameters()]]}
        batch.append({"name": f"BatchNorm1d {list(shape)} {json.dumps(options)}", "options": options,
                      "parameters": [enc(p) for p in module.parameters()], "steps": steps, "evaluated": evaluated})
    write("norms", {"layerNorm": layer, "batchNorm": batch})


# ---------------------------------------------------------------- more optimizers, penalties and clipping

def make_optimizer_options():
    curvature = torch.logspace(0, 2, 7)
    target, start = torch.randn(7), torch.randn(7)
    runs = []
    for name, cls, options in [
        ("RMSprop", torch.optim.RMSprop, {}),
        ("RMSprop", torch.optim.RMSprop, {"lr": 1e-3, "alpha": 0.9, "eps": 1e-3}),
        ("RMSprop", torch.optim.RMSprop, {"lr": 1e-3, "momentum": 0.9}),
        ("RMSprop", torch.optim.RMSprop, {"lr": 1e-3, "centered": True}),
        ("RMSprop", torch.optim.RMSprop, {"lr": 1e-3, "centered": True, "momentum": 0.5, "weightDecay": 0.1}),
        ("RMSprop", torch.optim.RMSprop, {"lr": 1e-3, "maximize": True}),
        ("Adagrad", torch.optim.Adagrad, {}),
        ("Adagrad", torch.optim.Adagrad, {"lr": 0.1, "lrDecay": 0.05, "eps": 1e-3}),
        ("Adagrad", torch.optim.Adagrad, {"lr": 0.1, "initialAccumulatorValue": 0.5, "weightDecay": 0.1}),
        ("Adagrad", torch.optim.Adagrad, {"lr": 0.1, "maximize": True}),
        ("SGD", torch.optim.SGD, {"lr": 1e-2, "clipNorm": 1.0}),
        ("SGD", torch.optim.SGD, {"lr": 1e-2, "clipNorm": 1e6}),
        ("SGD", torch.optim.SGD, {"lr": 1e-2, "momentum": 0.9, "clipValue": 0.5, "weightDecay": 0.01}),
        ("SGD", torch.optim.SGD, {"lr": 1e-3, "l1": 0.3}),
        ("Adam", torch.optim.Adam, {"lr": 0.05, "clipNorm": 0.1, "l1": 0.01}),
        ("AdamW", torch.optim.AdamW, {"lr": 0.05, "clipValue": 0.2, "weightDecay": 0.1}),
        ("RMSprop", torch.optim.RMSprop, {"lr": 1e-2, "clipNorm": 2.0, "clipValue": 1.0}),
        ("Adagrad", torch.optim.Adagrad, {"lr": 0.1, "clipNorm": 2.0, "maximize": True}),
    ]:
        names = {"weightDecay": "weight_decay", "lrDecay": "lr_decay", "initialAccumulatorValue": "initial_accumulator_value"}
        ours = ("clipNorm", "clipValue", "l1")
        kw = {names.get(k, k): v for k, v in options.items() if k not in ours}
        # Two parameters, so that the norm is over both.
        params = [start[:3].clone().requires_grad_(), start[3:].clone().requires_grad_()]
        optimizer = cls(params, **kw)
        trace = []
        for _ in range(20):
            optimizer.zero_grad()
            (0.5 * (curvature * (torch.cat(params) - target) ** 2).sum()).backward()
            if "clipNorm" in options:
                torch.nn.utils.clip_grad_norm_(params, options["clipNorm"])
            if "clipValue" in options:
                torch.nn.utils.clip_grad_value_(params, options["clipValue"])
            if "l1" in options:
                for p in params:
                    p.grad += options["l1"] * p.detach().sign()
            optimizer.step()
            trace.append(torch.cat(params).detach().clone())
        runs.append({"optimizer": name, "options": options, "weights": enc(torch.stack(trace))})
    write("optimizer-options", {"curvature": enc(curvature), "target": enc(target), "start": enc(start), "runs": runs})


if __name__ == "__main__":
    make_elementwise()
    make_reductions()
    make_products()
    make_layers()
    make_losses()
    make_optimizers()
    make_mlp()
    make_norms()
    make_optimizer_options()
