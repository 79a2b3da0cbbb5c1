/** What JSON can hold: the state of a run, the configuration of a layer. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };
