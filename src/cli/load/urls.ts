/**
 * What a load asks for: one URL, or a file of them, a line each.
 */
import { readFileSync } from "node:fs";
import { UsageError } from "../errors.ts";
import { allowedUrl, parseUrl } from "../target-options.ts";

/** `url` for a report that is shown around: without user, query and fragment, which may be secrets. */
export function shownUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/** `text` with every URL in it as `shownUrl` has it. */
export function withShownUrls(text: string): string {
  // No other characters than these end a URL that a query cannot have.
  return text.replace(/https?:\/\/[^\s"<>]+/gi, (url) =>
    URL.canParse(url) ? shownUrl(url) : "(URL)",
  );
}

const mostUrls = 100_000;

/**
 * The URLs that `text` stands for: itself, or the lines of the file of that name. Empty lines and those that begin with
 * `#` are passed over.
 *
 * @throws UsageError
 */
export function readUrls(text: string): string[] {
  if (/^https?:/i.test(text)) {
    const url = parseUrl(text);
    if (url !== null) return [url.href];
    throw new UsageError(`URL must be ${allowedUrl}, not ${JSON.stringify(text)}`);
  }
  let lines: string[];
  try {
    lines = readFileSync(text, "utf8").split(/\r?\n/);
  } catch (error) {
    const words = (error as Error).message;
    throw new UsageError(
      `${JSON.stringify(text)} is neither an http or https URL nor a file that can be read: ${words}`,
    );
  }
  const urls = lines.flatMap((line, index) => {
    const word = line.trim();
    if (word === "" || word.startsWith("#")) return [];
    const url = parseUrl(word);
    if (url !== null) return [url.href];
    throw new UsageError(
      `line ${index + 1} of ${text} must be ${allowedUrl}, not ${JSON.stringify(word.slice(0, 60))}`,
    );
  });
  if (urls.length === 0) throw new UsageError(`${text} has no URL in it: write one on each line`);
  if (urls.length > mostUrls) throw new UsageError(`${text} has more than ${mostUrls} URLs`);
  return urls;
}
