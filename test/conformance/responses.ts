// Responses to parse: a corpus in which every rule of the parser has its message, and seeded mutations
// of it. Bytes are written as latin1 strings.

/** What a corpus message is: what the parser must say of it. */
export type Sample = ValidSample | InvalidSample;

interface ValidSample {
  readonly title: string;
  readonly message: string;
  /** GET when absent. */
  readonly method?: string;
  readonly status: number;
  readonly reason?: string;
  /** Flat; checked where given. */
  readonly headers?: readonly string[];
  readonly interim?: readonly number[];
  readonly body?: string;
  readonly trailers?: readonly string[];
  /** False when absent, as most samples test something else: `keepAlive` of the head. */
  readonly keepAlive: boolean;
  /** True when the body ends with the connection. */
  readonly untilClose?: boolean;
}

interface InvalidSample {
  readonly title: string;
  readonly message: string;
  readonly method?: string;
  /** `ResponseParseError.problem`, word for word. */
  readonly problem: string;
}

const ok = "HTTP/1.1 200 OK\r\n";
const chunked = `${ok}Transfer-Encoding: chunked\r\n\r\n`;
const empty = "Content-Length: 0\r\n\r\n";

/** The limit under which the corpus is parsed: `maxHeaderBytes`. */
export const corpusLimitBytes = 2048;

