// Holds the newest token of one account in the background, for objects that outlive many tokens.

import { Refused } from './errors.js';
import { newer, restQuietly } from './watch.js';

/** How long to wait after firstbell refused us: a person has to change something first. */
const REFUSED_PAUSE_MS = 30_000;

/** Ends the waiting of feeds that nobody holds any more. */
const ended = new FinalizationRegistry((abort) => abort.abort());

/** The newest token. Does not keep the process alive, and ends with the object that holds it. */
export class Feed {
  #token;
  #waiting = new Set();

  constructor(first) {
    this.#token = first;
    const abort = new AbortController();
    ended.register(this, abort);
    follow(new WeakRef(this), first, abort.signal);
  }

  get newest() {
    return this.#token;
  }

  /** One that is newer than this, if there is one or comes in time; else null. */
  newer(generation, withinMs) {
    if (this.#token.generation > generation) return Promise.resolve(this.#token);
    if (withinMs <= 0) return Promise.resolve(null);
    return new Promise((resolve) => {
      const end = (token) => {
        clearTimeout(timer);
        stop();
        resolve(token);
      };
      const timer = setTimeout(end, withinMs, null);
      const stop = this.listen((token) => token.generation > generation && end(token));
    });
  }

  /** Calls with each newer token, until what it gives is called. */
  listen(listener) {
    this.#waiting.add(listener);
    return () => this.#waiting.delete(listener);
  }

  /** Takes a newer token; an older one is ignored. */
  take(token) {
    if (token.generation <= this.#token.generation) return;
    this.#token = token;
    for (const listener of [...this.#waiting]) listener(token);
  }
}

async function follow(reference, first, signal) {
  let since = first.generation;
  while (!signal.aborted) {
    try {
      for await (const token of newer(first.account, since, { signal, quiet: true })) {
        since = token.generation;
        reference.deref()?.take(token);
      }
    } catch (why) {
      if (!(why instanceof Refused)) throw why;
      await restQuietly(REFUSED_PAUSE_MS, signal).catch(() => {});
    }
  }
}
