// What can go wrong between a program and firstbell; each says what to do.

/** Anything that this package throws by itself. */
export class FirstbellError extends Error {
  constructor(message) {
    super(message);
    this.name = new.target.name;
  }
}

/** Nobody answers as firstbell does: it is not started, it is just restarting, or something else has its place. */
export class NoDaemon extends FirstbellError {}

/** firstbell answers, and does not give this to this program: key, scope, account, or owner of the socket. */
export class Refused extends FirstbellError {}

/** There is no token to hand out now. */
export class NoToken extends FirstbellError {
  constructor(reason, cure = '', retryAfterS = null) {
    super(cure ? `${reason} What to do: ${cure}` : reason);
    this.reason = reason;
    this.cure = cure;
    this.retryAfterS = retryAfterS;
    this.againAt = retryAfterS === null ? null : new Date(Date.now() + retryAfterS * 1000);
  }
}
