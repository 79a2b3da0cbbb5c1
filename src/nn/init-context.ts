import { OptionError, type Shape, type Tensor } from '../core.js';
import { shown } from '../options.js';
import { checkSizes } from '../shape.js';
import type { InitContext, Initializer } from './init.js';

/** An initialiser that says what it needs when it is called by hand without it. */
export function initializer(name: string, make: (shape: Shape, context: InitContext) => Tensor): Initializer {
  return (shape, context) => {
    checkSizes(`init.${name}`, shape);
    if (typeof context !== 'object' || context === null) {
      throw new OptionError(`init.${name}: got ${shown(context)} beside the shape, expected { fanIn, fanOut, dtype }`);
    }
    return make(shape, context);
  };
}
