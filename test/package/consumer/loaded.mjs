// Prints what importing the package loads, as JSON: `builtins`, Node's modules that a program could name and that were not there
// before; `scripts`, the files with the length of their text. Run once for each, since looking at scripts loads builtins itself.
const wanted = process.argv[2];
const before = new Set(process.moduleLoadList);
const scripts = [];
if (wanted === 'scripts') {
  const session = new (process.getBuiltinModule('node:inspector').Session)();
  session.connect();
  session.on('Debugger.scriptParsed', ({ params: { url, length } }) => scripts.push({ url, length }));
  session.post('Debugger.enable');
}
scripts.length = 0;
await import('neurite');
const loaded = process.moduleLoadList.filter((name) => !before.has(name));
const { builtinModules } = process.getBuiltinModule('node:module');
const builtins = builtinModules.filter((name) => loaded.includes(`NativeModule ${name}`));
const files = scripts.filter(({ url }) => url.startsWith('file:'));
console.log(JSON.stringify(wanted === 'scripts' ? files : builtins));
