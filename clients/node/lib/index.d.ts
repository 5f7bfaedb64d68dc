// Types of the package. Those of the official client are the program's own dependency; without it they are `any`.

// @ts-ignore: kiteconnect is optional
import type { KiteConnect, KiteTicker } from 'kiteconnect';

/** Anything that this package throws by itself. */
export class FirstbellError extends Error {}
/** Nobody answers as firstbell does: it is not started, it is just restarting, or something else has its place. */
export class NoDaemon extends FirstbellError {}
/** firstbell answers, and does not give this to this program: key, scope, account, or owner of the socket. */
export class Refused extends FirstbellError {}
/** There is no token to hand out now. */
export class NoToken extends FirstbellError {
  /** Why, as a sentence. */
  readonly reason: string;
  /** What a person can do, as a sentence; empty where there is nothing. */
  readonly cure: string;
  /** In how many seconds it may be otherwise, if that is known; and the same as a moment. */
  readonly retryAfterS: number | null;
  readonly againAt: Date | null;
}

/** One access token of one account. String, JSON and inspection show everything but the secret. */
export class Token {
  private constructor();
  readonly account: string;
  readonly userId: string;
  readonly apiKey: string;
  readonly accessToken: string;
  /** Counts up with every new token of the account. */
  readonly generation: number;
  /** When the broker issued it. */
  readonly issued: Date;
  /** Until when it is surely good; from then on firstbell proves it before it hands it out. */
  readonly trustedUntil: Date;
}

export interface Waiting {
  /** How many seconds to wait for a token, also for the daemon; 0 when it is not given. */
  waitS?: number;
}

/**
 * Today's token. `account` may be left out where firstbell keeps one only.
 * @throws NoToken, NoDaemon, Refused; the signal's reason
 */
export function token(
  account?: string,
  options?: Waiting & { minGeneration?: number; signal?: AbortSignal },
): Promise<Token>;

/**
 * The present token at once, if there is one, and then each newer one, through restarts of the daemon. Never a generation twice, or an
 * older one after a newer. Ends when the signal does.
 * @throws Refused
 */
export function watch(account?: string, options?: { signal?: AbortSignal }): AsyncGenerator<Token, void, void>;

/**
 * The official KiteConnect, on today's token and on each later one. A read (GET) that the broker refuses for its token waits up to
 * `patienceS` (15) seconds for a newer one and is asked once more. An order, and whatever else is no read, is never sent twice.
 * All else goes to KiteConnect.
 */
export function kite(
  account?: string,
  options?: Waiting & { patienceS?: number; root?: string; timeout?: number; debug?: boolean },
): Promise<KiteConnect>;

/**
 * The official KiteTicker, on today's token and on each later one: at a change the next connection is open and subscribed before the
 * last one is closed. A refused token is told of once, by `error`; the next one opens the connection. All else goes to KiteTicker.
 */
export function ticker(
  account?: string,
  options?: Waiting & { root?: string; reconnect?: boolean; max_retry?: number; max_delay?: number },
): Promise<KiteTicker>;
