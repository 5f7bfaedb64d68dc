// Where the daemon may be: a socket, a loopback address with a key, or the program itself.

import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

import { NoDaemon, Refused } from './errors.js';

const SHARED_SOCKET = '/run/firstbell/api';
const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];

/** Where to look, in this order. What the environment names is the only place then. */
export function places(environment = process.env) {
  if (environment.FIRSTBELL_SOCKET) return [{ socket: environment.FIRSTBELL_SOCKET }];
  if (environment.FIRSTBELL_URL) return [address(environment)];
  const state = environment.FIRSTBELL_STATE_DIR ||
    join(environment.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'firstbell');
  const found = [{ socket: join(state, 'socket'), ours: true }, { socket: SHARED_SOCKET }];
  const places = found.filter((place) => existsSync(place.socket));
  const program = which('firstbell', environment.PATH ?? '');
  return program ? [...places, { program }] : places;
}

/** Throws where a socket is not one of whom it must be: who stands there instead could hand out his own account. */
export function check({ socket, ours }) {
  let found;
  try {
    found = statSync(socket);
  } catch (fault) {
    throw new NoDaemon(`no firstbell at ${socket}: ${fault.code}`);
  }
  if (!found.isSocket()) throw new NoDaemon(`no firstbell at ${socket}: it is no socket`);
  if (ours && found.uid !== process.geteuid() && found.uid !== 0) {
    throw new Refused(`${socket} belongs to user ${found.uid}; look who made it, or name it in FIRSTBELL_SOCKET`);
  }
}

function address(environment) {
  let url;
  try {
    url = new URL(environment.FIRSTBELL_URL);
  } catch {
    url = null;
  }
  // The key would travel in clear text.
  if (url?.protocol !== 'http:' || !LOOPBACK.includes(url.hostname) || !url.port) {
    throw new Refused('FIRSTBELL_URL must be http://127.0.0.1:PORT: firstbell listens on this machine only');
  }
  const place = { host: url.hostname.replace(/[[\]]/g, ''), port: Number(url.port) };
  return Object.defineProperty(place, 'key', { value: key(environment), enumerable: false });
}

function key(environment) {
  let key = environment.FIRSTBELL_KEY;
  const file = environment.FIRSTBELL_KEY_FILE;
  if (!key && file) {
    try {
      key = readFileSync(file, 'latin1').trim();
    } catch (fault) {
      throw new Refused(`FIRSTBELL_KEY_FILE ${file} cannot be read: ${fault.code}`);
    }
  }
  if (!key || !/^[\x21-\x7e]+$/.test(key)) {
    throw new Refused('FIRSTBELL_URL needs FIRSTBELL_KEY or FIRSTBELL_KEY_FILE; firstbell key add NAME makes a key');
  }
  return key;
}

function which(name, path) {
  for (const folder of path.split(delimiter)) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      if (folder && statSync(join(folder, name)).isFile()) return join(folder, name);
    } catch {
      // Not in this one.
    }
  }
  return null;
}
