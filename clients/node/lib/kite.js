// The official KiteConnect, kept on today's token: a read that meets a dead token is asked once more, an order never.

import { official } from './official.js';

/** How long reads with a token that was refused are not sent again. A refusal may be one of a bad moment, so it is not for ever. */
const REFUSED_MS = 60_000;

/** An official KiteConnect on this feed. */
export function makeKite(feed, patienceMs, parameters) {
  const { KiteConnect } = official();

  class Kite extends KiteConnect {
    #refused = { generation: 0, until: 0 };
    #hook = null;
    #set = feed.newest;

    constructor() {
      super({ ...parameters, api_key: feed.newest.apiKey, access_token: feed.newest.accessToken });
      // console.log of this object shows no token.
      Object.defineProperty(this, 'access_token', { enumerable: false, writable: true, value: feed.newest.accessToken });
      // Called when a refusal goes out to the program, not for one that the next token mended.
      this.setSessionExpiryHook = (hook) => {
        this.#hook = hook;
      };
    }

    request(route, method, ...rest) {
      // Those calls carry tokens of their own, and what they are refused for is not today's.
      if (route.startsWith('api.token')) return super.request(route, method, ...rest);
      return this.#kept(method === 'GET', (token) => this.#send(token, () => super.request(route, method, ...rest)));
    }

    async #kept(reads, send) {
      let used = this.#freshen(feed.newest);
      if (reads) used = await this.#notTheRefused(used);
      try {
        return await send(used);
      } catch (fault) {
        if (fault?.error_type !== 'TokenException') throw fault;
        this.#remember(used.generation);
        const newer = await feed.newer(used.generation, reads ? patienceMs : 0);
        if (newer) used = this.#freshen(newer);
        if (!newer || !reads) throw this.#expired(fault);
      }
      try {
        return await send(used);
      } catch (fault) {
        if (fault?.error_type !== 'TokenException') throw fault;
        this.#remember(used.generation);
        throw this.#expired(fault);
      }
    }

    /** Sends with this token and no other one: while this call waited, others may have set another one. */
    #send(token, send) {
      this.#show(token);
      try {
        // The official client builds its header in this very turn.
        return send();
      } finally {
        this.#show(this.#set);
      }
    }

    /** Sets this token, unless another call has set a newer one; gives the one that is set. */
    #freshen(token) {
      if (token.generation >= this.#set.generation) this.#set = token;
      this.#show(this.#set);
      return this.#set;
    }

    #show(token) {
      this.api_key = token.apiKey;
      this.access_token = token.accessToken;
    }

    /** Waits for a newer token where this one was refused a moment ago, and sends nothing where none comes. */
    async #notTheRefused(token) {
      const { generation, until } = this.#refused;
      if (token.generation !== generation || Date.now() >= until) return token;
      const newer = await feed.newer(generation, patienceMs);
      if (newer) return this.#freshen(newer);
      const message = `The access token of generation ${generation} was refused, and firstbell has no newer one yet.`;
      throw this.#expired({ status: 'error', message, error_type: 'TokenException', data: null });
    }

    #remember(generation) {
      if (generation >= this.#refused.generation) this.#refused = { generation, until: Date.now() + REFUSED_MS };
    }

    #expired(fault) {
      this.#hook?.();
      return fault;
    }
  }

  return new Kite();
}
