/**
 * What the fields of a response head say about the message and its connection: which of them are
 * allowed together, how the body ends (RFC 9112 6), whether the connection lives on (RFC 9112 9.3).
 * Whatever two parsers could read differently is refused.
 */
import { toBuffers } from "./field-buffers.ts";
import { type FieldScanner, quote, reasonPhrase } from "./fields.ts";

/** How a body ends: it has none, has a length, has a last chunk, or ends with the connection. Behind a `tunnel` there is no HTTP. */
export type BodyFraming = "none" | "length" | "chunked" | "close" | "tunnel";

/** The head of an interim or a final response. */
export interface ResponseHead {
  /** From 100 to 999. Above 599 it means nothing more exact than 5xx (RFC 9110 15). */
  readonly statusCode: number;
  /** The reason phrase as latin1, as received; often empty. */
  readonly statusText: string;
  /** The x of HTTP/1.x. */
  readonly minorVersion: 0 | 1;
  /** Flat `[name, value, name, value …]` as received, as latin1; values without white space around. Frozen: other responses may share it. */
  readonly rawHeaders: readonly string[];
  /** The same as Buffers, made once: all who get this head share them. */
  readonly rawHeaderBuffers: readonly Buffer[];
  /**
   * Whether the connection may be used again after this message, by version and `Connection` header
   * (RFC 9112 9.3). False when the body ends with the connection, and when a 204 claims to have one.
   */
  readonly keepAlive: boolean;
  /** Value of the `Keep-Alive` header, several joined by `, `; null when there is none. */
  readonly keepAliveHeader: string | null;
  /** How the body ends. */
  readonly framing: BodyFraming;
  /** What `Content-Length` says, also where no body follows (HEAD, 304); -1 when there is none. */
  readonly contentLength: number;
}

const HTAB = 9;
const SP = 32;

/** Reads the scanned head of a response to a request with `method`. Returns what is wrong if it is refused. */
export function readHead(
  scanner: FieldScanner,
  method: string,
  asksForTunnel = false,
): ResponseHead | string {
  const { text, marks, markCount, statusCode, minorVersion } = scanner;
  let contentLength = -1;
  let isChunked = false;
  let saysClose = false;
  let saysKeepAlive = false;
  let keepAliveHeader: string | null = null;
  let nameStart = scanner.firstField;
  for (let mark = 0; mark < markCount; mark += 3) {
    const colon = marks[mark]!;
    const lineEnd = marks[mark + 2]!;
    const valueStart = marks[mark + 1]!;
    // The length tells most other names apart for nothing.
    switch (colon - nameStart) {
      case 10: {
        const name = text.substring(nameStart, colon);
        const value = fieldValue(text, valueStart, lineEnd);
        if (isName(name, "connection", "Connection")) {
          const option = connectionOption(value);
          saysClose ||= option === "close";
          saysKeepAlive ||= option === "keep-alive";
        } else if (isName(name, "keep-alive", "Keep-Alive")) {
          keepAliveHeader = keepAliveHeader === null ? value : `${keepAliveHeader}, ${value}`;
        }
        break;
      }
      case 14:
        if (isName(text.substring(nameStart, colon), "content-length", "Content-Length")) {
          // Equal ones too, which RFC 9112 6.3 would let pass: nothing good sends two.
          if (contentLength !== -1) return "more than one Content-Length";
          const value = fieldValue(text, valueStart, lineEnd);
          contentLength = parseLength(value);
          if (contentLength === -1) return `Content-Length is not a byte count: ${quote(value)}`;
          if (endsInTab(text, lineEnd)) return "a tab after the value of Content-Length";
        }
        break;
      case 16:
        // No standard, but who sends it means it; a wrong guess costs one connection.
        if (isName(text.substring(nameStart, colon), "proxy-connection", "Proxy-Connection")) {
          saysClose ||= connectionOption(fieldValue(text, valueStart, lineEnd)) === "close";
        }
        break;
      case 17:
        if (isName(text.substring(nameStart, colon), "transfer-encoding", "Transfer-Encoding")) {
          if (isChunked) return "more than one Transfer-Encoding";
          const value = fieldValue(text, valueStart, lineEnd);
          if (value !== "chunked" && value.toLowerCase() !== "chunked") {
            return `Transfer-Encoding is not just chunked: ${quote(value)}`;
          }
          // Node's parser reads `chunked<HTAB>` as an unknown coding, and the body up to the connection's end.
          if (endsInTab(text, lineEnd)) return "a tab after the value of Transfer-Encoding";
          isChunked = true;
        }
        break;
    }
    nameStart = lineEnd + 2;
  }

  // RFC 9112 6.1: may be an attempt at request smuggling or response splitting.
  if (isChunked && contentLength !== -1) return "both Transfer-Encoding and Content-Length";
  if (isChunked && minorVersion === 0) return "Transfer-Encoding in an HTTP/1.0 response";
  let framing: BodyFraming = "close";
  let isClear = true;
  // RFC 9110 9.3.6 and 15.2.2: what such a response says of a body means nothing.
  const isTunnel =
    method === "CONNECT" ? statusCode >= 200 && statusCode < 300 : statusCode === 101;
  if (isTunnel && asksForTunnel) {
    framing = "tunnel";
  } else if (statusCode < 200) {
    if (statusCode === 101) return "101 Switching Protocols, though no upgrade was asked for";
    if (minorVersion === 0) return `${statusCode} in an HTTP/1.0 response`; // RFC 9110 15.2
    // RFC 9110 8.6, RFC 9112 6.1. Where the final response begins would be a guess.
    if (isChunked || contentLength !== -1) return `a ${statusCode} response that claims a body`;
    if (saysClose) return `a ${statusCode} response with Connection: close`;
    framing = "none";
  } else if (statusCode === 204) {
    // The same sections forbid both here as well, but some servers send them, with or without a body. The
    // response is whole either way; the connection is not used again, so what may follow is never read.
    isClear = !isChunked && contentLength <= 0;
    framing = "none";
  } else if (statusCode === 304 || method === "HEAD") {
    framing = "none";
  } else if (isChunked) {
    framing = "chunked";
  } else if (contentLength !== -1) {
    framing = "length";
  }
  const persists = !saysClose && (minorVersion === 1 || saysKeepAlive);
  return new ScannedHead(
    scanner,
    persists && isClear && framing !== "close",
    keepAliveHeader,
    framing,
    contentLength,
  );
}

