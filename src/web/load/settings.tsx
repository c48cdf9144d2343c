/**
 * What was asked for, and how the client was set.
 */
import type { Setting } from "../../cli/load/client-options.ts";
import type { PageContent } from "../../cli/load/html.ts";

interface Props {
  readonly settings: PageContent["settings"];
  readonly isCompared: boolean;
}

export function Settings({ settings, isCompared }: Props) {
  return (
    <section aria-labelledby="settings">
      <h2 id="settings">Settings</h2>
      <p class="quiet">
        {isCompared &&
          "All clients have the load, sockets per origin, keep-alive and certificates in common; the other options are keepline's. "}
        Left out: users and queries of URLs, values of header fields, bodies.
      </p>
      <div class="settings">
        <SettingTable title="Load" settings={settings.load} />
        <SettingTable title="Client" settings={settings.client} />
      </div>
    </section>
  );
}

interface TableProps {
  readonly title: string;
  readonly settings: readonly Setting[];
}

function SettingTable({ title, settings }: TableProps) {
  return (
    <table>
      <caption>{title}</caption>
      <tbody>
        {settings.map(({ name, value, isGiven }) => (
          <tr key={name} data-setting={name}>
            <th scope="row">{name}</th>
            <td>
              {value}
              {!isGiven && <span class="quiet"> (default)</span>}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