export const validSamples: readonly ValidSample[] = [
  {
    title: "a body with a length",
    message: `${ok}Server: nginx/1.24.0\r\nDate: Mon, 16 Nov 2026 12:00:00 GMT\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\nConnection: keep-alive\r\nKeep-Alive: timeout=75\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\nhello`,
    status: 200,
    reason: "OK",
    headers: [
      ...["Server", "nginx/1.24.0", "Date", "Mon, 16 Nov 2026 12:00:00 GMT"],
      ...["Content-Type", "text/plain; charset=utf-8", "Content-Length", "5"],
      ...["Connection", "keep-alive", "Keep-Alive", "timeout=75"],
      ...["Set-Cookie", "a=b", "Set-Cookie", "c=d"],
    ],
    body: "hello",
    keepAlive: true,
  },
  {
    title: "a body of length 0",
    message: ok + empty,
    status: 200,
    keepAlive: true,
  },
  {
    title: "a length with leading zeros and spaces around",
    message: `${ok}Content-Length: \t 003  \r\n\r\nabc`,
    status: 200,
    headers: ["Content-Length", "003"],
    body: "abc",
    keepAlive: true,
  },
  {
    title: "a body that holds line ends and other bytes",
    message: `${ok}content-length: 12\r\n\r\n\r\n\r\n\0\xff\nHTTP/`,
    status: 200,
    body: "\r\n\r\n\0\xff\nHTTP/",
    keepAlive: true,
  },
  {
    title: "a body until the connection ends",
    message: `${ok}\r\nabc\r\n\r\n`,
    status: 200,
    headers: [],
    body: "abc\r\n\r\n",
    keepAlive: false,
    untilClose: true,
  },
  {
    title: "an empty body until the connection ends",
    message: `${ok}X: y\r\n\r\n`,
    status: 200,
    keepAlive: false,
    untilClose: true,
  },
  {
    title: "Connection: close",
    message: `${ok}Connection: close\r\nContent-Length: 1\r\n\r\na`,
    status: 200,
    body: "a",
    keepAlive: false,
  },
  {
    title: "Connection options in a list, in any case",
    message: `${ok}CONNECTION: x ,\tClOsE\t , y\r\n${empty}`,
    status: 200,
    keepAlive: false,
  },
  {
    title: "close beside keep-alive, in another line",
    message: `${ok}Connection: close\r\nConnection: keep-alive\r\n${empty}`,
    status: 200,
    keepAlive: false,
  },
  {
    title: "an option that only begins with close",
    message: `${ok}Connection: closed, close-notify, "close"\r\n${empty}`,
    status: 200,
    keepAlive: true,
  },
  {
    title: "Proxy-Connection: close",
    message: `${ok}Proxy-Connection: close\r\n${empty}`,
    status: 200,
    keepAlive: false,
  },
  {
    title: "HTTP/1.0 without Connection",
    message: `HTTP/1.0 200 OK\r\n${empty}`,
    status: 200,
    keepAlive: false,
  },
  {
    title: "HTTP/1.0 with Connection: keep-alive",
    message: `HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n${empty}`,
    status: 200,
    keepAlive: true,
  },
  {
    title: "HTTP/1.0 with a tab after keep-alive",
    message: `HTTP/1.0 200 OK\r\nConnection: keep-alive\t\r\n${empty}`,
    status: 200,
    keepAlive: true,
  },
  {
    title: "HTTP/1.0 with a no-break space after keep-alive",
    message: `HTTP/1.0 200 OK\r\nConnection: keep-alive\xa0\r\n${empty}`,
    status: 200,
    keepAlive: false,
  },
  {
    title: "HTTP/1.0 with keep-alive and no length",
    message: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nabc",
    status: 200,
    body: "abc",
    keepAlive: false,
    untilClose: true,
  },
  {
    title: "HTTP/1.0 with keep-alive only for a proxy",
    message: `HTTP/1.0 200 OK\r\nProxy-Connection: keep-alive\r\n${empty}`,
    status: 200,
    keepAlive: false,
  },
  {
    title: "an empty reason",
    message: `HTTP/1.1 404 \r\n${empty}`,
    status: 404,
    reason: "",
    keepAlive: true,
  },
  {
    title: "no space before an empty reason",
    message: `HTTP/1.1 404\r\n${empty}`,
    status: 404,
    reason: "",
    keepAlive: true,
  },
  {
    title: "a reason of latin1 with white space",
    message: `HTTP/1.1 500  Pas d\xe9sol\xe9\t! \r\n${empty}`,
    status: 500,
    reason: " Pas d\xe9sol\xe9\t! ",
    keepAlive: true,
  },
  {
    title: "a status code above 599",
    message: `HTTP/1.1 999 No\r\n${empty}`,
    status: 999,
    keepAlive: true,
  },
  {
    title: "headers with odd names and values",
    message: `${ok}!#$%&'*+-.^_\`|~0aZ:v\r\nEmpty:\r\nSpace: \t \r\nInner:\t a \t b \t\r\nLatin: \x80\xff\r\nColon: a:b: c\r\n${empty}`,
    status: 200,
    headers: [
      ...["!#$%&'*+-.^_`|~0aZ", "v", "Empty", "", "Space", "", "Inner", "a \t b"],
      ...["Latin", "\x80\xff", "Colon", "a:b: c", "Content-Length", "0"],
    ],
    keepAlive: true,
  },
  {
    title: "names as long as those that frame a message",
    message: `${ok}Set-Cookie: x\r\nKeep-Aliva: x\r\nContent-Langua: 9\r\nAccept-Charset: 8\r\nWww-Authenticate: close\r\nTransfer-Encodink: chunked\r\nIf-Modified-Since: x\r\n${empty}`,
    status: 200,
    keepAlive: true,
  },
  {
    title: "a chunked body",
    message: `${chunked}5\r\nhello\r\n1\r\n \r\n00a\r\n0123456789\r\n0\r\n\r\n`,
    status: 200,
    body: "hello 0123456789",
    keepAlive: true,
  },
  {
    title: "an empty chunked body",
    message: `${ok}TRANSFER-ENCODING:\tChunKed  \r\n\r\n000\r\n\r\n`,
    status: 200,
    headers: ["TRANSFER-ENCODING", "ChunKed"],
    keepAlive: true,
  },
  {
    title: "chunk sizes in both cases, with sixteen digits",
    message: `${chunked}00000000000000Aa\r\n${"x".repeat(170)}\r\n0000000000000000\r\n\r\n`,
    status: 200,
    body: "x".repeat(170),
    keepAlive: true,
  },
  {
    title: "chunk extensions",
    message: `${chunked}3;a;b=c;d="e \\" \t\xe9;\\\\";f=""\r\nabc\r\n0;last\r\n\r\n`,
    status: 200,
    body: "abc",
    keepAlive: true,
  },
  {
    title: "a chunked body that looks like framing",
    message: `${chunked}7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n`,
    status: 200,
    body: "\r\n0\r\n\r\n",
    keepAlive: true,
  },
  {
    title: "trailers",
    message: `${chunked}1\r\na\r\n0\r\nX-Sum: 1 \r\nx-sum:2\r\nConnection: close\r\n\r\n`,
    status: 200,
    body: "a",
    trailers: ["X-Sum", "1", "x-sum", "2", "Connection", "close"],
    keepAlive: true,
  },
  {
    title: "interim responses before the final one",
    message: `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 199\r\n\r\n${ok}Content-Length: 2\r\n\r\nab`,
    status: 200,
    interim: [100, 103, 199],
    body: "ab",
    keepAlive: true,
  },
  {
    title: "204",
    message: "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
    status: 204,
    keepAlive: true,
  },
  {
    title: "204 with Content-Length: 0",
    message: `HTTP/1.1 204 No Content\r\n${empty}`,
    status: 204,
    keepAlive: true,
  },
  {
    title: "204 that claims a length",
    message: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    status: 204,
    keepAlive: false,
  },
  {
    title: "204 that claims to be chunked",
    message: "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    status: 204,
    keepAlive: false,
  },
  {
    title: "205 is framed like any other",
    message: "HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\nab",
    status: 205,
    body: "ab",
    keepAlive: true,
  },
  {
    title: "304 with a length",
    message: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n\r\n",
    status: 304,
    keepAlive: true,
  },
  {
    title: "304 that would be chunked",
    message: "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
    status: 304,
    keepAlive: true,
  },
  {
    title: "HEAD with a length",
    message: `${ok}Content-Length: 12345\r\n\r\n`,
    method: "HEAD",
    status: 200,
    keepAlive: true,
  },
  {
    title: "HEAD that would be chunked",
    message: chunked,
    method: "HEAD",
    status: 200,
    keepAlive: true,
  },
  {
    title: "HEAD without a length",
    message: `${ok}\r\n`,
    method: "HEAD",
    status: 200,
    keepAlive: true,
  },
  {
    title: "Upgrade in a response that is not 101",
    message: `HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade\r\nUpgrade: h2c\r\n${empty}`,
    status: 426,
    keepAlive: true,
  },
  {
    title: "a head of just the limit",
    message: withHeadOf(corpusLimitBytes),
    status: 200,
    keepAlive: true,
  },
];

