// One copy of the library, however it is loaded: a tensor of one is a tensor of the other.
import { createRequire } from 'node:module';
import * as imported from 'neurite';
import * as kernels from 'neurite/kernels';
import * as plot from 'neurite/plot';

const required = createRequire(import.meta.url)('neurite');
if (required.Tensor !== imported.Tensor) throw new Error('require and import give two copies');
if (kernels.configure !== imported.configure) throw new Error('neurite and neurite/kernels are two copies');
if (plot.lines !== imported.plot.lines) throw new Error('neurite and neurite/plot are two copies');
console.log('trained one copy');
