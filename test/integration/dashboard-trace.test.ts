/**
 * Traces that a dashboard gives: of which client, for how long, to whom, and what `keepline advise --from` makes of them.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { type TestContext, test } from "node:test";
import { advice } from "../../src/cli/advise/command.ts";
import { verdict } from "../../src/cli/errors.ts";
import { Terminal } from "../../src/cli/terminal.ts";
import { worldOf } from "../../src/client/client.ts";
import { serveDashboard } from "../../src/dashboard/index.ts";
import type { Client } from "../../src/index.ts";
import { type Advice, readTrace } from "../../src/simulate/index.ts";
import { makeClient, until } from "../support/client-kit.ts";
import { outcomeOf, plainServer } from "../support/loopback.ts";
import { deadPort } from "../support/raw-server.ts";

async function dashboardOf(t: TestContext, clients: Client | Record<string, Client>) {
  const dashboard = await serveDashboard(clients);
  t.after(() => dashboard.close());
  return dashboard;
}

/** A response whose head has come. */
async function ask(t: TestContext, url: string, options: http.RequestOptions = {}) {
  const request = http.request(url, { agent: false, ...options }).end();
  t.after(() => request.destroy());
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  response.on("error", () => {}); // of a trace that is given up
  return response;
}

async function textOf(response: http.IncomingMessage): Promise<string> {
  let text = "";
  for await (const piece of response.setEncoding("utf8")) text += piece;
  return text;
}

const isWatched = (client: Client): boolean =>
  worldOf(client, "the test").observing.forConnections !== null;

test("a trace has what the client does until it has enough, without paths, and then nobody looks any more", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t, { maxFreeSockets: 2 });
  const { url } = await dashboardOf(t, client);
  await outcomeOf(client.request(`${server.origin}/before`));
  const response = await ask(t, `${url}trace?for=60&requests=3`);
  assert.equal(response.statusCode, 200);
  assert.equal(response.headers["content-type"], "application/x-ndjson; charset=utf-8");
  assert.equal(response.headers["cache-control"], "no-store");
  assert.ok(isWatched(client));
  const whole = textOf(response);
  for (let index = 0; index < 4; index++) await outcomeOf(client.request(`${server.origin}/hush`));
  const text = await whole;
  assert.doesNotMatch(text, /hush|before/);
  const { requests, ended, simulation } = await readTrace(text);
  assert.deepEqual([requests.count, ended], [3, "requests"]);
  assert.equal(simulation.settings?.maxFreeSockets, 2);
  assert.ok(Object.hasOwn(simulation.network ?? {}, "connectMsecs"), "of the dial before");
  await until(() => !isWatched(client));
});

test("a trace ends with its time, with its reader, with its client and with the dashboard", async (t) => {
  const one = makeClient(t);
  const other = makeClient(t);
  const { url, add, close } = await dashboardOf(t, { one });
  const remove = add("other", other);
  const timed = textOf(await ask(t, `${url}trace?client=one&for=1`));
  const given = await ask(t, `${url}trace?client=one`);
  given.destroy();
  const removed = textOf(await ask(t, `${url}trace?client=other`));
  remove();
  assert.match(await removed, /"ended":"stopped","requests":0,"leftOut":0\}\n$/);
  assert.ok(!isWatched(other));
  assert.match(await timed, /"ended":"time"/);
  await until(() => !isWatched(one));
  const closed = await ask(t, `${url}trace?client=one`);
  const gone = new Promise((resolve) => closed.on("close", resolve));
  await Promise.all([close(), gone]);
  await until(() => !isWatched(one));
});

test("what is no trace is refused in words: other sites, other methods, unknown clients, too many readers", async (t) => {
  const client = makeClient(t);
  const { url } = await dashboardOf(t, { a: client, b: makeClient(t) });
  const refusal = async (query: string, options: http.RequestOptions = {}): Promise<string> => {
    const response = await ask(t, `${url}trace${query}`, options);
    return `${response.statusCode} ${await textOf(response)}`;
  };
  assert.match(await refusal(""), /^400 name a client: "a", "b"\n$/);
  assert.match(await refusal("?client=c"), /^404 there is no client of that name, but "a", "b"/);
  for (const query of ["for=0", "for=3601", "for=1e3", "requests=0", "requests=100001", "to=x"]) {
    assert.match(await refusal(`?client=a&${query}`), /^400 (for|requests|known)/, query);
  }
  assert.match(await refusal("?client=a", { method: "POST" }), /^405/);
  assert.match(await refusal("?client=a", { headers: { host: "evil.test" } }), /^403/);
  assert.match(await refusal("?client=a", { headers: { origin: "http://evil.test" } }), /^403/);
  assert.equal(await refusal("?client=a", { method: "HEAD" }), "200 ");
  const taken = [];
  for (let index = 0; index < 4; index++) taken.push(await ask(t, `${url}trace?client=a`));
  assert.match(await refusal("?client=a"), /^503 4 traces are being taken already/);
  for (const each of taken) each.destroy();
  await until(() => !isWatched(client));
});

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const output = () => {
    const made = { columns: 100, text: "", write: (text: string) => (made.text += text) };
    return made;
  };
  const [out, err] = [output(), output()];
  const terminal = new Terminal(out, err, { LC_ALL: "C.UTF-8" });
  try {
    await advice.run(args, { terminal, signal: new AbortController().signal });
    return { code: 0, out: out.text, err: err.text };
  } catch (error) {
    const { exitCode, text } = verdict(error);
    return { code: exitCode, out: text, err: err.text };
  }
}

