/**
 * Requests that got no response, by the code of their error.
 */
import type { RunReport } from "../../cli/load/report.ts";
import { count } from "../../cli/numbers.ts";
import { Scroll } from "../scroll.tsx";

export function Errors({ runs }: { readonly runs: readonly RunReport[] }) {
  const rows = runs.flatMap(({ client, errors }) =>
    Object.entries(errors).map(([code, { count: number, example }]) => ({
      client,
      code,
      number,
      example,
    })),
  );
  if (rows.length === 0) return null;
  return (
    <section aria-labelledby="errors">
      <h2 id="errors">Errors</h2>
      <Scroll label="Table of errors">
        <table class="errors">
          <thead>
            <tr>
              <th scope="col">Code</th>
              <th scope="col">Client</th>
              <th scope="col" class="number">
                Requests
              </th>
              <th scope="col">One of the messages</th>
            </tr>
          </thead>
          <tbody>
            {rows
              .toSorted((a, b) => b.number - a.number)
              .map(({ client, code, number, example }) => (
                <tr key={`${client} ${code}`} data-error={code}>
                  <th scope="row">{code}</th>
                  <td>{client}</td>
                  <td class="number">{count(number)}</td>
                  <td class="message">{example}</td>
                </tr>
              ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}
