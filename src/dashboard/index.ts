/**
 * `keepline/dashboard`: a page that shows the pools of running clients. Nothing is watched while nobody looks at it.
 */
import { Client, worldOf } from "../client/client.ts";
import { InvalidOptionError } from "../core/errors.ts";
import { invalidOption, wholeNumber } from "../core/rules.ts";
import { listen } from "./server.ts";
import { Viewers } from "./viewers.ts";

export type {
  ClientUpdate,
  ClosedLine,
  Hello,
  LaneUpdate,
  Line,
  LineState,
  Note,
  PoolUpdate,
  Spread,
  Update,
  Warning,
} from "./messages.ts";

/** Where a dashboard is served. */
export interface DashboardOptions {
  /** TCP port. 0, the default: any that is free. */
  readonly port?: number;
  /**
   * Address to listen on. Default `127.0.0.1`: this machine alone. Whoever can reach another one sees origins, paths and
   * errors: there is no password.
   */
  readonly host?: string;
  /** Names, without ports, that a `Host` header may have beside addresses and `localhost`: of a proxy in front of it. */
  readonly allowedHosts?: readonly string[];
}

/** A dashboard that is served. It does not keep the process alive. */
export interface Dashboard {
  /** Where it is, as in `http://127.0.0.1:4700/`. */
  readonly url: string;
  /** Shows a further client, by a name. Returns what takes it out again. */
  add(name: string, client: Client): () => void;
  /** Ends it, and all who read it. Resolves when its port is free. */
  close(): Promise<void>;
}

const where = "serveDashboard()";

/**
 * Serves a dashboard of `clients`: one, or several by their names.
 *
 * Rejects with an InvalidOptionError for what is no client or no option, and with the error of Node.js (`EADDRINUSE`, …) when it
 * cannot listen.
 */
export async function serveDashboard(
  clients: Client | Readonly<Record<string, Client>>,
  options: DashboardOptions = {},
): Promise<Dashboard> {
  const { port = 0, host = "127.0.0.1", allowedHosts = [], ...unknown } = options;
  const [first] = Object.keys(unknown);
  if (first !== undefined) {
    throw new InvalidOptionError(first, "TypeError", `${where}: ${first}: there is no such option`);
  }
  const fault = wholeNumber(0, 65_535)(port);
  if (fault !== null) throw invalidOption("port", port, fault, where);
  if (typeof host !== "string" || host === "") {
    const allowed = "an address to listen on, such as 127.0.0.1";
    throw invalidOption("host", host, { nature: "TypeError", allowed }, where);
  }
  if (!Array.isArray(allowedHosts) || allowedHosts.some((name) => typeof name !== "string")) {
    const allowed = "an array of host names";
    throw invalidOption("allowedHosts", allowedHosts, { nature: "TypeError", allowed }, where);
  }
  const isRecord = typeof clients === "object" && clients !== null && !(clients instanceof Client);
  const named: [string, Client][] = isRecord ? Object.entries(clients) : [["", clients as Client]];
  const viewers = new Viewers();
  for (const [name, client] of named) viewers.add(name, worldOf(client, where));
  const place = { host, port, allowedHosts: allowedHosts.map((name) => name.toLowerCase()) };
  const { url, close } = await listen(viewers, place);
  return {
    url,
    close,
    add: (name, client) => viewers.add(name, worldOf(client, "dashboard.add()")),
  };
}
