// One connection of the official ticker, with one token: tells its owner what comes, and never opens itself again.

import { anotherTicker } from './official.js';

/** A connection that is used once. `owner` has connected, ticks, message, order and gone. */
export class Line {
  isOpen = false;
  /** Why it ended, as far as that is known; without the address, in which the token stands. */
  error = null;
  #inner;
  #gone = false;
  #opened = false;

  constructor(owner, token, root) {
    this.generation = token.generation;
    const KiteTicker = anotherTicker();
    const parameters = { api_key: token.apiKey, access_token: token.accessToken, root, reconnect: false };
    this.#inner = new KiteTicker(parameters);
    this.#inner.on('connect', () => {
      this.isOpen = this.#opened = true;
      owner.connected(this);
    });
    this.#inner.on('message', (data) => owner.message(this, data));
    this.#inner.on('ticks', (ticks) => owner.ticks(this, ticks));
    this.#inner.on('order_update', (order) => owner.order(this, order));
    this.#inner.on('error', (event) => {
      this.error = new Error(String(event?.message ?? 'the connection failed'));
    });
    const end = (event) => {
      if (this.#gone) return;
      this.#gone = true;
      this.isOpen = false;
      owner.gone(this, { code: event?.code ?? 1006, reason: event?.reason ?? '', wasClean: event?.wasClean ?? false });
    };
    this.#inner.on('close', end);
    // Where nothing was heard for some seconds there may be no close for a long time.
    this.#inner.on('disconnect', end);
  }

  /** Whether the handshake was answered with 403, as it is for a token that is dead or not yet known. */
  get refused() {
    return !this.#opened && /\b403\b/.test(this.error?.message ?? '');
  }

  open() {
    this.#inner.connect();
  }

  drop() {
    this.#inner.disconnect();
  }

  subscribe(tokens) {
    if (this.isOpen) this.#inner.subscribe(tokens);
  }

  unsubscribe(tokens) {
    if (this.isOpen) this.#inner.unsubscribe(tokens);
  }

  setMode(mode, tokens) {
    if (this.isOpen) this.#inner.setMode(mode, tokens);
  }
}
