/**
 * The report of a load as one HTML file. Invariant: what may be a secret is not in it: users and queries of URLs, values of header
 * fields, bodies.
 */
import { htmlFile } from "../html-file.ts";
import { count, span } from "../numbers.ts";
import { toJson } from "../text.ts";
import { clientSettings, type Setting } from "./client-options.ts";
import type { LoadPlan } from "./plan.ts";
import { intentOf } from "./render.ts";
import type { LoadReport } from "./report.ts";
import { shownUrl, withShownUrls } from "./urls.ts";

/** What the page is given. */
export interface PageContent {
  /** What was sent, in a sentence. */
  readonly intent: string;
  readonly report: LoadReport;
  /** Of the load, and of keepline's client. */
  readonly settings: { readonly load: readonly Setting[]; readonly client: readonly Setting[] };
}

/** The file. */
export function htmlOf(report: LoadReport, plan: LoadPlan): string {
  const urls = plan.urls.length === 1 ? plan.urls.map(shownUrl) : plan.urls;
  const content: PageContent = {
    intent: intentOf({ ...plan, urls }),
    report: {
      ...report,
      plan: { ...report.plan, firstUrl: shownUrl(report.plan.firstUrl) },
      runs: report.runs.map((run) => ({
        ...run,
        errors: Object.fromEntries(
          Object.entries(run.errors).map(([code, { count, example }]) => [
            code,
            { count, example: withShownUrls(example) },
          ]),
        ),
      })),
    },
    settings: { load: loadSettings(plan), client: clientSettings(plan.options) },
  };
  return htmlFile("load", toJson(content, 0));
}

function loadSettings(plan: LoadPlan): Setting[] {
  const { urls, pace, requests, durationMsecs, method, headers, body, timeoutMsecs, tls } = plan;
  const first = shownUrl(urls[0] as string);
  const setting = (name: string, value: string): Setting => ({ name, value, isGiven: true });
  return [
    setting("URL", urls.length === 1 ? first : `${count(urls.length)}, the first is ${first}`),
    setting("method", method),
    pace.kind === "closed"
      ? setting("concurrency", `${count(pace.concurrency)} at a time`)
      : setting("rate", `${count(pace.perSecond)} a second`),
    setting("requests", Number.isFinite(requests) ? count(requests) : "no limit"),
    setting("duration", Number.isFinite(durationMsecs) ? span(durationMsecs) : "no limit"),
    setting("timeout of a request", span(timeoutMsecs)),
    setting("header fields", headers.map(([name]) => name).join(", ")),
    setting("body", body === null ? "none" : `${count(body.length)} bytes`),
    ...(urls.some((url) => url.startsWith("https:"))
      ? [setting("certificates", tls.rejectUnauthorized === false ? "not verified" : "verified")]
      : []),
  ];
}
