/**
 * Metrics and spans as the real SDK of OpenTelemetry has them: they agree with `stats()` and with what the server counted.
 */
import assert from "node:assert/strict";
import http from "node:http";
import { type TestContext, test } from "node:test";
import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  type DataPoint,
  type Histogram,
  MeterProvider,
  MetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { type Client, InvalidOptionError } from "../../src/index.ts";
import { instrument } from "../../src/opentelemetry/index.ts";
import { makeClient } from "../support/client-kit.ts";
import { holdingServer, outcomeOf, plainServer } from "../support/loopback.ts";
import { deadPort, ok, rawServer } from "../support/raw-server.ts";

/** Reads when it is asked to. */
class Reader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}

  /** The points of `name` that have `attributes`. */
  async points(
    name: string,
    attributes: Readonly<Record<string, unknown>> = {},
  ): Promise<DataPoint<number | Histogram>[]> {
    const { resourceMetrics, errors } = await this.collect();
    assert.deepEqual(errors, []);
    const metrics = resourceMetrics.scopeMetrics.flatMap((each) => each.metrics);
    const found = metrics.find(({ descriptor }) => descriptor.name === name);
    assert.ok(found, `there is no ${name}: ${metrics.map(({ descriptor }) => descriptor.name)}`);
    return (found.dataPoints as DataPoint<number | Histogram>[]).filter((each) =>
      Object.entries(attributes).every(([key, value]) => each.attributes[key] === value),
    );
  }

  /** The sum of numbers, or of the counts of histograms. */
  async sum(name: string, attributes: Readonly<Record<string, unknown>> = {}): Promise<number> {
    const points = await this.points(name, attributes);
    return points.reduce(
      (sum, { value }) => sum + (typeof value === "number" ? value : value.count),
      0,
    );
  }
}

function measured(t: TestContext, client: Client): Reader {
  const reader = new Reader();
  const meterProvider = new MeterProvider({ readers: [reader] });
  t.after(instrument(client, { meterProvider }));
  t.after(() => meterProvider.shutdown());
  return reader;
}

