// Asks for the token, once or for as long as a program runs, whatever happens to the daemon meanwhile.

import { NoDaemon, NoToken, Refused } from './errors.js';
import { Token } from './token.js';
import { Wire, refusal, rest } from './wire.js';

/** How long one question waits for the next token. */
const WAIT_S = 25;
/** After a failure, and at most. */
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5000;

/** Today's token; see index.d.ts. */
export async function token(account, { waitS = 0, minGeneration = 1, signal, ...wiring } = {}) {
  const end = Date.now() + waitS * 1000;
  const wire = new Wire(wiring);
  let pauseMs = FIRST_PAUSE_MS;
  try {
    for (;;) {
      const leftS = (end - Date.now()) / 1000;
      try {
        account ??= await only(wire, signal);
        if (leftS < 1) return enough(await now(wire, account, signal), minGeneration);
        const found = await next(wire, account, minGeneration - 1, Math.min(WAIT_S, Math.floor(leftS)), signal);
        if (found) return found;
      } catch (why) {
        if (!passes(why) || end - Date.now() <= pauseMs) throw why;
        await rest(pauseMs, signal);
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
    }
  } finally {
    wire.close();
  }
}

/** The present token at once, and then each newer one; see index.d.ts. */
export async function* watch(account, { signal } = {}) {
  yield* newer(account, 0, { signal });
}

/** Each token that is newer than generation `since`. */
export async function* newer(account, since, { signal, quiet = false }) {
  const wire = new Wire({ quiet });
  let pauseMs = FIRST_PAUSE_MS;
  const pause = async () => {
    await (quiet ? restQuietly(pauseMs, signal) : rest(pauseMs, signal));
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  };
  try {
    for (;;) {
      const began = Date.now();
      let found;
      try {
        account ??= await only(wire, signal);
        found = await next(wire, account, since, WAIT_S, signal);
      } catch (why) {
        if (!passes(why)) throw why;
        await pause();
        continue;
      }
      if (found) {
        since = found.generation;
        pauseMs = FIRST_PAUSE_MS;
        yield found;
      } else if (Date.now() - began < 1000) {
        // Who answers at once that there is nothing yet is not to be asked in a circle.
        await pause();
      } else {
        pauseMs = FIRST_PAUSE_MS;
      }
    }
  } catch (why) {
    if (!signal?.aborted) throw why;
  } finally {
    wire.close();
  }
}

/** A pause that does not keep the process alive. */
export function restQuietly(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const timer = setTimeout(resolve, ms);
    timer.unref();
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}

const passes = (why) => why instanceof NoDaemon || why instanceof NoToken;

async function only(wire, signal) {
  const reply = await wire.ask('/v1/accounts', { signal });
  if (reply.status !== 200) throw refusal(reply);
  const accounts = reply.body.accounts;
  if (!Array.isArray(accounts) || !accounts.every((one) => typeof one?.account === 'string')) {
    throw new NoDaemon('what answers is not firstbell: it has no list of accounts');
  }
  const names = accounts.map((one) => one.account);
  if (names.length !== 1) throw new Refused(`firstbell keeps ${names.length} accounts; name one of: ${names.join(', ')}`);
  return names[0];
}

async function now(wire, account, signal) {
  const reply = await wire.ask(`/v1/accounts/${encodeURIComponent(account)}/token`, { signal });
  if (reply.status !== 200) throw refusal(reply);
  return card(reply, account);
}

/** A token newer than `since`; null where the time is over, or where an older one came. */
async function next(wire, account, since, waitS, signal) {
  const path = `/v1/accounts/${encodeURIComponent(account)}/token?wait=${since}&timeout_s=${Math.max(1, waitS)}`;
  const reply = await wire.ask(path, { waitS, signal });
  if (reply.status === 204) return null;
  if (reply.status !== 200) throw refusal(reply);
  const found = card(reply, account);
  return found.generation > since ? found : null;
}

function enough(found, minGeneration) {
  if (found.generation >= minGeneration) return found;
  throw new NoToken(`The newest token is generation ${found.generation}.`, 'wait for the next login.');
}

function card(reply, account) {
  let found;
  try {
    found = new Token(reply.body);
  } catch (fault) {
    throw new NoDaemon(`what answers is not firstbell: ${fault.message}`);
  }
  if (found.account !== account) throw new NoDaemon('what answers is not firstbell: it gave the token of another account');
  return found;
}
