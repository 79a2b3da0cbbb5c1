import * as neurite from 'neurite';
import { readIdx } from 'neurite/datasets';
import train from './train.cjs';

if (typeof readIdx !== 'function') throw new Error('neurite/datasets has no readIdx');
console.log(`trained ${train(neurite)}`);