/** Bursts of eight requests to a service, and one to somewhere else, until the test is over. */
function burstsOf(t: TestContext, client: Client, origin: string, other: string): void {
  const timer = setInterval(() => {
    for (let index = 0; index < 8; index++) void outcomeOf(client.request(origin));
    void outcomeOf(client.request(other));
  }, 100);
  t.after(() => clearInterval(timer));
}

test("advise --from advises for the service that does most, beginning with the options that it has", async (t) => {
  const server = await plainServer(t, (_, response) => setTimeout(() => response.end("ok"), 15));
  let othersRequests = 0;
  const other = await plainServer(t, (_, response) => {
    othersRequests++;
    response.end("ok");
  });
  const client = makeClient(t, {
    maxSockets: 9,
    services: { shop: { origins: server.origin, maxFreeSockets: 1 } },
  });
  const { url } = await dashboardOf(t, client);
  burstsOf(t, client, server.origin, other.origin);
  const { code, out, err } = await run("--from", url, "--for", "1s", "--requests", "60");
  assert.equal(code, 0, out);
  assert.match(err, /for service shop, which had \d+ of \d+ requests; --service-name/);
  const [, churn, less] = /maxFreeSockets 1 → \d+: churn ([\d.]+)\/s → ([\d.]+)\/s/.exec(out) ?? [];
  assert.ok(Number(less) < Number(churn) / 2, out);
  assert.match(out, /services: \{\n {4}shop: \{/);
  const before = othersRequests;
  const named = await run("--from", url, "--for", "1s", "--service-name", "default", "--json");
  assert.equal(named.code, 0, named.out);
  const found = JSON.parse(named.out) as Advice;
  assert.equal(found.present.values.maxSockets, 9);
  assert.ok(found.evidence.requests <= othersRequests - before, "of the other service alone");
  const none = await run("--from", url, "--for", "1s", "--service-name", "nothing");
  assert.deepEqual(
    [none.code, /no request was of service nothing; there are/.test(none.out)],
    [1, true],
    none.out,
  );
});

test("advise --from says why there is no traffic to take", async (t) => {
  const client = makeClient(t);
  const quiet = await dashboardOf(t, client);
  const many = await dashboardOf(t, { one: client, two: makeClient(t) });
  const plain = await plainServer(t);
  const older = await plainServer(t, (_, response) => {
    response.writeHead(404).end("there is nothing here; the dashboard is at /\n");
  });
  const cases: [args: string[], code: number, words: RegExp][] = [
    [["--from", String(await deadPort())], 1, /nobody answers at http:\/\/127\.0\.0\.1:\d+\//],
    [["--from", plain.origin], 1, /is no dashboard of keepline: it answered 200/],
    [["--from", older.origin], 1, /is a dashboard of an older keepline, which takes no traces/],
    [["--from", quiet.url, "--for", "1s"], 1, /no request was made in 1\.?0* s at http/],
    [["--from", many.url], 1, /shows several clients: say which by --client \("one", "two"\)/],
    [["--from", many.url, "--client", "three"], 1, /refuses: there is no client of that name/],
    [["--from", quiet.url, "--for", "2h"], 1, /refuses: for must be 1 to 3600 seconds/],
    [
      ["--from", quiet.url, "--rate", "5"],
      2,
      /--from and --rate are both where requests come from/,
    ],
    [["--client", "one", "--rate", "5"], 2, /--client means nothing without --from/],
    [["--from", "http://a b"], 2, /--from/],
  ];
  for (const [args, code, words] of cases) {
    const found = await run(...args);
    assert.match(found.out, words, args.join(" "));
    assert.equal(found.code, code, args.join(" "));
  }
});
