// The commands of `neurite`, and their help.
import type { Command, CommandOption } from './command.js';
import { COMMON_OPTIONS } from './command.js';
import { bold, columns } from './text.js';

export const COMMANDS: readonly Command[] = [
  {
    name: 'info',
    summary: 'versions, instruction set, threads, memory and devices',
    operands: '',
    count: 0,
    details: 'Where the native library does not load it says what was tried and what to do; the exit code is then 1.',
    options: {},
    examples: [
      ['neurite info', 'what runs here'],
      ['NEURITE_ISA=scalar neurite info --json', 'as an instruction set of your choice sees it, for a bug report'],
    ],
    load: async () => (await import('./info.js')).info,
  },
  {
    name: 'bench',
    summary: 'how fast this machine is: arithmetic, memory, kernels, a training step',
    operands: '',
    count: 0,
    details: 'Data are synthetic. Each line is the median of repeated runs; other work on the machine makes it slower.',
    options: {
      seconds: { type: 'string', value: 'S', help: 'time for each line, > 0 (default 0.3)' },
      threads: { type: 'string', value: 'N', help: 'threads of the pool (default: all processors)' },
    },
    examples: [
      ['neurite bench', 'all lines, a few seconds'],
      ['neurite bench --threads 1 --json', 'one thread, for a script'],
    ],
    load: async () => (await import('./bench.js')).bench,
  },
  {
    name: 'inspect',
    summary: 'what a file holds: tensors, shapes, metadata, and whether it is whole',
    operands: 'FILE',
    count: 1,
    details:
      'FILE is a safetensors file, NumPy arrays (.npy, .npz), an IDX file (also gzipped), or a directory of checkpoints. Its kind\n' +
      'is told from its content. All of it is read and checked; the exit code is 1 when it is damaged. NaN and infinite\n' +
      'values are counted, and are no damage.',
    options: {},
    examples: [
      ['neurite inspect model.safetensors', 'the tensors of a model'],
      ['neurite inspect runs/mnist', 'all checkpoints of a run, their checksums verified'],
      ['neurite inspect model.safetensors --json | head -c 400', 'for a script'],
    ],
    load: async () => (await import('./inspect.js')).inspect,
  },
  {
    name: 'predict',
    summary: 'what a saved model makes of rows of data, as CSV',
    operands: 'FILE',
    count: 1,
    details:
      'FILE was written by nn.saveModel. The preprocessing in it is applied to the rows; of several, the one named "x". For each\n' +
      'row there is a line: the class, when the file names classes, and the outputs of the model as they are.',
    options: {
      input: {
        type: 'string',
        value: 'ROWS',
        help: "CSV, TSV, JSON lines (arrays or objects; these also gzipped) or NPY; '-': standard input",
      },
      format: { type: 'string', value: 'F', help: 'csv, tsv, jsonl or npy (default: what the name says)' },
      columns: { type: 'string', value: 'A,B', help: 'columns to take, in this order (default: all)' },
      probabilities: { type: 'boolean', help: 'softmax of the outputs' },
      'batch-size': { type: 'string', value: 'N', help: 'rows at a time (default 1024)' },
    },
    examples: [
      ['neurite predict iris.safetensors --input flowers.csv', 'a class and outputs for each row'],
      ['neurite predict iris.safetensors --input - --format jsonl < rows.jsonl', 'rows from another program'],
      ['neurite predict iris.safetensors --input flowers.csv --probabilities --json', 'for a script'],
    ],
    load: async () => (await import('./predict.js')).predict,
  },
  {
    name: 'build',
    summary: 'compile the native library from the sources in this package',
    operands: '',
    count: 0,
    details:
      'For systems that the package has no binary for. Needs a C++20 compiler: g++ 11, clang++ 14 or newer, or Zig; CXX names\n' +
      'another. Nothing is downloaded.',
    options: {},
    examples: [
      ['npx neurite build', 'with the first compiler that is found'],
      ["CXX='python3 -m ziglang c++' npx neurite build", 'with a compiler of your choice'],
    ],
    load: async () => (await import('./build.js')).build,
  },
];

const EXIT_CODES = `Exit codes: 0 done; 1 it failed, or what was asked about is damaged; 2 the call was not understood.
With --json the one line on standard output is an object; a failure is {"error": {"code", "message"}}.`;

/** The help of all commands. */
export function helpText(styled: boolean): string {
  const rows = COMMANDS.map(({ name, operands, summary }) => [`  neurite ${name} ${operands}`.trimEnd(), summary]);
  return [
    'Neurite: neural networks for Node.js.',
    '',
    bold('Commands', styled),
    columns([
      ...rows,
      ['  neurite help COMMAND', 'options and examples of a command'],
      ['  neurite --version', 'version of the package'],
    ]),
    '',
    bold('Examples', styled),
    columns(COMMANDS.map(({ examples }) => [`  ${examples[0]?.[0] ?? ''}`, examples[0]?.[1] ?? ''])),
    '',
    EXIT_CODES,
    '',
  ].join('\n');
}

/** The help of one command. */
export function commandHelp(command: Command, styled: boolean): string {
  const { name, operands, summary, details, examples } = command;
  const show = ([option, { value, help }]: [string, CommandOption]): string[] => [
    `  --${option}${value === undefined ? '' : ` ${value}`}`,
    help,
  ];
  return [
    ['neurite', name, operands, '[options]'].filter(Boolean).join(' '),
    `  ${summary}`,
    '',
    details,
    '',
    bold('Options', styled),
    columns(Object.entries({ ...command.options, ...COMMON_OPTIONS }).map(show)),
    '',
    bold('Examples', styled),
    columns(examples.map(([line, what]) => [`  ${line}`, what])),
    '',
    EXIT_CODES,
    '',
  ].join('\n');
}
