// Taken while the module loads: a test's fake clock, put in place later, must not stop the work that waits here.
const { setImmediate } = globalThis;

/** Lets timers, files and sockets of the process have their turn. */
export const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
