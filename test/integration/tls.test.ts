/**
 * TLS on real sockets: what is verified, what is named, what is resumed, and what is refused.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { makeCertificate } from "../../src/cli/certificate.ts";
import {
  type ClientOptions,
  ConnectError,
  KeeplineError,
  SocketClosedError,
} from "../../src/index.ts";
import { closedReasons, makeClient, rejection, statsOf } from "../support/client-kit.ts";
import { lookupOf, tlsServer } from "../support/loopback.ts";
import { rawServer } from "../support/raw-server.ts";

const local = makeCertificate();

function trusting(t: TestContext, cert: string, options: ClientOptions = {}) {
  return makeClient(t, { ...options, connect: { tls: { ca: cert }, ...options.connect } });
}

/** What the server knows of the connection of each request, answered as JSON. */
function describe(request: IncomingMessage): string {
  const socket = request.socket as TLSSocket & { servername?: string | false };
  return JSON.stringify({
    servername: socket.servername || null,
    alpn: socket.alpnProtocol || null,
    protocol: socket.getProtocol(),
    isResumed: socket.isSessionReused(),
    peer: socket.getPeerCertificate().fingerprint256 ?? null,
  });
}

interface Described {
  readonly servername: string | null;
  readonly alpn: string | null;
  readonly protocol: string;
  readonly isResumed: boolean;
  readonly peer: string | null;
}

test("a certificate that nobody vouches for is refused, and the cause says why", async (t) => {
  const server = await tlsServer(t, local);
  const client = makeClient(t);
  const error = await rejection(client.request(server.origin), ConnectError);
  assert.equal((error.cause as NodeJS.ErrnoException).code, "DEPTH_ZERO_SELF_SIGNED_CERT");
  assert.match(error.message, /^cannot connect to https:.*self-signed certificate/);
  assert.equal(error.requestSent, false);
  assert.deepEqual(closedReasons(client), { "dial-failed": 1 });
});

test("a certificate of a trusted authority is accepted, for the address it is for", async (t) => {
  const server = await tlsServer(t, local);
  const client = trusting(t, local.cert);
  const response = await client.request(server.origin);
  assert.equal(await response.body.text(), "ok");
  const { connect, tls, dns } = response.timings;
  assert.ok(connect !== null && connect > 0 && tls !== null && tls > 0);
  assert.equal(dns, null);
});

test("a certificate for another name is refused", async (t) => {
  const other = makeCertificate({ names: ["other.test"] });
  const server = await tlsServer(t, other);
  const client = trusting(t, other.cert);
  const error = await rejection(client.request(server.origin), ConnectError);
  assert.equal((error.cause as NodeJS.ErrnoException).code, "ERR_TLS_CERT_ALTNAME_INVALID");
});

test("an expired certificate is refused, and one that is not valid yet", async (t) => {
  const day = 86_400_000;
  const now = Date.now();
  for (const [from, until, code] of [
    [now - 2 * day, now - day, "CERT_HAS_EXPIRED"],
    [now + day, now + 2 * day, "CERT_NOT_YET_VALID"],
  ] as const) {
    const certificate = makeCertificate({
      ips: ["127.0.0.1"],
      notBefore: new Date(from),
      notAfter: new Date(until),
    });
    const server = await tlsServer(t, certificate);
    const client = trusting(t, certificate.cert);
    const error = await rejection(client.request(server.origin), ConnectError);
    assert.equal((error.cause as NodeJS.ErrnoException).code, code);
  }
});

test("rejectUnauthorized: false accepts any certificate, and only for the client that says so", async (t) => {
  const server = await tlsServer(t, makeCertificate({ names: ["other.test"] }));
  const careless = makeClient(t, { connect: { tls: { rejectUnauthorized: false } } });
  const careful = makeClient(t);
  assert.equal((await careless.request(server.origin)).statusCode, 200);
  await rejection(careful.request(server.origin), ConnectError);
});

test("a name is sent as SNI and verified; an IP address is verified and not sent", async (t) => {
  const certificate = makeCertificate({ names: ["api.test"], ips: ["127.0.0.1"] });
  const server = await tlsServer(t, certificate, (request, response) => {
    response.end(describe(request));
  });
  const { lookup } = lookupOf(["127.0.0.1"]);
  const client = trusting(t, certificate.cert, {
    connect: { tls: { ca: certificate.cert }, lookup },
  });
  const byName = await client.request(`https://api.test:${server.port}/`);
  assert.equal(((await byName.body.json()) as Described).servername, "api.test");
  const byAddress = await client.request(server.origin);
  assert.equal(((await byAddress.body.json()) as Described).servername, null);
});

