/**
 * Which origins belong to a service: exact ones, all hosts below a domain, or what a function says.
 * Invariant: patterns are normalized as origins are (lower case, no default port, no trailing slash),
 * so that comparing strings is enough.
 */

/** `https://api.example.com`, `https://*.example.com` for every host below it, or a function of an origin. */
export type OriginPattern = string | ((origin: string) => boolean);

/** The patterns of one service, told apart. */
export class OriginPatterns {
  /** Those that are an origin, each once. */
  readonly exact: readonly string[];
  /** Those that stand for every host below a domain, at any depth, but not for the domain itself. */
  readonly wildcards: readonly string[];
  readonly #origins: ReadonlySet<string>;
  readonly #functions: readonly ((origin: string) => boolean)[];

  constructor(patterns: readonly OriginPattern[]) {
    const strings = patterns.filter((each) => typeof each === "string");
    this.wildcards = strings.filter((each) => each.includes("*"));
    this.#origins = new Set(strings.filter((each) => !each.includes("*")));
    this.#functions = patterns.filter((each) => typeof each === "function");
    this.exact = [...this.#origins];
  }

  /** Whether one of them means `origin`. Functions are asked last, and mean it by `true` alone; what they throw is thrown. */
  has(origin: string): boolean {
    return (
      this.#origins.has(origin) ||
      this.wildcards.some((each) => covers(each, origin)) ||
      // A promise is no `true`: an async function would claim every origin.
      this.#functions.some((each) => each(origin) === true)
    );
  }
}

/**
 * An origin or wildcard that is in both `a` and `b`; null when none is known. Functions are asked about the other's
 * exact origins only: what else they say is unknown until such an origin is used.
 */
export function overlap(a: OriginPatterns, b: OriginPatterns): string | null {
  return (
    a.exact.find((each) => b.has(each)) ??
    b.exact.find((each) => a.has(each)) ??
    a.wildcards.find((each) => b.wildcards.some((other) => covers(other, each))) ??
    b.wildcards.find((each) => a.wildcards.some((other) => covers(other, each))) ??
    null
  );
}

/** Whether `wildcard` means `origin`; and, of another wildcard, all that this one means. */
function covers(wildcard: string, origin: string): boolean {
  const star = wildcard.indexOf("*");
  return (
    // Something stands for the asterisk: `https://.example.com` is no host.
    origin.length >= wildcard.length &&
    origin.startsWith(wildcard.slice(0, star)) &&
    origin.endsWith(wildcard.slice(star + 1))
  );
}
