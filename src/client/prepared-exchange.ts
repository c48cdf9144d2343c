/**
 * A request whose head and body were prepared before, perhaps for many of its like: it holds them by one reference.
 */
import { HttpExchange, type RequestBody } from "../http1/exchange.ts";
import type { PreparedRequest } from "./compose.ts";

/** One request and its response, of what was prepared. */
export abstract class PreparedExchange extends HttpExchange {
  #request: PreparedRequest;

  constructor(request: PreparedRequest) {
    super();
    this.#request = request;
  }

  /** Adds header fields, as lines that were checked, to this request alone. Before anything of it is written. */
  addFields(lines: string): void {
    const { head } = this;
    this.#request = { ...this.#request, head: `${head.slice(0, -2)}${lines}\r\n` };
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
