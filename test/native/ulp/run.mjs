// npm run test:ulp -- [--isa avx512|avx2|neon|scalar] [--stride N] [function ...]
//
// Proves the error bounds of the float32 math functions over all 2^32 inputs: one to four minutes a function on one core.
// Without names, the transcendental ones; `all` adds the rest of test/native/math_functions.h.
import { spawnSync } from 'node:child_process';
import { nativeProgram } from '../../../tools/native-program.mjs';

const USUAL = ['exp', 'expm1', 'log', 'log1p', 'sin', 'cos', 'tanh', 'sigmoid', 'erf', 'softplus', 'silu', 'gelu'];
const given = process.argv.slice(2);
const options = [];
while (given[0]?.startsWith('--')) options.push(...given.splice(0, 2));
const names = given.length === 0 ? USUAL : given[0] === 'all' ? [] : given;
const { status, error } = spawnSync(nativeProgram('neurite_ulp'), [...options, ...names], { stdio: 'inherit' });
if (error) throw error;
process.exitCode = status ?? 1;
