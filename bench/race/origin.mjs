// The server of the race, in a process of its own, behind a link that delays bytes, FIN and RST alike. It
// closes a connection that was idle for `idleMsecs`, measured from the last byte of its last response, and
// counts how often each `x-id` reached it whole. It says nothing of its limit unless `hint` is set.

import net from "node:net";
import tls from "node:tls";
import { makeCertificate } from "../../dist/cli/certificate.js";
import { FaultProxy } from "../../dist/testing/index.js";
import { serve, settings } from "../processes.mjs";

const { idleMsecs, delayMsecs, hint, reset, isTls } = settings();

const body = JSON.stringify({ hello: "world" });
const response = Buffer.from(
  "HTTP/1.1 200 OK\r\n" +
    "content-type: application/json\r\n" +
    `content-length: ${body.length}\r\n` +
    (hint ? `keep-alive: timeout=${idleMsecs / 1000}\r\n` : "") +
    `\r\n${body}`,
);

const certificate = isTls ? makeCertificate() : null;
const secureContext = isTls ? tls.createSecureContext(certificate) : null;
let opened = 0;
/** How often each x-id was received. */
const received = new Map();

const server = net.createServer({ noDelay: true }, (transport) => {
  opened++;
  transport.on("error", () => {});
  const socket = isTls
    ? new tls.TLSSocket(transport, { isServer: true, secureContext })
    : transport;
  let held = "";
  // A new connection is idle, too, until its first request.
  let idle = setTimeout(close, idleMsecs);

  socket.on("data", (chunk) => {
    clearTimeout(idle);
    held += chunk.toString("latin1");
    for (let request = nextRequest(); request !== null; request = nextRequest()) {
      received.set(request, (received.get(request) ?? 0) + 1);
      socket.write(response, () => {
        clearTimeout(idle);
        idle = setTimeout(close, idleMsecs);
      });
    }
  });
  socket.on("end", () => socket.end());
  socket.on("error", () => {});
  socket.on("close", () => clearTimeout(idle));

  /** Takes a whole request off `held` and returns its x-id; null when there is none. */
  function nextRequest() {
    const headEnd = held.indexOf("\r\n\r\n");
    if (headEnd === -1) return null;
    const head = held.slice(0, headEnd);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    const end = headEnd + 4 + length;
    if (held.length < end) return null;
    held = held.slice(end);
    return /\r\nx-id: *(\S+)/i.exec(head)?.[1] ?? "none";
  }

  /** Closes as servers do: what arrives after the FIN is answered with a RST by the kernel. */
  function close() {
    if (reset) transport.resetAndDestroy();
    else socket.end(() => socket.destroy());
  }
});

server.listen(0, "127.0.0.1", async () => {
  const { port } = server.address();
  const protocol = isTls ? "https" : "http";
  const { origin } = await FaultProxy.listen({
    target: `${protocol}://127.0.0.1:${port}`,
    delayMsecs,
  });
  serve({
    ready: { origin, ca: certificate?.cert ?? null },
    reply: () => ({ opened, received: Object.fromEntries(received) }),
  });
});
