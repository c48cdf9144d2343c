// Where keepline reads a response otherwise than Node's own client, on purpose. Each entry refuses more or
// reuses less, save one that reuses more; none can excuse that keepline accepts what Node refuses.

/** What a client made of a response: complete, or refused or cut short. */
export type Outcome =
  | {
      readonly kind: "complete";
      readonly interim: readonly number[];
      readonly status: number;
      readonly reason: string;
      readonly minorVersion: number;
      readonly headers: readonly string[];
      /** As latin1. */
      readonly body: string;
      readonly trailers: readonly string[];
      /** Whether the client would use the connection again. */
      readonly keepAlive: boolean;
    }
  | { readonly kind: "upgraded" }
  | { readonly kind: "refused"; readonly problem: string };

export interface IntendedDifference {
  readonly name: string;
  /** Why, with the section that says so. */
  readonly reason: string;
  /** Which releases of Node's parser show it, those of Node 20 or those of Node 22 on; both when absent. */
  readonly llhttp?: "before 9.4" | "from 9.4";
  /** Whether it explains that `node` and `ours` differ over `message` (latin1). */
  readonly applies: (message: string, node: Outcome, ours: Outcome) => boolean;
}

/** keepline refuses with `problem` a message that has `pattern`. */
function stricter(
  name: string,
  reason: string,
  problem: RegExp,
  pattern: RegExp,
): IntendedDifference {
  return {
    name,
    reason,
    applies: (message, node, ours) =>
      node.kind !== "refused" &&
      ours.kind === "refused" &&
      problem.test(ours.problem) &&
      pattern.test(message),
  };
}

/** keepline reads a message with `pattern` alike, and does not use the connection again. */
function lessReuse(name: string, reason: string, pattern: RegExp): IntendedDifference {
  return {
    name,
    reason,
    applies: (message, node, ours) =>
      node.kind === "complete" &&
      ours.kind === "complete" &&
      node.keepAlive &&
      !ours.keepAlive &&
      pattern.test(message),
  };
}

export type Complete = Extract<Outcome, { kind: "complete" }>;

/** keepline reads a message alike, and uses the connection again, which Node does not. */
function moreReuse(
  name: string,
  reason: string,
  isMeant: (message: string, ours: Complete) => boolean,
): IntendedDifference {
  return {
    name,
    reason,
    applies: (message, node, ours) =>
      node.kind === "complete" &&
      ours.kind === "complete" &&
      !node.keepAlive &&
      ours.keepAlive &&
      isMeant(message, ours),
  };
}

