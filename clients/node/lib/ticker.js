// The official KiteTicker, kept on today's token: the next connection is open and subscribed before the last one is closed.

import { Handover } from './handover.js';
import { Line } from './line.js';
import { official } from './official.js';

/**
 * Two connections live side by side for so long: what the old one still has on its way must arrive, and an instrument that is not
 * traded must not keep it open. Zerodha allows three for each API key.
 */
const SHORTEST_OVERLAP_MS = 1000;
const LONGEST_OVERLAP_MS = 5000;
/** How long after the change a text of the new connection may be one that the old one told. */
const ECHO_MS = 5000;
/** A refused token is tried again this rarely, in case that the refusal was one of a bad moment. */
const FIRST_REFUSED_MS = 60_000;
const LONGEST_REFUSED_MS = 300_000;
const EVENTS = ['connect', 'ticks', 'disconnect', 'error', 'close', 'reconnect', 'noreconnect', 'message', 'order_update'];

/** The connections of one ticker, and which one is listened to. */
class Supervisor {
  reconnect = true;
  wanted = new Map();
  line = null;
  #feed;
  #root;
  #tell;
  #next = null;
  #leaving = null;
  #handover = null;
  #last = new Map();
  #earliest = 0;
  #timers = new Map();
  #tries = 0;
  #nextTries = 0;
  #toldRefused = 0;
  #wantedOpen = false;
  #mostTries = 50;
  #longestPauseS = 60;

