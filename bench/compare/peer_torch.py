"""Peer: PyTorch, eager.   python3 peer_torch.py THREADS MNIST_FOLDER   Speaks one JSON object a line, as peer.mjs does."""

import json
import os
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

threads, folder = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(threads)
BATCH, COUNT = 128, 60000


def read(name, skip):
    with open(os.path.join(folder, name), "rb") as f:
        return torch.frombuffer(bytearray(f.read()[skip:]), dtype=torch.uint8)


x = read("train-images-idx3-ubyte", 16).reshape(COUNT, 784).float() / 255
y = read("train-labels-idx1-ubyte", 8).long()


def new_model():
    return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))


class Job:
    """Endless training over shuffled epochs with one flavour of Adam."""

    def __init__(self, **flavour):
        self.model = new_model()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, **flavour)
        self.order, self.at = None, COUNT

    def train(self, steps):
        for _ in range(steps):
            if self.at + BATCH > COUNT:
                self.order, self.at = torch.randperm(COUNT), 0
            rows = self.order[self.at : self.at + BATCH]
            self.at += BATCH
            loss = F.cross_entropy(self.model(x[rows]), y[rows])
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
        return loss.item()


# Adam has three implementations; the fastest here is the one to compare with.
jobs = {name: Job(**{name: True}) for name in ("foreach", "fused")}
jobs["default"] = Job()
best = {name: float("inf") for name in jobs}
for _ in range(6):
    for name, job in jobs.items():
        start = time.perf_counter()
        job.train(25)
        best[name] = min(best[name], time.perf_counter() - start)
chosen = min(best, key=best.get)
job = jobs[chosen]

print(json.dumps({
    "ready": True, "optimizer": f"Adam ({chosen})", "loss": "cross_entropy", "batch": BATCH, "threads": threads,
    "version": f"PyTorch {torch.__version__}, eager",
}), flush=True)
for line in sys.stdin:
    steps = json.loads(line)["steps"]
    start = time.perf_counter()
    loss = job.train(steps)
    print(json.dumps({"seconds": time.perf_counter() - start, "samples": steps * BATCH, "loss": loss}), flush=True)
