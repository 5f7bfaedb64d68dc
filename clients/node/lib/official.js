// Finds the official client, which is the program's own dependency.

import { createRequire } from 'node:module';
import { join } from 'node:path';

/** The program's folder counts too: this package may be linked to from elsewhere. */
const BASES = () => [import.meta.url, join(process.cwd(), 'program.js')];

function resolve(name) {
  for (const base of BASES()) {
    try {
      return { require: createRequire(base), path: createRequire(base).resolve(name) };
    } catch {
      // Not from there.
    }
  }
  throw new Error('the official client is missing: npm install kiteconnect');
}

/** The official classes. */
export function official() {
  const found = resolve('kiteconnect');
  return found.require(found.path);
}

/**
 * A KiteTicker class of its own. The official one keeps its connection and its listeners in variables of its file, so that
 * two of one copy would be one.
 */
export function anotherTicker() {
  const { require, path } = resolve('kiteconnect/dist/lib/ticker.js');
  const kept = require.cache[path];
  delete require.cache[path];
  try {
    return require(path).KiteTicker;
  } finally {
    delete require.cache[path];
    if (kept) require.cache[path] = kept;
  }
}
