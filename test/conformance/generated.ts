// Random responses: mostly well-formed, each part drawn from what servers send and what they must not.

import { type Draw, drawFrom, mutate, validSamples } from "./responses.ts";

export interface Exchange {
  readonly method: "GET" | "HEAD";
  /** The bytes of the response, as latin1. */
  readonly message: string;
}

/** One in three is mutated afterwards; of these, some come from the corpus. */
export function drawExchange(draw: Draw): Exchange {
  const method = draw(8) === 0 ? "HEAD" : "GET";
  const message = draw(6) === 0 ? drawFrom(draw, validSamples).message : drawResponse(draw);
  if (draw(3) !== 0) return { method, message };
  return { method, message: mutate(draw, message, drawResponse(draw)) };
}

function drawResponse(draw: Draw): string {
  let interim = "";
  while (draw(8) === 0) {
    const fields = draw(6) === 0 ? drawFrom(draw, oddInterimFields) : drawFields(draw, 3);
    interim += `${drawStatusLine(draw, [100, 100, 102, 103, 103, 103, 199, 101])}${fields}\r\n`;
  }
  const body = Array.from({ length: draw(30) }, () => drawFrom(draw, bodyBytes)).join("");
  const codes = [200, 200, 200, 201, 204, 205, 206, 301, 304, 404, 500, 600, 999, 100 + draw(500)];
  const statusLine = drawStatusLine(draw, codes);
  const framing = drawFraming(draw, body);
  const fields = [drawFields(draw, 6), framing.fields, drawFields(draw, 3)].join("");
  return `${interim}${statusLine}${fields}\r\n${framing.body}`;
}

const oddInterimFields = [
  ...["Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n", "Connection: close\r\n"],
  ...["Connection: close\t\r\n", "Connection: keep-alive\r\n", `B: ${"y".repeat(1500)}\r\n`],
];

const bodyBytes = ["a", "0", "\r\n", "\n", "\0", "\xff", " ", "5\r\n", "HTTP/1.1 200 OK\r\n"];

function drawStatusLine(draw: Draw, codes: readonly number[]): string {
  const version = draw(50) === 0 ? drawFrom(draw, ["0.9", "2.0", "1.2", "11"]) : undefined;
  const usual = draw(6) === 0 ? "1.0" : "1.1";
  const reason = drawFrom(draw, [" OK", " OK", " OK", "", " ", " Not  Found", " \xe9\t!", "  x "]);
  const code =
    draw(40) === 0 ? drawFrom(draw, ["099", "000", "20", "2000", "x"]) : drawFrom(draw, codes);
  const faulty = draw(80) === 0 ? drawFrom(draw, ["\x01", "\x7f", "\0", "\r"]) : "";
  return `HTTP/${version ?? usual} ${code}${reason}${faulty}\r\n`;
}

const fieldNames = ["Server", "x-a", "Date", "ETag", "Set-Cookie", "Vary", "!#$%&'*+-.^_`|~", "A"];
const fieldValues = [
  "",
  "b",
  "a, b",
  "nginx/1.24.0",
  "\xe9\x80\xff",
  "a\tb",
  '"q"',
  "x".repeat(60),
];
const connectionValues = [
  ...["close", "keep-alive", "Keep-Alive", "CLOSE", "close, x", "x,close", "keep-alive, close"],
  ...[
    "x , close ",
    "x,\tclose",
    "close\t",
    "close\t,x",
    "closed",
    "close x",
    "upgrade",
    ",,close,",
  ],
  ...["", "\xa0close", '"close"'],
];

function drawFields(draw: Draw, most: number): string {
  return Array.from({ length: draw(most + 1) }, () => drawField(draw)).join("");
}

function drawField(draw: Draw): string {
  switch (draw(18)) {
    case 0:
    case 1:
      return line(draw, "Connection", drawFrom(draw, connectionValues));
    case 2:
      return line(draw, "Keep-Alive", drawFrom(draw, ["timeout=5", "timeout=5, max=100", ""]));
    case 3:
      return draw(3) === 0 ? line(draw, "Proxy-Connection", drawFrom(draw, connectionValues)) : "";
    case 4:
      return draw(5) === 0 ? drawFrom(draw, oddLines) : "";
    default:
      return line(draw, drawFrom(draw, fieldNames), drawFrom(draw, fieldValues));
  }
}

