import { describe, expect, it } from 'vitest';
import {
  batchNorm,
  ComputationGraph,
  computationGraph,
  crossEntropy,
  GradError,
  nn,
  normal,
  OptionError,
  programsCompiled,
  seed,
  stopGradient,
  type Tensor,
  tensor,
  valueAndGrad,
} from '../../src/index.js';
import { layered } from '../../src/inspect/layout.js';

seed(3);
const model = new nn.Sequential(new nn.Linear(6, 4), new nn.ReLU(), new nn.Linear(4, 3));
const x = normal([8, 6]);
const y = tensor([0, 1, 2, 0, 1, 2, 0, 1], { dtype: 'int32' });
const network = () => computationGraph((a: Tensor, b: Tensor) => crossEntropy(model.forward(a), b), x, y);
const wave = () => computationGraph((w: Tensor) => w.square().sin().add(w.square().cos()).sum(), tensor([1, 2]));

describe('nodes', () => {
  it('have op, shape, dtype, inputs, costs, module and the instruction that computes them', () => {
    const { nodes } = network();
    const [product] = nodes.filter((n) => n.op === 'matmul');
    expect(product).toEqual({
      id: product.id,
      label: 'matmul',
      op: 'matmul',
      kind: 'matmul',
      inputs: nodes
        .filter((n) => n.label === 'argument 0' || n.label === '0.weight')
        .map((n) => n.id)
        .reverse(),
      shape: [8, 4],
      dtype: 'float32',
      module: '0',
      constant: null,
      flops: 2 * 8 * 6 * 4,
      bytes: 8 * 4 * 4,
      instructions: [0],
      isResult: false,
    });
    expect(nodes.filter((n) => n.inputs.length === 0 && n.constant === null).map((n) => n.label)).toEqual([
      '0.weight',
      '0.bias',
      '2.weight',
      '2.bias',
      'argument 0',
      'argument 1',
    ]);
    for (const n of nodes) for (const i of n.inputs) expect(i).toBeLessThan(n.id);
    expect(nodes.filter((n) => n.isResult).map((n) => n.id)).toEqual([nodes.length - 1]);
  });
  it('of pending cells are leaves: how an initial value is drawn is no part of the network', () => {
    const fresh = new nn.Linear(2, 2);
    const graph = computationGraph((t: Tensor) => fresh.forward(t), tensor([[1, 2]]));
    expect(graph.nodes.map((n) => n.label)).toEqual(['weight', 'bias', 'argument 0', 'matmul', 'add']);
  });
  it('are there for tensors, trees of them and cells', () => {
    const t = x.exp();
    expect(computationGraph(t).nodes.map((n) => n.label)).toEqual(['normal', 'exp']);
    expect(computationGraph({ a: t, b: [t.neg()] }).nodes.filter((n) => n.isResult).length).toBe(2);
    expect(computationGraph(model.parameters()[0]).nodes.map((n) => n.label)).toEqual(['0.weight']);
    expect(computationGraph((p: { w: Tensor }) => p.w.neg(), { w: x }).nodes[0].label).toBe('argument 0.w');
  });
  it('say what they were fused into, with the cost of the program', () => {
    const graph = network();
    const { instructions, arenaBytes, flops, bytes, listing } = graph.program;
    expect(instructions[0]).toMatchObject({ opcode: 'GEMM', op: 'matmul+add+relu', scope: '0' });
    for (const label of ['matmul', 'add', 'relu']) {
      expect(graph.find(label)[0].instructions).toEqual([0]);
      expect(instructions[0].nodes).toContain(graph.find(label)[0].id);
    }
    // x, weight, bias and result; the bias and the activation cost no operations of their own.
    expect(instructions[0].bytes).toBe(4 * (8 * 6 + 6 * 4 + 4 + 8 * 4));
    expect(flops).toBe(instructions.reduce((n, i) => n + i.flops, 0));
    expect(bytes).toBe(instructions.reduce((n, i) => n + i.bytes, 0));
    expect(arenaBytes).toBeGreaterThan(0);
    expect(listing).toContain('gemm float32 [8,4,6]');
    // Both squares are one node for the program.
    const squares = wave().find('mul');
    expect(squares.map((n) => n.instructions.length).sort()).toEqual([0, 1]);
  });
  it('of several results count the bytes of all of them', () => {
    const [norm] = computationGraph((a: Tensor) => batchNorm(a), x).nodes.filter((n) => n.op === 'batchNorm');
    expect(norm.bytes).toBe(4 * (8 * 6 + 6 + 6)); // y, mean and variance
  });
  it('are a snapshot that runs nothing', async () => {
    const before = programsCompiled();
    const graph = wave();
    const text = graph.toString();
    expect(programsCompiled()).toBe(before);
    await graph.value(graph.nodes.length - 1).data();
    expect(graph.toString()).toBe(text);
  });
});

