/**
 * What undici asks of a dispatcher, in types: the options of a request, the two kinds of handlers, the controller.
 * A handler is of the new kind if it has `onRequestStart`, and else of the legacy one.
 */
import type { Duplex, Readable } from "node:stream";

/** Header fields in a form that undici takes: an object, `[name, value, name, value …]`, or pairs, such as `Headers`. */
export type DispatchHeaders =
  | Readonly<Record<string, DispatchHeaderValue>>
  | readonly (string | readonly string[] | Buffer)[]
  | Iterable<readonly [name: string, value: DispatchHeaderValue]>;

/** The value of a header field; an array is several lines, undefined none. */
export type DispatchHeaderValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly (string | number | boolean | null)[];

/** A request body in a form that undici takes. Iterables give strings or bytes. */
export type DispatchBody =
  | string
  | Uint8Array
  | ArrayBuffer
  | ArrayBufferView
  | Readable
  | Iterable<unknown>
  | AsyncIterable<unknown>
  | FormData
  | URLSearchParams
  | Blob
  | ReadableStream;

/** What `dispatch` takes. Other options of undici are accepted and mean nothing here. */
export interface DispatchOptions {
  /** Scheme, host and port. */
  readonly origin?: string | URL | undefined;
  /** What stands in the request line; for CONNECT `host:port`. */
  readonly path: string;
  readonly method: string;
  readonly headers?: DispatchHeaders | null | undefined;
  readonly body?: DispatchBody | null | undefined;
  /** Appended to `path`, which must have none of its own. */
  readonly query?: Readonly<Record<string, unknown>> | null | undefined;
  /** The server may get it twice; by default what the method says. */
  readonly idempotent?: boolean | null | undefined;
  /** The protocol to change to, as in `websocket`. */
  readonly upgrade?: string | boolean | null | undefined;
  /** In ms; 0 means none, and the client's holds where there is none. */
  readonly headersTimeout?: number | null | undefined;
  readonly bodyTimeout?: number | null | undefined;
  /** True closes the connection after the response. */
  readonly reset?: boolean | null | undefined;
  /** The body waits for `100 Continue`. */
  readonly expectContinue?: boolean | null | undefined;
  /** Only 0: `compose` with undici's redirect interceptor follows redirects. */
  readonly maxRedirections?: number | null | undefined;
}

/** Header fields by lower-case name, each value as received; a name that came several times has an array. */
export type ParsedHeaders = Record<string, string | string[]>;

/** A handler's hand on its request. */
export interface DispatchController {
  readonly aborted: boolean;
  readonly paused: boolean;
  /** What it was aborted with. */
  readonly reason: Error | null;
  /** Names and values in turn, as received; null before there are any. */
  rawHeaders: Buffer[] | null;
  rawTrailers: Buffer[] | null;
  /** Ends the request with `reason`. */
  abort(reason?: Error): void;
  /** No callback of the response comes until `resume`, and the socket is not read. */
  pause(): void;
  resume(): void;
}

/** Told what becomes of a request: with the callbacks of the new kind or those of the legacy one. Whatever they throw ends the request. */
export interface DispatchHandler {
  onRequestStart?(controller: DispatchController, context: unknown): void;
  onRequestUpgrade?(
    controller: DispatchController,
    statusCode: number,
    headers: ParsedHeaders,
    socket: Duplex,
  ): void;
  onResponseStart?(
    controller: DispatchController,
    statusCode: number,
    headers: ParsedHeaders,
    statusText: string,
  ): void;
  onResponseData?(controller: DispatchController, chunk: Buffer): void;
  onResponseEnd?(controller: DispatchController, trailers: ParsedHeaders): void;
  /** `controller` is null when the request was refused before it began. */
  onResponseError?(controller: DispatchController | null, error: Error): void;

  onConnect?(abort: (reason?: Error) => void, context?: unknown): void;
  /** False pauses until `resume`. */
  onHeaders?(
    statusCode: number,
    rawHeaders: Buffer[],
    resume: () => void,
    statusText: string,
  ): unknown;
  /** False pauses. */
  onData?(chunk: Buffer): unknown;
  onComplete?(rawTrailers: Buffer[]): void;
  onError?(error: Error): void;
  onUpgrade?(statusCode: number, rawHeaders: Buffer[], socket: Duplex): void;

  /** Of both kinds: the first byte of the response has come. */
  onResponseStarted?(): void;
  /** Of both kinds: a piece of the body goes to the socket. */
  onBodySent?(chunk: Uint8Array): void;
  /** Of both kinds: all of the request has gone to the socket. */
  onRequestSent?(): void;
}

/** What carries out a request. */
export type Dispatch = (options: DispatchOptions, handler: DispatchHandler) => boolean;

/** Stands between who asks for a request and who carries it out. */
export type DispatchInterceptor = (dispatch: Dispatch) => Dispatch;
