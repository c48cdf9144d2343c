/**
 * All figures, a column for each client.
 */
import { figures } from "../../cli/load/figures.ts";
import type { RunReport } from "../../cli/load/report.ts";
import { count } from "../../cli/numbers.ts";
import { Scroll } from "../scroll.tsx";
import { Swatch } from "./swatch.tsx";

/** What only the page has room for. */
const further = [
  { key: "sent", title: "sent", of: ({ sent }: RunReport) => count(sent) },
  {
    key: "unfinished",
    title: "under way at the end",
    of: ({ unfinished }: RunReport) => count(unfinished),
  },
  { key: "codes", title: "status codes", of: ({ statusCodes }: RunReport) => tally(statusCodes) },
  { key: "closed", title: "closed", of: ({ sockets }: RunReport) => tally(sockets.closed) },
  {
    key: "resent",
    title: "resent",
    of: ({ sockets: { resent } }: RunReport) => (resent === null ? "–" : count(resent)),
  },
  {
    key: "handshakes",
    title: "handshakes avoided",
    of: ({ saved }: RunReport) => count(saved.handshakesAvoided),
  },
];

export function FigureTable({ runs }: { readonly runs: readonly RunReport[] }) {
  const isCorrected = runs[0]?.latency.corrected !== null;
  const rows = [...figures.map((each) => ({ ...each, title: titleOf(each) })), ...further];
  return (
    <section aria-labelledby="all">
      <h2 id="all">{runs.length > 1 ? "Side by side" : "All figures"}</h2>
      {isCorrected && <p class="quiet">Latencies are corrected.</p>}
      <Scroll label="Table of all figures">
        <table class="all">
          <thead>
            <tr>
              <th scope="col">Figure</th>
              {runs.map(({ client }, place) => (
                <th key={client} scope="col" class="number">
                  <Swatch name={client} place={runs.length > 1 ? place : null} />
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ key, title, of }) => (
              <tr key={key} data-row={key}>
                <th scope="row">{title}</th>
                {runs.map((run) => (
                  <td key={run.client} class="number">
                    {of(run)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}

function titleOf({ title, unit }: (typeof figures)[number]): string {
  return unit === "" ? title : `${title}, ${unit}`;
}

/** "2,000 × 200, 3 × 404"; "–" where it is not told or there is none. */
function tally(counts: Readonly<Record<string, number>> | null): string {
  const parts = Object.entries(counts ?? {}).map(([name, number]) => `${count(number)} × ${name}`);
  return parts.length === 0 ? "–" : parts.join(", ");
}
