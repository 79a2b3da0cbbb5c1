"""Peer of bench/train.mjs: PyTorch.   python3 torch_train.py NET_JSON THREADS eager|compile

Eager takes the fastest of PyTorch's variants of the optimizer; compile puts loss, gradients and update into torch.compile.
Of networks on images the faster memory format is taken as well."""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

net, threads, mode = json.loads(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
torch.set_num_threads(threads)
sizes, batch, rows, image = net["sizes"], net["batch"], net["rows"], net.get("image")
x = torch.rand(rows, *(image or [sizes[0]])) * 2 - 1
if image:
    x = x.permute(0, 3, 1, 2)  # batches of these rows are channels_last
if net["loss"] == "mse":
    y, criterion = torch.rand(rows, sizes[-1]) * 2 - 1, F.mse_loss
else:
    y, criterion = torch.randint(0, sizes[-1], (rows,)), F.cross_entropy


def dense():
    return [m for a, b in zip(sizes, sizes[1:]) for m in (nn.Linear(a, b), nn.ReLU())][:-1]


class Block(nn.Module):
    """He et al. 2016 for small images; where the shape changes the identity is every second pixel, padded with zeros."""

    def __init__(self, c, o, stride):
        super().__init__()
        self.more, self.stride = o - c, stride
        self.conv1, self.bn1 = nn.Conv2d(c, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)

    def forward(self, h):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(h)))))
        if self.more:
            h = F.pad(h[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))
        return F.relu(y + h)


def resnet20():
    layers, last = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
    for o in (16, 32, 64):
        for i in range(3):
            layers.append(Block(last, o, 2 if i == 0 and o > 16 else 1))
            last = o
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def conv(c, o, kernel, padding):
    return [nn.Conv2d(c, o, kernel, padding=padding), nn.ReLU(), nn.MaxPool2d(2)]


BUILD = {
    "cnn": lambda: nn.Sequential(*conv(1, 32, 3, 1), *conv(32, 64, 3, 1), nn.Flatten(), *dense()),
    "lenet5": lambda: nn.Sequential(*conv(1, 6, 5, 2), *conv(6, 16, 5, 0), nn.Flatten(), *dense()),
    "resnet20": resnet20,
}


def make_optimizer(parameters, flavour):
    if net.get("optimizer") == "momentum":
        return torch.optim.SGD(parameters, lr=1e-3, momentum=0.9, **flavour)
    return torch.optim.Adam(parameters, lr=1e-3, **flavour)


class Job:
    """Endless training over shuffled epochs with one flavour of the optimizer and one memory format."""

    def __init__(self, layout, **flavour):
        self.model = BUILD.get(net["id"], lambda: nn.Sequential(*dense()))()
        self.layout = layout
        if image:
            self.model.to(memory_format=layout)
        self.optimizer = make_optimizer(self.model.parameters(), flavour)
        self.order, self.at = None, rows

    def step(self, xb, yb):
        loss = criterion(self.model(xb), yb)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss

    def train(self, steps):
        for _ in range(steps):
            if self.at + batch > rows:
                self.order, self.at = torch.randperm(rows), 0
            take = self.order[self.at : self.at + batch]
            self.at += batch
            xb = x[take].contiguous(memory_format=self.layout) if image else x[take]
            loss = self.step(xb, y[take])
        return loss.item()


class CompiledJob(Job):
    """Forward, loss and gradients are one compiled function, the update another: torch.compile cannot yet take backward()."""

    def __init__(self, layout, **flavour):
        super().__init__(layout, **flavour)
        self.forward = torch.compile(lambda xb, yb: criterion(self.model(xb), yb))
        self.update = torch.compile(self.optimizer.step) if not flavour.get("fused") else self.optimizer.step

    def step(self, xb, yb):
        loss = self.forward(xb, yb)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.update()
        return loss


kind = Job if mode == "eager" else CompiledJob
names = ("fused", "foreach", "default") if mode == "eager" else ("fused", "default")
layouts = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format} if image else {"": None}
jobs, best = {}, {}
for name in names:
    for layout, memory_format in layouts.items():
        key = f"{'momentum' if net.get('optimizer') == 'momentum' else 'Adam'} {name} {layout}".strip()
        jobs[key] = kind(memory_format, **({} if name == "default" else {name: True}))
        jobs[key].train(3)
        best[key] = float("inf")
for _ in range(4):
    for name, job in jobs.items():
        start = time.perf_counter()
        job.train(3)
        best[name] = min(best[name], time.perf_counter() - start)
chosen = min(best, key=best.get)
job = jobs[chosen]
del jobs

print(json.dumps({
    "ready": True, "batch": batch, "version": f"PyTorch {torch.__version__}, {mode}, {chosen}",
}), flush=True)
for line in sys.stdin:
    steps = json.loads(line)["steps"]
    start = time.perf_counter()
    loss = job.train(steps)
    print(json.dumps({"seconds": time.perf_counter() - start, "samples": steps * batch, "loss": loss}), flush=True)
