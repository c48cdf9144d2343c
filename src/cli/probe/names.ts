/**
 * Where a name leads: its addresses with their time to live, and what a TCP connection to each costs.
 */
import { lookup, Resolver } from "node:dns/promises";
import { isIP } from "node:net";
import type { AddressReport, NameReport } from "./report.ts";
import { type Destination, median, type Visitor } from "./visitor.ts";

/** What asks DNS: a part of `dns.promises.Resolver`. */
export interface Records {
  resolve4(host: string, options: { ttl: true }): Promise<DnsRecord[]>;
  resolve6(host: string, options: { ttl: true }): Promise<DnsRecord[]>;
}

interface DnsRecord {
  readonly address: string;
  readonly ttl: number;
}

const mostAddresses = 6;
const connectsPerAddress = 3;

/** What is known of the addresses of a name before any is connected to. */
export interface Names {
  readonly kind: NameReport["kind"];
  readonly lookupMsecs: number | null;
  readonly addresses: readonly (Destination & { readonly ttlSeconds: number | null })[];
}

/**
 * Looks `host` up, as the system does for any program, and asks DNS how long that holds. Rejects when the system does
 * not know the name; DNS that does not, or does not answer, leaves the times to live out.
 */
export async function findNames(
  host: string,
  records: Records = new Resolver({ timeout: 2_000, tries: 1 }),
): Promise<Names> {
  const family = isIP(host);
  if (family === 4 || family === 6) {
    const addresses = [{ address: host, family, ttlSeconds: null } as const];
    return { kind: "address", lookupMsecs: null, addresses };
  }
  const startedAt = performance.now();
  const found = await lookup(host, { all: true });
  const lookupMsecs = performance.now() - startedAt;
  const ttls = await ttlsOf(host, records);
  const addresses = found.slice(0, mostAddresses).map(({ address, family }) => ({
    address,
    family: family === 6 ? (6 as const) : (4 as const),
    ttlSeconds: ttls.get(address) ?? null,
  }));
  return { kind: ttls.size > 0 ? "dns" : "local", lookupMsecs, addresses };
}

async function ttlsOf(host: string, records: Records): Promise<ReadonlyMap<string, number>> {
  const answers = await Promise.allSettled([
    records.resolve4(host, { ttl: true }),
    records.resolve6(host, { ttl: true }),
  ]);
  return new Map(
    answers
      .flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []))
      .map(({ address, ttl }) => [address, ttl]),
  );
}

/** Connects to each address a few times, one after the other, and sends nothing. `failed` is told what went wrong. */
export async function measureAddresses(
  names: Names,
  visitor: Visitor,
  failed: (error: unknown) => void,
): Promise<AddressReport[]> {
  const reports: AddressReport[] = [];
  for (const address of names.addresses) {
    const times: number[] = [];
    let problem: string | null = null;
    for (let round = 0; round < connectsPerAddress && problem === null; round++) {
      try {
        const connection = await visitor.dial(address);
        times.push(connection.times.connectMsecs);
        visitor.leave(connection);
      } catch (error) {
        visitor.check();
        failed(error);
        problem = error instanceof Error ? error.message : String(error);
      }
    }
    reports.push({ ...address, connectMsecs: median(times), problem });
  }
  return reports;
}
