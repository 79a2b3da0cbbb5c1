// Ends the process while queued steps run, in the way named by the argument.
import { compile, tensor } from 'neurite';

const step = compile((x) => x.matmul(x).tanh());
let x = tensor(new Float32Array(256 * 256).fill(0.001), { shape: [256, 256] });
for (let i = 0; i < 40; i++) x = step(x);
const how = process.argv[2];
if (how === 'exit') process.exit(7);
if (how === 'throw') throw new Error('on purpose');
if (how === 'exit-in-callback') x.data().then(() => process.exit(7));
if (how === 'exit-in-timer') setTimeout(() => process.exit(7), 1);
if (how === 'signal') {
  // The parent sends SIGINT once it reads this; steps go on being queued until then.
  process.stdout.write('running\n');
  const more = () => {
    for (let i = 0; i < 5; i++) x = step(x);
    x.data().then(() => setImmediate(more));
  };
  more();
}
