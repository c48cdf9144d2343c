import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveClientOptions } from "../../client/options.ts";
import { adviceOn } from "./advice.ts";
import type { Findings, IdleReport, KeepAliveReport, RequestsReport } from "./report.ts";

const keepAlive: KeepAliveReport = {
  keeps: "yes",
  connections: 6,
  kept: 6,
  refusals: {},
  versions: { "HTTP/1.1": 6 },
  statusCodes: { 200: 6 },
  servers: {},
  via: {},
  keepAliveHeaders: {},
  altSvc: null,
  hintMsecs: null,
  hintRequests: null,
  roundTripMsecs: 20,
};
const idle: IdleReport = {
  kind: "closes",
  timeoutMsecs: 60_000,
  atLeastMsecs: 60_000,
  atMostMsecs: 60_010,
  by: "fin",
  steady: true,
  said: null,
  samples: [],
};
const requests: RequestsReport = {
  sent: 120,
  limit: null,
  announced: null,
  confirmed: null,
  stoppedAt: null,
};
const address = {
  address: "192.0.2.1",
  family: 4,
  ttlSeconds: 300,
  connectMsecs: 20,
  problem: null,
} as const;
const findings: Findings = {
  url: "https://api.example.com/health",
  method: "GET",
  names: { host: "api.example.com", kind: "dns", lookupMsecs: 5, addresses: [address] },
  tls: null,
  keepAlive,
  requests,
  idle,
  sent: { connections: 40, requests: 200 },
};

function valuesOf(changes: Partial<Findings>): Record<string, unknown> {
  const { settings } = adviceOn({ ...findings, ...changes });
  return Object.fromEntries(settings.map(({ option, value }) => [option, value]));
}

test("connections are kept shorter than the server keeps them, by whatever of hint and sight is shorter", () => {
  assert.equal(valuesOf({}).keepAliveMsecs, 58_000);
  const hinted = (hintMsecs: number) => ({ keepAlive: { ...keepAlive, hintMsecs } });
  assert.equal(valuesOf(hinted(5_000)).keepAliveMsecs, 3_980);
  assert.equal(valuesOf(hinted(600_000)).keepAliveMsecs, 58_000);
  // What there was no time to see, the server may promise.
  const keeps: IdleReport = { ...idle, kind: "keeps", timeoutMsecs: null, atMostMsecs: null };
  assert.equal(valuesOf({ ...hinted(600_000), idle: keeps }).keepAliveMsecs, 598_000);
  assert.equal(valuesOf({ idle: keeps }).keepAliveMsecs, 58_000);
});

test("where connections are dropped silently, what was surely kept counts, not the best guess", () => {
  const drops: IdleReport = {
    ...idle,
    kind: "drops",
    timeoutMsecs: 350_000,
    atLeastMsecs: 330_000,
    atMostMsecs: 370_000,
    by: "silence",
  };
  assert.equal(valuesOf({ idle: drops }).keepAliveMsecs, 328_000);
  assert.match(adviceOn({ ...findings, idle: drops }).remarks.join(), /headersTimeoutMsecs/);
});

test("a limit that leaves no room is no setting", () => {
  for (const timeoutMsecs of [1, 20, 100]) {
    const short = { ...idle, timeoutMsecs, atLeastMsecs: timeoutMsecs };
    assert.equal(valuesOf({ idle: short }).keepAliveMsecs, undefined, `${timeoutMsecs}`);
  }
});

test("a limit on requests is a setting, and whether it is announced is the reason", () => {
  const limited = (announced: boolean) => ({ ...requests, limit: 100, announced, confirmed: true });
  for (const announced of [true, false]) {
    const { settings } = adviceOn({ ...findings, requests: limited(announced) });
    const found = settings.find((each) => each.option === "maxRequestsPerSocket");
    assert.equal(found?.value, 100);
    assert.match(found.why, announced ? /100th response, and says so/ : /request 101 would fail/);
  }
});

test("sockets are given an age by the time that DNS answers hold, a minute at least", () => {
  assert.equal(valuesOf({}).maxSocketAgeMsecs, 300_000);
  const names = { ...findings.names, addresses: [{ ...address, ttlSeconds: 5 }] };
  assert.equal(valuesOf({ names }).maxSocketAgeMsecs, 60_000);
  const local = { ...findings.names, addresses: [{ ...address, ttlSeconds: null }] };
  assert.equal(valuesOf({ names: local }).maxSocketAgeMsecs, undefined);
});

test("a family of addresses that leads nowhere is avoided, unless there is no other", () => {
  const dead = { ...address, address: "2001:db8::1", family: 6, problem: "ENETUNREACH" } as const;
  const both = { ...findings.names, addresses: [dead, address] };
  assert.equal(valuesOf({ names: both })["connect.family"], 4);
  const one = { ...findings.names, addresses: [dead] };
  assert.equal(valuesOf({ names: one })["connect.family"], undefined);
});

test("a server that keeps nothing has no settings, and is told what to change", () => {
  const no = { ...keepAlive, keeps: "no", kept: 0, refusals: { "Connection: close": 6 } } as const;
  const local = { ...findings.names, kind: "local", addresses: [] } as const;
  const { settings, code, remarks } = adviceOn({
    ...findings,
    names: local,
    keepAlive: no,
    idle: null,
    requests: null,
  });
  assert.deepEqual([settings, code], [[], ""]);
  assert.match(remarks.join(), /Connection: close.*keepalive_timeout/);
});

test("the code is one call that a client accepts, with every reason", () => {
  const { code, settings } = adviceOn({
    ...findings,
    requests: { ...requests, limit: 3, announced: false, confirmed: true },
  });
  const [, options = ""] = /new Client\((\{.*\})\);$/s.exec(code) ?? [];
  const given = new Function(`return ${options}`)() as Record<string, unknown>;
  assert.deepEqual(given, Object.fromEntries(settings.map(({ option, value }) => [option, value])));
  resolveClientOptions(given);
  const comments = code.replace(/\n {2}\/\/ /g, " ");
  for (const { why } of settings) assert.ok(comments.includes(why), why);
});
