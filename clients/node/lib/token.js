// Today's token as a program sees it: it hides its secret wherever it could be printed by accident.

const inspect = Symbol.for('nodejs.util.inspect.custom');
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** One access token of one account. String, JSON and inspection show everything but the secret. */
export class Token {
  #secret;

  /** Reads firstbell's card; throws where it is none. No message shows what stands in it. */
  constructor(card) {
    if (card.version !== 1) throw new TypeError('the card has another version than 1');
    for (const name of ['account', 'user_id', 'api_key', 'access_token']) {
      // eslint-disable-next-line no-control-regex
      if (typeof card[name] !== 'string' || !card[name] || /[\u0000-\u001f\u007f]/.test(card[name])) {
        throw new TypeError(`${name} of the card is no text`);
      }
    }
    if (!Number.isSafeInteger(card.generation) || card.generation < 1) {
      throw new TypeError('generation of the card is no number from 1 on');
    }
    this.account = card.account;
    this.userId = card.user_id;
    this.apiKey = card.api_key;
    this.#secret = card.access_token;
    this.generation = card.generation;
    this.issued = moment('issued', card.issued);
    this.trustedUntil = moment('trusted_until', card.trusted_until);
    Object.freeze(this);
  }

  get accessToken() {
    return this.#secret;
  }

  toString() {
    return `Token(${this.account}, generation ${this.generation})`;
  }

  toJSON() {
    return { ...this };
  }

  [inspect]() {
    return this.toString();
  }
}

function moment(name, text) {
  const date = typeof text === 'string' && MOMENT.test(text) ? new Date(text.replace(/(\.\d{3})\d+/, '$1')) : null;
  if (!date || Number.isNaN(date.getTime())) throw new TypeError(`${name} of the card is no moment`);
  return date;
}
