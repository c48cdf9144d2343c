/**
 * `HttpsAgent`: certificates, identities, sessions and key logs.
 */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import type { TLSSocket } from "node:tls";
import { makeCertificate } from "../../src/cli/certificate.ts";
import { begin, countOf, failure, finish, get, makeHttpsAgent } from "../support/agent-kit.ts";
import { until } from "../support/client-kit.ts";
import { certificate, tlsServer } from "../support/loopback.ts";

const { key, cert } = certificate();

test("an HttpsAgent reuses TLS sockets, and verifies certificates", async (t) => {
  const server = await tlsServer(t, { key, cert });
  const url = `https://localhost:${server.port}`;
  const agent = makeHttpsAgent(t, { ca: cert });
  assert.equal((await get(url, { agent })).body, "ok");
  const { reused, socket } = await get(url, { agent });
  assert.equal(reused, true);
  assert.equal((socket as TLSSocket).authorized, true);
  const wary = makeHttpsAgent(t);
  const request = begin(url, { agent: wary });
  request.end();
  assert.match(String((await failure(request)).code), /CERT|SELF_SIGNED/);
});

test("large bodies pass over TLS, one after the other", async (t) => {
  const server = await tlsServer(t, { key, cert }, (request, response) => request.pipe(response));
  const url = `https://localhost:${server.port}`;
  const agent = makeHttpsAgent(t, { ca: cert });
  for (const size of [10, 100_000, 2_000_000]) {
    const body = "z".repeat(size);
    assert.equal((await get(url, { agent, method: "POST", body })).body, body);
  }
  assert.equal(server.connectionCount, 1);
});

test("requests whose TLS options differ do not share sockets, and the same ones do", async (t) => {
  const server = await tlsServer(t, { key, cert });
  const url = `https://localhost:${server.port}`;
  const agent = makeHttpsAgent(t);
  const other = makeCertificate();
  const identities: object[] = [
    { ca: cert },
    { ca: [cert, other.cert] },
    { ca: Buffer.from(`${cert}\n`) },
    { ca: cert, servername: "localhost", checkServerIdentity: () => undefined },
    { ca: cert, minVersion: "TLSv1.3" },
    { ca: cert, cert: other.cert, key: other.key },
    { rejectUnauthorized: false },
  ];
  const ports = [];
  for (const identity of identities) ports.push((await get(url, { agent, ...identity })).port);
  assert.equal(new Set(ports).size, identities.length);
  for (const [index, identity] of identities.entries()) {
    assert.equal((await get(url, { agent, ...identity })).port, ports[index]);
  }
  assert.equal(countOf(agent.freeSockets), identities.length);
});

test("the field Host says which name is asked for and verified", async (t) => {
  const names: (string | false)[] = [];
  const server = await tlsServer(t, { key, cert }, (request, response) => {
    names.push((request.socket as TLSSocket & { servername: string | false }).servername);
    response.end();
  });
  const url = `https://127.0.0.1:${server.port}`;
  const agent = makeHttpsAgent(t, { ca: cert });
  const first = await get(url, { agent, headers: { host: "localhost" } });
  const second = await get(url, { agent });
  assert.notEqual(first.port, second.port);
  assert.deepEqual(names, ["localhost", false]);
  const request = begin(url, { agent, headers: { host: "elsewhere.test" } });
  request.end();
  assert.equal((await failure(request)).code, "ERR_TLS_CERT_ALTNAME_INVALID");
});

test("a further socket resumes the TLS session", async (t) => {
  const server = await tlsServer(t, { key, cert });
  const url = `https://localhost:${server.port}`;
  const agent = makeHttpsAgent(t, { ca: cert, maxRequestsPerSocket: 1 });
  await get(url, { agent });
  const request = begin(url, { agent });
  const isReused = new Promise((resolve) => {
    request.once("socket", (socket: TLSSocket) => resolve(socket.isSessionReused()));
  });
  const done = finish(request);
  request.end();
  assert.equal(await isReused, true);
  await done;
});

test("keylog of the agent tells of the secrets of its sockets, those of later ones included", async (t) => {
  const server = await tlsServer(t, { key, cert });
  const url = `https://localhost:${server.port}`;
  const agent = makeHttpsAgent(t, { ca: cert });
  const lines: [string, Socket][] = [];
  agent.on("keylog", (line: Buffer, socket: Socket) => lines.push([line.toString(), socket]));
  const { socket } = await get(url, { agent });
  await until(() => lines.length > 0);
  assert.match(lines[0]?.[0] ?? "", /^[A-Z_]+ [0-9a-f]+ [0-9a-f]+\n$/);
  assert.equal(lines[0]?.[1], socket);
});

test("a large certificate bundle does not make its name longer than Node's, nor the pool's key", async (t) => {
  const server = await tlsServer(t, { key, cert });
  const url = `https://localhost:${server.port}`;
  const agent = makeHttpsAgent(t, { ca: [cert, ...Array(300).fill(cert)] });
  await get(url, { agent });
  assert.equal((await get(url, { agent })).reused, true);
  const [name] = Object.keys(agent.freeSockets);
  assert.ok((name?.length ?? 0) > 100_000);
});

test("createConnection of a program may be that of Node with other options", async (t) => {
  const server = await tlsServer(t, { key, cert });
  const agent = makeHttpsAgent(t);
  const usual = agent.createConnection;
  agent.createConnection = (options, callback) =>
    usual.call(agent, { ...options, ca: cert } as typeof options, callback);
  const url = `https://localhost:${server.port}`;
  assert.equal((await get(url, { agent })).body, "ok");
  assert.equal((await get(url, { agent })).reused, true);
});
