/**
 * How the server speaks TLS: protocols by ALPN, versions, and what handshakes cost, full and resumed.
 */
import type { SecureVersion } from "node:tls";
import type { ProbeConnection } from "./connection.ts";
import type { TlsReport, TlsVersionReport } from "./report.ts";
import { type Destination, median, type Visitor } from "./visitor.ts";

const protocols = ["h2", "http/1.1"];
const versions: readonly SecureVersion[] = ["TLSv1.3", "TLSv1.2"];
/** Of each kind and version. */
const handshakes = 3;

/** Makes the handshakes one after the other, so that they do not slow each other down. */
export async function measureTls(where: Destination, visitor: Visitor): Promise<TlsReport> {
  const chooses = await chosen(where, visitor, protocols);
  const offers: string[] = [];
  for (const protocol of protocols) {
    const taken = chooses === protocol || (await chosen(where, visitor, [protocol])) === protocol;
    if (taken) offers.push(protocol);
  }
  const reports: TlsVersionReport[] = [];
  for (const version of versions) reports.push(await measureVersion(version, where, visitor));
  return { offers, chooses, versions: reports };
}

/** What the server takes of `ALPNProtocols`; null when nothing, or when it refuses the handshake for it. */
async function chosen(
  where: Destination,
  visitor: Visitor,
  ALPNProtocols: string[],
): Promise<string | null> {
  const connection = await tryDial(where, visitor, { ALPNProtocols });
  if (connection === null) return null;
  visitor.leave(connection);
  return connection.tls?.alpnProtocol || null;
}

async function measureVersion(
  version: SecureVersion,
  where: Destination,
  visitor: Visitor,
): Promise<TlsVersionReport> {
  const range = { minVersion: version, maxVersion: version };
  const full: number[] = [];
  const resumed: number[] = [];
  let session: Buffer | null = null;
  for (let round = 0; round < handshakes; round++) {
    const connection = await tryDial(where, visitor, range);
    if (connection === null) {
      return { version, accepted: false, fullMsecs: null, resumedMsecs: null, resumes: null };
    }
    full.push(connection.times.tlsMsecs as number);
    session ??= await sessionOf(connection, visitor);
    visitor.leave(connection);
  }
  for (let round = 0; round < handshakes && session !== null; round++) {
    const connection = await tryDial(where, visitor, { ...range, session });
    if (connection === null) break;
    if (connection.tls?.isSessionReused()) resumed.push(connection.times.tlsMsecs as number);
    visitor.leave(connection);
  }
  return {
    version,
    accepted: true,
    fullMsecs: median(full),
    resumedMsecs: median(resumed),
    resumes: resumed.length > 0,
  };
}

/** A session to resume. TLS 1.3 servers send theirs after the handshake, some with the first response only. */
async function sessionOf(connection: ProbeConnection, visitor: Visitor): Promise<Buffer | null> {
  let session: Buffer | null = null;
  connection.tls?.on("session", (ticket) => {
    session = ticket;
  });
  await visitor.ask(connection);
  const { tls } = connection;
  return session ?? (tls?.getProtocol() === "TLSv1.2" ? (tls.getSession() ?? null) : null);
}

/** Null when the server refuses these options. */
async function tryDial(
  where: Destination,
  visitor: Visitor,
  options: Parameters<Visitor["dial"]>[1],
): Promise<ProbeConnection | null> {
  try {
    return await visitor.dial(where, options);
  } catch {
    visitor.check();
    return null;
  }
}