test("metrics agree with stats() and with what the server counted, to the last request", async (t) => {
  t.mock.method(process, "emitWarning", () => {});
  let answered = 0;
  const server = await plainServer(t, (request, response) => {
    answered++;
    response.statusCode = request.url === "/missing" ? 404 : 200;
    if (request.url === "/close") response.setHeader("connection", "close");
    response.end("ok");
  });
  const client = makeClient(t, {
    services: {
      api: { origins: [server.origin], maxSockets: 3, lanes: { bulk: { maxPending: 5 } } },
    },
  });
  const reader = measured(t, client);
  const agent = client.httpAgent();
  const ask = () =>
    new Promise((resolve) => {
      http.get(server.origin, { agent }, (response) => response.resume().on("close", resolve));
    });
  const work: Promise<unknown>[] = [];
  for (let index = 0; index < 30; index++) {
    work.push(outcomeOf(client.request(`${server.origin}/close`, { method: "POST" })));
    work.push(outcomeOf(client.request(`${server.origin}/missing`)));
    work.push(outcomeOf(client.request(server.origin, { lane: "bulk" })));
    work.push(
      client.fetch(server.origin).then((response) => response.text()),
      ask(),
    );
  }
  await Promise.all(work);
  const [dead, port] = [await deadPort(), server.port];
  await outcomeOf(client.request(`http://127.0.0.1:${dead}`));

  const { totals, lanes, sockets } = client.service("api").stats();
  const refused = lanes.bulk?.refused ?? 0;
  assert.ok(refused > 0 && (totals.closed["connection-close"] ?? 0) > 0);
  assert.equal(totals.requests - refused, answered);
  const at = { "server.address": "127.0.0.1", "server.port": port, "url.scheme": "http" };
  const api = { "keepline.service": "api" };
  const duration = "http.client.request.duration";
  assert.equal(await reader.sum(duration, at), totals.requests);
  const status = "http.response.status_code";
  assert.equal(await reader.sum(duration, { ...at, [status]: 200 }), answered - 30);
  assert.equal(await reader.sum(duration, { ...at, [status]: 404, "error.type": "404" }), 30);
  assert.equal(await reader.sum(duration, { "http.request.method": "POST" }), 30);
  assert.equal(
    await reader.sum(duration, { "error.type": "ERR_KEEPLINE_QUEUE_FULL", ...at }),
    refused,
  );
  const unreachable = { "server.port": dead, "error.type": "ERR_KEEPLINE_CONNECT" };
  assert.equal(await reader.sum(duration, unreachable), 1);

  const own = "keepline.client.connection";
  assert.equal(await reader.sum(`${own}.wait_time`, api), totals.timings.queue.count);
  assert.equal(await reader.sum(`${own}.use_time`, api), totals.timings.use.count);
  assert.equal(await reader.sum(`${own}.use_time`, api), answered);
  assert.equal(await reader.sum(`${own}.create_time`, api), totals.opened);
  assert.equal(await reader.sum("http.client.connection.duration", at), totals.timings.life.count);
  assert.equal(await reader.sum(`${own}.refusals`, { "keepline.lane": "bulk" }), refused);
  assert.equal(await reader.sum("keepline.client.requests", api), totals.requests);
  assert.equal(await reader.sum("keepline.client.request.reuses", api), totals.reused);
  const closed = Object.values(totals.closed).reduce((sum, count) => sum + count, 0);
  assert.equal(await reader.sum(`${own}.closed`, api), closed);
  const open = "http.client.open_connections";
  assert.equal(await reader.sum(open, { ...at, "http.connection.state": "idle" }), sockets.idle);
  assert.equal(await reader.sum(`${own}.max`, { ...api, "keepline.limit": "maxSockets" }), 3);
  const [point] = await reader.points(`${own}.use_time`, { "keepline.lane": "bulk" });
  const { sum = 0, count } = (point ?? assert.fail()).value as Histogram;
  const use = lanes.bulk?.timings.use;
  assert.equal(count, use?.count);
  assert.ok(Math.abs(sum * 1_000 - (use?.mean ?? 0) * count) < 1e-3);
});

test("sizes are those of the moment, and nothing is shown any more after the end", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, { maxSockets: 1 });
  const reader = new Reader();
  const meterProvider = new MeterProvider({ readers: [reader] });
  const stop = instrument(client, { meterProvider });
  const requests = [1, 2, 3].map(() => outcomeOf(client.request(server.origin)));
  const first = await server.next();
  assert.equal(await reader.sum("keepline.client.connection.pending_requests"), 2);
  assert.equal(await reader.sum("http.client.active_requests"), 3);
  const active = { "http.connection.state": "active" };
  assert.equal(await reader.sum("http.client.open_connections", active), 1);
  stop();
  first.response.end();
  for (let left = 2; left > 0; left--) (await server.next()).response.end();
  await Promise.all(requests);
  const { resourceMetrics } = await reader.collect();
  const names = resourceMetrics.scopeMetrics.flatMap(({ metrics }) =>
    metrics.map(({ descriptor }) => descriptor.name),
  );
  assert.ok(!names.includes("http.client.request.duration"), "nothing ended before it was stopped");
  await meterProvider.shutdown();
});

/** The spans of `client`, under a provider and a propagator of the test. */
function traced(t: TestContext, client: Client) {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const manager = new AsyncLocalStorageContextManager().enable();
  context.setGlobalContextManager(manager);
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  t.after(() => {
    context.disable();
    propagation.disable();
  });
  t.after(instrument(client, { spans: true, metrics: false, tracerProvider: provider }));
  return { exporter, tracer: provider.getTracer("test") };
}