export const intendedDifferences: readonly IntendedDifference[] = [
  stricter(
    "version",
    "RFC 9112 2.3: only HTTP/1.x is read so; Node takes HTTP/0.9 and HTTP/2.0 as well",
    /^not an HTTP\/1.0 or HTTP\/1.1 status line/,
    /HTTP\/(0\.9|2\.0) /,
  ),
  stricter(
    "empty-lines-first",
    "RFC 9112 2.2 lets a server skip empty lines before a request, not a client before a response",
    /^not an HTTP\/1.0 or HTTP\/1.1 status line: (CR|bare LF) after ""/,
    /^(?:HTTP\/1\.1 1\d\d.*)?[\r\n]/s,
  ),
  stricter(
    "status-code-below-100",
    "RFC 9110 15: a status code is from 100 on",
    /^the status code is not three digits from 100 on/,
    /HTTP\/1\.[01] 0\d\d[ \r]/,
  ),
  stricter(
    "controls-in-reason",
    "RFC 9112 4: a reason phrase is HTAB, SP, VCHAR and obs-text",
    /^byte \\x\w\w in the reason phrase/,
    /HTTP\/1\.[01] \d\d\d [^\r\n]*[^\t\r\n -~\x80-\xff]/,
  ),
  {
    ...stricter(
      "cr-after-reason",
      "RFC 9112 2.2: a bare CR is refused; Node 20 skips the byte after it without a look",
      /^bare CR in the status line/,
      /HTTP\/1\.[01] \d\d\d[^\r\n]*\r[^\n]/,
    ),
    llhttp: "before 9.4",
  },
  stricter(
    "length-too-large",
    "RFC 9110 8.6: guard against integer overflow; Node counts to 2^64, and a HEAD has no body to miss",
    /^Content-Length is not a byte count: "\d+…?"/,
    /content-length:[ \t]*\d{16}/i,
  ),
  {
    ...stricter(
      "tab-after-length",
      "RFC 9112 5.1 allows it; Node 20 refuses it, Node 22 does not, and what two parsers read differently is refused",
      /^a tab after the value of Content-Length/,
      /content-length:[ \t]*\d+ *\t/i,
    ),
    llhttp: "from 9.4",
  },
  stricter(
    "tab-after-coding",
    "RFC 9112 5.1 allows it; Node takes it for another coding and reads until the connection ends",
    /^a tab after the value of Transfer-Encoding/,
    /transfer-encoding:[ \t]*chunked *\t/i,
  ),
  stricter(
    "other-codings",
    "RFC 9112 6.1: no coding but chunked was asked for (there is no TE header), and a body may end only one way",
    /^Transfer-Encoding is not just chunked/,
    /transfer-encoding:/i,
  ),
  stricter(
    "coding-twice",
    "RFC 9112 6.1: chunked must not be applied twice",
    /^more than one Transfer-Encoding/,
    /transfer-encoding:.*transfer-encoding:/is,
  ),
  stricter(
    "coding-in-http-1.0",
    "RFC 9112 6.1: treat the framing of an HTTP/1.0 message with Transfer-Encoding as faulty",
    /^Transfer-Encoding in an HTTP\/1.0 response/,
    /HTTP\/1\.0 .*transfer-encoding:/is,
  ),
  stricter(
    "upgrade",
    "RFC 9110 15.2.2: 101 answers an Upgrade header, which is never sent",
    /^101 Switching Protocols/,
    /HTTP\/1\.[01] 101/,
  ),
  stricter(
    "interim-with-body",
    "RFC 9110 8.6, RFC 9112 6.1: neither Content-Length nor Transfer-Encoding in a 1xx response",
    /^a 1\d\d response that claims a body/,
    /HTTP\/1\.1 1\d\d.*(content-length|transfer-encoding):/is,
  ),
  stricter(
    "interim-in-http-1.0",
    "RFC 9110 15.2: HTTP/1.0 has no 1xx",
    /^1\d\d in an HTTP\/1.0 response/,
    /HTTP\/1\.0 1\d\d/,
  ),
  stricter(
    "size-digits",
    "RFC 9112 7.1: anticipate large numbers; no more than sixteen digits, zeros included",
    /^a chunk size that is too large/,
    /\n0[0-9a-f]{16}/i,
  ),
  stricter(
    "extension-grammar",
    "RFC 9112 7.1.1: names and values of extensions are not empty, and quotes are around a whole value",
    /^(CR|";"|"="|""") in a chunk extension/,
    /\n[0-9a-f]+[^\n]*(;[;=\r]|;"|=[;\r]|[^=]")/i,
  ),
  stricter(
    "coding-in-trailer",
    "RFC 9110 6.5.1: framing fields must not be trailers",
    /^transfer-encoding in a trailer section/i,
    /\n0+(;[^\n]*)?\r\n.*transfer-encoding:/is,
  ),
  stricter(
    "limit",
    "maxHeaderBytes counts all bytes, and all heads of a response; Node counts names and values of one head",
    /^the (head|trailer section) is larger than maxHeaderBytes|^the chunk extensions are larger/,
    /^.{2048}/s,
  ),
  {
    ...stricter(
      "interim-that-closes",
      "RFC 9112 9.6: close is for a final response; Node agrees, save for a tab after it in Node 20",
      /^a 1\d\d response with Connection: close/,
      /connection:[^\n]*close *\t/i,
    ),
    llhttp: "before 9.4",
  },
  lessReuse(
    "reuse-after-204-with-body",
    "RFC 9110 8.6, RFC 9112 6.1: a 204 that claims a body may have sent one",
    /HTTP\/1\.[01] 204.*(content-length|transfer-encoding):/is,
  ),
  lessReuse(
    "reuse-with-both-options",
    "RFC 9112 9.3: close overrides keep-alive, in HTTP/1.0 too",
    /HTTP\/1\.0 .*connection:.*close/is,
  ),
  lessReuse(
    "reuse-for-a-proxy",
    "RFC 9112 9.3 knows no Proxy-Connection; only its close is heeded",
    /HTTP\/1\.0 .*proxy-connection:[^\n]*keep-alive/is,
  ),
  {
    ...lessReuse(
      "reuse-with-tabs",
      "RFC 9110 5.6.1: OWS around a list's members is HTAB too, which Node 20 overlooks",
      /connection:[^\n]*close *\t/i,
    ),
    llhttp: "before 9.4",
  },
  moreReuse(
    "reuse-after-head-without-length",
    "RFC 9112 6.3: a response to HEAD ends with its head, so its connection lives on; Node thinks of the body that a GET would get",
    (message, ours) =>
      ours.body === "" && !/\n(content-length|transfer-encoding):.*\r\n\r\n$/is.test(message),
  ),
  {
    ...moreReuse(
      "reuse-with-tab-after-keep-alive",
      "RFC 9110 5.6.1: OWS around a list's members is HTAB too, which Node 20 overlooks",
      (message, ours) =>
        ours.minorVersion === 0 && /connection:[^\n]*keep-alive *\t/i.test(message),
    ),
    llhttp: "before 9.4",
  },
];