/** A head whose strings are made when somebody asks for them: few programs look at all fields, and many at none. */
class ScannedHead implements ResponseHead {
  readonly statusCode: number;
  readonly minorVersion: 0 | 1;
  readonly keepAlive: boolean;
  readonly keepAliveHeader: string | null;
  readonly framing: BodyFraming;
  readonly contentLength: number;
  readonly #text: string;
  readonly #marks: readonly number[];
  readonly #firstField: number;
  #rawHeaders: readonly string[] | null = null;
  #buffers: readonly Buffer[] | null = null;

  constructor(
    scanner: FieldScanner,
    keepAlive: boolean,
    keepAliveHeader: string | null,
    framing: BodyFraming,
    contentLength: number,
  ) {
    this.statusCode = scanner.statusCode;
    this.minorVersion = scanner.minorVersion;
    this.keepAlive = keepAlive;
    this.keepAliveHeader = keepAliveHeader;
    this.framing = framing;
    this.contentLength = contentLength;
    this.#text = scanner.text;
    this.#marks = scanner.marks.slice(0, scanner.markCount);
    this.#firstField = scanner.firstField;
  }

  get statusText(): string {
    return reasonPhrase(this.#text, this.#firstField);
  }

  get rawHeaders(): readonly string[] {
    this.#rawHeaders ??= Object.freeze(
      fieldsOf(this.#text, this.#marks, this.#marks.length, this.#firstField),
    );
    return this.#rawHeaders;
  }

  get rawHeaderBuffers(): readonly Buffer[] {
    this.#buffers ??= toBuffers(this.rawHeaders);
    return this.#buffers;
  }
}

/** Names and values in turn. */
function fieldsOf(
  text: string,
  marks: readonly number[],
  markCount: number,
  firstField: number,
): string[] {
  const fields: string[] = [];
  let nameStart = firstField;
  for (let mark = 0; mark < markCount; mark += 3) {
    const lineEnd = marks[mark + 2]!;
    const name = text.substring(nameStart, marks[mark]!);
    fields.push(name, fieldValue(text, marks[mark + 1]!, lineEnd));
    nameStart = lineEnd + 2;
  }
  return fields;
}

/** Reads a scanned trailer section, flat as `rawHeaders`. Returns what is wrong if it is refused. */
export function readTrailers(scanner: FieldScanner): string[] | string {
  const { text, marks, markCount, firstField } = scanner;
  const rawTrailers = fieldsOf(text, marks, markCount, firstField);
  for (let index = 0; index < rawTrailers.length; index += 2) {
    // RFC 9110 6.5.1 lets a recipient ignore them; here, behind the framing, they are a trick or a fault.
    const name = rawTrailers[index] as string;
    const lowerName = name.toLowerCase();
    if (lowerName === "content-length" || lowerName === "transfer-encoding") {
      return `${name} in a trailer section`;
    }
  }
  return rawTrailers;
}

/** The value from `start`, without the white space before `lineEnd`. */
function fieldValue(text: string, start: number, lineEnd: number): string {
  let end = lineEnd;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return text.substring(start, end);
}

function isSpace(code: number): boolean {
  return code === SP || code === HTAB;
}

/** Whether there is an HTAB in the white space before `lineEnd`: legal, and read differently by parsers. */
function endsInTab(text: string, lineEnd: number): boolean {
  let end = lineEnd - 1;
  while (text.charCodeAt(end) === SP) end--;
  return text.charCodeAt(end) === HTAB;
}

function isName(name: string, lower: string, usual: string): boolean {
  return name === usual || name === lower || name.toLowerCase() === lower;
}

/** What a `Connection` value (RFC 9110 7.6.1) says of the connection. `close` overrides the other. */
function connectionOption(value: string): "close" | "keep-alive" | "neither" {
  // The usual values first: splitting one takes 180 ns, a third of what a whole head takes.
  if (value === "keep-alive" || value === "close") return value;
  const options = value.toLowerCase().split(",");
  // Not trim(): it would take a no-break space for white space.
  const lists = (wanted: string) =>
    options.some((option) => option.replace(/^[ \t]+|[ \t]+$/g, "") === wanted);
  return lists("close") ? "close" : lists("keep-alive") ? "keep-alive" : "neither";
}

/** Digits only, RFC 9110 8.6; -1 for anything else, and beyond `Number.MAX_SAFE_INTEGER`. */
function parseLength(value: string): number {
  let length = 0;
  for (let at = 0; at < value.length; at++) {
    const digit = value.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
    if (length > Number.MAX_SAFE_INTEGER) return -1;
  }
  return value === "" ? -1 : length;
}
