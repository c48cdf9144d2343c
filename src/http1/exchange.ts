/**
 * One request and its response, as a connection sees it: what to send, and whom to tell what came back.
 * Invariant: after `refused`, `ended`, `tunneled` or `failed` nothing more is called.
 */
import type { Socket } from "node:net";
import type { Msecs } from "../core/clock.ts";
import type { ResendMode } from "../core/resend.ts";
import type { Http1Connection } from "./connection.ts";
import { ConnectionUser } from "./connection-user.ts";
import type { ResponseHead } from "./parser.ts";

/** What follows a request head. */
export type RequestBody =
  | { readonly kind: "none" }
  | { readonly kind: "text"; readonly text: string; readonly byteLength: number }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** `byteLength` null: sent in chunks (RFC 9112, section 7.1). `canRepeat`: each `open` begins anew. */
  | {
      readonly kind: "stream";
      readonly open: () => BodySource;
      readonly byteLength: number | null;
      readonly canRepeat: boolean;
    };

/** Where the bytes of a streamed body come from. */
export interface BodySource {
  /** The next piece; strings are sent as UTF-8. */
  next(): Promise<IteratorResult<unknown>>;
  /** No more pieces are wanted. Called at most once, also while `next` is under way. Does not throw. */
  cancel(): void;
}

/** A request that a connection can carry. Surfaces extend it. */
export abstract class HttpExchange extends ConnectionUser {
  /** Request line, fields and the empty line, in Latin-1. */
  abstract readonly head: string;
  abstract readonly body: RequestBody;
  /** The body waits for `100 Continue`, for a second at most (RFC 9110, section 10.1.1). */
  abstract readonly expectsContinue: boolean;
  /** The head says `Connection: close`. */
  abstract readonly closesConnection: boolean;
  /** The method is idempotent (RFC 9110, section 9.2.2), or the caller gave an Idempotency-Key. */
  abstract readonly isIdempotent: boolean;
  abstract readonly resendMode: ResendMode;
  /** A larger response head is an error. */
  abstract readonly maxHeaderBytes: number;
  /** The source of a streamed body was asked for. */
  #isBodyTaken = false;

  override use(connection: Http1Connection, now: Msecs): void {
    connection.send(this, now);
  }

  /** Between the spaces of the request line (RFC 9112, section 3). */
  get target(): string {
    const { head } = this;
    const start = head.indexOf(" ") + 1;
    return head.slice(start, head.indexOf(" ", start));
  }

  /** The request asks for an upgrade or a tunnel: then a 101, or a 2xx to CONNECT, ends HTTP on its connection. */
  get asksForTunnel(): boolean {
    return false;
  }

  get isReplayable(): boolean {
    return this.resendMode === "safe" && this.isIdempotent && this.#isRepeatable();
  }

  /** The body can be sent from its beginning, again or for the first time. */
  get canSendBody(): boolean {
    return !this.#isBodyTaken || this.#isRepeatable();
  }

  /** The source of a streamed body. */
  takeBody(): BodySource {
    if (this.body.kind !== "stream") throw new Error(`a body of ${this.body.kind} has no source`);
    this.#isBodyTaken = true;
    return this.body.open();
  }

  /** The exchange is over: a source that nobody asked for is let go. */
  discardBody(): void {
    if (this.body.kind !== "stream" || this.body.canRepeat || this.#isBodyTaken) return;
    this.takeBody().cancel();
  }

  #isRepeatable(): boolean {
    return this.body.kind !== "stream" || this.body.canRepeat;
  }

  /** It has a connection. The head goes out next. */
  abstract granted(connection: Http1Connection, now: Msecs): void;
  /** The last byte was handed to the socket. */
  abstract sent(now: Msecs): void;
  /** The socket took (`flowing`) or did not take a piece of the body, `bytes` so far. */
  abstract uploading(isFlowing: boolean, bytes: number, now: Msecs): void;
  /** A 1xx response other than 101. The final one is still to come. */
  interim(_head: ResponseHead): void {}
  /** The response head. */
  abstract responded(head: ResponseHead, now: Msecs): void;
  /** A piece of the response body: a view that is valid during the call. False: read no more until `resume`. */
  abstract received(buffer: Buffer, start: number, end: number, now: Msecs): boolean;
  /** A read is over, all that it brought was delivered, and the response is not complete. */
  abstract readOver(now: Msecs): void;
  /** The response is complete. */
  abstract ended(rawTrailers: string[], now: Msecs): void;
  /** The upgrade or tunnel that it asked for is there: `socket` is the program's, with `rest`, what came behind the head, to be read from it. */
  tunneled(_head: ResponseHead, _socket: Socket): void {}
  /** The exchange is over before its end. */
  abstract failed(error: unknown): void;
}
