/**
 * Makes of every body that undici takes one that a connection can send. What `client.request` takes too is its matter;
 * here are the other kinds, and those of other makers: undici has a FormData of its own.
 */
import { Readable } from "node:stream";
import {
  type EncodedBody,
  encodeBlob,
  encodeBody,
  encodeFormData,
} from "../../client/request-body.ts";
import { invalidArgument } from "./errors.ts";

const noBody: EncodedBody = encodeBody(null);

/** @throws DispatchError, InvalidRequestError when `input` cannot be sent. */
export function encodeDispatchBody(input: unknown): EncodedBody {
  // undici makes no difference between an empty body and none.
  if (input === undefined || input === null || input === "") return noBody;
  if (typeof input === "string") return encodeBody(input);
  if (typeof input !== "object") throw notABody();
  if (ArrayBuffer.isView(input)) {
    const bytes = new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
    return bytes.length === 0 ? noBody : encodeBody(input instanceof Uint8Array ? input : bytes);
  }
  if (input instanceof ArrayBuffer) return input.byteLength === 0 ? noBody : encodeBody(input);
  if (input instanceof Readable) return encodeBody(input);
  if (isStream(input)) return encodeBody(new Readable().wrap(input));
  const tag = Reflect.get(input, Symbol.toStringTag);
  if (tag === "FormData") return encodeFormData(input as FormData);
  if (tag === "Blob" || tag === "File") return encodeBlob(checkedBlob(input as Blob));
  if (input instanceof URLSearchParams || input instanceof ReadableStream) return encodeBody(input);
  if (Symbol.asyncIterator in input) return encodeBody(input as AsyncIterable<Uint8Array>);
  if (Symbol.iterator in input) return encodeBody(piecesOf(input as Iterable<Uint8Array>));
  throw notABody();
}

/** Its type becomes a header, and one of another maker may have anything in it. */
function checkedBlob(blob: Blob): Blob {
  if (/[^\t\x20-\x7e]/.test(blob.type)) throw invalidArgument("invalid content-type header");
  return blob;
}

/** A stream that is none of Node's own, such as one of readable-stream. */
function isStream(input: object): input is NodeJS.ReadableStream {
  return (
    typeof Reflect.get(input, "pipe") === "function" &&
    typeof Reflect.get(input, "on") === "function"
  );
}

async function* piecesOf<V>(iterable: Iterable<V>): AsyncGenerator<V> {
  yield* iterable;
}

function notABody(): Error {
  return invalidArgument(
    "body must be a string, a Buffer, a Readable stream, an iterable, or an async iterable",
  );
}
