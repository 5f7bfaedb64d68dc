// Today's Kite Connect access token from firstbell, and the official clients kept on it.

import { Feed } from './feed.js';
import { makeKite } from './kite.js';
import { official } from './official.js';
import { makeTicker } from './ticker.js';
import { token, watch } from './watch.js';

export { FirstbellError, NoDaemon, NoToken, Refused } from './errors.js';
export { Token } from './token.js';
export { token, watch };

/** The official KiteConnect, on today's token and on each later one; see index.d.ts. */
export async function kite(account, { waitS = 0, patienceS = 15, ...parameters } = {}) {
  official();
  return makeKite(new Feed(await token(account, { waitS })), patienceS * 1000, parameters);
}

/** The official KiteTicker, on today's token and on each later one; see index.d.ts. */
export async function ticker(account, { waitS = 0, ...parameters } = {}) {
  official();
  return makeTicker(new Feed(await token(account, { waitS })), parameters);
}
