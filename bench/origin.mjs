// The lean origin of a benchmark, in a process of its own: a raw server that knows the paths of works.mjs and answers at
// once, or after `delayMsecs`. It costs less per request than any client, so it is never the limit. A request for
// /hold is answered when as many are there as it was told. Asked, it says how many sockets were open at most since it was
// asked before, and how many it has accepted.

import fs from "node:fs";
import net from "node:net";
import tls from "node:tls";
import { serve, settings } from "./processes.mjs";
import { furtherFields, largeBody, requestIdName, smallBody } from "./works.mjs";

const { delayMsecs = 0, tls: files = null } = settings();
const headEnd = Buffer.from("\r\n\r\n");
const small = answerOf(smallBody);
const manyFields = answerOf(smallBody, [...furtherFields, [requestIdName, "0".repeat(32)]]);
const requestIdEnd = manyFields.indexOf("0".repeat(32)) + 32;
let requestId = 0;
const large = answerOf(largeBody);
/** By the first byte of the path after the slash; small for all others. */
const answers = new Map([
  ["h".charCodeAt(0), withRequestId],
  ["b".charCodeAt(0), () => large],
]);
const hold = "/hold ";
const post = "P".charCodeAt(0);
let holdUntil = 0;
let held = [];
let open = 0;
let mostOpen = 0;
let accepted = 0;

function answerOf(body, fields = []) {
  const lines = [
    "HTTP/1.1 200 OK",
    "server: origin",
    "date: Thu, 01 Jan 2026 00:00:00 GMT",
    "content-type: application/json",
    `content-length: ${body.length}`,
    "connection: keep-alive",
    ...fields.map(([name, value]) => `${name}: ${value}`),
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`);
}

function accept(socket) {
  accepted++;
  mostOpen = Math.max(mostOpen, ++open);
  // The clients here wait for each response: what has arrived is one request, or a part of it.
  let part = null;
  socket.on("data", (chunk) => {
    const bytes = part === null ? chunk : Buffer.concat([part, chunk]);
    part = isWhole(bytes) ? null : bytes;
    if (part === null) answer(socket, bytes);
  });
  socket.on("error", () => {});
  socket.on("close", () => open--);
}

function isWhole(bytes) {
  const end = bytes.indexOf(headEnd);
  if (end === -1) return false;
  if (bytes[0] !== post) return true;
  const length = /content-length: *(\d+)/i.exec(bytes.latin1Slice(0, end));
  return bytes.length - end - headEnd.length >= Number(length[1]);
}

function answer(socket, bytes) {
  const bytesOfPath = bytes[0] === post ? 6 : 5;
  const response = answers.get(bytes[bytesOfPath])?.() ?? small;
  if (holdUntil > 0 && bytes.latin1Slice(4, 4 + hold.length) === hold) {
    held.push(socket);
    if (held.length < holdUntil) return;
    for (const each of held) each.write(small);
    held = [];
  } else if (delayMsecs === 0) socket.write(response);
  else setTimeout(() => socket.write(response), delayMsecs);
}

function withRequestId() {
  const response = Buffer.from(manyFields);
  const digits = String(++requestId);
  response.latin1Write(digits, requestIdEnd - digits.length);
  return response;
}

const options = { noDelay: true };
const server =
  files === null
    ? net.createServer(options, accept)
    : tls.createServer(
        { ...options, cert: fs.readFileSync(files.cert), key: fs.readFileSync(files.key) },
        accept,
      );
server.on("tlsClientError", () => {});

// The backlog is for clients that open many sockets at once.
server.listen(0, "127.0.0.1", 4_096, () =>
  serve({
    ready: { port: server.address().port },
    reply: (question) => {
      holdUntil = question.holdUntil ?? holdUntil;
      const most = mostOpen;
      mostOpen = open;
      return { mostOpen: most, accepted };
    },
  }),
);
