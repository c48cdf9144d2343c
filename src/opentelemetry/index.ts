/**
 * `keepline/opentelemetry`: what clients do as metrics and spans of OpenTelemetry, by its semantic conventions for HTTP. It speaks to
 * the API alone: which SDK is behind it, if any, is the program's choice.
 */
import { type MeterProvider, metrics, type TracerProvider, trace } from "@opentelemetry/api";
import { type Client, worldOf } from "../client/client.ts";
import { InvalidOptionError } from "../core/errors.ts";
import { version } from "../version.ts";
import { MeterWatcher } from "./metrics.ts";
import { SpanWatcher } from "./spans.ts";

/** What is told, and to whom. */
export interface InstrumentOptions {
  /** Metrics; default true. */
  readonly metrics?: boolean;
  /**
   * A client span for each request, and its context in the request's header fields as the propagator of the program has it
   * (`traceparent`); default false. Not for requests of `node:http` through an agent: OpenTelemetry has an instrumentation for these.
   */
  readonly spans?: boolean;
  /** Default: the global one. */
  readonly meterProvider?: MeterProvider;
  /** Default: the global one. */
  readonly tracerProvider?: TracerProvider;
}

const scope = "keepline";

/**
 * Tells OpenTelemetry of `client` from now on. Durations are those of requests and connections from now on; counters and sizes
 * are those of `client.stats()`, from the beginning. Returns what ends it.
 *
 * @throws InvalidOptionError for what is no client or no option.
 */
export function instrument(client: Client, options: InstrumentOptions = {}): () => void {
  const {
    metrics: withMetrics = true,
    spans: withSpans = false,
    meterProvider = metrics.getMeterProvider(),
    tracerProvider = trace.getTracerProvider(),
    ...unknown
  } = options;
  const world = worldOf(client, "instrument()");
  const [first] = Object.keys(unknown);
  if (first !== undefined) throw fault(first, "there is no such option");
  for (const [name, value] of Object.entries({ metrics: withMetrics, spans: withSpans })) {
    if (typeof value !== "boolean") throw fault(name, "must be true or false");
  }
  const ends: (() => void)[] = [];
  if (withMetrics) {
    const watcher = new MeterWatcher(world.pools, meterProvider.getMeter(scope, version));
    ends.push(world.observing.add(watcher), () => watcher.end());
  }
  if (withSpans) {
    ends.push(world.observing.add(new SpanWatcher(tracerProvider.getTracer(scope, version))));
  }
  return () => {
    for (const end of ends) end();
    ends.length = 0;
  };
}

function fault(option: string, problem: string): InvalidOptionError {
  return new InvalidOptionError(option, "TypeError", `instrument(): ${option}: ${problem}`);
}
