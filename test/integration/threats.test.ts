/**
 * What SECURITY.md says of names and addresses, of what keepline shows to whom, and of what it leaves to
 * the program.
 */
import assert from "node:assert/strict";
import type { LookupFunction } from "node:net";
import { test } from "node:test";
import { inspect } from "node:util";
import { gzipSync } from "node:zlib";
import { makeCertificate } from "../../src/cli/certificate.ts";
import {
  ConnectError,
  HeadersTimeoutError,
  InvalidRequestError,
  ResponseParseError,
  SocketClosedError,
} from "../../src/index.ts";
import { makeClient, rejection, statsOf, until } from "../support/client-kit.ts";
import { deadPort, ok, rawServer } from "../support/raw-server.ts";
import { tlsWatch } from "../support/tls-watch.ts";

/** A lookup that answers 127.0.0.1, as long as it is not told to refuse. */
function movingLookup() {
  const state = { askedCount: 0, refusal: null as Error | null };
  const lookup: LookupFunction = (_, options, callback) => {
    state.askedCount++;
    if (state.refusal !== null) callback(state.refusal, "", 4);
    else if (options.all === true) callback(null, [{ address: "127.0.0.1", family: 4 }]);
    else callback(null, "127.0.0.1", 4);
  };
  return { state, lookup };
}

test("a name is looked up for every dial and for no other request: a connection stays with its address", async (t) => {
  const server = await rawServer(t, async (connection) => {
    for (;;) {
      const { path } = await connection.request();
      await connection.send(ok("", ...(path === "/last" ? ["connection: close"] : [])));
    }
  });
  const { state, lookup } = movingLookup();
  const client = makeClient(t, { connect: { lookup } });
  const url = `http://moving.test:${server.port}/`;
  const addresses = new Set<string | undefined>();
  const ask = async (path = ""): Promise<void> => {
    const response = await client.request(url + path);
    addresses.add(response.connection.remoteAddress);
    await response.body.dump();
  };
  for (let count = 0; count < 3; count++) await ask();
  assert.equal(state.askedCount, 1);
  // The answer changes while the connection lives.
  state.refusal = Object.assign(new Error("that address is not allowed"), { code: "REFUSED" });
  await ask("last");
  assert.equal(state.askedCount, 1);
  await until(() => statsOf(client).sockets.open === 0);
  const error = await rejection(client.request(url), ConnectError);
  assert.equal(error.cause, state.refusal);
  assert.equal(state.askedCount, 2);
  assert.equal(server.connectionCount, 1);
  assert.deepEqual([...addresses], ["127.0.0.1"]);
});

test("a lookup that refuses an address opens no socket to it", async (t) => {
  const server = await rawServer(t, () => {});
  const { state, lookup } = movingLookup();
  state.refusal = new Error("not an address for users");
  const client = makeClient(t, { connect: { lookup } });
  const error = await rejection(
    client.request(`http://rebound.test:${server.port}/`, { method: "POST", body: "secret" }),
    ConnectError,
  );
  assert.match(error.message, /rebound\.test.*not an address for users/);
  assert.equal(error.requestSent, false);
  assert.equal(server.connectionCount, 0);
});

test("a lookup is not asked about an address in a URL: a program that refuses addresses looks at these itself", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send(ok("inside"));
  });
  const { state, lookup } = movingLookup();
  state.refusal = new Error("not asked");
  const client = makeClient(t, { connect: { lookup } });
  assert.equal(await (await client.request(server.origin)).body.text(), "inside");
  assert.equal(state.askedCount, 0);
});

test("a redirect is a response like any other: nothing is requested of where it points", async (t) => {
  const elsewhere = await rawServer(t, () => {});
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    const redirect = `HTTP/1.1 302 Found\r\nlocation: ${elsewhere.origin}/\r\ncontent-length: 0\r\n\r\n`;
    await connection.send(redirect);
  });
  const headers = { authorization: "secret" };
  const response = await makeClient(t).request(server.origin, { headers });
  assert.equal(response.statusCode, 302);
  assert.equal(response.headers.location, `${elsewhere.origin}/`);
  assert.equal(elsewhere.connectionCount, 0);
});

test("a compressed body is given as it came: nothing small unfolds into something large", async (t) => {
  const zipped = gzipSync(Buffer.alloc(1_000_000));
  const server = await rawServer(t, async (connection) => {
    const request = await connection.request();
    assert.equal(request.field("accept-encoding"), undefined);
    await connection.send(ok(zipped.toString("latin1"), "content-encoding: gzip"));
  });
  const response = await makeClient(t).request(server.origin);
  assert.deepEqual(Buffer.from(await response.body.bytes()), zipped);
});

const secret = "s3cr3t";

test("stats, the client and its responses show origins and numbers: no path, field, body, credential or key", async (t) => {
  const identity = makeCertificate();
  const server = await tlsWatch(t, { ...identity, passphrase: secret });
  const tls = { ca: identity.cert, key: identity.key, cert: identity.cert, passphrase: secret };
  const client = makeClient(t, { connect: { tls } });
  const url = server.origin.replace("https://", `https://user:${secret}@`);
  const response = await client.request(`${url}/${secret}?token=${secret}`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, cookie: secret, "x-note": secret },
    body: secret,
  });
  await response.body.text();
  const shown = [JSON.stringify(client.stats()), inspect(client.stats(), { depth: 20 })];
  shown.push(JSON.stringify(client) ?? "", JSON.stringify(response.connection));
  shown.push(inspect(response.connection), inspect(response.timings));
  for (const text of shown) {
    assert.ok(!text.includes(secret), text);
    assert.ok(!text.includes("user"), text);
    assert.ok(!text.includes("PRIVATE KEY"), text);
  }
  // What they do show.
  assert.deepEqual(
    client.stats().origins.map(({ origin }) => origin),
    [server.origin],
  );
});

test("errors show the origin, and nothing else of the request", async (t) => {
  const quiet = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.gone();
  });
  const closing = await rawServer(t, async (connection) => {
    await connection.request();
    connection.end();
  });
  const garbling = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send("nonsense\r\n\r\n");
  });
  const client = makeClient(t);
  const nobody = `http://127.0.0.1:${await deadPort()}`;
  for (const [origin, kind] of [
    [quiet.origin, HeadersTimeoutError],
    [closing.origin, SocketClosedError],
    [garbling.origin, ResponseParseError],
    [nobody, ConnectError],
    ["ftp://127.0.0.1", InvalidRequestError],
  ] as const) {
    const url = `${origin.replace("://", `://user:${secret}@`)}/${secret}?token=${secret}`;
    const headersTimeoutMsecs = kind === HeadersTimeoutError ? 20 : 60_000;
    const headers = { authorization: secret };
    const options = { method: "POST", headers, body: secret, headersTimeoutMsecs };
    const error = await rejection<Error>(client.request(url, options), kind);
    // The stack names this file, and nothing of the request.
    const shown = [error.message, inspect(error, { depth: 20 }), JSON.stringify(error)];
    for (const text of shown) assert.ok(!text.includes(secret), text);
  }
});
