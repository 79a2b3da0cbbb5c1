// A script of another realm: its own Array and Float32Array, and import() as the host's.
import vm from 'node:vm';
import * as neurite from 'neurite';
import train from './train.cjs';

const context = vm.createContext({ neurite, train, console });
vm.runInContext("console.log('trained ' + train(neurite))", context);
const sum = vm.runInContext('neurite.tensor([1, 2, 3]).add(1).sum().itemSync()', context);
if (sum !== 9) throw new Error(`arrays of another realm gave ${sum}`);
const options = { importModuleDynamically: vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER };
if (options.importModuleDynamically !== undefined) {
  const again = await new vm.Script("import('neurite')", options).runInThisContext();
  if (again.Tensor !== neurite.Tensor) throw new Error('import() in a script gives another copy');
}
