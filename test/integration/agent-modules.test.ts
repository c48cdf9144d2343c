/**
 * `keepline/http` and `keepline/https` in place of Node's modules.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import http, * as nodeHttp from "node:http";
import https, * as nodeHttps from "node:https";
import { createRequire } from "node:module";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { Agent, HttpsAgent } from "../../src/surfaces/agent/index.ts";
import * as ownHttp from "../../src/surfaces/http.ts";
import ownHttpModule, { get as ownGet, request as ownRequest } from "../../src/surfaces/http.ts";
import ownHttpsModule, * as ownHttps from "../../src/surfaces/https.ts";
import { finish } from "../support/agent-kit.ts";
import { certificate, plainServer, tlsServer } from "../support/loopback.ts";
import { programFile, root } from "../support/root.ts";

const require = createRequire(import.meta.url);
const requiredHttp = require(path.join(root, "dist/surfaces/http.js"));
const requiredHttps = require(path.join(root, "dist/surfaces/https.js"));

/** Ends what the global agents hold. */
function tidy(t: TestContext): void {
  t.after(() => {
    ownHttpModule.globalAgent.destroy();
    ownHttpsModule.globalAgent.destroy();
  });
}

test("every name that Node's modules export is there, however the module is had", () => {
  const pairs: [object, object, string][] = [
    [nodeHttp, ownHttp, "import * from keepline/http"],
    [http, ownHttpModule, "import from keepline/http"],
    [http, requiredHttp, "require keepline/http"],
    [nodeHttps, ownHttps, "import * from keepline/https"],
    [https, ownHttpsModule, "import from keepline/https"],
    [https, requiredHttps, "require keepline/https"],
  ];
  for (const [node, own, what] of pairs) {
    const missing = Object.keys(node).filter((name) => name !== "module.exports" && !(name in own));
    assert.deepEqual(missing, [], what);
  }
});

test("what is not about requests is Node's own", () => {
  const own = [
    "Agent",
    "ClientRequest",
    "default",
    "get",
    "globalAgent",
    "module.exports",
    "request",
  ];
  for (const [name, value] of Object.entries(nodeHttp)) {
    if (!own.includes(name)) assert.equal((ownHttp as Record<string, unknown>)[name], value, name);
  }
  for (const [name, value] of Object.entries(nodeHttps)) {
    if (!own.includes(name)) assert.equal((ownHttps as Record<string, unknown>)[name], value, name);
  }
});

test("Agent, globalAgent, request and get are keepline's", () => {
  assert.equal(ownHttp.Agent, Agent);
  assert.equal(ownHttps.Agent, HttpsAgent);
  assert.ok(
    ownHttp.globalAgent instanceof Agent && ownHttpModule.globalAgent === ownHttp.globalAgent,
  );
  assert.ok(ownHttps.globalAgent instanceof HttpsAgent);
  assert.equal(ownHttpModule.request, ownRequest);
  assert.notEqual(ownRequest, http.request);
});

test("request takes a URL as text or object, options, and a listener, in all of Node's ways", async (t) => {
  tidy(t);
  const server = await plainServer(t, (request, response) => {
    response.end(`${request.method} ${request.url} ${request.headers["x-a"] ?? "-"}`);
  });
  const { port } = server;
  const url = `${server.origin}/path?query`;
  const headers = { "x-a": "1" };
  const told: unknown[] = [];
  const listener = (): void => {
    told.push("told");
  };
  const requests = [
    ownRequest(url),
    ownRequest(new URL(url)),
    ownRequest(url, { headers }),
    ownRequest(url, { headers, method: "PUT" }, listener),
    ownRequest(url, listener),
    ownRequest({ host: "127.0.0.1", port, path: "/path?query", headers }, listener),
    ownRequest({ host: "127.0.0.1", port, path: "/path?query" }),
    ownGet(url, { headers }, listener),
    new ownHttp.ClientRequest(url, { headers }, listener),
  ];
  for (const request of requests) request.end();
  const bodies = (await Promise.all(requests.map(finish))).map(({ body }) => body);
  const [plain, withHeader] = ["GET /path?query -", "GET /path?query 1"];
  assert.deepEqual(bodies, [
    plain,
    plain,
    withHeader,
    "PUT /path?query 1",
    plain,
    withHeader,
    plain,
    withHeader,
    withHeader,
  ]);
  assert.equal(told.length, 5);
  for (const { agent } of requests as unknown as { agent: unknown }[]) {
    assert.equal(agent, ownHttpModule.globalAgent);
  }
});

