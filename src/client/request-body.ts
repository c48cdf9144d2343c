/**
 * Makes of every body that a caller may give one of the four kinds that a connection can send.
 */
import { Readable } from "node:stream";
import { InvalidRequestError } from "../core/errors.ts";
import { show } from "../core/rules.ts";
import type { BodySource, RequestBody } from "../http1/exchange.ts";
import { encodeForm } from "./form-data.ts";

/** A body that comes piece by piece: strings (sent as UTF-8) or bytes. It can be sent once. */
export type BodyStream = Readable | AsyncIterable<Uint8Array | string> | ReadableStream<Uint8Array>;

/**
 * A request body. A function is called for the stream to send, and again whenever the request is sent again;
 * what it returns belongs to that one attempt.
 */
export type BodyInput =
  | string
  | Uint8Array
  | ArrayBuffer
  | BodyStream
  | (() => BodyStream | Promise<BodyStream>)
  | FormData
  | URLSearchParams
  | Blob;

/** A body and the Content-Type that goes with it; null when its kind says none. */
export interface EncodedBody {
  readonly body: RequestBody;
  readonly contentType: string | null;
}

const noBody: EncodedBody = { body: { kind: "none" }, contentType: null };

/**
 * @throws InvalidRequestError when `input` is of no kind that can be sent.
 */
export function encodeBody(input: BodyInput | null | undefined): EncodedBody {
  if (input === undefined || input === null) return noBody;
  if (typeof input === "string") return text(input, null);
  if (input instanceof Uint8Array)
    return { body: { kind: "bytes", bytes: input }, contentType: null };
  if (input instanceof ArrayBuffer) {
    return { body: { kind: "bytes", bytes: new Uint8Array(input) }, contentType: null };
  }
  if (input instanceof URLSearchParams) {
    return text(input.toString(), "application/x-www-form-urlencoded;charset=UTF-8");
  }
  if (input instanceof Blob) return encodeBlob(input);
  if (input instanceof FormData) return encodeFormData(input);
  if (typeof input === "function") return repeatable(() => called(input), null, null);
  const open = opener(input);
  if (open !== null) return { body: streamBody(open, null, false), contentType: null };
  throw new InvalidRequestError(
    "body must be a string, bytes, a Readable, an async iterable, a ReadableStream, a function that " +
      `returns one of these three, FormData, URLSearchParams or a Blob, not ${show(input)}`,
  );
}

/** A Blob, also one that is not Node's own. */
export function encodeBlob(blob: Blob): EncodedBody {
  const contentType = blob.type === "" ? null : blob.type;
  return repeatable(() => fromWebStream(blob.stream()), blob.size, contentType);
}

/** A form, also one that is not Node's own. */
export function encodeFormData(form: FormData): EncodedBody {
  const { contentType, byteLength, pieces } = encodeForm(form);
  return repeatable(() => fromIterable(pieces()), byteLength, contentType);
}

/** How to read `input`; null when it is no stream of any kind. */
function opener(input: unknown): (() => BodySource) | null {
  if (input instanceof Readable) {
    // It may fail while the request waits; whoever iterates over it later gets that error.
    input.on("error", () => {});
    return () => fromReadable(input);
  }
  if (input instanceof ReadableStream) {
    if (input.locked)
      throw new InvalidRequestError("body is a ReadableStream that something else reads");
    return () => fromWebStream(input);
  }
  if (typeof input === "object" && input !== null && Symbol.asyncIterator in input) {
    return () => fromIterable(input as AsyncIterable<unknown>);
  }
  return null;
}

function called(make: () => BodyStream | Promise<BodyStream>): BodySource {
  const made = make();
  if (!(made instanceof Promise)) return sourceOfMade(made);
  const source = made.then(sourceOfMade);
  const ignore = (): void => {};
  return {
    next: async () => (await source).next(),
    cancel: () => void source.then((each) => each.cancel()).catch(ignore),
  };
}

function sourceOfMade(made: BodyStream): BodySource {
  const open = opener(made);
  if (open !== null) return open();
  throw new InvalidRequestError(
    `a body function must return a Readable, an async iterable or a ReadableStream, or a promise of one, not ${show(made)}`,
  );
}

/**
 * The body for `json:`.
 *
 * @throws InvalidRequestError when JSON has no text for `value`.
 */
export function encodeJson(value: unknown): EncodedBody {
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (cause) {
    throw new InvalidRequestError("json has no JSON text: it refers to itself or holds a BigInt", {
      cause,
    });
  }
  if (json === undefined) {
    throw new InvalidRequestError(
      `json must be a value that JSON has a text for, not ${show(value)}`,
    );
  }
  return text(json, "application/json");
}

function text(value: string, contentType: string | null): EncodedBody {
  return { body: { kind: "text", text: value, byteLength: Buffer.byteLength(value) }, contentType };
}

/** A body of which each attempt opens a source of its own. */
function repeatable(
  open: () => BodySource,
  byteLength: number | null,
  contentType: string | null,
): EncodedBody {
  return { body: streamBody(open, byteLength, true), contentType };
}

function streamBody(
  open: () => BodySource,
  byteLength: number | null,
  canRepeat: boolean,
): RequestBody {
  return { kind: "stream", open: () => opened(open), byteLength, canRepeat };
}

/** A source in any case: what cannot be opened, as a stream that something else reads, fails when it is read. */
function opened(open: () => BodySource): BodySource {
  try {
    return open();
  } catch (error) {
    return { next: () => Promise.reject(error), cancel: () => {} };
  }
}

function fromReadable(readable: Readable): BodySource {
  const iterator = readable[Symbol.asyncIterator]();
  return { next: () => iterator.next(), cancel: () => readable.destroy() };
}

function fromWebStream(readable: ReadableStream): BodySource {
  const reader = readable.getReader();
  return {
    next: () => reader.read() as Promise<IteratorResult<unknown>>,
    cancel: () => void reader.cancel().catch(() => {}),
  };
}

function fromIterable(iterable: AsyncIterable<unknown>): BodySource {
  const iterator = iterable[Symbol.asyncIterator]();
  return {
    next: () => iterator.next(),
    // It ends after the piece that it is making, if any; nobody waits for that. A homemade iterator may
    // throw here, or give no promise.
    cancel: () => void (async () => iterator.return?.())().catch(() => {}),
  };
}
