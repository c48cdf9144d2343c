/**
 * The head of a request and how its body is framed, in the form in which both are sent.
 * Invariant: exactly one field says where the body ends, and it is true.
 */
import { InvalidRequestError } from "../core/errors.ts";
import type { RequestBody } from "../http1/exchange.ts";
import type { HeadFacts } from "../http1/request-head.ts";
import type { EncodedBody } from "./request-body.ts";

/** A request in the form in which it is sent. */
export interface PreparedRequest {
  readonly method: string;
  readonly head: string;
  readonly body: RequestBody;
  readonly expectsContinue: boolean;
  readonly closesConnection: boolean;
  readonly isIdempotent: boolean;
}

/** What stands in a head beside what `HeadFacts` say. All of it was checked before. */
export interface HeadParts {
  readonly method: string;
  /** The request target. */
  readonly path: string;
  /** For the Host field, where the caller gave none. */
  readonly host: string;
  /** For the Authorization field, where the caller gave none; null when there is nothing to say. */
  readonly authorization: string | null;
  /** The protocol to change to; null when there is none. */
  readonly upgrade: string | null;
  /** False asks the server to close the connection. */
  readonly keepAlive: boolean;
  /** The caller's own fields, as lines. */
  readonly lines: string;
}

/** Methods that do no harm when the server gets them twice (RFC 9110, section 9.2.2). */
const idempotentMethods = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/**
 * @throws InvalidRequestError when `facts` say something else of the body than is true.
 */
export function composeRequest(
  parts: HeadParts,
  facts: HeadFacts,
  { body, contentType }: EncodedBody,
): PreparedRequest {
  const { method, authorization, upgrade } = parts;
  const closesConnection = facts.close || !parts.keepAlive;
  const expectsContinue = facts.expectContinue && body.kind !== "none";
  let head = `${method} ${parts.path} HTTP/1.1\r\n`;
  if (!facts.hasHost) head += `host: ${parts.host}\r\n`;
  if (upgrade !== null) head += `connection: upgrade\r\nupgrade: ${upgrade}\r\n`;
  // HTTP/1.1 needs no Connection: keep-alive, but some servers send their Keep-Alive hint only in return for it.
  else head += closesConnection ? "connection: close\r\n" : "connection: keep-alive\r\n";
  if (authorization !== null && !facts.hasAuthorization) {
    head += `authorization: ${authorization}\r\n`;
  }
  if (contentType !== null && !facts.hasContentType) head += `content-type: ${contentType}\r\n`;
  if (expectsContinue) head += "expect: 100-continue\r\n";
  const framed = frame(method, body, facts);
  return {
    method,
    head: `${head}${framed.line}${parts.lines}\r\n`,
    body: framed.body,
    expectsContinue,
    closesConnection,
    isIdempotent: facts.hasIdempotencyKey || idempotentMethods.has(method),
  };
}

/** The field that says where the body ends (RFC 9112, section 6). */
function frame(method: string, body: RequestBody, facts: HeadFacts) {
  const given = facts.contentLength;
  if (body.kind === "stream" && body.byteLength === null) {
    if (given === null) return { line: "transfer-encoding: chunked\r\n", body };
    // The writer holds the stream to what the caller promised.
    return { line: `content-length: ${given}\r\n`, body: { ...body, byteLength: given } };
  }
  const length = lengthOf(body);
  if (given !== null && given !== length) {
    throw new InvalidRequestError(
      `header content-length is ${given}, but the body has ${length} bytes`,
    );
  }
  if (body.kind === "none" && given === null) {
    // A server may wait for a body where the method usually has one (RFC 9110, section 8.6).
    const isExpected = method === "POST" || method === "PUT" || method === "PATCH";
    return { line: isExpected ? "content-length: 0\r\n" : "", body };
  }
  return { line: `content-length: ${length}\r\n`, body };
}

function lengthOf(body: RequestBody): number {
  switch (body.kind) {
    case "none":
      return 0;
    case "bytes":
      return body.bytes.length;
    case "text":
      return body.byteLength;
    case "stream":
      return body.byteLength ?? 0;
    default:
      return body satisfies never;
  }
}
