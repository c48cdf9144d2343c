/**
 * The worker behind "Advise" on the page of a dashboard: takes a trace of the program, and simulates settings on it, here in the
 * browser. The program writes the trace, and has no more to do with it.
 */
import { advise, readTrace } from "../../simulate/index.ts";
import type { Asked, Told } from "./messages.ts";

/** Of the scope of a worker what is used here: the types of a page are other ones. */
interface Scope {
  onmessage: ((event: { readonly data: Asked }) => void) | null;
  postMessage(told: Told): void;
}

const scope = globalThis as unknown as Scope;
const stopping = new AbortController();
const mostRequests = 100_000;

scope.onmessage = ({ data }) => {
  if (data.kind === "enough") stopping.abort();
  else {
    run(data).catch((error: unknown) => {
      const words = error instanceof Error ? error.message : String(error);
      scope.postMessage({ kind: "failed", words });
    });
  }
};

async function run({
  client,
  service,
  seconds,
}: Extract<Asked, { kind: "advise" }>): Promise<void> {
  const { requests: all, simulation, leftOut } = await readTrace(await take(client, seconds));
  const requests = all.ofService(service);
  if (requests.count === 0) throw new Error(nothing(service));
  const advice = await advise(
    { ...simulation, workload: { kind: "trace", source: requests } },
    {
      service,
      onProgress: (simulations) => scope.postMessage({ kind: "simulating", simulations }),
    },
  );
  scope.postMessage({ kind: "done", advice, leftOut });
}

/** What comes of the trace until it ends, or until it is enough. */
async function take(client: string, seconds: number): Promise<string[]> {
  const query = new URLSearchParams({ for: String(seconds), requests: String(mostRequests) });
  query.set("client", client);
  const { signal } = stopping;
  const response = await fetch(`trace?${query}`, { signal }).catch(() => {
    throw new Error(signal.aborted ? nothing() : "the program does not answer");
  });
  if (!response.ok || response.body === null) throw new Error(await response.text());
  const pieces: string[] = [];
  let requests = 0;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      pieces.push(next.value);
      requests += next.value.split('{"at":').length - 1;
      scope.postMessage({ kind: "taking", requests });
    }
  } catch {
    if (!signal.aborted) throw new Error("the program has ended");
    // The last line may be cut.
    const text = pieces.join("");
    pieces.splice(0, pieces.length, text.slice(0, text.lastIndexOf("\n") + 1));
  }
  if (requests === 0) throw new Error(nothing());
  return pieces;
}

function nothing(service?: string): string {
  const whose = service === undefined ? "" : ` of service ${service}`;
  return `no request${whose} was over in that time`;
}