describe('values and gradients', () => {
  it('of chosen nodes: do/dw through both paths, and each path alone', async () => {
    const graph = wave();
    const [w] = graph.find('argument 0');
    const [sin] = graph.find('sin');
    const [square] = graph.nodes.filter((n) => graph.nodes[sin.inputs[0]] === n);
    expect([...(await graph.value(square.id).data())]).toEqual([1, 4]);
    const [dw, dsquare] = graph.gradients([w.id, square.id]);
    const expected = [1, 2].map((v) => -2 * v * Math.sin(v * v) + 2 * v * Math.cos(v * v));
    for (const [i, g] of (await dw.data()).entries()) expect(g).toBeCloseTo(expected[i], 5);
    expect((await dsquare.data())[0]).toBeCloseTo(Math.cos(1), 6);
    expect(await graph.gradient(graph.nodes.length - 1).item()).toBe(1);
    // Nodes that the result does not depend on have zeros of their own shape.
    const cut = computationGraph(
      (a: Tensor, b: Tensor) => stopGradient(a).sum().add(stopGradient(b).sum()),
      x,
      tensor([1]),
    );
    const shapes = cut.gradients(cut.nodes.slice(0, 2).map((n) => n.id)).map((g) => g.shape);
    expect(shapes).toEqual(cut.nodes.slice(0, 2).map((n) => n.shape));
    expect(shapes[0]).not.toEqual(shapes[1]);
  });
  it('of parameters are those of valueAndGrad, of a loss after its values were read', async () => {
    const graph = network();
    await graph.value(graph.find('relu')[0].id).data();
    const [weight] = graph.find('0.weight');
    const [, grads] = valueAndGrad(model, (a: Tensor, b: Tensor) => crossEntropy(model.forward(a), b))(x, y);
    expect([...graph.gradient(weight.id).dataSync()]).toEqual([...grads['0.weight'].dataSync()]);
  });
  it('say what cannot be', () => {
    expect(() => wave().value(99)).toThrow(new OptionError('computationGraph: there is no node 99, expected 0 … 6'));
    expect(() => network().gradient(5)).toThrow('gradients: node 5 (argument 1) is int32, expected a float');
    expect(() => computationGraph(x.exp()).gradient(0)).toThrow(GradError);
    expect(() => wave().toSvg({ programme: true } as never)).toThrow('toSvg: unknown option "programme"');
    expect(() => wave().toDot({ constant: true } as never)).toThrow('Did you mean "constants"');
    expect(() => wave().toMermaid({ constant: true } as never)).toThrow(OptionError);
    expect(() => computationGraph(() => 3)).toThrow('got number without a tensor');
    expect(() => computationGraph(async () => x)).toThrow('got a promise without a tensor');
  });
});

describe('drawings', () => {
  it('print as a table', () => {
    expect(wave().toString()).toMatchInlineSnapshot(`
      "7 nodes (* result), 12 FLOP
      node  op          inputs  shape  dtype    FLOPs  bytes  instruction  module
      0     argument 0          [2]    float32  0      8
      1     mul         0 0     [2]    float32  2      8      0
      2     sin         1       [2]    float32  2      8      0
      3     mul         0 0     [2]    float32  2      8
      4     cos         3       [2]    float32  2      8      0
      5     add         2 4     [2]    float32  2      8      0
      6*    sum         5       []     float32  2      4      1

      Program: 2 instructions, 10 FLOP, 28 B moved, arena 64 B
         instruction  computes         FLOPs  bytes
      0  FUSED        mul+sin+cos+add  8      16
      1  REDUCE       sum              2      12"
    `);
  });
  it('DOT and Mermaid group by module and escape', () => {
    const dot = network().toDot();
    expect(dot).toMatch(
      /subgraph cluster_0 \{\n {4}label="0";\n {4}n\d+ \[shape=ellipse, label="matmul\\n\[8, 4\] float32/,
    );
    expect(dot).toMatch(/div \(8\).*peripheries=2/);
    expect(dot.match(/->/g)?.length).toBe(14);
    expect(network().toDot({ constants: true }).match(/->/g)?.length).toBe(15);
    const mermaid = network().toMermaid();
    expect(mermaid).toContain('flowchart TD\n  n0["0.weight<br/>[4, 6] float32<br/>96 B"]');
    expect(mermaid).toContain('subgraph m0["0"]');
    const odd = new ComputationGraph([x.exp()], new Map([[x, 'a "b" <c> & #d']]));
    expect(odd.toDot()).toContain('label="a \\"b\\" <c> & #d\\n');
    expect(odd.toMermaid()).toContain('a #34;b#34; #60;c#62; #38; #35;d');
    expect(odd.toSvg()).toContain('a &quot;b&quot; &lt;c&gt; &amp; #d');
  });
  it('SVG has a box for each node, an arrow for each edge and the program beside them', () => {
    const graph = network();
    const svg = graph.toSvg({ program: true });
    const shown = graph.nodes.filter((n) => n.constant === null);
    expect(svg.match(/<rect /g)?.length).toBe(shown.length);
    expect(svg.match(/marker-end/g)?.length).toBe(14);
    expect(svg).toContain('#0 GEMM: matmul+add+relu');
    expect(graph.toSvg()).not.toContain('GEMM');
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });
  it('the layout overlaps no boxes, points down, and is quick for long and wide graphs', () => {
    const boxes = Array.from({ length: 400 }, (_, i) => ({
      width: 40 + ((i * 37) % 90),
      inputs: [i - 1, i - 7, i - 60].filter((k) => k >= 0 && i % 9 !== 0),
    }));
    const { centers, edges } = layered(boxes, 80, 50);
    for (const { points } of edges)
      for (let k = 1; k < points.length; k++) expect(points[k].y).toBeGreaterThan(points[k - 1].y);
    const rows = new Map<number, number[]>();
    for (const [i, { y: at }] of centers.entries()) rows.set(at, [...(rows.get(at) ?? []), i]);
    for (const row of rows.values()) {
      row.sort((a, b) => centers[a].x - centers[b].x);
      for (let k = 1; k < row.length; k++) {
        const [a, b] = [row[k - 1], row[k]];
        expect(centers[b].x - centers[a].x).toBeGreaterThanOrEqual((boxes[a].width + boxes[b].width) / 2);
      }
    }
  });
});
