/** A value, or arrays and plain objects of values, nested. */
export type Tree<T> = T | readonly Tree<T>[] | { readonly [key: string]: Tree<T> };

function isPlain(x: unknown): x is Record<string, unknown> {
  if (typeof x !== 'object' || x === null) return false;
  const proto: unknown = Object.getPrototypeOf(x);
  return proto === Object.prototype || proto === null;
}

/** Leaves of `tree` in order: everything that is neither an array nor a plain object. */
export function leaves(tree: unknown, out: unknown[] = []): unknown[] {
  if (Array.isArray(tree)) for (const t of tree) leaves(t, out);
  else if (isPlain(tree)) for (const k of Object.keys(tree)) leaves(tree[k], out);
  else out.push(tree);
  return out;
}

/** The same tree with `fn` applied to each leaf; `path` is `.key` and `[index]` of every level. */
export function mapTree(tree: unknown, fn: (leaf: unknown, path: string) => unknown, path = ''): unknown {
  if (Array.isArray(tree)) return tree.map((t: unknown, i) => mapTree(t, fn, `${path}[${i}]`));
  if (isPlain(tree)) {
    return Object.fromEntries(Object.keys(tree).map((k) => [k, mapTree(tree[k], fn, `${path}.${k}`)]));
  }
  return fn(tree, path);
}

/** A string that is equal for trees of the same structure; leaves are described by `leaf`. */
export function treeKey(tree: unknown, leaf: (x: unknown) => string): string {
  if (Array.isArray(tree)) return `[${tree.map((t: unknown) => treeKey(t, leaf)).join()}]`;
  if (isPlain(tree)) {
    return `{${Object.keys(tree)
      .map((k) => `${JSON.stringify(k)}:${treeKey(tree[k], leaf)}`)
      .join()}}`;
  }
  return leaf(tree);
}