test("connect.tls.servername takes the place of the URL's host", async (t) => {
  const certificate = makeCertificate({ names: ["inner.test"] });
  const server = await tlsServer(t, certificate, (request, response) => {
    response.end(describe(request));
  });
  const client = makeClient(t, {
    connect: { tls: { ca: certificate.cert, servername: "inner.test" } },
  });
  const response = await client.request(server.origin);
  assert.equal(((await response.body.json()) as Described).servername, "inner.test");
});

test("HTTP/1.1 is asked for by ALPN", async (t) => {
  const options = { ...local, ALPNProtocols: ["h2", "http/1.1"] };
  const server = await tlsServer(t, options, (request, response) => {
    response.end(describe(request));
  });
  const response = await trusting(t, local.cert).request(server.origin);
  assert.equal(((await response.body.json()) as Described).alpn, "http/1.1");
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`a reconnect resumes the session over ${version}, as the server sees and stats count`, async (t) => {
    const options = { ...local, minVersion: version, maxVersion: version } as const;
    const server = await tlsServer(t, options, (request, response) => {
      response.end(describe(request));
    });
    const client = trusting(t, local.cert, { keepAlive: false });
    const seen: boolean[] = [];
    for (let count = 0; count < 3; count++) {
      const response = await client.request(server.origin);
      const described = (await response.body.json()) as Described;
      assert.equal(described.protocol, version);
      seen.push(described.isResumed);
    }
    assert.deepEqual(seen, [false, true, true]);
    const { opened, resumedTls } = statsOf(client);
    assert.deepEqual({ opened, resumedTls }, { opened: 3, resumedTls: 2 });
  });
}

test("a server whose certificate has changed to one that is not trusted is refused, session or not", async (t) => {
  const server = await tlsServer(t, local);
  const client = trusting(t, local.cert, { keepAlive: false });
  await (await client.request(server.origin)).body.dump();
  const changed = await tlsServer(t, makeCertificate());
  // Another server at the address that the client knows: its lookup moves, as DNS would.
  const moving = makeClient(t, {
    keepAlive: false,
    connect: { tls: { ca: local.cert }, lookup: lookupOf(["127.0.0.1"]).lookup },
  });
  await rejection(moving.request(`https://localhost:${changed.port}/`), ConnectError);
  await rejection(client.request(changed.origin), ConnectError);
});

test("a session is offered to its own server by its own client only", async (t) => {
  const ticketKeys = randomBytes(48);
  const tell = (request: IncomingMessage, response: ServerResponse) =>
    response.end(describe(request));
  // Both would resume a session of either.
  const servers = [
    await tlsServer(t, { ...local, ticketKeys }, tell),
    await tlsServer(t, { ...local, ticketKeys }, tell),
  ];
  const seen = [];
  for (const client of [trusting(t, local.cert), trusting(t, local.cert)]) {
    for (const { origin } of servers) {
      const response = await client.request(origin);
      seen.push(((await response.body.json()) as Described).isResumed);
    }
  }
  assert.deepEqual(seen, [false, false, false, false]);
});

test("a session is forgotten when a dial with it fails", async (t) => {
  const https = await tlsServer(t, local, (request, response) => response.end(describe(request)));
  let isResetting = false;
  // In front of the server, on one address: passes everything on, or resets.
  const gate = await rawServer(t, async ({ socket }) => {
    if (isResetting) {
      socket.resetAndDestroy();
      return;
    }
    const inner = net.connect(https.port, "127.0.0.1");
    inner.on("error", () => socket.destroy());
    socket.on("close", () => inner.destroy());
    inner.on("data", (piece) => socket.write(piece));
    socket.on("data", (piece) => inner.write(piece));
  });
  const client = trusting(t, local.cert, { keepAlive: false });
  const url = `https://127.0.0.1:${gate.port}/`;
  const isResumed = async () => {
    const response = await client.request(url);
    return ((await response.body.json()) as Described).isResumed;
  };
  assert.deepEqual([await isResumed(), await isResumed()], [false, true]);
  isResetting = true;
  await rejection(client.request(url), ConnectError);
  isResetting = false;
  assert.deepEqual([await isResumed(), await isResumed()], [false, true]);
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`a server that demands a certificate over ${version} refuses a client that has none`, async (t) => {
    const options = { ...local, requestCert: true, maxVersion: version, ca: local.cert } as const;
    const server = await tlsServer(t, options);
    const error = await rejection(trusting(t, local.cert).request(server.origin), KeeplineError);
    // Over TLS 1.3 the handshake is over for the client when the server looks at its certificate.
    assert.ok(error instanceof (version === "TLSv1.2" ? ConnectError : SocketClosedError));
    assert.equal(error.requestSent, version === "TLSv1.3");
  });
}

