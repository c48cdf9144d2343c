/**
 * Counts the requests and responses of a plain HTTP/1.1 connection as they pass, and says at which byte
 * each begins or ends. It gives up, and counts no more, where the bytes are not HTTP/1.1.
 */
import { ResponseParser } from "../http1/parser.ts";

const nothing = (): void => {};

/** Follows one connection without pipelining, from a moment when no request is under way. */
export class HttpWatch {
  readonly #parser: ResponseParser;
  readonly #onRequest: (count: number, position: number) => void;
  readonly #onResponse: (count: number, position: number) => void;
  #requestCount = 0;
  #responseCount = 0;
  #hasGivenUp = false;

  /**
   * `onRequest` is called with the position behind the first piece of a request, `onResponse` with that
   * behind the last byte of a response; each with how many there were, this one included.
   */
  constructor(
    onRequest: (count: number, position: number) => void,
    onResponse: (count: number, position: number) => void,
  ) {
    this.#onRequest = onRequest;
    this.#onResponse = onResponse;
    const sink = {
      onInterim: nothing,
      onHead: nothing,
      onBody: nothing,
      onEnd: () => {
        this.#responseCount++;
      },
    };
    const limits = { maxHeaderBytes: Number.POSITIVE_INFINITY };
    this.#parser = new ResponseParser(sink, limits, "");
  }

  /** Bytes toward the server, of which `from` came before. */
  toServer(bytes: Buffer, from: number): void {
    if (this.#hasGivenUp || !this.#parser.idle) return;
    this.#requestCount++;
    const method = bytes.toString("latin1", 0, 16).split(" ", 1)[0] ?? "";
    this.#parser.begin(method);
    this.#onRequest(this.#requestCount, from + bytes.length);
  }

  /** Bytes toward the client, of which `from` came before. */
  toClient(bytes: Buffer, from: number): void {
    if (this.#hasGivenUp || this.#parser.idle) return;
    const before = this.#responseCount;
    try {
      const end = this.#parser.execute(bytes, 0, bytes.length);
      if (this.#responseCount > before) this.#onResponse(this.#responseCount, from + end);
    } catch {
      this.#hasGivenUp = true;
    }
  }
}
