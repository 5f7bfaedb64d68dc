// Speaks HTTP with the daemon over its socket or a loopback address, and keeps the connection.

import { execFile } from 'node:child_process';
import http from 'node:http';

import { NoDaemon, NoToken, Refused } from './errors.js';
import { check, places } from './place.js';

/** How long an answer may take beyond what was asked for, in milliseconds. */
const PATIENCE_MS = 10_000;
/** The program proves a token at the broker in some hours, so whoever waits does not run it more often. */
const RUN_EVERY_MS = 30_000;
/** A daemon that reads its configuration anew sends everybody away for a moment: so often, and after so long, it is asked again. */
const LEAVING_TRIES = 10;
const LEAVING_PAUSE_MS = 200;
const LARGEST = 1 << 20;

/** Waits; rejects with the signal's reason when that comes first. */
export function rest(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** One connection to the daemon, opened when it is needed. */
export class Wire {
  #agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  #runAgainAt = 0;
  #patienceMs;
  #quiet;

  /** With `quiet` an open question does not keep the process alive. */
  constructor({ quiet = false, patienceMs = PATIENCE_MS } = {}) {
    this.#quiet = quiet;
    this.#patienceMs = patienceMs;
  }

  close() {
    this.#agent.destroy();
  }

  /** Asks with GET: status and object of the answer. Throws NoDaemon, Refused, or the signal's reason. */
  async ask(path, { waitS = 0, signal } = {}) {
    for (let tries = LEAVING_TRIES; ; tries -= 1) {
      const reply = await this.#ask(path, waitS, signal);
      if (tries <= 1 || reply.status !== 503 || reply.body.code !== 'unavailable') return reply;
      await rest(LEAVING_PAUSE_MS, signal);
    }
  }

  async #ask(path, waitS, signal) {
    let fault = new NoDaemon('no firstbell was found: start firstbell run, or name its socket in FIRSTBELL_SOCKET');
    for (const place of places()) {
      try {
        return place.program ? await this.#asked(place.program, path, waitS, signal) : await this.#sent(place, path, waitS, signal);
      } catch (why) {
        if (!(why instanceof NoDaemon)) throw why;
        fault = why;
      }
    }
    throw fault;
  }

  async #sent(place, path, waitS, signal) {
    if (place.socket) check(place);
    try {
      return await this.#exchange(place, path, waitS, signal);
    } catch (why) {
      // A kept connection ends when the daemon does; a question may be asked twice.
      if (!why.kept) throw why;
      return this.#exchange(place, path, waitS, signal);
    }
  }

  #exchange(place, path, waitS, signal) {
    const where = place.socket ?? `${place.host}:${place.port}`;
    const options = place.socket ? { socketPath: place.socket } : { host: place.host, port: place.port };
    const headers = { Accept: 'application/json' };
    if (place.socket) headers.Host = 'firstbell';
    if (place.key) headers.Authorization = `Bearer ${place.key}`;
    return new Promise((resolve, reject) => {
      const request = http.get({ ...options, path, headers, agent: this.#agent, signal });
      request.setTimeout(waitS * 1000 + this.#patienceMs, () => request.destroy(new Error('ETIMEDOUT')));
      request.on('socket', (socket) => (this.#quiet ? socket.unref() : socket.ref()));
      request.on('error', (fault) => {
        if (signal?.aborted) reject(signal.reason);
        else if (fault.code === 'EACCES' || fault.code === 'EPERM') {
          reject(new Refused(`${where} is not for this user; [api] users of firstbell's configuration says who may`));
        } else {
          const why = new NoDaemon(`firstbell at ${where} does not answer: ${fault.code ?? fault.message}`);
          reject(Object.defineProperty(why, 'kept', { value: request.reusedSocket && fault.message !== 'ETIMEDOUT' }));
        }
      });
      request.on('response', (answer) => {
        const parts = [];
        let length = 0;
        answer.on('data', (part) => {
          parts.push(part);
          length += part.length;
          if (length > LARGEST) request.destroy(new Error('too long'));
        });
        answer.on('end', () => settle(() => ({ status: answer.statusCode, body: object(parts, where) }), resolve, reject));
        answer.on('aborted', () => reject(signal?.aborted ? signal.reason : new NoDaemon(`firstbell at ${where} broke off`)));
      });
    });
  }

  async #asked(program, path, waitS, signal) {
    const restMs = Math.min(this.#runAgainAt - Date.now(), waitS * 1000, 2000);
    if (restMs > 0) {
      await rest(restMs, signal);
      return { status: 204, body: {} };
    }
    this.#runAgainAt = Date.now() + RUN_EVERY_MS;
    return run(program, path);
  }
}

function settle(make, resolve, reject) {
  try {
    resolve(make());
  } catch (why) {
    reject(why);
  }
}

function object(parts, where) {
  const text = Buffer.concat(parts).toString('utf8');
  if (!text) return {};
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    // Said below.
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new NoDaemon(`what answers at ${where} is not firstbell`);
  }
  return body;
}

/** Translates the two questions that the program can answer. */
function run(program, path) {
  const parts = path.split('?')[0].split('/');
  const account = decodeURIComponent(parts[3] ?? '');
  const words = account ? ['token', '--format', 'json', '--', account] : ['status', '--json'];
  return new Promise((resolve, reject) => {
    const done = (fault, stdout, stderr) => {
      if (!fault) {
        settle(() => ({ status: 200, body: object([Buffer.from(stdout)], program) }), resolve, reject);
      } else if (typeof fault.code === 'number') {
        const [reason, cure = ''] = stderr.split('What to do:').map((text) => text.trim().replace(/\s+/g, ' '));
        resolve({ status: 503, body: { error: reason, cure } });
      } else {
        reject(new NoDaemon(`${program} cannot be run: ${fault.code ?? 'it took too long'}`));
      }
    };
    execFile(program, words, { timeout: 60_000, maxBuffer: LARGEST }, done).stdin?.end();
  });
}

/** What an answer means that is no 200. */
export function refusal({ status, body }) {
  const reason = typeof body.error === 'string' ? body.error : `status ${status}`;
  const cure = typeof body.cure === 'string' ? body.cure : '';
  if (status === 503) return new NoToken(reason, cure, Number.isInteger(body.retry_after_s) ? body.retry_after_s : null);
  if ([429, 500, 502, 504].includes(status)) return new NoDaemon(`firstbell cannot answer now: ${reason}`);
  return new Refused(cure ? `${reason} What to do: ${cure}` : reason);
}