test("a client certificate is shown to a server that asks, and clients of two identities share nothing", async (t) => {
  const identities = [makeCertificate(), makeCertificate()] as const;
  // The server asks and looks; whom it trusts is not the matter here.
  const options = { ...local, requestCert: true, rejectUnauthorized: false };
  const server = await tlsServer(t, options, (request, response) => {
    response.end(describe(request));
  });
  const seen = new Set<string | null>();
  for (const { cert, key } of identities) {
    const client = makeClient(t, { connect: { tls: { ca: local.cert, cert, key } } });
    for (let count = 0; count < 2; count++) {
      const response = await client.request(server.origin);
      seen.add(((await response.body.json()) as Described).peer);
    }
    assert.equal(statsOf(client).opened, 1);
  }
  assert.equal(seen.size, 2);
  assert.ok(!seen.has(null));
});

test("large bodies arrive intact over TLS, up and down", async (t) => {
  const server = await tlsServer(t, local, (request, response) => {
    request.pipe(response);
  });
  const bytes = randomBytes(5_000_000);
  const response = await trusting(t, local.cert).request(server.origin, {
    method: "POST",
    body: bytes,
  });
  const digest = (each: Uint8Array): string => createHash("sha256").update(each).digest("hex");
  assert.equal(digest(await response.body.bytes()), digest(bytes));
});

test("a server that resets during the handshake fails the dial", async (t) => {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.resetAndDestroy());
  });
  t.after(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const client = makeClient(t);
  const error = await rejection(client.request(`https://127.0.0.1:${port}/`), ConnectError);
  assert.equal((error.cause as NodeJS.ErrnoException).code, "ECONNRESET");
});

test("a server that speaks no TLS fails the dial, with a cause that says so", async (t) => {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  t.after(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const error = await rejection(makeClient(t).request(`https://127.0.0.1:${port}/`), ConnectError);
  assert.match(String((error.cause as NodeJS.ErrnoException).code), /^ERR_SSL_|ECONNRESET/);
  assert.match(
    error.message,
    /^cannot connect to https:[^\n]+: ([a-z ]+ \(SSL routines\)|read ECONNRESET)$/,
  );
});

test("TLS over a Unix domain socket verifies the name of the URL", async (t) => {
  const path = join(tmpdir(), `keepline-tls-${process.pid}.sock`);
  const certificate = makeCertificate({ names: ["inside.test"] });
  await tlsServer(t, certificate, undefined, { path });
  const connect = { tls: { ca: certificate.cert }, socketPath: path };
  const client = makeClient(t, { connect });
  assert.equal(await (await client.request("https://inside.test/")).body.text(), "ok");
  const error = await rejection(client.request("https://outside.test/"), ConnectError);
  assert.equal((error.cause as NodeJS.ErrnoException).code, "ERR_TLS_CERT_ALTNAME_INVALID");
});

test("TLS over a Unix domain socket verifies the address of a URL without a name", async (t) => {
  const path = join(tmpdir(), `keepline-tls-ip-${process.pid}.sock`);
  // A certificate for localhost must not do for an address.
  const certificate = makeCertificate({ ips: ["10.1.2.3"], names: ["localhost"] });
  await tlsServer(t, certificate, undefined, { path });
  const connect = { tls: { ca: certificate.cert }, socketPath: path };
  const client = makeClient(t, { connect });
  assert.equal(await (await client.request("https://10.1.2.3/")).body.text(), "ok");
  const error = await rejection(client.request("https://10.9.9.9/"), ConnectError);
  assert.equal((error.cause as NodeJS.ErrnoException).code, "ERR_TLS_CERT_ALTNAME_INVALID");
});
