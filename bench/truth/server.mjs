// The server of one workload, in a process of its own: answers each request after as many ms as its field
// x-service-msecs says, so many at a time, and closes a connection that was idle for too long. Its responses say what it
// really took, for timers are late where a machine has other work, and for how long it had the request, with its waiting for others.
// Asked, it tells by how much timers were late since it was asked before.

import http from "node:http";
import https from "node:https";
import { makeCertificate } from "../../dist/cli/certificate.js";
import { serve, settings } from "../processes.mjs";

const { isTls = false, capacity = Number.POSITIVE_INFINITY, idleTimeoutMsecs = null } = settings();

const certificate = isTls ? makeCertificate() : null;
const server = isTls
  ? https.createServer({ ...certificate, ...quiet() }, accept)
  : http.createServer(quiet(), accept);
let working = 0;
const waiting = [];
let lateness = [];

/** Node's own limits would close connections by themselves. */
function quiet() {
  return { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 };
}

function accept(request, response) {
  clearTimeout(request.socket.idleTimer);
  const serviceMsecs = Number(request.headers["x-service-msecs"]);
  const work = { serviceMsecs, response, cameAt: performance.now() };
  if (working < capacity) begin(work);
  else waiting.push(work);
}

function begin({ serviceMsecs, response, cameAt }) {
  working++;
  if (serviceMsecs === 0) {
    end(response);
    return;
  }
  const beganAt = performance.now();
  setTimeout(() => {
    const now = performance.now();
    lateness.push(now - beganAt - serviceMsecs);
    response.setHeader("x-took-msecs", (now - beganAt).toFixed(3));
    response.setHeader("x-had-msecs", (now - cameAt).toFixed(3));
    end(response);
  }, serviceMsecs);
}

function end(response) {
  working--;
  const { socket } = response;
  response.end("ok");
  if (idleTimeoutMsecs !== null && socket !== null) {
    socket.idleTimer = setTimeout(() => socket.end(), idleTimeoutMsecs);
  }
  const next = waiting.shift();
  if (next !== undefined) begin(next);
}

server.listen(0, "127.0.0.1", () => {
  const { port } = server.address();
  serve({
    ready: {
      origin: `${isTls ? "https" : "http"}://127.0.0.1:${port}`,
      ca: certificate?.cert ?? null,
    },
    reply: () => {
      const told = lateness;
      lateness = [];
      return told;
    },
    stop: () => server.close(),
  });
});
