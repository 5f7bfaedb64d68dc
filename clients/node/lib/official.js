// Finds the official client, which is the program's own dependency.

import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** Where the official client's first file is. The program's folder counts too: this package may be linked to from elsewhere. */
function find() {
  for (const base of [import.meta.url, join(process.cwd(), 'program.js')]) {
    try {
      // One path for one file, however often it is asked for: files are known by their paths.
      return realpathSync(createRequire(base).resolve('kiteconnect'));
    } catch {
      // Not from there.
    }
  }
  throw new Error('the official client is missing: npm install kiteconnect');
}

/** The official classes. */
export function official() {
  const path = find();
  return createRequire(path)(path);
}

/**
 * A KiteTicker class of its own. The official one keeps its connection and its listeners in variables of its file, so that
 * two of one copy would be one.
 */
export function anotherTicker() {
  const require = createRequire(find());
  const path = require.resolve('./ticker.js');
  const kept = require.cache[path];
  delete require.cache[path];
  try {
    return require(path).KiteTicker;
  } finally {
    delete require.cache[path];
    if (kept) require.cache[path] = kept;
  }
}