/** `field` stands after the status line, `at` is the offset of the faulty byte in it. */
function badHead(title: string, field: string, at: number, problem: string): InvalidSample {
  return fault(title, `${ok}${field}\r\n${empty}`, ok.length + at, problem);
}

/** Refused when the head is complete. */
function badFraming(title: string, head: string, problem: string, more = ""): InvalidSample {
  return fault(title, head + more, head.length, problem);
}

/** `rest` stands after the head of a chunked response. */
function badChunk(title: string, rest: string, at: number, problem: string): InvalidSample {
  return fault(title, chunked + rest, chunked.length + at, problem);
}

function fault(title: string, message: string, at: number, problem: string): InvalidSample {
  return { title, message, problem: `${problem}, at byte ${at} of the response` };
}

const notStatusLine = "not an HTTP/1.0 or HTTP/1.1 status line";
const notCode = "the status code is not three digits from 100 on";

export const invalidSamples: readonly InvalidSample[] = [
  fault("another protocol", "SSH-2.0-OpenSSH", 0, `${notStatusLine}: "S" after ""`),
  fault("HTTP/2.0", `HTTP/2.0 200 OK\r\n${empty}`, 5, `${notStatusLine}: "2" after "HTTP/"`),
  fault("HTTP/1.2", `HTTP/1.2 200 OK\r\n${empty}`, 7, `${notStatusLine}: "2" after "HTTP/1."`),
  fault("HTTP/0.9", `HTTP/0.9 200 OK\r\n${empty}`, 5, `${notStatusLine}: "0" after "HTTP/"`),
  fault("small letters", `http/1.1 200 OK\r\n${empty}`, 0, `${notStatusLine}: "h" after ""`),
  fault("CRLF before the status line", `\r\n${ok}${empty}`, 0, `${notStatusLine}: CR after ""`),
  fault("LF before the status line", `\n${ok}${empty}`, 0, `${notStatusLine}: bare LF after ""`),
  fault("a tab", `HTTP/1.1\t200 OK\r\n`, 8, `${notStatusLine}: byte \\x09 after "HTTP/1.1"`),
  fault("two spaces", `HTTP/1.1  200 OK\r\n`, 9, `${notCode}: byte \\x20 after "HTTP/1.1 "`),
  fault("code 099", `HTTP/1.1 099 OK\r\n${empty}`, 9, `${notCode}: "0" after "HTTP/1.1 "`),
  fault("two digits", `HTTP/1.1 20 OK\r\n`, 11, `${notCode}: byte \\x20 after "HTTP/1.1 20"`),
  fault("four digits", `HTTP/1.1 2000 OK\r\n`, 12, `${notCode}: "0" after "HTTP/1.1 200"`),
  fault(
    "LF after the code",
    `HTTP/1.1 200\n${empty}`,
    12,
    `${notCode}: bare LF after "HTTP/1.1 200"`,
  ),
  fault("LF after the reason", `HTTP/1.1 200 OK\n${empty}`, 15, "bare LF in the reason phrase"),
  fault("CR in the reason", `HTTP/1.1 200 O\rK\r\n${empty}`, 15, "bare CR in the status line"),
  fault(
    "two CRs after the reason",
    `HTTP/1.1 200 OK\r\r${empty}`,
    16,
    "bare CR in the status line",
  ),
  fault("NUL in the reason", `HTTP/1.1 200 O\0\r\n`, 14, "byte \\x00 in the reason phrase"),
  fault("DEL in the reason", `HTTP/1.1 200 O\x7f\r\n`, 14, "byte \\x7f in the reason phrase"),

  badHead("NUL in a value", "A: a\0b", 4, 'byte \\x00 in the value of header "A"'),
  badHead("a control byte in a value", "Ab: \x1b[0m", 4, 'byte \\x1b in the value of header "Ab"'),
  badHead("DEL in a value", "A: \x7f", 3, 'byte \\x7f in the value of header "A"'),
  badHead("LF after a value", "A: b\nC: d", 4, 'bare LF in the value of header "A"'),
  badHead("LF at once", "A:\nC: d", 2, 'bare LF in the value of header "A"'),
  badHead("CR in a value", "Z: y\r\nA: b\rC: d", 11, 'bare CR in header "A"'),
  badHead("two CRs after a value", "A: b\r\r", 5, 'bare CR in header "A"'),
  badHead("a space before the colon", "A : b", 1, 'white space before the colon of header "A"'),
  badHead("a tab before the colon", "A\t: b", 1, 'white space before the colon of header "A"'),
  badHead("no colon", "Z: y\r\nAbc", 9, 'CR in the name of header "Abc"'),
  badHead("LF in a name", "A\n: b", 1, 'bare LF in the name of header "A"'),
  badHead("a byte that no name has", "A@b: c", 1, '"@" in the name of header "A"'),
  badHead("latin1 in a name", "A\xe9: c", 1, 'byte \\xe9 in the name of header "A"'),
  badHead("no name", "Z: y\r\n: b", 6, "a header without a name"),
  badHead("a name that begins wrong", '"a": b', 0, '""" at the start of a header'),
  badHead("a folded line", "A: b\r\n c", 6, 'header "A" is folded over several lines (obs-fold)'),
  badHead(
    "folded by a tab",
    "A: b\r\n\tc",
    6,
    'header "A" is folded over several lines (obs-fold)',
  ),
  badHead("a folded first line", " A: b", 0, "white space before the first header"),
  badHead("LF for the empty line", "A: b\r\n\n", 6, "bare LF at the start of a header"),
  badHead("CR for the empty line", "A: b\r\n\rC: d", 7, "bare CR at the end of the head"),
  badHead(
    "a long name",
    `${"A".repeat(100)} : b`,
    100,
    `white space before the colon of header "${"A".repeat(40)}…"`,
  ),

  badFraming(
    "two equal lengths",
    `${ok}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`,
    "more than one Content-Length",
    "a",
  ),
  badFraming(
    "two lengths",
    `${ok}Content-Length: 1\r\nX: y\r\ncontent-length: 2\r\n\r\n`,
    "more than one Content-Length",
    "ab",
  ),
  badFraming("no digits", `${ok}Content-Length:\r\n\r\n`, 'Content-Length is not a byte count: ""'),
  ...["1, 1", "+1", "-1", "1.0", "0x1", "1 1", "١", "9007199254740992", "9".repeat(400)].map(
    (value) =>
      badFraming(
        `Content-Length: ${value.slice(0, 20)}`,
        `${ok}Content-Length: ${Buffer.from(value).toString("latin1")}\r\n\r\n`,
        `Content-Length is not a byte count: ${quoted(value)}`,
      ),
  ),
  badFraming(
    "a tab after the length",
    `${ok}Content-Length: 1 \t \r\n\r\n`,
    "a tab after the value of Content-Length",
    "a",
  ),
  badFraming(
    "a length and chunks",
    `${ok}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
    "both Transfer-Encoding and Content-Length",
    "0\r\n\r\n",
  ),
  badFraming(
    "a length of 0 and chunks",
    `${ok}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n`,
    "both Transfer-Encoding and Content-Length",
  ),
  {
    ...badFraming(
      "chunks and a length, after HEAD",
      `${ok}Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n`,
      "both Transfer-Encoding and Content-Length",
    ),
    method: "HEAD",
  },
  badFraming(
    "chunked twice",
    `${ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`,
    "more than one Transfer-Encoding",
    "0\r\n\r\n",
  ),
  ...[
    "",
    "gzip",
    "gzip, chunked",
    "chunked, gzip",
    "chunked, chunked",
    "identity",
    "chunked;a",
    "xchunked",
    "chunked,",
  ].map((value) =>
    badFraming(
      `Transfer-Encoding: ${value}`,
      `${ok}Transfer-Encoding: ${value}\r\n\r\n`,
      `Transfer-Encoding is not just chunked: "${value}"`,
      "0\r\n\r\n",
    ),
  ),
  badFraming(
    "a tab after chunked",
    `${ok}Transfer-Encoding: chunked\t\r\n\r\n`,
    "a tab after the value of Transfer-Encoding",
    "0\r\n\r\n",
  ),
  badFraming(
    "chunks in HTTP/1.0",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "Transfer-Encoding in an HTTP/1.0 response",
    "0\r\n\r\n",
  ),
  badFraming(
    "101",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "101 Switching Protocols, though no upgrade was asked for",
    "abc",
  ),
  badFraming(
    "100 in HTTP/1.0",
    "HTTP/1.0 100 Continue\r\nConnection: keep-alive\r\n\r\n",
    "100 in an HTTP/1.0 response",
    ok + empty,
  ),
  badFraming(
    "103 with a length",
    "HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\n\r\n",
    "a 103 response that claims a body",
    ok,
  ),
  badFraming(
    "103 with chunks",
    "HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a 103 response that claims a body",
    ok,
  ),
  badFraming(
    "100 that closes",
    "HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n",
    "a 100 response with Connection: close",
    ok,
  ),
  fault(
    "a fault after an interim response",
    `HTTP/1.1 100 Continue\r\n\r\n\r\n${ok}`,
    25,
    `${notStatusLine}: CR after ""`,
  ),

  badChunk("no size", "\r\nabc", 0, "CR in place of a chunk size"),
  badChunk("a space before a size", " 1\r\na", 0, "byte \\x20 in place of a chunk size"),
  badChunk("a sign", "+1\r\na", 0, '"+" in place of a chunk size'),
  badChunk("a size like 0x1", "0x1\r\na", 1, '"x" after a chunk size'),
  badChunk("a space after a size", "1 \r\na", 1, "byte \\x20 after a chunk size"),
  badChunk("a tab after a size", "1\t\r\na", 1, "byte \\x09 after a chunk size"),
  badChunk("LF after a size", "1\na\r\n0\r\n\r\n", 1, "bare LF after a chunk size"),
  badChunk("CR after a size", "1\ra\r\n0\r\n\r\n", 2, "bare CR after a chunk size"),
  badChunk(
    "17 digits",
    `${"0".repeat(16)}1\r\na\r\n0\r\n\r\n`,
    16,
    "a chunk size that is too large",
  ),
  badChunk("a huge size", "20000000000000\r\n", 13, "a chunk size that is too large"),
  badChunk("more data than the size", "1\r\nab\r\n", 4, '"b" after the data of a chunk'),
  badChunk("LF after data", "1\r\na\n0\r\n\r\n", 4, "bare LF after the data of a chunk"),
  badChunk("CR after data", "1\r\na\r0\r\n\r\n", 5, "bare CR after the data of a chunk"),
  badChunk("a space before an extension", "1 ;a\r\na", 1, "byte \\x20 after a chunk size"),
  badChunk("a space in an extension", "1; a\r\na", 2, "byte \\x20 in a chunk extension"),
  badChunk("an empty extension", "1;\r\na", 2, "CR in a chunk extension"),
  badChunk("an extension without a name", "1;=b\r\na", 2, '"=" in a chunk extension'),
  badChunk("an extension without a value", "1;a=\r\na", 4, "CR in a chunk extension"),
  badChunk("LF in an extension", "1;a\na\r\n0\r\n\r\n", 3, "bare LF in a chunk extension"),
  badChunk("LF in a quoted extension", '1;a="\n"\r\na', 5, "bare LF in a chunk extension"),
  badChunk("CR in a quoted extension", '1;a="b\r\n"\r\na', 6, "CR in a chunk extension"),
  badChunk("NUL after a backslash", '1;a="\\\0"\r\na', 6, "byte \\x00 in a chunk extension"),
  badChunk("bytes after a quoted extension", '1;a="b"c\r\na', 7, '"c" in a chunk extension'),
  badChunk("CR in an extension", "1;a=b\rc\r\na", 6, "bare CR after a chunk size"),
  badChunk(
    "extensions beyond the limit",
    `${`1;${"a".repeat(700)}\r\nx\r\n`.repeat(3)}0\r\n\r\n`,
    2 * 707 + 1 + (corpusLimitBytes - 2 * 701),
    `the chunk extensions are larger than maxHeaderBytes (${corpusLimitBytes})`,
  ),
  badChunk("LF after the last chunk", "0\r\n\n", 3, "bare LF at the start of a trailer"),
  badChunk("CR after the last chunk", "0\r\n\rX", 4, "bare CR at the end of the trailer section"),
  badChunk(
    "a bad trailer name",
    "0\r\nX y: z\r\n\r\n",
    4,
    'white space before the colon of trailer "X"',
  ),
  badChunk("NUL in a trailer", "0\r\nX: \0\r\n\r\n", 6, 'byte \\x00 in the value of trailer "X"'),
  badChunk(
    "a folded trailer",
    "0\r\nA: b\r\nX: y\r\n z\r\n\r\n",
    15,
    'trailer "X" is folded over several lines (obs-fold)',
  ),
  badChunk(
    "Content-Length in a trailer",
    "0\r\ncontent-length: 1\r\n\r\n",
    24,
    "content-length in a trailer section",
  ),
  badChunk(
    "Transfer-Encoding in a trailer",
    "0\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n",
    39,
    "Transfer-Encoding in a trailer section",
  ),
  badChunk(
    "trailers beyond the limit",
    `0\r\n${"X: y\r\n".repeat(corpusLimitBytes / 6 + 1)}\r\n`,
    3 + corpusLimitBytes,
    `the trailer section is larger than maxHeaderBytes (${corpusLimitBytes})`,
  ),

  fault(
    "a head one byte beyond the limit",
    withHeadOf(corpusLimitBytes + 1),
    corpusLimitBytes,
    `the head is larger than maxHeaderBytes (${corpusLimitBytes})`,
  ),
  fault(
    "a header without an end",
    `${ok}A: ${"a".repeat(2 * corpusLimitBytes)}`,
    corpusLimitBytes,
    `the head is larger than maxHeaderBytes (${corpusLimitBytes})`,
  ),
  fault(
    "interim responses without an end",
    "HTTP/1.1 100 Continue\r\n\r\n".repeat(corpusLimitBytes / 25 + 1),
    corpusLimitBytes,
    `the head is larger than maxHeaderBytes (${corpusLimitBytes})`,
  ),
];

export const corpus: readonly Sample[] = [...validSamples, ...invalidSamples];

/** A response without a body whose head has exactly `bytes` bytes. */
function withHeadOf(bytes: number): string {
  const rest = `${ok}A: \r\n${empty}`;
  return `${ok}A: ${"a".repeat(bytes - rest.length)}\r\n${empty}`;
}

function quoted(value: string): string {
  const clipped = value.length > 40 ? `${value.slice(0, 40)}…` : value;
  return `"${clipped.replace("١", "\\xd9\\xa1")}"`;
}

/** Numbers from 0 up to, not including, `bound`; the same for the same seed (mulberry32). */
export type Draw = (bound: number) => number;

export function seededDraw(seed: number): Draw {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) * bound);
  };
}

/** One of `items`. */
export function drawFrom<T>(draw: Draw, items: readonly T[]): T {
  return items[draw(items.length)]!;
}

/** What a parser stumbles over, put into messages by mutations. */
const stumblingBlocks = [
  ...[
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    "\0",
    " ",
    "\t",
    ":",
    ";",
    ",",
    '"',
    "\\",
    "=",
    "\x7f",
    "\x80",
  ],
  ...[
    "0",
    "1",
    "f",
    "-",
    "+",
    "0\r\n",
    "0\r\n\r\n",
    "100",
    "101",
    "103",
    "204",
    "304",
    "HTTP/1.1 ",
  ],
  ...[
    "HTTP/1.0",
    "\r\n ",
    "\r\n\t",
    ": ",
    " :",
    ";a=b",
    ';a="b"',
    "chunked",
    "close",
    "keep-alive",
  ],
  ...["Content-Length: 1\r\n", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n"],
  ...["Connection: close\r\n", "Connection: keep-alive\r\n", "Transfer-Encoding: gzip\r\n"],
  ...["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n", "Trailer: x\r\n"],
];

/** `message` after one to four random changes; `other` is what is spliced in. */
export function mutate(draw: Draw, message: string, other: string): string {
  let text = message;
  for (let left = 1 + draw(4); left > 0; left--) {
    const at = draw(text.length + 1);
    const end = Math.min(text.length, at + 1 + draw(draw(4) === 0 ? 40 : 4));
    const before = text.slice(0, at);
    const after = text.slice(end);
    const part = text.slice(at, end);
    switch (draw(8)) {
      case 0:
        text = `${before}${String.fromCharCode((text.charCodeAt(at) || 0) ^ (1 << draw(8)))}${text.slice(at + 1)}`;
        break;
      case 1:
        text = before + String.fromCharCode(draw(256)) + text.slice(at + 1);
        break;
      case 2:
        text = before + after;
        break;
      case 3:
        text = before + drawFrom(draw, stumblingBlocks) + text.slice(at);
        break;
      case 4:
        text = before + drawFrom(draw, stumblingBlocks) + after;
        break;
      case 5:
        text = before + part + part + after;
        break;
      case 6:
        text = before + other.slice(draw(other.length + 1));
        break;
      default:
        text = draw(4) === 0 ? before : `${before}${part.toUpperCase()}${after}`;
    }
  }
  // toUpperCase may leave latin1: ÿ becomes Ÿ.
  return text.replace(/[^\0-\xff]/g, "?");
}
