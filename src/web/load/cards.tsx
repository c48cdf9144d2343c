/**
 * The key figures: of several clients below each other, so that they are compared at a glance.
 */
import { figures } from "../../cli/load/figures.ts";
import type { RunReport } from "../../cli/load/report.ts";
import { count } from "../../cli/numbers.ts";
import { Swatch } from "./swatch.tsx";

/** Keys of figures, with a title and what it is, in the words of a page. */
const cards: readonly (readonly [key: string, title: string, doc: (runs: Runs) => string])[] = [
  ["answered", "Answered", (runs) => `of ${count(Math.max(...runs.map(({ sent }) => sent)))} sent`],
  ["failed", "Failed", () => "got no response"],
  ["rate", "Throughput", () => "answers a second"],
  ["p50", "Latency p50", latencyDoc],
  ["p99", "Latency p99", latencyDoc],
  ["p999", "Latency p99.9", latencyDoc],
  ["opened", "Sockets opened", () => "dials that succeeded"],
  ["open", "Open at most", () => "sockets at once"],
  ["churn", "Churn", () => "sockets opened a second"],
  ["reuse", "Reuse", () => "of answers, on a used socket"],
  ["saved", "Keep-alive saved", () => "of waiting for handshakes"],
  ["cpu", "CPU time", () => "of this process, an answer"],
];

type Runs = readonly RunReport[];

function latencyDoc([first]: Runs): string {
  return first?.latency.corrected === null ? "from the intended send" : "corrected";
}

export function Cards({ runs }: { readonly runs: Runs }) {
  const isCompared = runs.length > 1;
  return (
    <section aria-label="Key figures">
      <dl class={isCompared ? "figures compared" : "figures"}>
        {cards.map(([key, title, doc]) => {
          const figure = figures.find((each) => each.key === key);
          if (figure === undefined) return null;
          return (
            <div key={key} data-figure={key}>
              <dt>
                {title} <span class="quiet">{doc(runs)}</span>
              </dt>
              {runs.map((run, place) => (
                <dd key={run.client} data-client={run.client}>
                  {isCompared && (
                    <span class="client">
                      <Swatch name={run.client} place={place} />
                    </span>
                  )}
                  <strong class={key === "failed" && run.failed > 0 ? "alarm" : ""}>
                    {`${figure.of(run)} ${figure.unit}`.trim()}
                  </strong>
                </dd>
              ))}
            </div>
          );
        })}
      </dl>
    </section>
  );
}
