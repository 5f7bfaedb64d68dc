// Sets the stage for a test: the stand-in and the simulated Kite, which a Python program holds.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const venv = `${root}target/venv/bin/python`;

/** A kitesim and a stand-in for firstbell's local API. The environment names the stand-in from here on. */
export async function stage() {
  const python = existsSync(venv) ? venv : 'python3';
  const child = spawn(python, [`${root}clients/tests/stage.py`], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const hear = async () => JSON.parse((await lines.next()).value);
  const places = await hear();
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('FIRSTBELL_') && !name.endsWith('_BIN')) delete process.env[name];
  }
  process.env.FIRSTBELL_SOCKET = places.socket;
  const say = async (line) => {
    child.stdin.write(`${line}\n`);
    return hear();
  };
  const lever = async (path, body) => {
    const reply = await fetch(places.inspect + path, {
      method: body ? 'POST' : 'GET',
      headers: { 'Content-Type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    return reply.json();
  };
  const end = async () => {
    child.stdin.end();
    await new Promise((resolve) => child.once('exit', resolve));
  };
  return { ...places, say, lever, end };
}

/** Looks until it is so; gives what was seen. */
export async function until(what, look, withinMs = 60_000) {
  const end = Date.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`${what}: not within ${withinMs} ms`);
    await pause(20);
  }
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export const card = (generation, more = {}) => ({
  version: 1, account: 'main', user_id: 'AB1234', api_key: 'key1', access_token: 'canary-Zq7x', generation,
  issued: '2026-11-25T08:30:07+05:30', trusted_until: '2026-11-26T05:00:00+05:30', ...more,
});
