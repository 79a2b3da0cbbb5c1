"""Peer of bench/train.mjs: PyTorch.   python3 torch_train.py NET_JSON THREADS eager|compile

Eager takes the fastest of PyTorch's Adams; compile puts loss, gradients and that Adam into torch.compile."""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

net, threads, mode = json.loads(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
torch.set_num_threads(threads)
sizes, batch, rows = net["sizes"], net["batch"], net["rows"]
x = torch.rand(rows, sizes[0]) * 2 - 1
if net["loss"] == "mse":
    y, criterion = torch.rand(rows, sizes[-1]) * 2 - 1, F.mse_loss
else:
    y, criterion = torch.randint(0, sizes[-1], (rows,)), F.cross_entropy


class Job:
    """Endless training over shuffled epochs with one flavour of Adam."""

    def __init__(self, **flavour):
        layers = [m for a, b in zip(sizes, sizes[1:]) for m in (nn.Linear(a, b), nn.ReLU())]
        self.model = nn.Sequential(*layers[:-1])
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, **flavour)
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
            loss = self.step(x[take], y[take])
        return loss.item()


class CompiledJob(Job):
    """Forward, loss and gradients are one compiled function, the update another: torch.compile cannot yet take backward()."""

    def __init__(self, **flavour):
        super().__init__(**flavour)
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
jobs, best = {}, {}
for name in names:
    jobs[name] = kind(**({} if name == "default" else {name: True}))
    jobs[name].train(3)
    best[name] = float("inf")
for _ in range(4):
    for name, job in jobs.items():
        start = time.perf_counter()
        job.train(3)
        best[name] = min(best[name], time.perf_counter() - start)
chosen = min(best, key=best.get)
job = jobs[chosen]
del jobs

print(json.dumps({
    "ready": True, "batch": batch, "version": f"PyTorch {torch.__version__}, {mode}, Adam {chosen}",
}), flush=True)
for line in sys.stdin:
    steps = json.loads(line)["steps"]
    start = time.perf_counter()
    loss = job.train(steps)
    print(json.dumps({"seconds": time.perf_counter() - start, "samples": steps * batch, "loss": loss}), flush=True)
