// Two connections that tell the same: decides, instrument by instrument, which one is listened to.

import { isDeepStrictEqual } from 'node:util';

/**
 * From an old connection to a new one. Each instrument belongs to the old one until the new one has told of it in the wanted mode,
 * and to the new one from then on. Texts come from both, each as often as the one that tells it oftener.
 */
export class Handover {
  #wanted;
  #last;
  #new = new Set();
  #told = [new Map(), new Map()];
  #passed = new Map();

  /** The wanted modes and the last ticks, by instrument; both may change meanwhile. */
  constructor(wanted, last) {
    this.#wanted = wanted;
    this.#last = last;
  }

  ofOld(ticks) {
    return ticks.filter((tick) => !this.#new.has(tick.instrument_token));
  }

  ofNew(ticks) {
    return ticks.filter((tick) => this.#takes(tick));
  }

  #takes(tick) {
    const token = tick.instrument_token;
    if (this.#new.has(token)) return true;
    // Between subscription and mode a tick of the usual mode may come; the old connection tells more.
    if ((this.#wanted.get(token) ?? tick.mode) !== tick.mode) return false;
    this.#new.add(token);
    // The first one is a picture of now, which the old connection may have told already.
    return !isDeepStrictEqual(this.#last.get(token), tick);
  }

  /** Whether this text goes on to the program. */
  text(text, isNew) {
    const told = this.#told[Number(isNew)];
    const times = (told.get(text) ?? 0) + 1;
    told.set(text, times);
    if (times <= (this.#passed.get(text) ?? 0)) return false;
    this.#passed.set(text, times);
    return true;
  }

  /** Whether the new connection has told of all that is wanted. */
  get complete() {
    return [...this.#wanted.keys()].every((token) => this.#new.has(token));
  }
}
