"""Writes func.json: torch.func on small float64 functions, which test/autodiff/func.test.ts repeats.

Run from the repository root:  python3 test/autodiff/goldens/make.py
"""

import json
import os

import torch
import torch.func as TF

SEED = 4
HERE = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(SEED)
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)


def enc(t):
    return {"shape": list(t.shape), "data": t.detach().reshape(-1).tolist()}


def tree(t):
    return enc(t) if isinstance(t, torch.Tensor) else [tree(x) for x in t]


r = torch.randn
X, V = r(4), r(4)
W1, B1, W2 = 0.7 * r(5, 4), 0.3 * r(5), 0.7 * r(3, 5)
XS, YS = r(6, 4), torch.tensor([0, 2, 1, 1, 0, 2])
A, B = r(3, 2, 4), r(3, 4, 2)
U3 = r(3)


def net(x):
    return W2 @ torch.tanh(W1 @ x + B1)


def scalar(x):
    return torch.logsumexp(net(x), 0) + 0.5 * torch.sum(torch.sin(x) * x**3)


def two(x, w):
    return torch.sum(torch.sigmoid(w @ x) ** 2)


def loss(w1, b1, w2, x, y):
    h = torch.nn.functional.layer_norm(x @ w1.T + b1, [5])
    return torch.nn.functional.cross_entropy(torch.nn.functional.gelu(h) @ w2.T, y)


def sample_loss(w1, b1, w2, x, y):
    return loss(w1, b1, w2, x[None], y[None])


per_sample = TF.vmap(TF.grad(sample_loss, argnums=(0, 1, 2)), in_dims=(None, None, None, 0, 0))(W1, B1, W2, XS, YS)
body = {
    "inputs": {k: enc(v) for k, v in
               {"x": X, "v": V, "w1": W1, "b1": B1, "w2": W2, "xs": XS, "a": A, "b": B, "u3": U3}.items()},
    "labels": YS.tolist(),
    "results": {
        "jvp": tree(TF.jvp(net, (X,), (V,))),
        "vjp": tree(TF.vjp(net, X)[1](U3)),
        "jacobian": tree(TF.jacrev(net)(X)),
        "jacobianForward": tree(TF.jacfwd(net)(X)),
        "jacobianOfTwo": tree(TF.jacrev(two, argnums=(0, 1))(X, W1)),
        "hessian": tree(TF.hessian(scalar)(X)),
        "hessianOfTwo": tree(TF.hessian(two, argnums=(0, 1))(X, W1)),
        "hvp": tree(TF.jvp(TF.grad(scalar), (X,), (V,))[1]),
        "vmap": tree(TF.vmap(net)(XS)),
        "vmapGrad": tree(TF.vmap(TF.grad(scalar))(XS)),
        "vmapJacobian": tree(TF.vmap(TF.jacrev(net))(XS)),
        "vmapHessian": tree(TF.vmap(TF.hessian(scalar))(XS)),
        "vmapAxes": tree(TF.vmap(lambda p, q: p @ q, in_dims=(2, None), out_dims=1)(A, B[0].T)),
        "vmapTwice": tree(TF.vmap(TF.vmap(torch.dot, in_dims=(0, None)), in_dims=(0, None))(A, B[0, :, 0])),
        "vmapMatmul": tree(TF.vmap(torch.matmul)(A, B)),
        "gradOfJvp": tree(TF.grad(lambda x: TF.jvp(scalar, (x,), (V,))[1])(X)),
        "thirdDerivative": tree(TF.jacfwd(TF.hessian(scalar))(X)),
        "perSampleGrad": tree(per_sample),
        "batchGrad": tree(TF.grad(loss, argnums=(0, 1, 2))(W1, B1, W2, XS, YS)),
    },
}
header = {"script": "test/autodiff/goldens/make.py", "torch": torch.__version__, "seed": SEED}
path = os.path.join(HERE, "func.json")
with open(path, "w") as f:
    f.write(json.dumps({"madeBy": header, **body}, separators=(",", ":")) + "\n")
print(os.path.getsize(path), "bytes")