const oddLines = [
  ...["A : b\r\n", ": b\r\n", " A: b\r\n", "\tA: b\r\n", "A: b\r\n c\r\n", "A\r\n", "A: b\n"],
  ...["A: b\rc\r\n", "A: \0\r\n", "A: \x1b\r\n", "A: \x7f\r\n", "A b: c\r\n", "\xe9: c\r\n", "\n"],
  ...["Upgrade: h2c\r\n", "Connection: upgrade\r\nUpgrade: x\r\n", `B: ${"y".repeat(1500)}\r\n`],
  ...["Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n", "Trailer: X\r\n"],
];

function line(draw: Draw, name: string, value: string): string {
  const written = drawFrom(draw, [name, name, name.toLowerCase(), name.toUpperCase()]);
  const before = drawFrom(draw, [" ", " ", " ", "", "\t", "  "]);
  const after = drawFrom(draw, ["", "", "", "", "", " ", "  ", "\t"]);
  return `${written}:${before}${value}${after}\r\n`;
}

function drawFraming(draw: Draw, body: string): { fields: string; body: string } {
  const { length } = body;
  const chunked = () => ({
    fields: line(draw, "Transfer-Encoding", draw(4) === 0 ? "Chunked" : "chunked"),
    body: drawChunks(draw, body),
  });
  switch (draw(16)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 12:
    case 13:
      return { fields: line(draw, "Content-Length", String(length)), body };
    case 4:
    case 5:
    case 6:
    case 7:
    case 14:
    case 15:
      return chunked();
    case 8:
      return { fields: "", body };
    case 9:
      return { fields: line(draw, "Content-Length", drawFrom(draw, oddLengths(length))), body };
    case 10:
      return { ...chunked(), fields: line(draw, "Transfer-Encoding", drawFrom(draw, oddCodings)) };
    default:
      return { fields: drawFraming(draw, body).fields + drawFraming(draw, body).fields, body };
  }
}

function oddLengths(length: number): string[] {
  return [
    ...[`0${length}`, `${length}, ${length}`, `+${length}`, `-${length}`, `${length}.0`, ""],
    ...[String(length + 1), String(Math.max(0, length - 1)), "9007199254740993", "1".repeat(25)],
    ...["0x1", `${length} x`, `${"0".repeat(30)}${length}`, "18446744073709551615"],
  ];
}

const oddCodings = [
  ...["gzip", "gzip, chunked", "chunked, gzip", "identity", "", "chunked, chunked", "chunked,"],
  ...["chunked;q=1", "xchunked", ",chunked", '"chunked"', "chunked x", "chunke"],
];

function drawChunks(draw: Draw, body: string): string {
  let text = "";
  for (let at = 0; at < body.length; ) {
    const length = Math.min(body.length - at, 1 + draw(12));
    text += `${drawSize(draw, length)}${drawExtension(draw)}\r\n${body.slice(at, at + length)}`;
    text += draw(150) === 0 ? drawFrom(draw, ["\n", "\r", "", "a\r\n"]) : "\r\n";
    at += length;
  }
  const trailers = draw(3) === 0 ? drawFields(draw, 3) : "";
  const odd = draw(30) === 0 ? drawFrom(draw, oddTrailers) : "";
  return `${text}${drawSize(draw, 0)}${drawExtension(draw)}\r\n${trailers}${odd}\r\n`;
}

const oddTrailers = [
  ...["Content-Length: 1\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: x\r\n"],
  ...[" A: b\r\n", "A: b\r\n c\r\n", "A : b\r\n", "A\r\n", "\n"],
];

function drawSize(draw: Draw, size: number): string {
  const hex = size.toString(16);
  if (draw(4) !== 0) return hex;
  const odd = [hex.toUpperCase(), `0${hex}`, hex.padStart(16, "0"), `00${hex}`];
  if (draw(25) !== 0) return drawFrom(draw, odd);
  return drawFrom(draw, [
    ` ${hex}`,
    `${hex} `,
    `0x${hex}`,
    `+${hex}`,
    "",
    `${hex}\t`,
    "f".repeat(17),
  ]);
}

function drawExtension(draw: Draw): string {
  if (draw(4) !== 0) return "";
  const usual = [";a", ";a=b", ';a="b c"', ';a="\\"\\\\";b', ';a=""', ";a;b=c", ';a="\t\xe9;"'];
  if (draw(12) !== 0) return drawFrom(draw, usual);
  const odd = [
    ";",
    ";a=",
    ";;a",
    ";a;;b",
    "; a",
    " ;a",
    ";a =b",
    ";a= b",
    ";a=b=c",
    ';a="b',
    ";=b",
  ];
  return drawFrom(draw, [
    ...odd,
    ';a=b"c"',
    ';a="b"c',
    ";a\x01",
    ';a="\x01"',
    ";a\n",
    ";a=b ",
    ";a,",
  ]);
}