  constructor(feed, root, tell) {
    this.#feed = feed;
    this.#root = root;
    this.#tell = tell;
    feed.listen(() => this.#move());
  }

  limits(reconnect, mostTries, longestPauseS) {
    this.reconnect = reconnect;
    this.#mostTries = Math.min(mostTries || 50, 300);
    this.#longestPauseS = Math.max(longestPauseS || 60, 5);
  }

  begin() {
    this.#wantedOpen = true;
    if (!this.line) this.#open();
  }

  end() {
    this.#wantedOpen = false;
    for (const name of [...this.#timers.keys()]) this.#callOff(name);
    this.#leaveNext();
    this.line?.drop();
  }

  /** Every connection that must know what is wanted. */
  get lines() {
    return [this.line, this.#next].filter(Boolean);
  }

  #newLine() {
    return new Line(this, this.#feed.newest, this.#root);
  }

  #open() {
    this.#callOff('open');
    if (!this.#wantedOpen || this.line) return;
    this.line = this.#newLine();
    this.line.open();
  }

  /** Goes over to the newest token. */
  #move() {
    const newest = this.#feed.newest.generation;
    if (!this.#wantedOpen || !this.reconnect || this.#leaving) return;
    if (!this.line) {
      this.#tries = 0;
      this.#open();
    } else if (this.line.generation >= newest || this.#next?.generation >= newest) {
      return;
    } else if (!this.line.isOpen) {
      this.#leaving = this.line;
      this.line = null;
      this.#leaving.drop();
    } else if (this.#next) {
      this.#leaveNext();
    } else {
      this.#handover = new Handover(this.wanted, this.#last);
      this.#next = this.#newLine();
      this.#next.open();
    }
  }

  #leaveNext() {
    if (!this.#next) return;
    this.#leaving = this.#next;
    this.#next = this.#handover = null;
    this.#callOff('overlap');
    this.#leaving.drop();
  }

  connected(line) {
    if (line !== this.line && line !== this.#next) {
      line.drop();
      return;
    }
    const modes = new Map();
    for (const [token, mode] of this.wanted) modes.set(mode, [...(modes.get(mode) ?? []), token]);
    for (const [mode, tokens] of modes) {
      line.subscribe(tokens);
      line.setMode(mode, tokens);
    }
    if (line === this.line) {
      this.#tries = 0;
      this.#tell('connect');
      this.#move();
    } else {
      this.#earliest = Date.now() + SHORTEST_OVERLAP_MS;
      this.#after('overlap', LONGEST_OVERLAP_MS, () => this.#goOver());
    }
  }

  message(line, data) {
    if (line === this.line) this.#tell('message', data);
    // A heartbeat too shows that the next one lives.
    if (line === this.#next && this.wanted.size === 0) this.#perhapsGoOver();
  }

  ticks(line, ticks) {
    if (line !== this.line && line !== this.#next) return;
    let passed = ticks;
    if (this.#next) passed = line === this.#next ? this.#handover.ofNew(ticks) : this.#handover.ofOld(ticks);
    for (const tick of passed) this.#last.set(tick.instrument_token, tick);
    if (passed.length > 0) this.#tell('ticks', passed);
    if (line === this.#next) this.#perhapsGoOver();
  }

  order(line, order) {
    if (line !== this.line && line !== this.#next) return;
    // Without a next one the line is itself the new one of the last change.
    const isNew = line === this.#next || !this.#next;
    if (!this.#handover || this.#handover.text(JSON.stringify(order), isNew)) this.#tell('order_update', order);
  }

  #perhapsGoOver() {
    if (Date.now() >= this.#earliest && this.#handover.complete) this.#goOver();
  }

  /** The next connection is the one from now on. */
  #goOver() {
    this.#callOff('overlap');
    if (!this.#next) return;
    const old = this.line;
    this.line = this.#next;
    this.#next = null;
    this.#nextTries = 0;
    this.#after('echo', ECHO_MS, () => {
      if (!this.#next) this.#handover = null;
    });
    if (old) {
      this.#leaving = old;
      old.drop();
    }
  }

  gone(line, event) {
    if (line === this.#leaving) {
      this.#leaving = null;
      this.#move();
    } else if (line === this.#next) {
      this.#next = this.#handover = null;
      this.#callOff('overlap');
      this.#nextTries += 1;
      this.#after('move', this.#pauseMs(this.#nextTries), () => this.#move());
    } else if (line === this.line) {
      this.line = null;
      this.#lost(line, event);
    }
  }

  #lost(line, event) {
    if (this.#next?.isOpen) {
      // The program notices nothing: what the old one told, the new one tells.
      this.#goOver();
      return;
    }
    if (this.#next) {
      this.line = this.#next;
      this.#next = this.#handover = null;
    }
    const newer = this.#feed.newest.generation > line.generation;
    if (line.refused && !newer) {
      this.#refused(line, event);
      return;
    }
    if (line.error) this.#tell('error', line.error);
    this.#tell('close', event);
    this.#tell('disconnect', event);
    if (this.line || !this.#wantedOpen || !this.reconnect) return;
    if (newer && this.#tries === 0) {
      this.#tries = 1;
      this.#open();
    } else {
      this.#again();
    }
  }

  /** The token is dead: the next one opens the connection again. */
  #refused(line, event) {
    if (this.#toldRefused !== line.generation) {
      this.#toldRefused = line.generation;
      this.#tries = 0;
      this.#tell('error', new Error(`${line.error.message}; firstbell waits for the token after generation ${line.generation}`));
      this.#tell('close', event);
      this.#tell('disconnect', event);
    }
    if (!this.#wantedOpen || !this.reconnect) return;
    this.#tries += 1;
    this.#after('open', Math.min(FIRST_REFUSED_MS * 2 ** (this.#tries - 1), LONGEST_REFUSED_MS), () => this.#open());
  }

  #again() {
    this.#tries += 1;
    if (this.#tries > this.#mostTries) {
      // The official one ends the whole process here; the next token may still come.
      this.#tell('noreconnect');
      return;
    }
    const pauseMs = this.#pauseMs(this.#tries);
    this.#tell('reconnect', this.#tries, pauseMs / 1000);
    this.#after('open', pauseMs, () => this.#open());
  }

  #pauseMs(tries) {
    return Math.min(2 ** Math.min(tries - 1, 10), this.#longestPauseS) * 1000;
  }

  #after(name, ms, call) {
    this.#callOff(name);
    const due = () => {
      this.#timers.delete(name);
      call();
    };
    this.#timers.set(name, setTimeout(due, ms));
    if (name === 'echo') this.#timers.get(name).unref();
  }

  #callOff(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}

/** An official KiteTicker on this feed. */
export function makeTicker(feed, parameters) {
  const { KiteTicker } = official();
  let supervisor = null;

  class Ticker extends KiteTicker {
    #listeners = new Map(EVENTS.map((event) => [event, []]));

    constructor() {
      super({ ...parameters, api_key: '', access_token: '' });
      supervisor = new Supervisor(feed, parameters.root, (event, ...rest) => {
        for (const listener of [...this.#listeners.get(event)]) listener.apply(listener, rest);
      });
      this.autoReconnect(parameters.reconnect ?? true, parameters.max_retry, parameters.max_delay);
    }

    on(event, listener) {
      this.#listeners.get(event)?.push(listener);
    }

    // The official constructor calls this before there is a supervisor.
    autoReconnect(reconnect, mostTries, longestPauseS) {
      supervisor?.limits(reconnect, mostTries, longestPauseS);
    }

    connect() {
      supervisor.begin();
    }

    disconnect() {
      supervisor.end();
    }

    connected() {
      return supervisor.line?.isOpen ?? false;
    }

    subscribe(tokens) {
      for (const token of tokens) supervisor.wanted.set(Number(token), this.modeQuote);
      for (const line of supervisor.lines) line.subscribe(tokens);
      return tokens;
    }

    unsubscribe(tokens) {
      for (const token of tokens) supervisor.wanted.delete(Number(token));
      for (const line of supervisor.lines) line.unsubscribe(tokens);
      return tokens;
    }

    setMode(mode, tokens) {
      for (const token of tokens) supervisor.wanted.set(Number(token), mode);
      for (const line of supervisor.lines) line.setMode(mode, tokens);
      return tokens;
    }
  }

  return new Ticker();
}