test("an agent that is named is used, and createConnection without one needs none", async (t) => {
  tidy(t);
  const server = await plainServer(t);
  const agent = new http.Agent();
  const named = ownGet(server.origin, { agent });
  const own = ownGet("http://nowhere.test", {
    createConnection: () => require("node:net").connect(server.port, "127.0.0.1"),
  });
  assert.equal((named as unknown as { agent: unknown }).agent, agent);
  assert.equal((own as unknown as { agent: unknown }).agent, undefined);
  await Promise.all([finish(named), finish(own)]);
});

test("agent: false is an agent of its own, whose socket closes after the request", async (t) => {
  tidy(t);
  let connection: string | undefined;
  const server = await plainServer(t, (request, response) => {
    connection = request.headers.connection;
    response.end("ok");
  });
  const request = ownGet(server.origin, { agent: false });
  const { agent } = request as unknown as { agent: Agent };
  assert.ok(agent instanceof Agent && agent !== ownHttpModule.globalAgent);
  await finish(request);
  assert.equal(connection, "close");
});

test("globalAgent can be replaced, and requests go by the new one", async (t) => {
  tidy(t);
  const server = await plainServer(t);
  const before = ownHttpModule.globalAgent;
  const mine = new http.Agent();
  try {
    ownHttpModule.globalAgent = mine;
    assert.equal(ownHttp.globalAgent, mine);
    const request = ownGet(server.origin);
    assert.equal((request as unknown as { agent: unknown }).agent, mine);
    await finish(request);
  } finally {
    ownHttpModule.globalAgent = before;
  }
});

test("keepline/https sends by TLS, and refuses other protocols as Node does", async (t) => {
  tidy(t);
  const { key, cert } = certificate();
  const server = await tlsServer(t, { key, cert });
  const url = `https://localhost:${server.port}`;
  const first = await finish(ownHttps.get(url, { ca: cert }));
  const second = await finish(ownHttps.get(url, { ca: cert }));
  assert.deepEqual([first.body, second.reused], ["ok", true]);
  assert.throws(() => ownHttps.get("http://127.0.0.1"), { code: "ERR_INVALID_PROTOCOL" });
  assert.throws(() => ownHttp.get("https://127.0.0.1"), { code: "ERR_INVALID_PROTOCOL" });
});

test("the module that require returns can be changed, as Node's can", () => {
  const { request } = requiredHttp;
  try {
    requiredHttp.request = "patched";
    assert.equal(require(path.join(root, "dist/surfaces/http.js")).request, "patched");
  } finally {
    requiredHttp.request = request;
  }
});

test("a program for node:http that changes one line reuses its socket, and ends when it is done", async (t) => {
  const server = await plainServer(t, (request, response) => {
    response.end(String(request.socket.remotePort));
  });
  const child = spawn(
    process.execPath,
    [
      programFile("http-program.cjs"),
      path.join(root, "dist/surfaces/http.js"),
      String(server.port),
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  t.after(() => child.kill("SIGKILL"));
  let output = "";
  for await (const text of child.stdout.setEncoding("utf8")) output += text;
  const { ports, msecs, code } = JSON.parse(output);
  assert.equal(ports[0], ports[1]);
  assert.equal(code, 0);
  assert.ok(msecs < 300, `ended ${msecs} ms later`);
});
