/**
 * A request whose head and body were prepared before, perhaps for many of its like: it holds them by one reference.
 */
import { HttpExchange, type RequestBody } from "../http1/exchange.ts";
import type { PreparedRequest } from "./compose.ts";

/** One request and its response, of what was prepared. */
export abstract class PreparedExchange extends HttpExchange {
  readonly #request: PreparedRequest;

  constructor(request: PreparedRequest) {
    super();
    this.#request = request;
  }

  get method(): string {
    return this.#request.method;
  }

  get head(): string {
    return this.#request.head;
  }

  get body(): RequestBody {
    return this.#request.body;
  }

  get expectsContinue(): boolean {
    return this.#request.expectsContinue;
  }

  get closesConnection(): boolean {
    return this.#request.closesConnection;
  }

  get isIdempotent(): boolean {
    return this.#request.isIdempotent;
  }
}
