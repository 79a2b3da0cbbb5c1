/** Models that a run trains now: two runs would overwrite each other's updates. */
export const inTraining = new WeakSet<object>();
