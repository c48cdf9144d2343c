/**
 * Who may read the dashboard: programs that call it by an address of its own, and its own page. A page of somebody else
 * can send requests to 127.0.0.1, and by a name that it controls (DNS rebinding) also read the answers: the `Host` and `Origin`
 * of such requests are foreign, which is what is looked at here.
 */
import net from "node:net";

/** What is looked at of a request's head. */
export interface AskedBy {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site`, which browsers send and pages cannot set. */
  readonly site: string | undefined;
  /** `Sec-Fetch-Mode`. */
  readonly mode: string | undefined;
}

/**
 * Why a request is refused; null when it is not.
 *
 * @param isLoopback The dashboard listens on a loopback address, so that only such are its own.
 * @param allowedHosts Further names that it is called by, in lower case.
 */
export function refusalOf(
  { host, origin, site, mode }: AskedBy,
  isLoopback: boolean,
  allowedHosts: readonly string[],
): string | null {
  const name = hostName(host);
  if (name === null) return "the Host header is missing or malformed";
  const isOwn = isAddress(name, isLoopback) || isLocalName(name) || allowedHosts.includes(name);
  if (!isOwn) {
    return "the Host header names another host: see the option allowedHosts of serveDashboard()";
  }
  if (origin !== undefined && !isSameOrigin(origin, host ?? "")) {
    return "the Origin header names another site";
  }
  // A link to the dashboard may be followed from anywhere: the site that has it cannot read what comes.
  const isForeign = site !== undefined && site !== "same-origin" && site !== "none";
  return isForeign && mode !== "navigate" ? "it was asked for by another site" : null;
}

/** The host of a `Host` header, without its port and in lower case; null when there is none. */
function hostName(host: string | undefined): string | null {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(host ?? "");
  return match?.[1]?.toLowerCase() ?? null;
}

/** A name cannot be rebound to what is an address already; `localhost` belongs to this machine (RFC 6761). */
function isAddress(name: string, isLoopback: boolean): boolean {
  const address = name.replace(/^\[|\]$/g, "");
  if (net.isIP(address) === 0) return false;
  return !isLoopback || isLoopbackHost(address);
}

function isLocalName(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost");
}

/** True for an address or name of this machine alone. */
export function isLoopbackHost(host: string): boolean {
  return host === "::1" || (net.isIPv4(host) && host.startsWith("127.")) || isLocalName(host);
}

function isSameOrigin(origin: string, host: string): boolean {
  return origin === `http://${host}` || origin === `https://${host}`;
}
