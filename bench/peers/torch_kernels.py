"""Peer of bench/kernels.mjs: PyTorch, eager, writing into existing tensors wherever it can, so that allocation does not count."""

import json
import sys
import time

import torch
import torch.nn.functional as F

aten = torch.ops.aten
MILLION = 1 << 20


def rand(*shape):
    return torch.rand(*shape) * 2 - 1


def product(m, n, k):
    a, b, c = rand(m, k), rand(k, n), torch.empty(m, n)
    return lambda: torch.mm(a, b, out=c)


def forward_relu():
    x, w, b, y = rand(32, 784), rand(784, 128), rand(128), torch.empty(32, 128)

    def run():
        torch.addmm(b, x, w, out=y)
        y.relu_()

    return run


def forward_gelu():
    x, w, b, z, y = rand(128, 1024), rand(1024, 1024), rand(1024), torch.empty(128, 1024), torch.empty(128, 1024)

    def run():
        torch.addmm(b, x, w, out=z)
        aten.gelu.out(z, out=y)

    return run


def input_gradient():
    g, w, x, d = rand(128, 1024), rand(1024, 1024), rand(128, 1024), torch.empty(128, 1024)
    wt = w.t()

    def run():
        torch.mm(g, wt, out=d)
        aten.threshold_backward.grad_input(d, x, 0, grad_input=d)

    return run


def transposed_product(k, m, n):
    x, g, d = rand(k, m), rand(k, n), torch.empty(m, n)
    xt = x.t()
    return lambda: torch.mm(xt, g, out=d)


def output_forward():
    x, w, b, y = rand(256, 512), rand(512, 10), rand(10), torch.empty(256, 10)
    return lambda: torch.addmm(b, x, w, out=y)


def output_backward():
    x, w, g, dx, dw = rand(256, 512), rand(512, 10), rand(256, 10), torch.empty(256, 512), torch.empty(512, 10)
    xt, wt = x.t(), w.t()

    def run():
        torch.mm(g, wt, out=dx)
        torch.mm(xt, g, out=dw)

    return run


def batched():
    q, k, s = rand(96, 128, 64), rand(96, 128, 64), torch.empty(96, 128, 128)
    kt = k.transpose(1, 2)
    return lambda: torch.bmm(q, kt, out=s)


def fastest(runs):
    best = []
    for run in runs:
        times = []
        for _ in range(4):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        best.append(min(times))
    return runs[best.index(min(best))]


