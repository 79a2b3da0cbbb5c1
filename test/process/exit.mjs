// Ends the process while queued runs are executing, in the way named by the first argument.
import { xor } from './net.mjs';

const { compiled, x, y } = xor();
const how = process.argv[2];
for (let i = 0; i < 60; i++) compiled(x, y);
if (how === 'exit') process.exit(7);
if (how === 'throw') throw new Error('on purpose');
if (how === 'sigterm') process.kill(process.pid, 'SIGTERM');
if (how === 'exit-in-callback')
  compiled(x, y)
    .item()
    .then(() => process.exit(7));
if (how === 'natural')
  compiled(x, y)
    .item()
    .then((v) => console.log(JSON.stringify({ loss: v })));