test("a request has a client span under the active one, and the server gets its context", async (t) => {
  const seen: (string | undefined)[] = [];
  const server = await plainServer(t, (request, response) => {
    seen.push(request.headers.traceparent as string | undefined);
    response.statusCode = request.url === "/bad" ? 500 : 200;
    response.end();
  });
  const client = makeClient(t);
  const { exporter, tracer } = traced(t, client);
  const parent = tracer.startSpan("parent");
  const own = "00-11111111111111111111111111111111-2222222222222222-01";
  await context.with(trace.setSpan(context.active(), parent), async () => {
    await outcomeOf(client.request(`${server.origin}/path?secret=1`));
    await (await client.fetch(`${server.origin}/bad`)).text();
    const headers = { traceparent: own };
    await outcomeOf(client.request(server.origin, { method: "PURGE", headers }));
  });
  const spans = exporter.getFinishedSpans();
  const { traceId, spanId } = parent.spanContext();
  assert.deepEqual(
    spans.map(({ name, kind, parentSpanContext }) => [name, kind, parentSpanContext?.spanId]),
    ["GET", "GET", "HTTP"].map((name) => [name, SpanKind.CLIENT, spanId]),
  );
  const [first, bad, purge] = spans;
  assert.equal(seen[0], `00-${traceId}-${first?.spanContext().spanId}-01`);
  assert.equal(seen[1], `00-${traceId}-${bad?.spanContext().spanId}-01`);
  assert.equal(seen[2], own);
  assert.deepEqual(first?.attributes, {
    "http.request.method": "GET",
    "server.address": "127.0.0.1",
    "server.port": server.port,
    "url.scheme": "http",
    "url.full": `${server.origin}/path`,
    "keepline.service": "default",
    "keepline.lane": "default",
    "http.response.status_code": 200,
    "network.peer.address": "127.0.0.1",
    "network.protocol.version": "1.1",
  });
  assert.deepEqual(
    first.events.map(({ name }) => name),
    ["keepline.queued", "keepline.granted", "keepline.head"],
  );
  assert.equal(bad?.events[0]?.attributes?.["keepline.connection.reused"], true);
  assert.deepEqual(
    [bad?.status.code, bad?.attributes["error.type"]],
    [SpanStatusCode.ERROR, "500"],
  );
  assert.equal(purge?.attributes["http.request.method_original"], "PURGE");
});

test("a span tells how often its request was sent again, and what it failed with", async (t) => {
  const server = await rawServer(t, async (connection) => {
    for (let count = 1; ; count++) {
      await connection.request();
      if (count === 2 && connection.index === 0) return connection.end();
      await connection.send(ok("fine"));
    }
  });
  const client = makeClient(t);
  const { exporter } = traced(t, client);
  await outcomeOf(client.request(server.origin));
  await outcomeOf(client.request(server.origin));
  await outcomeOf(client.request(`http://127.0.0.1:${await deadPort()}`));
  const given = new AbortController();
  const late = client.request(server.origin, { signal: given.signal });
  given.abort(new DOMException("too late", "TimeoutError"));
  await assert.rejects(late, /too late/);
  const [, resent, failed, aborted] = exporter.getFinishedSpans();
  assert.equal(resent?.attributes["http.request.resend_count"], 1);
  assert.deepEqual(
    resent?.events.map(({ name }) => name),
    ["granted", "resend", "queued", "granted", "head"].map((name) => `keepline.${name}`),
  );
  const resend = resent?.events.find(({ name }) => name === "keepline.resend");
  assert.equal(resend?.attributes?.["keepline.retire.reason"], "socket-error");
  assert.deepEqual(
    [failed?.attributes["error.type"], failed?.status.code, failed?.events.at(-1)?.name],
    ["ERR_KEEPLINE_CONNECT", SpanStatusCode.ERROR, "exception"],
  );
  assert.equal(aborted?.attributes["error.type"], "TimeoutError");
});

test("what is no client or no option is refused by name", (t) => {
  const client = makeClient(t);
  for (const [bad, words] of [
    [() => instrument({} as Client), /client must be a Client/],
    [() => instrument(client, { traces: true } as object), /traces: there is no such option/],
    [() => instrument(client, { spans: 1 as never }), /spans: must be true or false/],
  ] as const) {
    assert.throws(bad, (error) => error instanceof InvalidOptionError && words.test(error.message));
  }
});
