/**
 * A client span for each request, with what its pool did for it as events, and its context in the request's header fields.
 */
import {
  type Context,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapSetter,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { PreparedExchange } from "../client/prepared-exchange.ts";
import type { Watcher } from "../observe/observing.ts";
import type { HttpLease, Sighting } from "../observe/sighting.ts";
import { errorTypeOf, methodOf, serverOf } from "./attributes.ts";

/** What may stand in a header field, and be no other one (RFC 9110, section 5.5). */
const fieldName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;

const linesSetter: TextMapSetter<Map<string, string>> = {
  set: (fields, name, value) => {
    if (fieldName.test(name) && fieldValue.test(value)) fields.set(name.toLowerCase(), value);
  },
};

/** The spans of one client. */
export class SpanWatcher implements Watcher {
  readonly #tracer: Tracer;
  readonly #spans = new WeakMap<Sighting, Span>();

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  created(seen: Sighting): void {
    const { request } = seen;
    if (!(request instanceof PreparedExchange)) return;
    const method = methodOf(seen.method);
    const attributes = {
      "http.request.method": method,
      ...(method === "_OTHER" ? { "http.request.method_original": seen.method } : {}),
      ...serverOf(seen.origin),
      // Without the query, which may hold secrets.
      "url.full": seen.path.startsWith("/") ? `${seen.origin}${seen.path}` : seen.origin,
      "keepline.service": seen.service,
      "keepline.lane": seen.lane,
    };
    const name = method === "_OTHER" ? "HTTP" : method;
    const parent = context.active();
    const span = this.#tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }, parent);
    this.#spans.set(seen, span);
    propagate(trace.setSpan(parent, span), request);
  }

  queued(seen: Sighting): void {
    this.#spans.get(seen)?.addEvent("keepline.queued");
  }

  granted(seen: Sighting, { id }: HttpLease): void {
    const { requestCount, idleMsecs } = seen;
    this.#spans.get(seen)?.addEvent("keepline.granted", {
      "keepline.connection.id": id,
      "keepline.connection.reused": requestCount > 1,
      "keepline.connection.idle_time": idleMsecs / 1_000,
    });
  }

  resent(seen: Sighting, { id, state }: HttpLease): void {
    const span = this.#spans.get(seen);
    span?.setAttribute("http.request.resend_count", seen.resends);
    span?.addEvent("keepline.resend", {
      "keepline.connection.id": id,
      ...(state.kind === "closed" ? { "keepline.retire.reason": state.reason } : {}),
    });
  }

  responded(seen: Sighting): void {
    const span = this.#spans.get(seen);
    if (span === undefined || seen.statusCode === null) return;
    span.addEvent("keepline.head");
    span.setAttribute("http.response.status_code", seen.statusCode);
    const peer = seen.lease?.transport?.remoteAddress;
    if (peer !== undefined) span.setAttribute("network.peer.address", peer);
    span.setAttribute("network.protocol.version", "1.1");
  }

  ended(seen: Sighting): void {
    const span = this.#spans.get(seen);
    const { statusCode } = seen;
    if (span !== undefined && statusCode !== null && statusCode >= 400) {
      span.setAttribute("error.type", String(statusCode));
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span?.end();
    this.#spans.delete(seen);
  }

  failed(seen: Sighting, error: unknown): void {
    const span = this.#spans.get(seen);
    if (span !== undefined && error !== null) {
      span.setAttribute("error.type", errorTypeOf(error));
      const message = error instanceof Error ? error.message : String(error);
      span.setStatus({ code: SpanStatusCode.ERROR, message });
      if (error instanceof Error) span.recordException(error);
    }
    span?.end();
    this.#spans.delete(seen);
  }
}

/** Puts `of` into the header fields of `request`, but those that the program has given itself. */
function propagate(of: Context, request: PreparedExchange): void {
  const fields = new Map<string, string>();
  propagation.inject(of, fields, linesSetter);
  const given = request.head.toLowerCase();
  let lines = "";
  for (const [name, value] of fields) {
    if (!given.includes(`\r\n${name}:`)) lines += `${name}: ${value}\r\n`;
  }
  if (lines !== "") request.addFields(lines);
}