def convolution(part, n, c, o, size, kernel, stride=1, padding=0, groups=1):
    """The faster of both memory formats. There are no variants that write into existing tensors: each run allocates."""
    runs = []
    for layout in (torch.channels_last, torch.contiguous_format):
        x = rand(n, c, size, size).contiguous(memory_format=layout)
        w = rand(o, c // groups, kernel, kernel).contiguous(memory_format=layout)
        g = torch.rand_like(F.conv2d(x, w, None, stride, padding, 1, groups))
        if part == "forward":
            runs.append(lambda x=x, w=w: F.conv2d(x, w, None, stride, padding, 1, groups))
        else:
            mask = [part == "data", part == "weight", False]
            runs.append(lambda x=x, w=w, g=g: aten.convolution_backward(
                g, x, w, None, [stride, stride], [padding, padding], [1, 1], False, [0, 0], groups, mask))
    return fastest(runs)


CONVOLUTIONS = {
    "conv3x3-64": dict(n=8, c=64, o=64, size=56, kernel=3, padding=1),
    "conv1x1-256": dict(n=8, c=256, o=64, size=56, kernel=1),
    "conv3x3-s2": dict(n=8, c=128, o=128, size=56, kernel=3, stride=2, padding=1),
    "conv7x7": dict(n=8, c=3, o=64, size=224, kernel=7, stride=2, padding=3),
    "conv3x3-cifar": dict(n=64, c=32, o=32, size=32, kernel=3, padding=1),
    "depthwise-144": dict(n=8, c=144, o=144, size=56, kernel=3, padding=1, groups=144),
}


def images(fn, *shape):
    """fn of images in the faster of both memory formats."""
    layouts = (torch.channels_last, torch.contiguous_format)
    return fastest([lambda x=rand(*shape).contiguous(memory_format=m): fn(x) for m in layouts])


def image_gradient(fn, shape, *others):
    """Forward and backward, as Neurite's case, whose input is x; in the faster of both memory formats."""
    runs = []
    for layout in (torch.channels_last, torch.contiguous_format):
        leaves = [rand(*shape).contiguous(memory_format=layout).requires_grad_(), *(rand(n).requires_grad_() for n in others)]
        with torch.enable_grad():
            g = torch.rand_like(fn(*leaves))

        def run(leaves=leaves, g=g):
            with torch.enable_grad():
                torch.autograd.grad(fn(*leaves), leaves, g)

        runs.append(run)
    return fastest(runs)


def batch_norm(x, w, b):
    return F.batch_norm(x, None, None, w, b, True)


def optimizer(count, make):
    """The fastest of PyTorch's implementations of the same step."""
    steps = []
    for flavour in ({"fused": True}, {"foreach": True}, {}):
        w = torch.nn.Parameter(rand(*count) if isinstance(count, tuple) else rand(count))
        w.grad = torch.rand_like(w)
        try:
            steps.append(make([w], flavour).step)
        except (TypeError, RuntimeError):  # not every rule has every implementation
            continue
    return fastest(steps)


def relu_gradient():
    g, y, d = rand(4 * MILLION), rand(4 * MILLION), torch.empty(4 * MILLION)
    return lambda: aten.threshold_backward.grad_input(g, y, 0, grad_input=d)


def chain(count):
    x, y = rand(count), torch.empty(count)

    def run():
        torch.mul(x, 1.5, out=y)
        y.add_(0.25).relu_().mul_(0.75).sub_(0.5).abs_()

    return run


def layer_norm():
    x, w, b = rand(4096, 768), rand(768), rand(768)
    y, mean, rstd = torch.empty_like(x), torch.empty(4096, 1), torch.empty(4096, 1)
    return lambda: aten.native_layer_norm.out(x, [768], w, b, 1e-5, out0=y, out1=mean, out2=rstd)


def layer_norm_gradient():
    # Neurite's case computes the statistics as well, since its inputs are x and the gradient alone; so does this.
    g, x, w, b = rand(4096, 768), rand(4096, 768), rand(768), rand(768)

    def run():
        _, mean, rstd = aten.native_layer_norm(x, [768], w, b, 1e-5)
        aten.native_layer_norm_backward(g, x, [768], mean, rstd, w, b, [True, True, True])

    return run


def dropout():
    x = rand(4 * MILLION)
    return lambda: F.dropout(x, 0.5)


def softmax():
    x, y = rand(256, 1000), torch.empty(256, 1000)
    return lambda: aten._softmax.out(x, 1, False, out=y)


def cross_entropy():
    x, t = rand(256, 1000).requires_grad_(), (torch.arange(256) * 37) % 1000

    def run():
        x.grad = None
        F.cross_entropy(x, t).backward()

    return run


def total():
    x, y = rand(4 * MILLION), torch.empty(())
    return lambda: torch.sum(x, dim=0, out=y)


ACTIVATIONS = {
    "sigmoid": torch.sigmoid, "tanh": torch.tanh, "softplus": F.softplus, "relu": F.relu, "relu6": F.relu6,
    "leaky-relu": F.leaky_relu, "elu": F.elu, "selu": F.selu, "celu": F.celu, "gelu": F.gelu, "silu": F.silu, "mish": F.mish,
    "softsign": F.softsign, "hard-sigmoid": F.hardsigmoid, "hard-tanh": F.hardtanh,
    "step": lambda x: torch.heaviside(x, torch.ones(())),
}
GRADIENTS = {f"{name}-gradient" for name in ACTIVATIONS} | {"rms-norm-gradient"}


def of(fn, *inputs):
    return lambda: fn(*inputs)


def gradient(fn, *inputs):
    """Backward alone, as Neurite's case: what forward saves is kept."""
    leaves = [x.requires_grad_() for x in inputs]
    with torch.enable_grad():
        y = fn(*leaves)
    if not y.requires_grad:
        return lambda: torch.zeros_like(leaves[0])
    g = rand(*y.shape)
    return lambda: torch.autograd.grad(y, leaves, g, retain_graph=True)


def rms_norm_gradient():
    # Neurite's case computes the statistics as well; so does this.
    x, w, g = rand(4096, 768).requires_grad_(), rand(768).requires_grad_(), rand(4096, 768)

    def run():
        torch.autograd.grad(F.rms_norm(x, [768], w), (x, w), g)

    return run


def positive_definite():
    a = torch.randn(64, 64, 64)
    return a @ a.mT + torch.eye(64)


def into(fn, *inputs):
    """Writing into the tensors that a first call made."""
    out = fn(*inputs)
    out = tuple(out) if isinstance(out, (tuple, list)) else out
    return lambda: fn(*inputs, out=out)


def scatter_add():
    x, i, z = torch.randn(1024, 1000), torch.randint(1000, (1024, 1000)), torch.zeros(1024, 1000)
    return into(lambda **out: torch.scatter_add(z, 1, i, x, **out))


def sort(x):
    return into(lambda x, **out: torch.sort(x, stable=True, dim=-1, descending=False, **out), x)


def sgd(**more):
    return lambda w, flavour: torch.optim.SGD(w, lr=1e-3, **more, **flavour)


def adam(w, flavour):
    return torch.optim.Adam(w, lr=1e-3, **flavour)


def rule(name, **more):
    return lambda w, flavour: getattr(torch.optim, name)(w, **more, **flavour)


MAKE = {
    "gemm-1024": lambda: product(1024, 1024, 1024),
    "gemm-256": lambda: product(256, 256, 256),
    "gemm-64": lambda: product(64, 64, 64),
    "forward-relu": forward_relu,
    "forward-gelu": forward_gelu,
    "input-gradient": input_gradient,
    "weight-gradient": lambda: transposed_product(128, 1024, 1024),
    "gemv": lambda: product(1, 1024, 1024),
    "output-forward": output_forward,
    "output-backward": output_backward,
    "batched": batched,
    "long-sum": lambda: transposed_product(100352, 64, 64),
    **{f"{name}-{part}": (lambda part=part, sizes=sizes: convolution(part, **sizes))
       for name, sizes in CONVOLUTIONS.items() for part in ("forward", "data", "weight")},
    "max-pool": lambda: images(lambda x: F.max_pool2d(x, 2), 128, 32, 28, 28),
    "max-pool-gradient": lambda: image_gradient(lambda x: F.max_pool2d(x, 2), (128, 32, 28, 28)),
    "batch-norm-2d": lambda: images(lambda x, w=rand(32), b=rand(32): batch_norm(x, w, b), 64, 32, 32, 32),
    "batch-norm-2d-gradient": lambda: image_gradient(batch_norm, (64, 32, 32, 32), 32, 32),
    "sgd-25m": lambda: optimizer(25_000_000, sgd()),
    "momentum-25m": lambda: optimizer(25_000_000, sgd(momentum=0.9)),
    "adam-25m": lambda: optimizer(25_000_000, adam),
    "adam-100k": lambda: optimizer(99_856, adam),
    "momentum-100k": lambda: optimizer(99_856, sgd(momentum=0.9)),
    "nesterov-100k": lambda: optimizer(99_856, sgd(momentum=0.9, nesterov=True)),
    "amsgrad-100k": lambda: optimizer(99_856, rule("Adam", amsgrad=True)),
    "adamw-100k": lambda: optimizer(99_856, rule("AdamW")),
    "adamax-100k": lambda: optimizer(99_856, rule("Adamax")),
    "nadam-100k": lambda: optimizer(99_856, rule("NAdam")),
    "radam-100k": lambda: optimizer(99_856, rule("RAdam")),
    "adadelta-100k": lambda: optimizer(99_856, rule("Adadelta")),
    "adagrad-100k": lambda: optimizer(99_856, rule("Adagrad")),
    "rmsprop-100k": lambda: optimizer(99_856, rule("RMSprop", lr=1e-3)),
    "rprop-100k": lambda: optimizer(99_856, rule("Rprop")),
    "adafactor-100k": lambda: optimizer((316, 316), rule("Adafactor")),
    "muon-100k": lambda: optimizer((316, 316), rule("Muon")),
    "relu-gradient-4m": relu_gradient,
    "chain-4m": lambda: chain(4 * MILLION),
    "chain-32k": lambda: chain(32 << 10),
    "layer-norm": layer_norm,
    "layer-norm-gradient": layer_norm_gradient,
    "dropout-4m": dropout,
    "softmax": softmax,
    "cross-entropy": cross_entropy,
    "sum-4m": total,
    **{name: (lambda fn=fn: of(fn, rand(MILLION))) for name, fn in ACTIVATIONS.items()},
    **{f"{name}-gradient": (lambda fn=fn: gradient(fn, rand(MILLION))) for name, fn in ACTIVATIONS.items()},
    "prelu": lambda: of(F.prelu, rand(4096, 256), rand(256)),
    "swiglu": lambda: of(lambda x: F.silu(x[:, :256]) * x[:, 256:], rand(4096, 512)),
    "glu": lambda: of(F.glu, rand(4096, 512)),
    "maxout": lambda: into(lambda x, **out: torch.amax(x, -1, **out), rand(4096, 256, 2)),
    "generalized-rectifier": lambda: of(lambda x: x.clamp_min(0) + 0.25 * x.clamp_max(0), rand(1 << 20)),
    "log-softmax": lambda: of(lambda x: x.log_softmax(1), rand(256, 1000)),
    "rms-norm": lambda: of(lambda x, w: F.rms_norm(x, [768], w), rand(4096, 768), rand(768)),
    "rms-norm-gradient": rms_norm_gradient,
    "batch-norm": lambda: of(batch_norm, rand(4096, 256), rand(256), rand(256)),
    "group-norm": lambda: of(lambda x, w, b: F.group_norm(x, 8, w, b),
                             rand(32, 64, 28, 28).to(memory_format=torch.channels_last), rand(64), rand(64)),
    "sort-1m": lambda: sort(torch.randn(MILLION)),
    "sort-rows": lambda: sort(torch.randn(1024, 1000)),
    "top-k": lambda: into(lambda x, **out: torch.topk(x, 10, **out), torch.randn(1024, 1000)),
    "cumsum": lambda: into(lambda x, **out: torch.cumsum(x, 1, **out), torch.randn(1024, 1000)),
    "gather": lambda: into(lambda x, i, **out: torch.gather(x, 1, i, **out),
                           torch.randn(1024, 1000), torch.randint(1000, (1024, 1000))),
    "scatter-add": scatter_add,
    "cholesky": lambda: into(torch.linalg.cholesky, positive_definite()),
    "solve": lambda: into(torch.linalg.solve, torch.randn(64, 64, 64), torch.randn(64, 64, 1)),
}

print(json.dumps({"ready": True, "version": f"PyTorch {torch.__version__}, eager"}), flush=True)
current, run = "", None
for line in sys.stdin:
    question = json.loads(line)
    try:
        torch.set_num_threads(question["threads"])
        key = (question["id"], question["threads"])  # which optimizer is fastest depends on the threads
        if current != key:
            current, run = "", None
            with torch.no_grad():
                run = MAKE[question["id"]]()
            current = key
        count = question["count"]
        # Gradients are on for the one case that asks for them; the others have out= arguments, which forbid them.
        with torch.set_grad_enabled(question["id"] == "cross-entropy" or question["id"] in GRADIENTS):
            start = time.perf_counter()
            for _ in range(count):
                run()
            seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds}), flush=True)
    except Exception as error:  # the case is left out, the others go on
        print(json.dumps({"error": f"{type(error).__name__}: {error}".split("\n")[0]}), flush=True)
