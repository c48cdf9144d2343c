/**
 * The name that a TLS client asks for and verifies, as Node's agents find it.
 */
import { isIP } from "node:net";

/** By the field Host where there is one, else by `host`; empty for an IP address, which is verified but not sent (RFC 6066, section 3). */
export function serverNameOf(host: string, hostField: unknown): string {
  const name = typeof hostField === "string" && hostField !== "" ? withoutPort(hostField) : host;
  return isIP(name) === 0 ? name : "";
}

function withoutPort(field: string): string {
  if (!field.startsWith("[")) return field.split(":", 1)[0] as string;
  const end = field.indexOf("]");
  return end === -1 ? field : field.slice(1, end);
}
